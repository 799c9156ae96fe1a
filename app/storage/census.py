"""Counts for metrics, in one round trip. See app.observability.census.

Everything is read in one statement on one snapshot, so the figures fit together. It reads the index
of jobs by state, and beside that only tables that are small by nature (what stands, who works) and
deliveries, which are swept. The answer is one JSON document.
"""

from __future__ import annotations

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

from app.observability.census import Figures, Waiting
from app.services.problems import Problem
from app.storage.database import Pool

FRESH_SECONDS = 10.0
"""A worker whose beat is older is taken for dead by the others (app.storage.liveness)."""
MOST_FINDINGS = 100
"""Different findings that are shown; there are fewer codes than that."""

_SECONDS = "extract(epoch from clock_timestamp() - {})"
_COUNT = f"""
with jobs as (
    select procedure, state, count(*) as count from job group by 1, 2
), waiting as (
    select wait_reason as reason, count(*) as count,
        max({_SECONDS.format("coalesce(wait_since, created_at)")}) as longest
    from job where state = 'waiting' and wait_reason is not null group by 1
), due as (
    select count(*) as count, coalesce(max({_SECONDS.format("wake_at")}), 0) as longest
    from job where owner is null and wake_at < clock_timestamp()
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
    'findings', (select coalesce(jsonb_agg(findings), '[]') from findings),
    'alarms', (select count(*) from cluster_standing join cluster on cluster.id = cluster_id
        where kind = 'alarm' and deleted_at is null),
    'webhooks', (select coalesce(jsonb_object_agg(state, count), '{{}}')
        from (select state, count(*) from webhook group by 1) as found),
    'deliveries', (select coalesce(jsonb_object_agg(state, count), '{{}}')
        from (select state, count(*) from webhook_delivery group by 1) as found),
    'oldest_delivery', (select coalesce(max({_SECONDS.format("created_at")}), 0)
        from webhook_delivery where state = 'pending'),
    'clusters', (select count(*) from cluster where deleted_at is null),
    'members', (select count(*) from newest),
    'without_backup', (select count(*) from newest where at is null),
    'oldest_backup', (select coalesce(max({_SECONDS.format("at")}), 0) from newest)
) as found
"""  # noqa: S608 - constants of this module


class PostgresCensus:
    """Implements `app.observability.census.Census` over the pool of the journal."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def count(self) -> Figures:
        """See Census."""
        try:
            async with self._pool.connection() as connection:
                values = {"fresh": FRESH_SECONDS, "most": MOST_FINDINGS}
                row = await (await connection.execute(_COUNT.encode(), values)).fetchone()
        except (psycopg.Error, PoolTimeout, PoolClosed) as error:
            raise Problem("storage-unavailable", "the database does not answer") from error
        if row is None:
            raise Problem("storage-unavailable", "the database counted nothing")
        found = row["found"]
        return Figures(
            jobs={(e["procedure"], e["state"]): e["count"] for e in found["jobs"]},
            waiting={e["reason"]: Waiting(e["count"], e["longest"]) for e in found["waiting"]},
            due=found["due"]["count"],
            longest_due=found["due"]["longest"],
            workers_beating=found["workers"]["beating"],
            workers_silent=found["workers"]["silent"],
            approvals=found["approvals"],
            findings={(e["severity"], str(e["code"])): e["count"] for e in found["findings"]},
            alarms=found["alarms"],
            webhooks=found["webhooks"],
            deliveries=found["deliveries"],
            oldest_delivery=found["oldest_delivery"],
            clusters=found["clusters"],
            members=found["members"],
            members_without_backup=found["without_backup"],
            oldest_backup=found["oldest_backup"],
        )
