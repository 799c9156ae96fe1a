"""Our side of `dns`: each cluster looked up as a preflight report does it.

Two rounds a cluster, by the functions that the checks use, with every answer kept as the domain's
Lookup. The clusters come one after the other.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from app.dns.lookup import NameServers
from app.dns.questions import first_round
from app.domain.dns import Lookup
from app.domain.observation import Dns, Lan, Observation
from app.procedures.steps.names import look_up
from bench.work import Measured, digest, given, record, tell
from tests.api.observations import observation
from tests.support.authoritative import SERVER

Peers = list[tuple[str, str]]
"""Of one cluster: host name and address."""


def peers_of(domain: str, peers: Peers) -> list[Observation]:
    """What the peers of a cluster say of themselves."""
    return [
        replace(
            observation(),
            peer_id=f"{name}.{domain}",
            lans=(Lan(1, "Auto", address, "255.0.0.0", "", False),),
            dns=Dns(name, domain, (SERVER,)),
        )
        for name, address in peers
    ]


def questions(domain: str, peers: Peers) -> list[tuple[str, str]]:
    """What is asked for one cluster: the same for every side."""
    return [(q.name, q.type) for q in first_round(domain, peers_of(domain, peers))[SERVER]]


async def main() -> None:
    """Look all of them up and tell what was found."""
    work = given()
    clusters = [(domain, peers_of(domain, peers)) for domain, peers in work["clusters"].items()]
    servers = NameServers(instead={SERVER: work["place"]})
    found: list[Lookup] = []
    with Measured() as cost:
        for domain, peers in clusters:
            found += (await look_up(servers, domain, peers)).lookups
    lines = [
        record(r.name, r.type, r.data)
        for lookup in found
        for r in lookup.records
        if r.type == lookup.question.type
    ]
    unsettled = sum(not lookup.answer.settled for lookup in found)
    tell(cost, asked=len(found), unsettled=unsettled, records=digest(lines))


if __name__ == "__main__":
    asyncio.run(main())
