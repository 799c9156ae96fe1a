"""What is kept of a job beside its journal: observations, sealed bundles and their keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import PoolClosed, PoolTimeout

from app.engine.errors import JournalDown
from app.security.signing import SigningKey
from app.services.evidence_records import ChainedEvent, JobObservation, Moment, Sealed
from app.storage import job_rows
from app.storage.database import Connection, Pool

_OBSERVATIONS = """
select * from job_observation where job_id = %(job)s order by moment desc, peer_id
"""
_UNSEEN = """
select id from job
where finished_at < statement_timestamp() - make_interval(secs => %(age)s) and not sealed
    and not exists (
        select 1 from job_observation o where o.job_id = job.id and o.moment = 'after'
            and o.observed_at > job.finished_at - interval '5 minutes')
    and exists (select 1 from job_observation o where o.job_id = job.id and o.moment = 'before')
order by finished_at limit %(limit)s
"""
_EVENTS = """
select e.*, job_event_text(e) as hashed from job_event e
where job_id = %(job)s and seq > %(after)s order by seq limit %(limit)s
"""
_UNSEALED = """
select id from job
where finished_at < statement_timestamp() - make_interval(secs => %(age)s) and not sealed
    and state in ('succeeded', 'failed', 'cancelled')
order by finished_at limit %(limit)s
"""
_KEEP = """
with kept as (
    insert into job_evidence (job_id, made_at, digest, event_seq, event_hash, document, key_id)
    values (%(job_id)s, %(made_at)s, %(digest)s, %(event_seq)s, %(event_hash)s, %(document)s,
        %(key_id)s)
    on conflict (job_id) do update set made_at = excluded.made_at, digest = excluded.digest,
        event_seq = excluded.event_seq, event_hash = excluded.event_hash,
        key_id = excluded.key_id, document = excluded.document
    where job_evidence.event_seq < excluded.event_seq
)
update job set sealed = true
where id = %(job_id)s and last_event_seq <= %(event_seq)s and finished_at is not null
"""
"""Every other write of a job says that it is not sealed as it is now (app.storage.job_rows)."""
_ADD_KEY = """
insert into evidence_key (id, public, sealed, created_at)
values (%(id)s, %(public)s, %(sealed)s, %(created_at)s)
"""
KEY_LOCK = 0x636C7709
"""The first key is made by one process."""


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

    async def events(self, job_id: str, after: int, limit: int) -> list[ChainedEvent]:
        """See EvidenceStore."""
        return [
            ChainedEvent(job_rows.read_event(row), row["hashed"], row["hash"].hex())
            for row in await self.rows(_EVENTS, job=job_id, after=after, limit=limit)
        ]

    async def sealed(self, job_id: str) -> Sealed | None:
        """See EvidenceStore."""
        for row in await self.rows("select * from job_evidence where job_id = %(job)s", job=job_id):
            return Sealed(
                job_id=job_id,
                made_at=row["made_at"],
                digest=row["digest"],
                key_id=row["key_id"],
                event_seq=row["event_seq"],
                event_hash=bytes(row["event_hash"] or b"").hex(),
                document=bytes(row["document"]),
                pruned=row["rows_pruned_at"] is not None,
            )
        return None

    async def unsealed(self, age: float, limit: int) -> tuple[str, ...]:
        """See EvidenceStore."""
        return tuple(row["id"] for row in await self.rows(_UNSEALED, age=age, limit=limit))

    async def keep(self, sealed: Sealed) -> None:
        """See EvidenceStore."""
        async with self.connection() as connection:
            await connection.execute(
                _KEEP,
                {
                    "job_id": sealed.job_id,
                    "made_at": sealed.made_at,
                    "digest": sealed.digest,
                    "key_id": sealed.key_id,
                    "event_seq": sealed.event_seq,
                    "event_hash": bytes.fromhex(sealed.event_hash),
                    "document": sealed.document,
                },
            )

    async def keys(self) -> tuple[SigningKey, ...]:
        """See EvidenceStore."""
        rows = await self.rows("select * from evidence_key order by created_at, id")
        return tuple(
            SigningKey(row["id"], bytes(row["public"]), bytes(row["sealed"]), row["created_at"])
            for row in rows
        )

    async def first_key(self, key: SigningKey) -> tuple[SigningKey, ...]:
        """See EvidenceStore."""
        async with self.connection() as connection, connection.transaction():
            await connection.execute("select pg_advisory_xact_lock(%s)", [KEY_LOCK])
            found = await (await connection.execute("select 1 from evidence_key")).fetchone()
            if found is None:
                await connection.execute(_ADD_KEY, _key_values(key))
        return await self.keys()

    async def add_key(self, key: SigningKey) -> None:
        """See EvidenceStore."""
        async with self.connection() as connection:
            await connection.execute(_ADD_KEY, _key_values(key))

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


def _key_values(key: SigningKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "public": key.public,
        "sealed": key.sealed,
        "created_at": key.created_at,
    }
