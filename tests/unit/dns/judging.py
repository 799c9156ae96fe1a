"""The guide's two peers, and what the DNS checks make of the answers of given name servers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.checks.dns import dns_records, extra_names
from app.dns.lookup import NameServers
from app.dns.questions import first_round, second_round
from app.domain.cluster import Cluster
from app.domain.dns import DnsView
from app.domain.finding import Finding
from app.domain.observation import Dns, Lan, Observation
from app.domain.peer import Peer
from app.domain.procedure import Situation
from tests.api.observations import observation

SERVER = "192.0.2.53"


def peer(number, *, server=SERVER, ipv6=""):
    return replace(
        observation(),
        peer_id=f"peer-{number}",
        system_name=f"expe{number}",
        lans=(Lan(1, "Auto", f"192.0.2.1{number}", "255.255.255.0", ipv6, False),),
        dns=Dns(f"expe{number}", "company.com", (server,)),
    )


FIRST = peer(1, ipv6="2001:db8::11")
SECOND = peer(2)


def judge(
    places: Mapping[str, str],
    peers: Sequence[Observation] = (FIRST, SECOND),
    memberships: Mapping[str, str] | None = None,
    names: Sequence[str] = (),
    **options,
) -> dict[str, Finding]:
    """The findings by code. `places`: a server's address as the peers know it -> `host:port`."""

    async def story():
        servers = NameServers(instead=places, **{"timeout": 10.0, **options})
        first = await servers.ask(first_round("company.com", peers, names))
        second = await servers.ask(second_round(first, peers))
        return DnsView((*first, *second), {p.peer_id: p.dns.servers for p in peers})

    everybody = {p.peer_id: Peer(p.peer_id, p.system_name, p.address) for p in peers}
    everybody["backup-1"] = Peer("backup-1", "backup1", "192.0.2.91")
    cluster = Cluster("cluster-1", "company.com")
    view = asyncio.run(story())
    situation = Situation(cluster, everybody, {}, {}, memberships or {}, view)
    found = (*dns_records(situation, peers), *extra_names(situation, peers, names))
    return {f.code: f for f in found}
