"""Transports by name, from the entry point group `clusterway.transports`.

A third party adds a transport by shipping an entry point; nothing here changes.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from transports.base import Endpoint, Transport, TransportFactory
from transports.errors import InvalidRequest

GROUP = "clusterway.transports"


def installed() -> dict[str, EntryPoint]:
    """All transports that are installed, by name.

    Raises RuntimeError where two packages claim one name: which of them wins would be chance.
    """
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        if point.name in found and found[point.name].value != point.value:
            raise RuntimeError(
                f"transport name {point.name!r} is claimed twice: "
                f"{found[point.name].value} and {point.value}"
            )
        found[point.name] = point
    return found


def create(name: str, endpoint: Endpoint) -> Transport:
    """A transport of that name for the endpoint, not yet connected.

    Raises InvalidRequest where no such transport is installed or it declines the options.
    """
    point = installed().get(name)
    if point is None:
        known = ", ".join(sorted(installed())) or "none"
        raise InvalidRequest(f"no transport named {name!r} is installed (installed: {known})")
    factory: TransportFactory = point.load()
    return factory(endpoint)
