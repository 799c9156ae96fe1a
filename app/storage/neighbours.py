"""Neighbours of clusters in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Column, DateTime, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from app.domain.neighbour import Neighbour, NeighbourKind
from app.security.acting import note
from app.services.records import Page, RegisteredNeighbour
from app.storage.constraints import flushed
from app.storage.reach import EVERYTHING, Reach


class NeighbourRow(SQLModel, table=True):
    """A device whose zone names the cluster. A deleted peer leaves its neighbours without one."""

    __tablename__ = "neighbour"
    id: str = Field(primary_key=True)
    cluster_id: str
    name: str
    kind: str
    zone_name: str
    peer_id: str | None = None
    version: int
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class NeighbourRows:
    """Implements `app.services.ports.Neighbours`."""

    def __init__(self, session: AsyncSession, reach: Reach = EVERYTHING) -> None:
        self._session = session
        self._reach = reach

    async def add(self, neighbour: RegisteredNeighbour) -> None:
        """Insert. Raises Problem `name-taken`."""
        about = neighbour.neighbour
        self._session.add(
            NeighbourRow(
                id=about.id,
                cluster_id=about.cluster_id,
                name=about.name,
                kind=about.kind.value,
                zone_name=about.zone_name,
                peer_id=about.peer_id,
                version=neighbour.version,
                created_at=neighbour.created_at,
            )
        )
        note(neighbour_id=about.id)
        await flushed(self._session)

    async def get(self, neighbour_id: str, *, lock: bool = False) -> RegisteredNeighbour | None:
        """One neighbour; with `lock` nobody else changes it before this transaction ends."""
        row = await self._session.get(NeighbourRow, neighbour_id, with_for_update=lock)
        return None if row is None or not self._reach.has(row.cluster_id) else _read(row)

    async def of_cluster(self, cluster_id: str) -> Sequence[Neighbour]:
        """All neighbours of a cluster, in the order registered."""
        query = select(NeighbourRow).where(
            col(NeighbourRow.cluster_id) == cluster_id,
            self._reach.cluster(col(NeighbourRow.cluster_id)),
        )
        rows = await self._session.scalars(query.order_by(col(NeighbourRow.id)))
        return [_read(row).neighbour for row in rows]

    async def page(
        self, cluster_id: str, after: str | None, limit: int
    ) -> Page[RegisteredNeighbour]:
        """Some neighbours of a cluster behind an id."""
        query = select(NeighbourRow).where(
            col(NeighbourRow.cluster_id) == cluster_id,
            self._reach.cluster(col(NeighbourRow.cluster_id)),
        )
        if after is not None:
            query = query.where(col(NeighbourRow.id) > after)
        query = query.order_by(col(NeighbourRow.id)).limit(limit + 1)
        rows = (await self._session.scalars(query)).all()
        items = tuple(_read(row) for row in rows[:limit])
        return Page(items, items[-1].neighbour.id if len(rows) > limit else None)

    async def replace(self, neighbour: RegisteredNeighbour) -> None:
        """Write what callers say of it, and the version. Raises Problem `name-taken`."""
        about = neighbour.neighbour
        row = await self._session.get_one(NeighbourRow, about.id)
        row.name, row.kind = about.name, about.kind.value
        row.zone_name, row.peer_id = about.zone_name, about.peer_id
        row.version = neighbour.version
        await flushed(self._session)

    async def lose_peer(self, peer_id: str) -> None:
        """Name that Expressway no more. Of every cluster, whoever asks: the peer goes for all."""
        await self._session.execute(
            update(NeighbourRow)
            .where(col(NeighbourRow.peer_id) == peer_id)
            .values(peer_id=None, version=col(NeighbourRow.version) + 1)
        )

    async def remove(self, neighbour_id: str) -> None:
        """Delete."""
        await self._session.execute(
            delete(NeighbourRow).where(col(NeighbourRow.id) == neighbour_id)
        )


def _read(row: NeighbourRow) -> RegisteredNeighbour:
    return RegisteredNeighbour(
        Neighbour(
            id=row.id,
            cluster_id=row.cluster_id,
            name=row.name,
            kind=NeighbourKind(row.kind),
            zone_name=row.zone_name,
            peer_id=row.peer_id,
        ),
        row.version,
        row.created_at,
    )
