"""Bulk jobs and their children in PostgreSQL.

Whoever writes a child has locked the row of its bulk job before, so what is decided about one child
is decided with the others as they are. How a child's job stands is read from the job, never copied,
until it has ended.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime, Text, select, text, type_coerce
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from app.domain.bulk import (
    UNSUCCESSFUL,
    BulkState,
    Child,
    ChildState,
    Counts,
    Stop,
    StopCode,
    Trouble,
)
from app.domain.job import JobState, WaitReason
from app.domain.terms import Label
from app.services.bulk_records import BulkFilter, BulkJob, BulkRequest, ChildNow, Selector
from app.services.plan_document import to_json
from app.services.records import Page
from app.services.terms import TermsAsked
from app.storage.constraints import flushed
from app.storage.desk import CHANNEL
from app.storage.job_rows import read_failure
from app.storage.reach import EVERYTHING, Reach

_TAKE = """
update bulk_job set taken_by = :owner, taken_until = :until, next_at = :until
where id = (
    select id from bulk_job
    where finished_at is null and next_at <= :now and (taken_until is null or taken_until <= :now)
    order by next_at limit 1 for update skip locked)
returning id
"""
_LEAVE = """
update bulk_job set taken_by = null, taken_until = null,
    next_at = case when finished_at is null then least(next_at, cast(:next_at as timestamptz)) end
where id = :id and taken_by = :owner
"""
"""What has made it due sooner meanwhile (a cancel) is not overlooked."""
_CHILDREN = """
select c.*, k.name as cluster_name, j.state as job_state, j.wait_reason, j.failure as job_failure
from bulk_child c join cluster k on k.id = c.cluster_id left join job j on j.id = c.job_id
where c.bulk_id = :id order by c.position
"""
_ADD_CHILD = """
insert into bulk_child (bulk_id, cluster_id, position, wave, state)
values (:bulk_id, :cluster_id, :position, :wave, :state)
"""
_LOCK = "select id from bulk_job where id = :id for update"
_BEGIN = """
update bulk_child set state = 'started', job_id = :job_id, plan_id = :plan_id, decided_at = :at
where bulk_id = :bulk_id and cluster_id = :cluster_id and state = 'pending'
    and (select stop_after from bulk_job where id = :bulk_id) > (
        select count(*) from bulk_child c left join job j on j.id = c.job_id
        where c.bulk_id = :bulk_id and (c.state = any(:unsuccessful)
            or (c.state = 'started' and j.state in ('failed', 'cancelled'))))
returning cluster_id
"""
_SETTLE = """
update bulk_child set state = :state, trouble = cast(:trouble as jsonb), decided_at = :at
where bulk_id = :bulk_id and cluster_id = :cluster_id
"""
_STOP = """
update bulk_job set state = 'stopping', stop = cast(:stop as jsonb), next_at = :due
where id = :id and finished_at is null
"""
_NEVER = "update bulk_child set state = 'not_started' where bulk_id = :id and state = 'pending'"
_FINISH = "update bulk_job set state = :state, finished_at = :at, next_at = null where id = :id"
_CHANGED = "update bulk_job set version = version + 1 where id = :id returning version"
_TELL = """
insert into webhook_delivery (webhook_id, event_id, type, at, subject, seq, payload)
select w.id, b.id || '-' || b.version, 'bulk.finished', b.finished_at, b.id, b.version,
    jsonb_build_object('bulk_job_id', b.id, 'procedure', b.procedure,
        'correlation', b.request -> 'correlation', 'change', b.request -> 'change',
        'event', jsonb_build_object('state', b.state, 'stop', b.stop -> 'code',
            'counts', (select jsonb_object_agg(state, found) from (
                select state, count(*) as found from bulk_child where bulk_id = b.id
                group by state) counted)))
from bulk_job b join webhook w on w.state <> 'disabled' and 'bulk.finished' = any(w.event_types)
    and (cardinality(w.cluster_ids) = 0 or b.cluster_ids <@ w.cluster_ids)
where b.id = :id and not exists (
    select 1 from cluster c where c.id = any(b.cluster_ids) and not c.labels @> w.labels)
