"""Neighbours of a cluster: declared by callers, kept up to date by jobs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.domain.clock import Clock
from app.domain.neighbour import Neighbour, NeighbourKind
from app.services.conditions import Expected, remember, replay, tag
from app.services.ports import NewId, Store, Transaction
from app.services.problems import invalid, not_found
from app.services.records import Once, Outcome, Page, RegisteredNeighbour


@dataclass(frozen=True, slots=True)
class NewNeighbour:
    """What a caller says of a neighbour."""

    name: str
    kind: NeighbourKind
    zone_name: str
    peer_id: str | None

    def neighbour(self, neighbour_id: str, cluster_id: str) -> Neighbour:
        """The same with an id, as one of that cluster."""
        return Neighbour(
            id=neighbour_id,
            cluster_id=cluster_id,
            name=self.name,
            kind=self.kind,
            zone_name=self.zone_name,
            peer_id=self.peer_id,
        )


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
            await _reachable(tx, said)
            about = said.neighbour(self.new_id("neighbour"), cluster_id)
            made = RegisteredNeighbour(about, version=1, created_at=now)
            await tx.neighbours.add(made)
            await remember(tx, once, made.neighbour.id, now)
            return Outcome(made)

    async def get(self, cluster_id: str, neighbour_id: str) -> RegisteredNeighbour:
        """One neighbour of that cluster. Raises Problem `not-found`."""
        async with self.store.transaction() as tx:
            return await _found(tx, cluster_id, neighbour_id)

    async def page(
        self, cluster_id: str, after: str | None, limit: int
    ) -> Page[RegisteredNeighbour]:
        """Some neighbours, in the order registered. Raises Problem `not-found`."""
        async with self.store.transaction() as tx:
            if await tx.clusters.get(cluster_id) is None:
                raise not_found("cluster", cluster_id)
            return await tx.neighbours.page(cluster_id, after, limit)

    async def replace(
        self, cluster_id: str, neighbour_id: str, said: NewNeighbour, expected: Expected
    ) -> RegisteredNeighbour:
        """Say one anew; nothing changes on the device, and jobs keep what they were started with.

        Raises Problem `not-found`, `precondition-failed`, `name-taken`, `invalid-request`.
        """
        async with self.store.transaction() as tx:
            old = await _found(tx, cluster_id, neighbour_id, lock=True)
            expected.check(tag(neighbour_id, old.version))
            await _reachable(tx, said)
            about = said.neighbour(neighbour_id, cluster_id)
            changed = replace(old, neighbour=about, version=old.version + 1)
            await tx.neighbours.replace(changed)
        return changed

    async def delete(self, cluster_id: str, neighbour_id: str, expected: Expected) -> None:
        """Forget one; nothing changes on the device.

        Raises Problem `not-found`, `precondition-failed`.
        """
        async with self.store.transaction() as tx:
            found = await _found(tx, cluster_id, neighbour_id, lock=True)
            expected.check(tag(neighbour_id, found.version))
            await tx.neighbours.remove(neighbour_id)


async def _found(
    tx: Transaction, cluster_id: str, neighbour_id: str, *, lock: bool = False
) -> RegisteredNeighbour:
    found = await tx.neighbours.get(neighbour_id, lock=lock)
    if found is None or found.neighbour.cluster_id != cluster_id:
        raise not_found("neighbour", neighbour_id)
    return found


async def _reachable(tx: Transaction, said: NewNeighbour) -> None:
    """Whether jobs could change the zone there, if an Expressway is named. Raises Problem."""
    if said.peer_id is None:
        return
    if await tx.peers.get(said.peer_id) is None:
        raise invalid("/peer_id", "there is no peer with this id")
    if said.kind is NeighbourKind.OTHER:
        raise invalid(
            "/kind", "only zones of Expressways can be changed: neighbor, traversal_client"
        )
