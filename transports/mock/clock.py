"""The fleet's own clock: device seconds that pass `rate` times as fast as the event loop's.

Everything the fleet does in time (restarts, replication, alarms, calls that end) hangs on one queue
of timers here, so that a rehearsal can run at any pace, a test can run in virtual time, and two
things that fall due together always happen in the order in which they were asked for. A fleet may
be built before any loop runs; its timers start with the first use inside one.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

_START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
_SLACK = 1e-6


@dataclass(order=True, slots=True)
class Timer:
    """A call that falls due at `due` device seconds."""

    due: float
    order: int
    call: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """Forget the call."""
        self.cancelled = True


class FleetClock:
    """Device time. `rate` is how many device seconds pass in one second of the event loop."""

    def __init__(self, rate: float = 1.0, start: datetime = _START) -> None:
        if rate <= 0:
            raise ValueError("the rate of a fleet's clock must be above 0")
        self.rate = rate
        self._start = start
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_start = 0.0
        self._base = 0.0
        self._last = 0.0
        self._timers: list[Timer] = []
        self._order = itertools.count()
        self._armed: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """Device seconds since the fleet was made; never goes back, stands still without a loop."""
        loop = self._bind()
        if loop is not None:
            elapsed = (loop.time() - self._loop_start) * self.rate
            self._last = max(self._last, self._base + elapsed)
        return self._last

    def date(self, skew: float = 0.0) -> datetime:
        """The time of day on a device whose clock is wrong by `skew` seconds; aware, UTC."""
        return self._start + timedelta(seconds=self.now() + skew)

    def call_later(self, device_seconds: float, call: Callable[[], None]) -> Timer:
        """Call a function after that many device seconds."""
        timer = Timer(self.now() + max(0.0, device_seconds), next(self._order), call)
        heapq.heappush(self._timers, timer)
        if self._loop is not None and self._timers[0] is timer:
            self._arm()
        return timer

    async def sleep(self, device_seconds: float) -> None:
        """Wait that many device seconds."""
        self.now()
        await asyncio.sleep(max(0.0, device_seconds) / self.rate)

    def _bind(self) -> asyncio.AbstractEventLoop | None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return None
        if loop is not self._loop:
            self._loop = loop
            self._loop_start = loop.time()
            self._base = self._last
            self._armed = None
            self._arm()
        return loop

    def _arm(self) -> None:
        if self._armed is not None:
            self._armed.cancel()
            self._armed = None
        while self._timers and self._timers[0].cancelled:
            heapq.heappop(self._timers)
        if self._loop is not None and self._timers:
            wait = (self._timers[0].due - self._base) / self.rate
            self._armed = self._loop.call_at(self._loop_start + wait, self._fire)

    def _fire(self) -> None:
        self._armed = None
        now = self.now() + _SLACK
        try:
            while self._timers and self._timers[0].due <= now:
                timer = heapq.heappop(self._timers)
                if not timer.cancelled:
                    self._last = max(self._last, timer.due)
                    timer.call()
        finally:
            self._arm()
