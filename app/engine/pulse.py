"""Whether this worker can still show that it lives, and so may touch anything.

A worker that was frozen, or cut off from the database, for longer than `stale` seconds must take
itself for dead: others will have, or have, its jobs. So every exchange with a peer asks `check`
first, and whatever is under way is interrupted, at the latest by the first good beat after the gap:
without that, a thawed worker that beats before it looks at the clock would feel fresh again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from app.engine.errors import LeaseLost


class Pulse:
    """The good beats of one worker, in seconds of the running loop's clock."""

    def __init__(self, stale: float, interrupt: Callable[[], None]) -> None:
        """`interrupt` stops whatever the worker has under way."""
        self.stale = stale
        self._limit = stale
        self._interrupt = interrupt
        self._last: float | None = None
        self._interrupted = False

    def beaten(self, at: float) -> None:
        """A beat that was sent at `at` has arrived."""
        if self._last is not None and at - self._last > self._limit and not self._interrupted:
            self._interrupt()
        self._last = at
        self._limit = self.stale
        self._interrupted = False

    def doubt(self, seconds: float) -> None:
        """Others can see that we are cut off: until the next beat, no more than `seconds` old."""
        self._limit = min(self._limit, seconds)

    def watch(self) -> bool:
        """Interrupt, once, where the last good beat is too old; whether it did so now."""
        if self._interrupted or self._last is None or self._age() <= self._limit:
            return False
        self._interrupted = True
        self._interrupt()
        return True

    def check(self) -> None:
        """Raises LeaseLost where the last good beat is too old to act on."""
        age = self._age()
        if age > self._limit:
            raise LeaseLost(f"no good beat for {age:.1f} s: another worker may have the job by now")

    def _age(self) -> float:
        if self._last is None:
            return float("inf")
        return asyncio.get_running_loop().time() - self._last
