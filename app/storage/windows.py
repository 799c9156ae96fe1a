"""Windows and change freezes in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime, delete, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from app.domain.window import window_from
from app.services.plan_document import to_json
from app.services.problems import Problem
from app.services.records import Page, RegisteredWindow, WindowKind
from app.storage.constraints import flushed
from app.storage.reach import EVERYTHING, Reach

_USED_BY = """
select id from cluster
where deleted_at is null and policy @> cast(:named as jsonb)
union all
select id from job
where state not in ('succeeded', 'failed', 'cancelled')
    and terms @> cast(:named as jsonb)
order by id limit 20
"""


class WindowRow(SQLModel, table=True):
    """A window; `body` holds the fields of `app.domain.window.Window`."""

    __tablename__ = "maintenance_window"
    id: str = Field(primary_key=True)
    name: str
    kind: str
    body: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    version: int
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class WindowRows:
    """Implements `app.services.ports.Windows`."""

    def __init__(self, session: AsyncSession, reach: Reach = EVERYTHING) -> None:
        self._session = session
        self._reach = reach

    async def add(self, window: RegisteredWindow) -> None:
        """Insert. Raises Problem `name-taken`, `forbidden`."""
        self._demand_all()
        self._session.add(
            WindowRow(
                id=window.id,
                name=window.window.name,
                kind=window.kind.value,
                body=to_json(window.window),
                version=window.version,
                created_at=window.created_at,
            )
        )
        await flushed(self._session)

    async def get(self, window_id: str, *, lock: bool = False) -> RegisteredWindow | None:
        """One window. With `lock` to be changed: raises Problem `forbidden`."""
        if lock:
            self._demand_all()
        query = select(WindowRow).where(col(WindowRow.id) == window_id)
        if lock:
            query = query.with_for_update().execution_options(populate_existing=True)
        row = (await self._session.scalars(query)).first()
        return None if row is None else _read(row)

    async def page(self, after: str | None, limit: int) -> Page[RegisteredWindow]:
        """Some windows behind an id."""
        query = select(WindowRow)
        if after is not None:
            query = query.where(col(WindowRow.id) > after)
        query = query.order_by(col(WindowRow.id)).limit(limit + 1)
        rows = (await self._session.scalars(query)).all()
        items = tuple(_read(row) for row in rows[:limit])
        return Page(items, items[-1].id if len(rows) > limit else None)

    async def replace(self, window: RegisteredWindow) -> None:
        """Write a changed window. Raises Problem `name-taken`."""
        row = await self._session.get_one(WindowRow, window.id)
        row.name = window.window.name
        row.body = to_json(window.window)
        row.version = window.version
        await flushed(self._session)

    async def remove(self, window_id: str) -> None:
        """Delete."""
        await self._session.execute(delete(WindowRow).where(col(WindowRow.id) == window_id))

    async def named(self, window_ids: Sequence[str]) -> Sequence[RegisteredWindow]:
        """Those of the ids that exist, kept from being deleted until the transaction ends."""
        query = select(WindowRow).where(col(WindowRow.id).in_(window_ids))
        query = query.order_by(col(WindowRow.id)).with_for_update(read=True)
        return [_read(row) for row in await self._session.scalars(query)]

    async def freezes(self) -> Sequence[RegisteredWindow]:
        """All windows that close every cluster."""
        query = select(WindowRow).where(col(WindowRow.kind) == WindowKind.BLACKOUT.value)
        return [_read(row) for row in await self._session.scalars(query)]

    def _demand_all(self) -> None:
        """A window serves every cluster, so only who reaches all of them changes one."""
        if self._reach.limited:
            raise Problem("forbidden", "a key that is limited to clusters changes no window")

    async def used_by(self, window_id: str) -> Sequence[str]:
        """Clusters whose policy names it, and unended jobs that run in it; at most 20."""
        named = json.dumps({"window_ids": [window_id]})
        found = await self._session.execute(text(_USED_BY), {"named": named})
        return [row[0] for row in found]


def _read(row: WindowRow) -> RegisteredWindow:
    return RegisteredWindow(
        id=row.id,
        kind=WindowKind(row.kind),
        window=window_from(row.body),
        version=row.version,
        created_at=row.created_at,
    )
