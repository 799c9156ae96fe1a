"""A fleet: the appliances, the network between them, the clock, and everyone who watches.

Whatever is true between appliances rather than inside one lives here: which of them reach each
other, who must look again when one changes, and the hooks through which the witness and a
rehearsal's console see every change and every text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from transports.mock.clock import FleetClock
from transports.mock.expressway import Expressway
from transports.mock.faults import Faults
from transports.mock.profile import DeviceProfile

ChangeHook = Callable[[Expressway, str], None]
SERVICE = "service"
"""The name under which a link to the callers of the fleet can be cut."""


class Fleet:
    """Simulated Expressways that can see each other."""

    def __init__(
        self,
        clock: FleetClock | None = None,
        profile: DeviceProfile | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.clock = clock or FleetClock()
        self.profile = profile or DeviceProfile()
        self.faults = faults or Faults()
        self.names: dict[str, tuple[str, ...]] = {}
        """What the fleet's DNS servers answer: name -> addresses."""
        self.round_trips: dict[frozenset[str], float] = {}
        """Milliseconds between two appliances, or one and `SERVICE`, by their names."""
        self._expressways: dict[str, Expressway] = {}
        self._cuts: set[frozenset[str]] = set()
        self._on_change: list[ChangeHook] = []
        self._on_text: list[ChangeHook] = []
        self._on_wipe: list[ChangeHook] = []
        self._looking = False

    @classmethod
    def from_scenario(
        cls,
        scenario: Mapping[str, Any] | None = None,
        *,
        clock: FleetClock | None = None,
        profile: DeviceProfile | None = None,
    ) -> Fleet:
        """A fleet as a scenario describes it (`transports.mock.scenario`); three by default."""
        from transports.mock.scenario import build  # noqa: PLC0415 - scenario needs this class

        return build(scenario or {}, clock=clock, profile=profile)

    def __iter__(self) -> Iterator[Expressway]:
        return iter(self._expressways.values())

    def __getitem__(self, name: str) -> Expressway:
        return self._expressways[name]

    def __len__(self) -> int:
        return len(self._expressways)

    def add(
        self,
        name: str,
        address: str,
        *,
        serial: str = "",
        version: str = "",
        hardware: str = "VMware",
    ) -> Expressway:
        """Put one more appliance on the network.

        Raises ValueError where the name or the address is taken.
        """
        if name in self._expressways or self.at(address) is not None:
            raise ValueError(f"{name} at {address}: the name or the address is taken")
        expressway = Expressway(
            self,
            name,
            address,
            serial=serial or f"0{0x17DB2D0 + len(self):07X}",
            version=version,
            hardware=hardware,
        )
        self._expressways[name] = expressway
        self.names.setdefault(f"{name}.example.com", (address,))
        return expressway

    def at(self, address: str) -> Expressway | None:
        """The appliance with that LAN 1 address, or whose DNS name it is."""
        for expressway in self:
            if expressway.address == address:
                return expressway
        resolved = self.names.get(address, ())
        return self.at(resolved[0]) if resolved and resolved[0] != address else None

    def reachable(self, one: Expressway, other: Expressway) -> bool:
        """Whether the network between two appliances carries their traffic."""
        return frozenset((one.name, other.name)) not in self._cuts

    def serves(self, expressway: Expressway) -> bool:
        """Whether callers reach the appliance over the network."""
        return frozenset((SERVICE, expressway.name)) not in self._cuts

    def round_trip(self, one: Expressway, other: Expressway) -> float:
        """Milliseconds there and back between two appliances; 1 where nothing else was set."""
        return self.round_trips.get(frozenset((one.name, other.name)), 1.0)

    def round_trip_from_outside(self, expressway: Expressway) -> float:
        """Milliseconds there and back between the fleet's callers and an appliance."""
        return self.round_trips.get(frozenset((SERVICE, expressway.name)), 1.0)

    def cut(self, one: str, other: str = SERVICE) -> None:
        """Cut the link between two appliances, or between one and the fleet's callers."""
        self._cuts.add(frozenset((one, other)))
        self._relink(one, other)

    def isolate(self, name: str) -> None:
        """Cut an appliance off from all others, and from the callers."""
        for other in [*self._expressways, SERVICE]:
            if other != name:
                self.cut(name, other)

    def mend(self, one: str, other: str = SERVICE) -> None:
        """Mend a link."""
        self._cuts.discard(frozenset((one, other)))
        self._relink(one, other)

    def mend_all(self) -> None:
        """Mend every link."""
        for link in list(self._cuts):
            self.mend(*link)

    def on_change(self, hook: ChangeHook) -> Callable[[], None]:
        """Call the hook after every change of state: the appliance, and what changed.

        Returns a function that takes the hook off again, as the next two do.
        """
        return _hang(hook, self._on_change)

    def on_text(self, hook: ChangeHook) -> Callable[[], None]:
        """Call the hook with every text an appliance sends."""
        return _hang(hook, self._on_text)

    def on_wipe(self, hook: ChangeHook) -> Callable[[], None]:
        """Call the hook before an appliance's configuration is destroyed, and by what."""
        return _hang(hook, self._on_wipe)

    def changed(self, expressway: Expressway, what: str) -> None:
        """Pass a change on to the hooks."""
        for hook in list(self._on_change):
            hook(expressway, what)

    def sent(self, expressway: Expressway, text: str) -> None:
        """Pass a text that left an appliance on to the hooks."""
        for hook in self._on_text:
            hook(expressway, text)

    def about_to_wipe(self, expressway: Expressway, how: str) -> None:
        """Pass on that a configuration is about to be destroyed."""
        for hook in self._on_wipe:
            hook(expressway, how)

    def reconsider(self, cause: Expressway) -> None:
        """Everyone whose clustering has to do with the cause looks again."""
        if self._looking or cause.name not in self._expressways:
            return
        self._looking = True
        try:
            for other in self:
                if other is not cause and self._concerned(other, cause):
                    other.cluster.look()
            cause.cluster.look()
            for other in self:
                if other is not cause and self._concerned(other, cause):
                    other.cluster.look()
        finally:
            self._looking = False

    def describe(self) -> list[dict[str, Any]]:
        """The state of every appliance as plain data, without secrets: for a console."""
        return [
            {
                "name": e.name,
                "address": e.address,
                "power": e.power.value,
                "version": e.version,
                "uptime": round(e.uptime) if e.up else None,
                "maintenance": e.maintenance,
                "calls": len(e.calls.live),
                "cluster_name": e.cluster.saved().name,
                "peers": list(e.cluster.saved().listed),
                "primary": e.cluster.saved().master_address,
                "peer_status": {a: e.cluster.status_word(a) for a in e.cluster.saved().listed},
                "database_status": e.cluster.database_status(),
                "alarms": [alarm.number for alarm in e.alarms.listed()],
                "shared_values": len(e.configuration.shared()),
            }
            for e in self
        ]

    def _concerned(self, other: Expressway, cause: Expressway) -> bool:
        watched = other.cluster.watches
        return cause.address in watched or other.address in cause.cluster.watches or not other.up

    def _relink(self, *names: str) -> None:
        for name in names:
            if name in self._expressways:
                self.reconsider(self._expressways[name])
                self.changed(self._expressways[name], "link")


def _hang(hook: ChangeHook, hooks: list[ChangeHook]) -> Callable[[], None]:
    hooks.append(hook)

    def take_off() -> None:
        if hook in hooks:
            hooks.remove(hook)

    return take_off
