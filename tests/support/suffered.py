"""What the users of a simulated fleet really went through while a job ran, appliance by appliance.

The counterpart of a plan's predicted impact. It looks on from outside, at every change of state,
and knows nothing of plans: calls and registrations that are there and then are not, and how long an
appliance was away or took no new calls.
"""

from __future__ import annotations

from dataclasses import dataclass

from transports.mock.expressway import Expressway, Power
from transports.mock.fleet import Fleet

_CUT_OFF = frozenset({"calls dropped", "call disconnected"})
"""What an appliance says of calls that did not end by themselves."""


@dataclass
class Suffered:
    """What became of one appliance. Times are device seconds."""

    restarts: int = 0
    calls_lost: int = 0
    registrations_lost: int = 0
    away: float = 0.0
    refusing: float = 0.0
    """Away, or in maintenance mode."""


class Onlooker:
    """Looks on from the moment it is made."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._now = fleet.clock.now()
        self._states = {device.name: _state(device) for device in fleet}
        self.of = {device.name: Suffered() for device in fleet}
        fleet.on_change(self._changed)

    def until_now(self) -> dict[str, Suffered]:
        """Everything up to this moment."""
        self._pass_time()
        return self.of

    def _changed(self, device: Expressway, what: str) -> None:
        self._pass_time()
        before, now = self._states[device.name], _state(device)
        suffered = self.of[device.name]
        suffered.restarts += now.away and not before.away
        suffered.calls_lost += max(0, before.calls - now.calls) if what in _CUT_OFF else 0
        suffered.registrations_lost += max(0, before.registrations - now.registrations)
        self._states[device.name] = now

    def _pass_time(self) -> None:
        passed, self._now = self._fleet.clock.now() - self._now, self._fleet.clock.now()
        for name, state in self._states.items():
            self.of[name].away += passed * state.away
            self.of[name].refusing += passed * (state.away or state.in_maintenance)


@dataclass(frozen=True)
class _State:
    calls: int
    registrations: int
    away: bool
    in_maintenance: bool


def _state(device: Expressway) -> _State:
    return _State(
        calls=len(device.calls.live),
        registrations=len(device.registrations),
        away=device.power is not Power.ON,
        in_maintenance=device.configuration.get("SystemUnit Maintenance Mode") == "On",
    )
