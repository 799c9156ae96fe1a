"""Calls of one appliance: they come, they end by themselves in time, some never do."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from transports.mock.clock import FleetClock
from transports.mock.configuration import DeviceRefusal


@dataclass(frozen=True, slots=True)
class Call:
    """One live call. `ends_at` is device time; infinite for a call that never ends."""

    number: int
    serial: str
    started_at: float
    ends_at: float


class Calls:
    """The live calls of one appliance."""

    def __init__(
        self, clock: FleetClock, changed: Callable[[str], None], endless: Callable[[], bool]
    ) -> None:
        self._clock = clock
        self._changed = changed
        self._endless = endless
        self._next = 1
        self.total = 0
        self.live: dict[int, Call] = {}

    def start(self, seconds: float) -> Call:
        """A call that lasts that many device seconds; `math.inf` for ever."""
        number, self._next = self._next, self._next % 1000 + 1
        now = self._clock.now()
        serial = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{number} {now} {id(self)}"))
        call = Call(number, serial, now, now + seconds)
        self.live[number] = call
        self.total += 1
        if not math.isinf(seconds):
            self._clock.call_later(seconds, lambda: self._end(call))
        self._changed("call started")
        return call

    def disconnect(self, number: int | None, serial: str | None) -> None:
        """Disconnect one call. Raises DeviceRefusal where there is no such call."""
        for call in list(self.live.values()):
            if call.number == number or call.serial == serial:
                if not self._endless():
                    del self.live[call.number]
                    self._changed("call disconnected")
                return
        raise DeviceRefusal("Call not found", cause=17)

    def drop_all(self) -> None:
        """A restart drops every call."""
        if self.live:
            self.live.clear()
            self._changed("calls dropped")

    def _end(self, call: Call) -> None:
        if self.live.get(call.number) is call and not self._endless():
            del self.live[call.number]
            self._changed("call ended")
