"""Schedules and their runs in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from app.domain.timing import timing_from
from app.services.plan_document import to_json
from app.services.records import Page
from app.services.schedule_records import RunOutcome, Schedule, ScheduleRun, ScheduleState
from app.storage.constraints import flushed
from app.storage.reach import EVERYTHING, Reach

_TAKE = """
update schedule set taken_by = :owner, taken_until = :until
where id = (
    select id from schedule
    where state = 'active' and next_at <= :now and (taken_until is null or taken_until <= :now)
    order by next_at limit 1 for update skip locked)
returning id
"""
_FINISH = """
update schedule set taken_by = null, taken_until = null,
    next_at = case when next_at = :at and state = 'active' then cast(:next as timestamptz)
        else next_at end
where id = :id and taken_by = :owner
returning id
"""
_RUN = """
insert into schedule_run (schedule_id, at, outcome, job_id, code, detail, decided_at)
values (:schedule_id, :at, :outcome, :job_id, :code, :detail, :decided_at)
on conflict do nothing
"""
_PUT_OFF = """
update schedule set taken_by = null, taken_until = :until where id = :id and taken_by = :owner
"""
_STATE = """
update schedule set state = :state, next_at = :next_at, version = version + 1 where id = :id
"""
_RUNS = """
select * from schedule_run
where schedule_id = :id and (cast(:before as timestamptz) is null or at < :before)
order by at desc limit :limit
"""


class ScheduleRow(SQLModel, table=True):
    """A schedule. `taken_by` has it in hand until `taken_until`."""

    __tablename__ = "schedule"
    id: str = Field(primary_key=True)
    name: str
    cluster_id: str
    procedure: str
    parameters: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    timing: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    grace_seconds: float
    change: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    owner_id: str
    scopes: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    clusters: list[str] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    state: str
    version: int
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    next_at: datetime | None = Field(
        default=None, sa_column=Column(DateTime(timezone=True), nullable=True)
    )
    taken_by: str | None = None
    taken_until: datetime | None = Field(
        default=None, sa_column=Column(DateTime(timezone=True), nullable=True)
    )


class ScheduleRows:
    """Implements `app.services.schedule_records.Schedules`."""

    def __init__(self, session: AsyncSession, reach: Reach = EVERYTHING) -> None:
        self._session = session
        self._reach = reach

    async def add(self, schedule: Schedule) -> None:
        """Insert. Raises Problem `name-taken`."""
        self._session.add(
            ScheduleRow(
                id=schedule.id,
                name=schedule.name,
                cluster_id=schedule.cluster_id,
                procedure=schedule.procedure,
                parameters=dict(schedule.parameters),
                timing=to_json(schedule.timing),
                grace_seconds=schedule.grace,
                change=None if schedule.change is None else dict(schedule.change),
                owner_id=schedule.owner_id,
                scopes=list(schedule.scopes),
                clusters=None if schedule.clusters is None else list(schedule.clusters),
                state=schedule.state.value,
                version=schedule.version,
                created_at=schedule.created_at,
                next_at=schedule.next_at,
            )
        )
        await flushed(self._session)

    async def get(self, schedule_id: str, *, lock: bool = False) -> Schedule | None:
        """One schedule, as it is now; with `lock` nobody else changes it."""
        query = select(ScheduleRow).where(col(ScheduleRow.id) == schedule_id)
        if lock:
            query = query.with_for_update()
        query = query.execution_options(populate_existing=True)
        row = (await self._session.scalars(query)).first()
        return None if row is None or not self._reach.has(row.cluster_id) else _read(row)

    async def page(self, cluster_id: str | None, after: str | None, limit: int) -> Page[Schedule]:
        """Some schedules behind an id, of one cluster or of all."""
        query = select(ScheduleRow).where(self._reach.cluster(col(ScheduleRow.cluster_id)))
        query = query.order_by(col(ScheduleRow.id)).limit(limit + 1)
        if cluster_id is not None:
            query = query.where(col(ScheduleRow.cluster_id) == cluster_id)
        if after is not None:
            query = query.where(col(ScheduleRow.id) > after)
        rows = (await self._session.scalars(query)).all()
        items = tuple(_read(row) for row in rows[:limit])
        return Page(items, items[-1].id if len(rows) > limit else None)

    async def set_state(
        self, schedule_id: str, state: ScheduleState, next_at: datetime | None
    ) -> None:
        """Change the state and when it is due."""
        await self._run(_STATE, id=schedule_id, state=state.value, next_at=next_at)

    async def take_due(self, owner: str, now: datetime, until: datetime) -> Schedule | None:
        """See Schedules."""
        rows = await self._run(_TAKE, owner=owner, now=now, until=until)
        return await self.get(rows[0]["id"]) if rows else None

    async def finish(self, owner: str, run: ScheduleRun, next_at: datetime | None) -> bool:
        """See Schedules."""
        taken = await self._run(_FINISH, id=run.schedule_id, owner=owner, at=run.at, next=next_at)
        if taken:
            await self._run(_RUN, **{**to_json(run), "at": run.at, "decided_at": run.decided_at})
        return bool(taken)

    async def put_off(self, owner: str, schedule_id: str, until: datetime) -> None:
        """See Schedules."""
        await self._run(_PUT_OFF, id=schedule_id, owner=owner, until=until)

    async def runs(
        self, schedule_id: str, before: datetime | None, limit: int
    ) -> Sequence[ScheduleRun]:
        """See Schedules."""
        rows = await self._run(_RUNS, id=schedule_id, before=before, limit=limit)
        return [ScheduleRun(**{**row, "outcome": RunOutcome(row["outcome"])}) for row in rows]

    async def _run(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        found = await self._session.execute(text(statement), values)
        return [dict(row) for row in found.mappings()] if found.returns_rows else []  # type: ignore[attr-defined]


def _read(row: ScheduleRow) -> Schedule:
    return Schedule(
        id=row.id,
        name=row.name,
        cluster_id=row.cluster_id,
        procedure=row.procedure,
        parameters=row.parameters,
        timing=timing_from(row.timing),
        grace=row.grace_seconds,
        change=row.change,
        owner_id=row.owner_id,
        scopes=tuple(row.scopes),
        clusters=None if row.clusters is None else tuple(row.clusters),
        state=ScheduleState(row.state),
        version=row.version,
        created_at=row.created_at,
        next_at=row.next_at,
    )
