"""Counts for metrics. See app.observability.census.

What moves is read in one statement on one snapshot, so the figures fit together: indexes that hold
only jobs that have not ended and deliveries still to be made, and tables that are small by nature
(what stands, who works, bulk jobs). What is over is counted in another: it is as much as is stored,
and changes slowly beside that, so its figures may be a minute old. Each answer is one JSON
document.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

from app.observability.census import Figures, Waiting
from app.services.problems import Problem
from app.storage.database import Connection, Pool

FRESH_SECONDS = 10.0
"""A worker whose beat is older is taken for dead by the others (app.storage.liveness)."""
MOST_FINDINGS = 100
"""Different findings that are shown; there are fewer codes than that."""

_SECONDS = "extract(epoch from clock_timestamp() - {})"
_COUNT = f"""
with jobs as (
    select procedure, state, count(*) as count from job
    where state in ('queued', 'running', 'waiting', 'cancelling') group by 1, 2
), waiting as (
    select wait_reason as reason, count(*) as count,
        max({_SECONDS.format("coalesce(wait_since, created_at)")}) as longest
    from job where state = 'waiting' and wait_reason is not null group by 1
), due as (
    select count(*) as count, coalesce(max({_SECONDS.format("wake_at")}), 0) as longest
    from job where owner is null and wake_at < statement_timestamp()
        and state in ('queued', 'running', 'waiting', 'cancelling')
), workers as (
    select count(*) filter (where fresh) as beating, count(*) filter (where not fresh) as silent
    from (select {_SECONDS.format("beat")} < %(fresh)s as fresh from worker) as seen
), findings as (
    select coalesce(body ->> 'severity', 'unknown') as severity, body ->> 'code' as code,
        count(*) as count
    from cluster_standing join cluster on cluster.id = cluster_id
    where kind <> 'alarm' and deleted_at is null group by 1, 2 order by 3 desc limit %(most)s
), newest as (
    select member.peer_id, max(backup.finished_at) as at
    from cluster_member as member join cluster on cluster.id = member.cluster_id
    left join backup on backup.peer_id = member.peer_id and backup.finished_at is not null
    where cluster.deleted_at is null group by 1
)
select jsonb_build_object(
    'jobs', (select coalesce(jsonb_agg(jobs), '[]') from jobs),
    'waiting', (select coalesce(jsonb_agg(waiting), '[]') from waiting),
    'due', (select to_jsonb(due) from due),
    'workers', (select to_jsonb(workers) from workers),
    'approvals', (select count(*) from job where approval = 'pending'
        and state in ('queued', 'running', 'waiting', 'cancelling')),
    'bulk_jobs', (select coalesce(jsonb_object_agg(state, count), '{{}}')
        from (select state, count(*) from bulk_job group by 1) as found),
    'findings', (select coalesce(jsonb_agg(findings), '[]') from findings),
    'alarms', (select count(*) from cluster_standing join cluster on cluster.id = cluster_id
        where kind = 'alarm' and deleted_at is null),
    'webhooks', (select coalesce(jsonb_object_agg(state, count), '{{}}')
        from (select state, count(*) from webhook group by 1) as found),
    'pending', (select count(*) from webhook_delivery where state = 'pending'),
    'oldest_delivery', (select coalesce(max({_SECONDS.format("created_at")}), 0)
        from webhook_delivery where state = 'pending'),
    'clusters', (select count(*) from cluster where deleted_at is null),
    'members', (select count(*) from newest),
    'without_backup', (select count(*) from newest where at is null),
    'oldest_backup', (select coalesce(max({_SECONDS.format("at")}), 0) from newest)
) as found
"""  # noqa: S608 - constants of this module
_COUNT_WHAT_IS_OVER = """
with jobs as (
    select procedure, state, count(*) as count from job
    where state in ('succeeded', 'failed', 'cancelled') group by 1, 2
)
select jsonb_build_object(
    'jobs', (select coalesce(jsonb_agg(jobs), '[]') from jobs),
    'deliveries', (select coalesce(jsonb_object_agg(state, count), '{}')
        from (select state, count(*) from webhook_delivery where state <> 'pending' group by 1)
        as found)
) as found
"""
OVER_SECONDS = 60.0


class PostgresCensus:
    """Implements `app.observability.census.Census` over the pool of the journal."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._over: dict[str, Any] = {}
        self._over_until = float("-inf")

    async def count(self) -> Figures:
        """See Census."""
        now = time.monotonic()
        try:
            async with self._pool.connection() as connection:
                values = {"fresh": FRESH_SECONDS, "most": MOST_FINDINGS}
                found = await _answer(connection, _COUNT, values)
                if now >= self._over_until:
                    self._over = await _answer(connection, _COUNT_WHAT_IS_OVER)
                    self._over_until = now + OVER_SECONDS
        except (psycopg.Error, PoolTimeout, PoolClosed) as error:
            raise Problem("storage-unavailable", "the database does not answer") from error
        over = self._over
        return Figures(
            jobs={
                (entry["procedure"], entry["state"]): entry["count"]
                for entry in (*over["jobs"], *found["jobs"])
            },
            waiting={e["reason"]: Waiting(e["count"], e["longest"]) for e in found["waiting"]},
            due=found["due"]["count"],
            longest_due=found["due"]["longest"],
            workers_beating=found["workers"]["beating"],
            workers_silent=found["workers"]["silent"],
            approvals=found["approvals"],
            bulk_jobs=found["bulk_jobs"],
            findings={(e["severity"], str(e["code"])): e["count"] for e in found["findings"]},
            alarms=found["alarms"],
            webhooks=found["webhooks"],
            deliveries={**over["deliveries"], "pending": found["pending"]},
            oldest_delivery=found["oldest_delivery"],
            clusters=found["clusters"],
            members=found["members"],
            members_without_backup=found["without_backup"],
            oldest_backup=found["oldest_backup"],
        )


async def _answer(
    connection: Connection, statement: str, values: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    row = await (await connection.execute(statement.encode(), values)).fetchone()
    if row is None:
        raise Problem("storage-unavailable", "the database counted nothing")
    found: dict[str, Any] = row["found"]
    return found
