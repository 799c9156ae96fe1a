"""What is kept of a job beside its journal: observations, sealed bundles and their keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import PoolClosed, PoolTimeout

from app.engine.errors import JournalDown
from app.services.evidence_records import JobObservation, Moment
from app.storage import job_rows
from app.storage.database import Connection, Pool

_OBSERVATIONS = """
select * from job_observation where job_id = %(job)s order by moment desc, peer_id
"""
_UNSEEN = """
select id from job
where finished_at is not null and finished_at < clock_timestamp() - make_interval(secs => %(age)s)
    and not exists (
        select 1 from job_observation o where o.job_id = job.id and o.moment = 'after'
            and o.observed_at > job.finished_at - interval '5 minutes')
    and exists (select 1 from job_observation o where o.job_id = job.id and o.moment = 'before')
    and not exists (
        select 1 from job_evidence e
        where e.job_id = job.id and e.event_seq >= job.last_event_seq)
order by finished_at limit %(limit)s
"""


class EvidenceRows:
    """Implements `app.services.evidence_records.EvidenceStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def observe(self, observations: Sequence[JobObservation]) -> None:
        """See EvidenceStore."""
        async with self.connection() as connection, connection.transaction():
            for seen in observations:
                await connection.execute(
                    job_rows.INSERT_OBSERVATION,
                    {
                        "job_id": seen.job_id,
                        "moment": seen.moment.value,
                        "peer_id": seen.peer_id,
                        "observed_at": seen.observed_at,
                        "late": seen.late,
                        "view": Jsonb(seen.view),
                    },
                )

    async def observations(self, job_id: str) -> tuple[JobObservation, ...]:
        """See EvidenceStore."""
        return tuple(
            JobObservation(
                job_id=row["job_id"],
                moment=Moment(row["moment"]),
                peer_id=row["peer_id"],
                observed_at=row["observed_at"],
                view=row["view"],
                late=row["late"],
            )
            for row in await self.rows(_OBSERVATIONS, job=job_id)
        )

    async def unobserved(self, age: float, limit: int) -> tuple[str, ...]:
        """See EvidenceStore."""
        return tuple(row["id"] for row in await self.rows(_UNSEEN, age=age, limit=limit))

    async def rows(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        """The rows of a query; `statement` is our own text."""
        async with self.connection() as connection:
            return await (await connection.execute(statement.encode(), values)).fetchall()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection; trouble with it is JournalDown."""
        try:
            async with self._pool.connection() as connection:
                yield connection
        except (
            psycopg.OperationalError,
            psycopg.InterfaceError,
            PoolTimeout,
            PoolClosed,
        ) as error:
            raise JournalDown(f"the database does not answer ({type(error).__name__})") from error
