"""What is too old, in PostgreSQL: found and taken away batch by batch.

One transaction a batch, behind a lock that one process has at a time and nobody waits for. The only
locks taken are on rows that go, and on the row of their job, which is left alone where somebody
else has it. Deleting events and transcripts is forbidden by trigger to everybody who does not say,
in the same transaction, that this is retention.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

from app.engine.errors import JournalDown
from app.services.evidence_records import RetentionHold
from app.services.retention import KINDS, Keep
from app.storage.database import Connection, Pool

BATCH = 1000
"""Rows of one transaction."""
CHUNKS = 16
"""Pieces of a backup (256 KiB each) of one transaction."""
RETENTION_LOCK = 0x636C770A

_FREE = """
    state in ('succeeded', 'failed', 'cancelled')
    and finished_at < statement_timestamp() - %(keep)s::interval
    and not exists (select 1 from retention_hold h where h.job_id = job.id)
    and exists (
        select 1 from job_evidence s where s.job_id = job.id and s.event_seq >= last_event_seq)
"""
"""Jobs of which something may go. Our own text, so it may stand in a statement."""
_ROWS = {
    "transcripts": ("job_transcript", "seq"),
    "events": ("job_event", "seq"),
    "observations": ("job_observation", "(moment, peer_id)"),
}
_OLD_BACKUPS = """
select id from (
    select id, job_id,
        rank() over (partition by peer_id order by finished_at desc, id desc) as place
    from backup where finished_at is not null) ranked
where place > %(keep)s
    and exists (select 1 from job where job.id = ranked.job_id
        and state in ('succeeded', 'failed', 'cancelled'))
    and not exists (select 1 from retention_hold h where h.job_id = ranked.job_id)
"""
_LEFT_BACKUPS = """
select id from backup where finished_at is null
    and exists (select 1 from job where job.id = backup.job_id
        and state in ('succeeded', 'failed', 'cancelled'))
    and not exists (select 1 from retention_hold h where h.job_id = backup.job_id)
"""
_JOBS = f"""
select id from job where {_FREE}
    and not exists (select 1 from job_event e where e.job_id = job.id)
    and not exists (select 1 from job_transcript t where t.job_id = job.id)
    and not exists (select 1 from backup b where b.job_id = job.id)
