"""Two clocks: the machine's, and one that follows the event loop.

Under a virtual-time loop only the second one moves with the waits, so tests and rehearsals see
times of day that fit what they waited for.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class SystemClock:
    """The machine's time of day. `pace` is the appliance seconds in one second (see Clock)."""

    def __init__(self, pace: float = 1.0) -> None:
        if pace <= 0:
            raise ValueError("pace must be more than 0")
        self._pace = pace

    @property
    def pace(self) -> float:
        """Appliance seconds per second."""
        return self._pace

    def now(self) -> datetime:
        """The time of day, UTC, aware."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Appliance seconds since some start; never goes back."""
        return asyncio.get_running_loop().time() * self._pace

    async def sleep(self, seconds: float) -> None:
        """Wait that many appliance seconds."""
        await asyncio.sleep(max(0.0, seconds) / self._pace)


class LoopClock(SystemClock):
    """A time of day that starts at `start` when first asked and moves with the running loop."""

    def __init__(self, pace: float = 1.0, start: datetime | None = None) -> None:
        super().__init__(pace)
        self._start = start or datetime(2026, 1, 1, tzinfo=UTC)
        self._zero: float | None = None

    def now(self) -> datetime:
        """The start plus the loop's seconds since the first question."""
        time = asyncio.get_running_loop().time()
        if self._zero is None:
            self._zero = time
        return self._start + timedelta(seconds=time - self._zero)
