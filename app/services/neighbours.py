"""Neighbours of a cluster: declared by callers, kept up to date by jobs."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.clock import Clock
from app.domain.neighbour import Neighbour, NeighbourKind
from app.services.conditions import Expected, remember, replay, tag
from app.services.ports import NewId, Store
from app.services.problems import invalid, not_found
from app.services.records import Once, Outcome, Page, RegisteredNeighbour


@dataclass(frozen=True, slots=True)
class NewNeighbour:
    """What a caller says of a neighbour."""

    name: str
    kind: NeighbourKind
    zone_name: str
    peer_id: str | None


@dataclass(frozen=True, slots=True)
class NeighboursService:
    """What callers may do with neighbours."""

    store: Store
    clock: Clock
    new_id: NewId

    async def create(
        self, cluster_id: str, said: NewNeighbour, once: Once | None
    ) -> Outcome[RegisteredNeighbour]:
        """Register one. Raises Problem `not-found`, `name-taken`, `invalid-request`."""
        now = self.clock.now()
        async with self.store.transaction() as tx:
            found = await replay(tx, once, now, tx.neighbours.get)
            if found is not None:
                return found
            if await tx.clusters.get(cluster_id) is None:
                raise not_found("cluster", cluster_id)
            if said.peer_id is not None and await tx.peers.get(said.peer_id) is None:
                raise invalid("/peer_id", "there is no peer with this id")
            if said.peer_id is not None and said.kind is NeighbourKind.OTHER:
                raise invalid(
                    "/kind", "only zones of Expressways can be changed: neighbor, traversal_client"
                )
            made = RegisteredNeighbour(
                Neighbour(
                    id=self.new_id("neighbour"),
                    cluster_id=cluster_id,
                    name=said.name,
                    kind=said.kind,
                    zone_name=said.zone_name,
                    peer_id=said.peer_id,
                ),
                now,
            )
            await tx.neighbours.add(made)
            await remember(tx, once, made.neighbour.id, now)
            return Outcome(made)

    async def get(self, cluster_id: str, neighbour_id: str) -> RegisteredNeighbour:
        """One neighbour of that cluster. Raises Problem `not-found`."""
        async with self.store.transaction() as tx:
            found = await tx.neighbours.get(neighbour_id)
        if found is None or found.neighbour.cluster_id != cluster_id:
            raise not_found("neighbour", neighbour_id)
        return found

    async def page(
        self, cluster_id: str, after: str | None, limit: int
    ) -> Page[RegisteredNeighbour]:
        """Some neighbours, in the order registered. Raises Problem `not-found`."""
        async with self.store.transaction() as tx:
            if await tx.clusters.get(cluster_id) is None:
                raise not_found("cluster", cluster_id)
            return await tx.neighbours.page(cluster_id, after, limit)

    async def delete(self, cluster_id: str, neighbour_id: str, expected: Expected) -> None:
        """Forget one; nothing changes on the device. Raises Problem `not-found`."""
        async with self.store.transaction() as tx:
            found = await tx.neighbours.get(neighbour_id)
            if found is None or found.neighbour.cluster_id != cluster_id:
                raise not_found("neighbour", neighbour_id)
            expected.check(tag(neighbour_id, 1))
            await tx.neighbours.remove(neighbour_id)