"""  # noqa: S608 - constants of this module
_OLD = {
    "bulk_jobs": """
        select id from bulk_job b where finished_at < statement_timestamp() - %(keep)s::interval
            and not exists (select 1 from bulk_child c join job on job.id = c.job_id
                where c.bulk_id = b.id)
    """,
    "evidence": """
        select job_id from job_evidence e where made_at < statement_timestamp() - %(keep)s::interval
            and not exists (select 1 from job where job.id = e.job_id)
            and not exists (select 1 from retention_hold h where h.job_id = e.job_id)
    """,
    "plans": """
        select id from plan where created_at < statement_timestamp() - %(keep)s::interval
            and expires_at < statement_timestamp()
            and not exists (select 1 from job where job.plan_id = plan.id)
    """,
    "idempotency": """
        select ctid from idempotency where created_at < statement_timestamp() - %(keep)s::interval
    """,
}
_DELETE = {
    "bulk_jobs": "delete from bulk_job where id in",
    "evidence": "delete from job_evidence where job_id in",
    "plans": "delete from plan where id in",
    "idempotency": "delete from idempotency where ctid in",
}


_ALWAYS = datetime.min.replace(tzinfo=UTC)


class Retention:
    """Implements `app.services.retention.RetentionRows`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._reached: dict[str, datetime] = {}
        """Per kind the end of the last job something went of in this pass: those before it have
        nothing left, and are not looked at again until the next pass."""

    async def counts(self, keep: Keep) -> Mapping[str, int]:
        """See RetentionRows."""
        found: dict[str, int] = {}
        async with self._connection() as connection:
            for kind in KINDS:
                if kind in _ROWS:
                    table, _ = _ROWS[kind]
                    inner = f"select 1 from {table} r join job on job.id = r.job_id where {_FREE}"  # noqa: S608 - constants
                elif kind == "jobs":
                    # Those whose rows go in the same pass are counted, too.
                    inner = f"select 1 from job where {_FREE} and not exists (select 1 from backup b where b.job_id = job.id)"  # noqa: S608, E501 - constants
                else:
                    inner = _OLD_BACKUPS if kind == "backups" else _OLD[kind]
                statement = f"select count(*) as found from ({inner}) old"  # noqa: S608 - constants
                values = {"keep": _kept(kind, keep)}
                row = await (await connection.execute(statement.encode(), values)).fetchone()
                found[kind] = 0 if row is None else row["found"]
        return found

    async def prune(self, kind: str, keep: Keep) -> int | None:
        """See RetentionRows."""
        async with self._connection() as connection, connection.transaction():
            locked = await _one(
                connection,
                "select pg_try_advisory_xact_lock(%(lock)s) as mine",
                lock=RETENTION_LOCK,
            )
            if not locked["mine"]:
                return None
            await connection.execute("select set_config('clusterway.retention', 'on', true)")
            if kind in _ROWS:
                return await self._rows_of_a_job(connection, kind, keep)
            if kind == "jobs":
                return await self._job(connection, keep)
            if kind == "backups":
                return await self._backup(connection, keep)
            statement = f"{_DELETE[kind]} ({_OLD[kind]} limit %(limit)s)"
            done = await connection.execute(
                statement.encode(), {"keep": _kept(kind, keep), "limit": BATCH}
            )
            return done.rowcount

    async def hold(self, hold: RetentionHold) -> None:
        """See RetentionRows."""
        async with self._connection() as connection:
            await connection.execute(
                "insert into retention_hold (job_id, reason, held_by, held_at)"
                " values (%s, %s, %s, %s) on conflict (job_id) do update"
                " set reason = excluded.reason, held_by = excluded.held_by,"
                " held_at = excluded.held_at",
                [hold.job_id, hold.reason, hold.held_by, hold.held_at],
            )

    async def held(self, job_id: str) -> RetentionHold | None:
        """See RetentionRows."""
        async with self._connection() as connection:
            cursor = await connection.execute(
                "select * from retention_hold where job_id = %s", [job_id]
            )
            row = await cursor.fetchone()
        return None if row is None else RetentionHold(**row)

    async def release(self, job_id: str) -> bool:
        """See RetentionRows."""
        async with self._connection() as connection:
            done = await connection.execute(
                "delete from retention_hold where job_id = %s", [job_id]
            )
            return done.rowcount == 1

    async def _rows_of_a_job(self, connection: Connection, kind: str, keep: Keep) -> int:
        table, key = _ROWS[kind]
        job = await _one(
            connection,
            f"select id, finished_at from job where {_FREE} and finished_at >= %(since)s"  # noqa: S608 - constants
            f" and exists (select 1 from {table} r where r.job_id = job.id)"
            " order by finished_at limit 1 for update skip locked",
            keep=_kept(kind, keep),
            since=self._reached.pop(kind, _ALWAYS),
        )
        if not job:
            return 0
        self._reached[kind] = job["finished_at"]
        await connection.execute(
            "update job_evidence set rows_pruned_at = clock_timestamp()"
            " where job_id = %s and rows_pruned_at is null",
            [job["id"]],
        )
        # The oldest first, so that what is left is the end of the chain.
        statement = f"""
            delete from {table} where job_id = %(job)s and {key} in (
                select {key.strip("()")} from {table} where job_id = %(job)s
                order by {key.strip("()")} limit %(limit)s)
        """  # noqa: S608 - constants
        done = await connection.execute(statement.encode(), {"job": job["id"], "limit": BATCH})
        return done.rowcount

    @staticmethod
    async def _job(connection: Connection, keep: Keep) -> int:
        statement = f"{_JOBS} order by finished_at limit 50 for update skip locked"
        rows = await (
            await connection.execute(statement.encode(), {"keep": _kept("jobs", keep)})
        ).fetchall()
        done = await connection.execute(
            "delete from job where id = any(%s)", [[row["id"] for row in rows]]
        )
        return done.rowcount

    @staticmethod
    async def _backup(connection: Connection, keep: Keep) -> int:
        """Unfinish a backup that goes, so that nobody reads half of it; then piece by piece."""
        left = await _one(connection, f"{_LEFT_BACKUPS} limit 1 for update skip locked")
        if not left:
            old = f"update backup set finished_at = null where id in ({_OLD_BACKUPS} limit 1)"  # noqa: S608 - constants
            done = await connection.execute(old.encode(), {"keep": _kept("backups", keep)})
            return done.rowcount
        chunks = await connection.execute(
            "delete from backup_chunk where backup_id = %(id)s and seq in ("
            "select seq from backup_chunk where backup_id = %(id)s limit %(limit)s)",
            {"id": left["id"], "limit": CHUNKS},
        )
        if chunks.rowcount < CHUNKS:
            await connection.execute("delete from backup where id = %s", [left["id"]])
        return 1

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
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


def _kept(kind: str, keep: Keep) -> Any:
    return keep.backups_per_peer if kind == "backups" else getattr(keep, kind)


async def _one(connection: Connection, statement: str, **values: Any) -> Mapping[str, Any]:
    row = await (await connection.execute(statement.encode(), values)).fetchone()
    return row or {}
