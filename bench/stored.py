"""What years of use leave in the database, made by SQL in seconds: the ground of growth and idle.

Every row is a copy of what the service wrote once by itself (a plan of `backup`, drafted over a
simulated peer), under ids that are older than any new one and spread over 300 days, so that
retention finds nothing to take away. Indexes that belong to no constraint are dropped while a table
is filled and made again as they were; triggers and foreign keys rest meanwhile, so what they would
have demanded is given here: each ended job is sealed, each event has a hash. The chain of hashes is
not a chain.
"""

# ruff: noqa: S608 - statements are made of constants of this module

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from app.domain.plan import Plan
from app.services.plan_document import to_json
from app.storage.database import Connection, connect

CLUSTERS = 1000
WAITING = 20
"""Jobs that have not ended, each on a cluster of its own."""
REACHED = 7
"""The first of the two clusters that a limited key may see."""
WEBHOOK = f"webhook-{1:026x}"
LONG_JOB = 100
"""One of that many jobs has that many times the events of the others."""


@dataclass(frozen=True, slots=True)
class Amount:
    """How much is stored."""

    jobs: int
    events: int

    @property
    def clusters(self) -> int:
        return min(CLUSTERS, self.jobs // 2)


def cluster_id(number: int) -> str:
    return f"cluster-{number:026x}"


def job_id(number: int) -> str:
    return f"job-{number:026x}"


_AT = "now() - interval '300 days' * ((%(jobs)s - n)::float / %(jobs)s) - interval '2 hours'"
_CLUSTER = "'cluster-' || lpad(to_hex(1 + n %% %(clusters)s), 26, '0')"
_JOB = "'job-' || lpad(to_hex(n), 26, '0')"
_PLAN = "'plan-' || lpad(to_hex(n), 26, '0')"
_EVENTS_OF = """
case when n %% %(long)s = 0 then %(long)s / 2 else 1 end * %(each)s
"""
"""Half of all events are those of long jobs."""

_FILL = {
    "cluster": f"""
        insert into cluster (id, name, version, created_at, labels)
        select {_CLUSTER}, 'stored-' || n || '.example.com', 1, now() - interval '300 days',
            jsonb_build_array(jsonb_build_object('name', 'site', 'value', 'site-' || n %% 10))
        from generate_series(0, %(clusters)s - 1) n
    """,
    "plan": f"""
        insert into plan (id, cluster_id, procedure, digest, body, observations, created_at,
            expires_at)
        select {_PLAN}, {_CLUSTER}, 'backup', %(digest)s,
            jsonb_set(%(plan)s, '{{cluster_id}}', to_jsonb({_CLUSTER})), %(observations)s,
            {_AT}, {_AT} + interval '1 day'
        from generate_series(1, %(jobs)s) n
    """,
    "job": f"""
        insert into job (id, cluster_id, plan_id, procedure, plan, peers, requested_by, details,
            terms, sealed, state, holds, approval, wait_reason, wait_note, wait_step, created_at,
            started_at, finished_at, last_event_seq)
        select {_JOB}, {_CLUSTER}, {_PLAN}, 'backup',
            jsonb_set(%(plan)s, '{{cluster_id}}', to_jsonb({_CLUSTER})),
            jsonb_build_array('peer-' || lpad(to_hex(n %% %(clusters)s), 26, '0')),
            %(key)s, jsonb_build_object('change', jsonb_build_object('number', 'CHG' || n)),
            case when n %% 10 = 0 then '{{"approvals": 1}}'::jsonb else '{{}}' end, not waits,
            case when waits then 'waiting' when n %% 50 = 0 then 'failed' else 'succeeded' end,
            waits, case when n %% 10 = 0 then 'approved' end,
            case when waits then 'hold' end, '', '', {_AT}, {_AT} + interval '1 minute',
            case when not waits then {_AT} + interval '1 hour' end, {_EVENTS_OF}
        from generate_series(1, %(jobs)s) n, lateral (select n > %(jobs)s - %(waiting)s) w(waits)
    """,
    "job_peer": f"""
        insert into job_peer (job_id, peer_id, holds)
        select {_JOB}, 'peer-' || lpad(to_hex(n %% %(clusters)s), 26, '0'),
            n > %(jobs)s - %(waiting)s
        from generate_series(1, %(jobs)s) n
    """,
    "job_step": f"""
        insert into job_step (job_id, seq, key, state, attempt, attempts_allowed, before, seen,
            outcome, progress, note, started_at, act_returned, finished_at)
        select {_JOB}, step.seq, step.value ->> 'key',
            case when n > %(jobs)s - %(waiting)s then 'pending' else 'done' end, 1, 3, '{{}}',
            '{{"value": "On"}}', '', 1, '', {_AT}, true, {_AT} + interval '1 hour'
        from generate_series(1, %(jobs)s) n,
            jsonb_array_elements(%(steps)s) with ordinality as step (value, seq)
    """,
    "job_event": f"""
        insert into job_event (job_id, seq, at, type, data, hash)
        select {_JOB}, seq, {_AT} + interval '1 second' * seq, 'job.step.progress',
            jsonb_build_object('step', 'back-up-exp1', 'state', 'running', 'progress', 0.5,
                'note', 'what a step says of itself while it runs, in a line or two'),
            sha256(int8send(seq))
        from generate_series(1, %(jobs)s) n, generate_series(1, {_EVENTS_OF}) seq
    """,
    "job_evidence": f"""
        insert into job_evidence (job_id, made_at, digest, key_id, event_seq, event_hash, document)
        select {_JOB}, {_AT} + interval '61 minutes', 'sha256:' || n, 'key', {_EVENTS_OF},
            sha256(int8send(n)), int8send(n)
        from generate_series(1, %(jobs)s - %(waiting)s) n
    """,
    "job_observation": f"""
        insert into job_observation (job_id, moment, peer_id, observed_at, view)
        select {_JOB}, moment, 'peer-' || lpad(to_hex(n %% %(clusters)s), 26, '0'),
            {_AT} + case moment when 'after' then interval '59 minutes' else interval '0' end,
            '{{"peer_id": "peer-1"}}'
        from generate_series(1, %(jobs)s) n, (values ('before'), ('after')) as m (moment)
        where moment = 'before' or n <= %(jobs)s - %(waiting)s
    """,
    "approval_decision": f"""
        insert into approval_decision (job_id, principal, verdict, made_by, reason, digest,
            decided_at)
        select {_JOB}, 'key-other', 'approved', 'Ann', 'read it', %(digest)s, {_AT}
        from generate_series(10, %(jobs)s, 10) n
    """,
    "webhook": """
        insert into webhook (id, name, url, host, event_types, cluster_ids, labels, format,
            auth_kind, auth, ca_bundle, state, state_reason, state_since, version, created_at,
            created_by)
        values (%(webhook)s, 'stored', 'https://hooks.example.com', 'hooks.example.com',
            '{job.succeeded}', '{}', '[]', 'standard', 'none', '{}', '', 'active', '', now(),
            1, now(), '')
    """,
    "webhook_delivery": f"""
        insert into webhook_delivery (webhook_id, event_id, type, at, cluster_id, job_id, subject,
            seq, payload, created_at, queued_at, state, attempts, tries, next_at, finished_at)
        select %(webhook)s, {_JOB} || '-' || 1, 'job.succeeded', {_AT}, {_CLUSTER}, {_JOB}, {_JOB},
            1, '{{}}', {_AT}, {_AT}, case when n %% 5000 = 0 then 'failed' else 'delivered' end,
            1, 1, null, {_AT}
        from generate_series(1, %(jobs)s) n
    """,
    "audit": f"""
        insert into audit (seq, at, actor, actor_name, address, request_id, action, outcome,
            objects, details, before_hash, hash)
        select 10 + n, {_AT}, case when n %% 1000 = 0 then 'key-rare' else %(key)s end, 'bench',
            '192.0.2.7', 'req-' || n,
            case when n %% 1000 = 1 then 'revokeKey' else 'startJob' end,
            case when n %% 1000 = 2 then 'denied' else 'done' end,
            jsonb_build_object('job_id', {_JOB}, 'cluster_id', {_CLUSTER}), '{{}}', '', ''
        from generate_series(1, %(jobs)s) n
    """,
    "cluster_event": """
        insert into cluster_event (cluster_id, seq, at, type, data)
        select 'cluster-' || lpad(to_hex(n), 26, '0'), seq,
            now() - interval '80 days' + interval '1 minute' * seq, 'cluster.finding.raised',
            '{"code": "peer-slow", "severity": "warning"}'
        from generate_series(1, %(clusters)s) n, generate_series(1, %(of_cluster)s) seq
    """,
    "cluster_period": """
        insert into cluster_period (cluster_id, seq, first_at, last_at, passes, healthy, facts,
            findings)
        select 'cluster-' || lpad(to_hex(n), 26, '0'), seq,
            now() - interval '80 days' + interval '1 minute' * seq,
            now() - interval '80 days' + interval '1 minute' * (seq + 1), 1, true, '{}', '[]'
        from generate_series(1, %(clusters)s) n, generate_series(1, %(of_cluster)s) seq
    """,
}
_INDEXES = """
select indexname, indexdef from pg_indexes
where schemaname = current_schema() and tablename = %s
    and not exists (select 1 from pg_constraint where conname = indexname)
"""


async def fill(url: str, amount: Amount, *, plan: Plan, observations: Any, key_id: str) -> None:
    """Store that much more, all of it by that key. Raises RuntimeError where rows are missing."""
    async with await connect(url) as connection:
        for text in ("session_replication_role = replica", "synchronous_commit = off"):
            await connection.execute(f"set {text}".encode())
        each = math.ceil(amount.events / amount.jobs / (1.5 - 1 / LONG_JOB))
        values = {
            "jobs": amount.jobs,
            "clusters": amount.clusters,
            "waiting": min(WAITING, amount.clusters // 2),
            "long": LONG_JOB,
            "each": each,
            "of_cluster": max(1, amount.events // 10 // amount.clusters),
            "digest": plan.digest,
            "plan": Jsonb(to_json(plan)),
            "steps": Jsonb([{"key": step.key} for step in plan.steps]),
            "observations": Jsonb(to_json(observations)),
            "key": key_id,
            "webhook": WEBHOOK,
        }
        for table, statement in _FILL.items():
            await _filled(connection, table, statement, values)
        await connection.execute("update audit_head set seq = (select max(seq) from audit)")
        await connection.execute("vacuum analyze")
        await connection.execute("checkpoint")
        row = await (await connection.execute(
            "select (select count(*) from job) as jobs, (select count(*) from job_event) as events"
        )).fetchone()  # fmt: skip
    if row is None or row["jobs"] < amount.jobs or row["events"] < amount.events:
        raise RuntimeError(f"not all was stored: {row}")


async def _filled(
    connection: Connection, table: str, statement: str, values: Mapping[str, Any]
) -> None:
    indexes = await (await connection.execute(_INDEXES, [table])).fetchall()
    for index in indexes:
        await connection.execute(f'drop index "{index["indexname"]}"'.encode())
    await connection.execute(statement.encode(), values)
    for index in indexes:
        await connection.execute(index["indexdef"].encode())
