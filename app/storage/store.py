"""The unit of work: one database transaction and the repositories that share it.

Services open a transaction and never commit; leaving the block does, unless it leaves by an
exception. Jobs are written by the engine's desk on the same connection, so a job, its wake-up and
the idempotency key that led to it commit or vanish together.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import psycopg
from psycopg import AsyncConnection
from sqlalchemy import case, select, text, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import (
    IntegrityError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlmodel import col

from app.domain.finding import Severity
from app.domain.plan import Plan, PlanState
from app.engine.ports import JobDesk
from app.observability import spans
from app.security.acting import note
from app.services.plan_document import plan_from_json, to_json
from app.services.problems import Problem
from app.services.records import Page, PlanEntry, PlanFilter, StoredPlan
from app.storage.api_keys import ApiKeyRows
from app.storage.audit import AuditRows, note_the_change
from app.storage.bulk_jobs import BulkRows
from app.storage.constraints import meaning
from app.storage.credentials import CredentialRows, RememberedRows
from app.storage.neighbours import NeighbourRows
from app.storage.peers import ClusterRows, PeerRows
from app.storage.reach import EVERYTHING, Reach, reach_of_the_caller
from app.storage.reached_desk import ReachedDesk
from app.storage.schedules import ScheduleRows
from app.storage.sealed import SealedRows
from app.storage.tables import PlanRow
from app.storage.webhooks import DeliveryRows, SubscriptionRows
from app.storage.windows import WindowRows

DeskOn = Callable[[AsyncConnection], JobDesk]
"""The desk whose writes belong to the transaction open on that connection."""

_AWAY = (
    OperationalError,
    InterfaceError,
    PoolTimeoutError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
"""No connection, a lost one, a deadlock or a full pool: another attempt may succeed."""


_BLOCKER = [{"severity": Severity.BLOCKER.value}]


class PlanRows:
    """Implements `app.services.ports.Plans`."""

    def __init__(self, session: AsyncSession, reach: Reach = EVERYTHING) -> None:
        self._session = session
        self._reach = reach

    async def add(self, plan: StoredPlan) -> None:
        """Insert."""
        self._session.add(
            PlanRow(
                id=plan.plan.id,
                cluster_id=plan.plan.cluster_id,
                procedure=plan.plan.procedure,
                digest=plan.plan.digest,
                body=to_json(plan.plan),
                observations=to_json(plan.observations),
                created_at=plan.plan.created_at,
                expires_at=plan.plan.expires_at,
            )
        )
        note(plan_id=plan.plan.id)
        await self._session.flush()

    async def get(self, plan_id: str) -> StoredPlan | None:
        """One plan."""
        row = await self._session.get(PlanRow, plan_id)
        return None if row is None or not self._reach.has(row.cluster_id) else _stored(row)

    async def latest(self, cluster_id: str, procedure: str, digest: str) -> StoredPlan | None:
        """The newest plan that promises this; the same promise may have been made often."""
        query = (
            select(PlanRow)
            .where(
                col(PlanRow.cluster_id) == cluster_id,
                col(PlanRow.procedure) == procedure,
                col(PlanRow.digest) == digest,
                self._reach.cluster(col(PlanRow.cluster_id)),
            )
            .order_by(col(PlanRow.created_at).desc())
            .limit(1)
        )
        row = (await self._session.scalars(query)).first()
        return None if row is None else _stored(row)

    async def page(
        self, wanted: PlanFilter, now: datetime, before: str | None, limit: int
    ) -> Page[PlanEntry]:
        """See Plans. Ids sort as their times do."""
        body = type_coerce(PlanRow.body, JSONB)
        state = case(
            (col(PlanRow.expires_at) <= now, PlanState.EXPIRED.value),
            (body["findings"].contains(_BLOCKER), PlanState.BLOCKED.value),
            else_=PlanState.READY.value,
        )
        query = select(
            col(PlanRow.id),
            col(PlanRow.cluster_id),
            col(PlanRow.procedure),
            col(PlanRow.digest),
            state,
            col(PlanRow.created_at),
            col(PlanRow.expires_at),
            body["requested_by"].astext,
        ).where(self._reach.cluster(col(PlanRow.cluster_id)))
        if wanted.cluster_id is not None:
            query = query.where(col(PlanRow.cluster_id) == wanted.cluster_id)
        if wanted.procedure is not None:
            query = query.where(col(PlanRow.procedure) == wanted.procedure)
        if wanted.state is not None:
            query = query.where(state == wanted.state.value)
        if before is not None:
            query = query.where(col(PlanRow.id) < before)
        query = query.order_by(col(PlanRow.id).desc()).limit(limit + 1)
        rows = (await self._session.execute(query)).all()
        items = tuple(
            PlanEntry(row[0], row[1], row[2], row[3], PlanState(row[4]), *row[5:])
            for row in rows[:limit]
        )
        return Page(items, items[-1].id if len(rows) > limit else None)


@dataclass(frozen=True)
class UnitOfWork:
    """Implements `app.services.ports.Transaction`."""

    credentials: CredentialRows
    peers: PeerRows
    clusters: ClusterRows
    neighbours: NeighbourRows
    windows: WindowRows
    schedules: ScheduleRows
    bulk_jobs: BulkRows
    plans: PlanRows
    keys: ApiKeyRows
    audit: AuditRows
    remembered: RememberedRows
    subscriptions: SubscriptionRows
    deliveries: DeliveryRows
    sealed: SealedRows
    jobs: JobDesk


class PostgresStore:
    """Implements `app.services.ports.Store` over an async SQLAlchemy engine on psycopg."""

    def __init__(self, engine: AsyncEngine, desk_on: DeskOn) -> None:
        self._engine = engine
        self._desk_on = desk_on

    @asynccontextmanager
    async def transaction(self, *, beyond_reach: bool = False) -> AsyncIterator[UnitOfWork]:
        """One unit of work. Raises Problem: a constraint speaks late, or the database is away."""
        reach = EVERYTHING if beyond_reach else reach_of_the_caller()
        with spans.inner("database transaction"):
            async with self._unit(reach, noted=not beyond_reach) as unit:
                yield unit

    @asynccontextmanager
    async def _unit(self, reach: Reach, *, noted: bool) -> AsyncIterator[UnitOfWork]:
        async with AsyncSession(self._engine, expire_on_commit=False) as session:
            try:
                async with session.begin():
                    raw = await (await session.connection()).get_raw_connection()
                    desk = self._desk_on(cast("AsyncConnection", raw.driver_connection))
                    yield UnitOfWork(
                        credentials=CredentialRows(session, reach),
                        peers=PeerRows(session, reach),
                        clusters=ClusterRows(session, reach),
                        neighbours=NeighbourRows(session, reach),
                        windows=WindowRows(session, reach),
                        schedules=ScheduleRows(session, reach),
                        bulk_jobs=BulkRows(session, reach),
                        plans=PlanRows(session, reach),
                        keys=ApiKeyRows(session),
                        audit=AuditRows(session, reach),
                        remembered=RememberedRows(session),
                        subscriptions=SubscriptionRows(session, reach),
                        deliveries=DeliveryRows(session, reach),
                        sealed=SealedRows(session),
                        jobs=ReachedDesk(desk, reach) if reach.limited else desk,
                    )
                    await session.flush()
                    if noted:
                        await note_the_change(session)
            except IntegrityError as error:
                problem = meaning(error)
                if problem is None:
                    raise
                raise problem from error
            except _AWAY as error:
                raise Problem(
                    "storage-unavailable", "the database does not answer at the moment"
                ) from error

    async def ready(self) -> bool:
        """Whether the database answers and has our schema."""
        try:
            async with self._engine.connect() as connection:
                await connection.execute(text("select 1 from setting limit 1"))
        except (SQLAlchemyError, OSError):
            return False
        return True


def _stored(row: PlanRow) -> StoredPlan:
    plan: Plan = plan_from_json(row.body)
    return StoredPlan(plan, row.observations)