on conflict (webhook_id, event_id) do nothing
"""
"""Who is told of some clusters only is told of a bulk job only where it is told of all of its."""
_COUNTS = """
select bulk_id, state, count(*) as found from bulk_child
where bulk_id = any(:ids) group by bulk_id, state
"""


class BulkRow(SQLModel, table=True):
    """A bulk job. `taken_by` has it in hand until `taken_until`."""

    __tablename__ = "bulk_job"
    id: str = Field(primary_key=True)
    procedure: str
    parameters: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    selector: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    wave_size: int
    stop_after: int
    request: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    owner_id: str
    owner_name: str
    scopes: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    clusters: list[str] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    cluster_ids: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    state: str
    stop: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    version: int
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    finished_at: datetime | None = Field(
        default=None, sa_column=Column(DateTime(timezone=True), nullable=True)
    )
    next_at: datetime | None = Field(
        default=None, sa_column=Column(DateTime(timezone=True), nullable=True)
    )
    taken_by: str | None = None
    taken_until: datetime | None = Field(
        default=None, sa_column=Column(DateTime(timezone=True), nullable=True)
    )


class BulkRows:
    """Implements `app.services.bulk_records.BulkJobs`.

    A caller that is limited to some clusters finds a bulk job only where it reaches all of them.
    """

    def __init__(self, session: AsyncSession, reach: Reach = EVERYTHING) -> None:
        self._session = session
        self._reach = reach

    async def add(self, bulk: BulkJob, children: Sequence[Child], due: datetime) -> None:
        """Insert, due at that time."""
        self._session.add(
            BulkRow(
                id=bulk.id,
                procedure=bulk.procedure,
                parameters=dict(bulk.parameters),
                selector=to_json(bulk.selector),
                wave_size=bulk.wave_size,
                stop_after=bulk.stop_after,
                request=to_json(bulk.request),
                owner_id=bulk.owner_id,
                owner_name=bulk.owner_name,
                scopes=list(bulk.scopes),
                clusters=None if bulk.clusters is None else list(bulk.clusters),
                cluster_ids=list(bulk.cluster_ids),
                state=bulk.state.value,
                version=bulk.version,
                created_at=bulk.created_at,
                next_at=due,
            )
        )
        await flushed(self._session)
        rows = [
            {
                "bulk_id": bulk.id,
                "cluster_id": child.cluster_id,
                "position": child.position,
                "wave": child.wave,
                "state": child.state.value,
            }
            for child in children
        ]
        await self._session.execute(text(_ADD_CHILD), rows)

    async def get(self, bulk_id: str, *, lock: bool = False) -> BulkJob | None:
        """One bulk job as it is now; with `lock` nobody else changes it or its children."""
        query = select(BulkRow).where(
            col(BulkRow.id) == bulk_id, self._reach.all_of(col(BulkRow.cluster_ids))
        )
        if lock:
            query = query.with_for_update()
        query = query.execution_options(populate_existing=True)
        row = (await self._session.scalars(query)).first()
        return None if row is None else (await self._read([row]))[0]

    async def page(self, wanted: BulkFilter, before: str | None, limit: int) -> Page[BulkJob]:
        """Some bulk jobs, newest first."""
        query = select(BulkRow).where(self._reach.all_of(col(BulkRow.cluster_ids)))
        if wanted.state is not None:
            query = query.where(col(BulkRow.state) == wanted.state.value)
        if wanted.procedure:
            query = query.where(col(BulkRow.procedure) == wanted.procedure)
        if wanted.cluster_id:
            own = type_coerce(BulkRow.cluster_ids, ARRAY(Text))
            query = query.where(own.contains([wanted.cluster_id]))
        if wanted.change_number is not None:
            number = {"change": {"number": wanted.change_number}}
            query = query.where(type_coerce(BulkRow.request, JSONB).contains(number))
        if before is not None:
            query = query.where(col(BulkRow.id) < before)
        query = query.order_by(col(BulkRow.id).desc()).limit(limit + 1)
        rows = (await self._session.scalars(query)).all()
        items = tuple(await self._read(rows[:limit]))
        return Page(items, items[-1].id if len(rows) > limit else None)

    async def children(self, bulk_id: str) -> Sequence[ChildNow]:
        """See BulkJobs."""
        return [_child(row) for row in await self._run(_CHILDREN, id=bulk_id)]

    async def take_due(self, owner: str, now: datetime, until: datetime) -> BulkJob | None:
        """See BulkJobs."""
        rows = await self._run(_TAKE, owner=owner, now=now, until=until)
        return await self.get(rows[0]["id"]) if rows else None

    async def leave(self, owner: str, bulk_id: str, next_at: datetime) -> None:
        """See BulkJobs."""
        await self._run(_LEAVE, id=bulk_id, owner=owner, next_at=next_at)

    async def begin(self, bulk_id: str, child: Child) -> bool:
        """See BulkJobs."""
        await self._run(_LOCK, id=bulk_id)
        begun = await self._run(
            _BEGIN,
            bulk_id=bulk_id,
            cluster_id=child.cluster_id,
            job_id=child.job_id,
            plan_id=child.plan_id,
            at=child.decided_at,
            unsuccessful=sorted(UNSUCCESSFUL),
        )
        if begun:
            await self._changed(bulk_id)
        return bool(begun)

    async def settle(self, bulk_id: str, children: Sequence[Child]) -> None:
        """See BulkJobs."""
        for child in children:
            await self._run(
                _SETTLE,
                bulk_id=bulk_id,
                cluster_id=child.cluster_id,
                state=child.state.value,
                trouble=None if child.trouble is None else json.dumps(to_json(child.trouble)),
                at=child.decided_at,
            )
        await self._changed(bulk_id)

    async def stop(self, bulk_id: str, stop: Stop, due: datetime) -> None:
        """See BulkJobs."""
        await self._run(_STOP, id=bulk_id, stop=json.dumps(to_json(stop)), due=due)
        await self._run(_NEVER, id=bulk_id)
        await self._changed(bulk_id)

    async def finish(self, bulk_id: str, state: BulkState, at: datetime) -> None:
        """See BulkJobs."""
        await self._run(_FINISH, id=bulk_id, state=state.value, at=at)
        await self._changed(bulk_id)
        await self._run(_TELL, id=bulk_id)

    async def _changed(self, bulk_id: str) -> None:
        """One more version, and whoever waits for news is told."""
        rows = await self._run(_CHANGED, id=bulk_id)
        await self._run(
            "select pg_notify(:channel, :news)",
            channel=CHANNEL,
            news=f"{bulk_id}:{rows[0]['version']}",
        )

    async def _read(self, rows: Sequence[BulkRow]) -> list[BulkJob]:
        counted: dict[str, dict[ChildState, int]] = {row.id: {} for row in rows}
        for found in await self._run(_COUNTS, ids=list(counted)):
            counted[found["bulk_id"]][ChildState(found["state"])] = found["found"]
        return [replace(_bulk(row), counts=Counts(counted[row.id])) for row in rows]

    async def _run(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        found = await self._session.execute(text(statement), values)
        return [dict(row) for row in found.mappings()] if found.returns_rows else []  # type: ignore[attr-defined]


def _bulk(row: BulkRow) -> BulkJob:
    return BulkJob(
        id=row.id,
        procedure=row.procedure,
        parameters=row.parameters,
        selector=Selector(
            labels=tuple(Label(**label) for label in row.selector["labels"]),
            cluster_ids=tuple(row.selector["cluster_ids"]),
        ),
        wave_size=row.wave_size,
        stop_after=row.stop_after,
        request=_request(row.request),
        owner_id=row.owner_id,
        owner_name=row.owner_name,
        scopes=tuple(row.scopes),
        clusters=None if row.clusters is None else tuple(row.clusters),
        cluster_ids=tuple(row.cluster_ids),
        counts=Counts(),
        state=BulkState(row.state),
        stop=None if row.stop is None else _stop(row.stop),
        version=row.version,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def _request(document: Mapping[str, Any]) -> BulkRequest:
    terms = document["terms"]
    return BulkRequest(
        change=document["change"],
        correlation=document["correlation"],
        terms=TermsAsked(
            approvals=terms["approvals"],
            four_eyes=terms["four_eyes"],
            approve_before=_time(terms["approve_before"]),
            not_before=_time(terms["not_before"]),
        ),
        queue=document["queue"],
    )


def _stop(document: Mapping[str, Any]) -> Stop:
    read = {"code": StopCode(document["code"]), "at": datetime.fromisoformat(document["at"])}
    return Stop(**{**document, **read})


def _child(row: Mapping[str, Any]) -> ChildNow:
    trouble = row["trouble"]
    return ChildNow(
        child=Child(
            cluster_id=row["cluster_id"],
            position=row["position"],
            wave=row["wave"],
            state=ChildState(row["state"]),
            job_id=row["job_id"],
            plan_id=row["plan_id"],
            trouble=trouble and Trouble(**{**trouble, "items": tuple(trouble["items"])}),
            decided_at=row["decided_at"],
        ),
        cluster_name=row["cluster_name"],
        job_state=row["job_state"] and JobState(row["job_state"]),
        job_waits_for=row["wait_reason"] and WaitReason(row["wait_reason"]),
        job_failure=read_failure(row["job_failure"]),
    )


def _time(text_or_none: str | None) -> datetime | None:
    return None if text_or_none is None else datetime.fromisoformat(text_or_none)
