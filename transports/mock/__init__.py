"""A simulated fleet of Expressways, and the transport that reaches it in process.

fleet = Fleet.from_scenario({...})
register("lab", fleet)
transport = create(Endpoint(host="192.0.2.11", ..., options={"fleet": "lab"}))
"""

from __future__ import annotations

from transports.base import Endpoint, Transport
from transports.errors import InvalidRequest
from transports.mock.clock import FleetClock
from transports.mock.expressway import Expressway, Power
from transports.mock.faults import Fault, FaultKind, Faults
from transports.mock.fleet import Fleet
from transports.mock.profile import DeviceProfile, for_version
from transports.mock.transport import MockTransport
from transports.mock.witness import Violation, Witness

_FLEETS: dict[str, Fleet] = {}


def register(name: str, fleet: Fleet) -> None:
    """Make a fleet known under a name; an older one of that name is forgotten."""
    _FLEETS[name] = fleet


def registered(name: str) -> Fleet:
    """The fleet of that name. Raises InvalidRequest where there is none."""
    if name not in _FLEETS:
        raise InvalidRequest(f"mock: no fleet named {name!r} is registered")
    return _FLEETS[name]


def forget(name: str) -> None:
    """Forget a fleet; nothing happens where there is none of that name."""
    _FLEETS.pop(name, None)


def create(endpoint: Endpoint) -> Transport:
    """The in-process transport for an endpoint; its option `fleet` names a registered fleet."""
    return MockTransport(endpoint, registered(endpoint.options.get("fleet", "")))


__all__ = [
    "DeviceProfile",
    "Expressway",
    "Fault",
    "FaultKind",
    "Faults",
    "Fleet",
    "FleetClock",
    "MockTransport",
    "Power",
    "Violation",
    "Witness",
    "create",
    "for_version",
    "forget",
    "register",
    "registered",
]
