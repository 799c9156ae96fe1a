"""What lies around the peers of a cluster: their names in DNS, and the paths between them.

Both are asked for beside the observations, bounded in time, and missing rather than guessed: a name
server that is not asked and a peer that cannot ping leave their rules unknown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.dns.naptr import Dialable, dialable, enum_name
from app.domain.dns import DnsView, Lookup, Question
from app.domain.observation import Observation
from app.procedures.base import NameLookups
from app.procedures.steps.names import look_up
from app.services.ports import Appliances
from app.services.problems import invalid

PING = "ping_from_peer"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Looks around a cluster. Changes nothing anywhere."""

    names: NameLookups
    appliances: Appliances
    round_trip_limit: float = 20.0

    async def dns(
        self, domain: str, peers: Sequence[Observation], extra: Iterable[str] = ()
    ) -> DnsView:
        """What each peer's own name servers say about the cluster, its peers and their names."""
        return await look_up(self.names, domain, peers, extra)

    async def enum(
        self, number: str, zone: str, peers: Sequence[Observation]
    ) -> tuple[tuple[Lookup, tuple[Dialable, ...]], ...]:
        """Per name server: its answer, and the URIs for the number in the order they are tried.

        Raises Problem `invalid-request` where the number is none.
        """
        try:
            question = Question.of(enum_name(number, zone), "NAPTR")
        except ValueError as error:
            raise invalid("/number", str(error)) from None
        servers = dict.fromkeys(server for seen in peers for server in seen.dns.servers)
        lookups = await self.names.ask(dict.fromkeys(servers, (question,)))
        return tuple((lookup, dialable(number, lookup)) for lookup in lookups)

    async def round_trips(
        self, peers: Sequence[Observation], capabilities: Mapping[str, frozenset[str]]
    ) -> dict[tuple[str, str], float | None]:
        """Milliseconds between every pair, measured from peer to peer where a transport can."""
        able = [seen for seen in peers if PING in capabilities.get(seen.peer_id, frozenset())]

        async def of(one: Observation) -> dict[tuple[str, str], float | None]:
            others = [other for other in peers if other.peer_id != one.peer_id and other.address]
            found: dict[tuple[str, str], float | None] = {}
            try:
                async with asyncio.timeout(self.round_trip_limit):
                    measured = await self.appliances.round_trips(
                        one.peer_id, [other.address for other in others]
                    )
            except TimeoutError:
                return found
            for other in others:
                if other.address in measured:
                    found[one.peer_id, other.peer_id] = measured[other.address]
            return found

        merged: dict[tuple[str, str], float | None] = {}
        for part in await asyncio.gather(*(of(seen) for seen in able)):
            merged |= part
        return merged
