"""The review of one Expressway before it is touched (guide p.9-10 and p.12), as one list.

A plan runs it over what was observed; the job runs it once more over what is there at its start.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.checks import access, membership, naming, network
from app.domain.finding import Finding
from app.domain.observation import Observation
from app.domain.peer import Peer


def before_clustering(
    seen: Observation, registered: Peer, *, host_name_to_be_set: str = ""
) -> Iterator[Finding]:
    """Everything the guide wants reviewed on a stand-alone Expressway, in the guide's order."""
    yield from access.version_applies(seen)
    yield from network.ethernet_speed(seen)
    yield from network.lan_address(seen, registered)
    yield from network.gateway(seen)
    yield from network.no_nat_on_lan_1(seen)
    yield from naming.dns_servers(seen)
    yield from naming.time_synchronised(seen)
    yield from membership.no_peers_configured(seen)
    yield from naming.host_name(seen, host_name_to_be_set)
    yield from network.h323_on(seen)
    yield from membership.restart_pending(seen)
