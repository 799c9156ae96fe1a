"""Time, as everything in the house asks for it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Now, and how to wait.

    `pace` is how many seconds of an appliance pass in one second here: 1 on real peers, more while
    rehearsing on a simulated fleet whose clock runs fast. All waits and limits of procedures are
    appliance seconds; only the clock knows the pace.
    """

    @property
    def pace(self) -> float:
        """Appliance seconds per second."""

    def now(self) -> datetime:
        """The time of day, UTC, aware."""

    def monotonic(self) -> float:
        """Appliance seconds since some start; never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Wait that many appliance seconds."""
