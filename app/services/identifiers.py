"""Ids: readable, unguessable, and in the order they were made, so that they serve as cursors."""

from __future__ import annotations

import secrets
import threading
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS = 80


class Identifiers:
    """Makes ids such as `peer-06f3k2...`: 48 bits of milliseconds, 80 random bits.

    Two ids of one process in one millisecond still sort in the order they were made.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def __call__(self, kind: str) -> str:
        """A new id for that kind of resource."""
        with self._lock:
            stamp = time.time_ns() // 1_000_000
            fresh = (stamp << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
            if fresh <= self._last:
                fresh = self._last + 1 + secrets.randbits(32)
            self._last = fresh
        text = ""
        for _ in range(26):
            fresh, digit = divmod(fresh, 32)
            text = _ALPHABET[digit] + text
        return f"{kind}-{text}"
