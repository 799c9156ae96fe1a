"""Whether this worker can still show that it lives, and so may touch anything.

Others take a worker for dead in two ways: its beat is old, or its connection to the database is
gone and has not come back for some moments. So must it itself, and sooner: every exchange with a
peer asks `check` first, and whatever is under way is interrupted, at the latest by the first good
beat after the gap: without that, a thawed worker that beats before it looks at the clock would feel
fresh again.

When a connection broke is known only afterwards. So the moment that counts is not when that was
noticed but when the connection was last seen whole: it broke later than that, and others count
their moments from when it broke.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from app.engine.errors import LeaseLost


def never_cut() -> bool:
    """The connection of a worker whose journal lives in its own process."""
    return False


class Pulse:
    """The good beats of one worker, in seconds of the running loop's clock."""

    def __init__(
        self,
        stale: float,
        interrupt: Callable[[], None],
        *,
        gone: float = float("inf"),
        cut: Callable[[], bool] = never_cut,
    ) -> None:
        """`interrupt` stops whatever the worker has under way.

        Seconds: `stale` since the last good beat, `gone` since the connection was last whole;
        `cut` looks, without waiting, whether it is broken. Before it says again that it is not,
        `watch` has to be called.
        """
        self.stale = stale
        self.gone = gone
        self._interrupt = interrupt
        self._cut = cut
        self._last: float | None = None
        self._whole = float("-inf")
        self._interrupted = False

    def beaten(self, at: float) -> None:
        """A beat that was sent at `at` has arrived."""
        self._now()
        if self._last is not None and not self._interrupted and self._dead(at):
            self._interrupt()
        self._last = self._whole = at
        self._interrupted = False

    def watch(self) -> bool:
        """Interrupt, once, where others may take us for dead; whether it did so now."""
        if self._interrupted or self._last is None or not self._dead(self._now()):
            return False
        self._interrupted = True
        self._interrupt()
        return True

    def check(self) -> None:
        """Raises LeaseLost where others may take us for dead."""
        now = self._now()
        if self._last is None or self._dead(now):
            age = float("inf") if self._last is None else now - min(self._last, self._whole)
            raise LeaseLost(f"no good beat for {age:.1f} s: another worker may have the job by now")

    def _now(self) -> float:
        now = asyncio.get_running_loop().time()
        if not self._cut():
            self._whole = now
        return now

    def _dead(self, now: float) -> bool:
        last = float("-inf") if self._last is None else self._last
        return now - last > self.stale or now - self._whole > self.gone
