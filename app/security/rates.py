"""How often somebody may ask: token buckets in memory, bounded in number.

Each process counts for itself: with n API processes behind a proxy a key gets up to n times its
quota. That is enough for what the limit is for, a caller that runs wild, and costs no query.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

WINDOW = 60
"""Seconds in which an empty bucket fills."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of asking for a token. `full_in` and `next_in` are whole seconds, rounded up."""

    allowed: bool
    remaining: int
    full_in: int
    next_in: int


class Buckets:
    """One bucket of `quota` tokens for each name; the names unused for longest are forgotten."""

    def __init__(
        self, quota: int, *, most: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.quota = quota
        self._most = most
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Name -> tokens left and when that was."""

    def __len__(self) -> int:
        return len(self._levels)

    def take(self, name: str) -> Taken:
        """Take a token where there is one."""
        level = self._level(name)
        allowed = level >= 1
        level -= 1 if allowed else 0
        self._levels[name] = (level, self._clock())
        self._levels.move_to_end(name)
        if len(self._levels) > self._most:
            self._levels.popitem(last=False)
        return self._told(level, allowed=allowed)

    def look(self, name: str) -> Taken:
        """What taking would come to, taking nothing."""
        level = self._level(name)
        return self._told(level, allowed=level >= 1)

    def _level(self, name: str) -> float:
        if name not in self._levels:
            return float(self.quota)
        level, at = self._levels[name]
        return min(float(self.quota), level + (self._clock() - at) * self.quota / WINDOW)

    def _told(self, level: float, *, allowed: bool) -> Taken:
        a_second = self.quota / WINDOW
        return Taken(
            allowed=allowed,
            remaining=int(level),
            full_in=math.ceil((self.quota - level) / a_second),
            next_in=max(1, math.ceil((1 - level) / a_second)),
        )


class Seen:
    """Remembers a bounded number of names for a while."""

    def __init__(
        self, seconds: float, *, most: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._until: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def __contains__(self, name: str) -> bool:
        return self._until.get(name, 0.0) > self._clock()

    def add(self, name: str) -> None:
        """Remember it from now on."""
        self._until[name] = self._clock() + self._seconds
        self._until.move_to_end(name)
        if len(self._until) > self._most:
            self._until.popitem(last=False)


def whose(address: str) -> str:
    """Whom failures from an address are counted against: of IPv6 the /64 that one host has."""
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ip_network((found, 64), strict=False))
    return str(found)
