"""A chain of hashes over rows: a row that is changed or removed later breaks every link behind it.

Each link is SHA-256 over the link before it and the row's own bytes. What the bytes are is said
where a chain is made: transcript entries by their canonical JSON (RFC 8785), events by the text
that the database made of them when it wrote them.
"""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785

BEGINNING = b""
"""What the first link of a chain hangs on."""
_LARGEST = 2**53 - 1


def link(before: bytes, row: bytes) -> bytes:
    """The hash of a row behind the one before it."""
    return hashlib.sha256(before + row).digest()


def canonical(value: Any) -> bytes:
    """The one way to write this JSON (RFC 8785). Raises ValueError on what is no JSON."""
    return rfc8785.dumps(_safe(value))


def _safe(value: Any) -> Any:
    """JSON numbers beyond what every reader holds exactly become texts."""
    if isinstance(value, dict):
        return {str(key): _safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_safe(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST:
        return str(value)
    return value
