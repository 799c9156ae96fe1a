"""What people do with jobs, on one connection and inside whatever transaction is open on it.

Every change is: lock the job's row, ask app.engine.transitions what follows, write job, steps,
events, holds and wake-up. So a job, its wake-up and the caller's own rows commit or vanish
together.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from app.domain.job import Attestation, Event
from app.domain.terms import Decision
from app.engine import transitions
from app.engine.deciding import decided
from app.engine.errors import ClusterBusy, Held, NoSuchJob, PeerBusy
from app.engine.memory import read_cursor, write_cursor
from app.engine.records import UNENDED, JobFilter, JobRecord, Lease, NewJob, Page
from app.engine.skipping import Skip, skipped
from app.engine.transitions import Change
from app.security.acting import note
from app.services.plan_document import to_json
from app.storage import job_rows
from app.storage.fence import demand

Enqueue = Callable[[AsyncConnection[Any], str, dt.datetime], Awaitable[None]]
"""Puts a wake-up of a job into the queue, in the connection's transaction."""

HOLDS_LOCK = 0x636C7702
"""Who holds which cluster and peers is decided by one transaction at a time."""
CHANNEL = "job_event"
LONGEST_PAYLOAD = 7000
"""Bytes of one NOTIFY; PostgreSQL allows 8000."""

_HOLDER = "select id from job where holds and cluster_id = %(cluster)s and id <> %(id)s limit 1"
_PEER_HOLDER = """
select peer_id, job_id from job_peer
where holds and peer_id = any(%(peers)s) and job_id <> %(id)s order by peer_id limit 1
"""
_BEHIND = """
select *, clock_timestamp() as now from job
where not holds and state in ('queued', 'waiting', 'cancelling')
    and not exists (select 1 from job as holder
        where holder.holds and holder.cluster_id = job.cluster_id)
    and not exists (select 1 from job_peer as wanted join job_peer as held using (peer_id)
        where wanted.job_id = job.id and held.holds)
order by created_at, id for update of job skip locked
"""
"""Those whose turn it may be: a thousand in line behind others are not even read."""
_LIST = "select *, clock_timestamp() as now from job {where} order by id desc limit %(limit)s"
_WHERE = {
    "before": "id < %(before)s",
    "state": "state = %(state)s",
    "states": "state = any(%(states)s)",
    "cluster": "cluster_id = %(cluster)s",
    "clusters": "cluster_id = any(%(clusters)s)",
    "procedure": "procedure = %(procedure)s",
    "details": "details @> %(details)s",
    "approval": "approval = %(approval)s",
    "asked": "approval is not null",
}
"""Conditions of a list. A statement has those that are asked for and no others, so that the server
plans it for the index that answers just that."""
_EVENTS = """
select * from job_event where job_id = %(id)s and seq > %(after)s order by seq limit %(limit)s
"""


class ConnectionDesk:
    """Implements `app.engine.ports.JobDesk` on a connection whose transaction others end."""

    def __init__(
        self,
        connection: AsyncConnection[Any],
        enqueue: Enqueue,
        told: dict[str, int] | None = None,
    ) -> None:
        """With `told`, the caller tells listeners, after the commit, of what is put there."""
        self._connection = connection
        self._enqueue = enqueue
        self._told = told

    async def create(self, new: NewJob, *, queue: bool = False) -> JobRecord:
        """See JobDesk."""
        note(job_id=new.id, cluster_id=new.plan.cluster_id, plan_id=new.plan.id)
        await self._run("select pg_advisory_xact_lock(%(lock)s)", lock=HOLDS_LOCK)
        now = (await self._one("select clock_timestamp() as now"))["now"]
        change = transitions.new_job(new, holds=True, now=now)
        held = await self._held(change.job)
        if held is not None:
            if not queue:
                raise held
            change = transitions.new_job(new, holds=False, now=now)
        job = change.job
        await self._run(job_rows.INSERT_JOB, **job_rows.first_values(job))
        for peer in job.peers:
            await self._connection.execute(job_rows.INSERT_PEER, [job.id, peer, job.holds])
        for attestation in job.attestations.values():
            await self._insert_attestation(job.id, attestation)
        await self._write_steps(job.id, job.steps)
        for peer_id, view in new.views.items():
            await self._run(
                job_rows.INSERT_OBSERVATION,
                job_id=job.id,
                moment="before",
                peer_id=peer_id,
                observed_at=view["observed_at"],
                late=False,
                view=Jsonb(view),
            )
        return await self._finish(change)

    async def load(self, job_id: str) -> JobRecord:
        """See JobDesk."""
        rows = await self._all(job_rows.LOAD_JOBS, ids=[job_id])
        if not rows:
            raise NoSuchJob(job_id)
        return (await job_rows.read_jobs(self._connection, rows))[0]

    async def list_jobs(
        self, wanted: JobFilter, *, cursor: str | None = None, limit: int = 50
    ) -> Page:
        """See JobDesk."""
        asked = _asked(wanted, cursor)
        where = " and ".join(_WHERE[name] for name in asked)
        statement = _LIST.format(where=f"where {where}" if where else "")
        rows = await self._all(statement, **asked, limit=limit + 1)
        jobs = await job_rows.read_jobs(self._connection, rows[:limit])
        return Page(jobs, write_cursor(jobs[-1].id) if len(rows) > limit else None)

    async def unended(self, cluster_id: str) -> str | None:
        """See JobDesk."""
        page = await self.list_jobs(JobFilter(UNENDED, cluster_id), limit=1)
        return page.items[0].id if page.items else None

    async def holder_of(self, peer_id: str) -> str | None:
        """See JobDesk. To be asked before the peer's row is locked, as `create` does it."""
        await self._run("select pg_advisory_xact_lock(%(lock)s)", lock=HOLDS_LOCK)
        found = await self._all(_PEER_HOLDER, peers=[peer_id], id="")
        return found[0]["job_id"] if found else None

    async def demand(self, lease: Lease) -> None:
        """See JobDesk."""
        await demand(self._connection, lease)

    async def events(self, job_id: str, *, after: int = 0, limit: int = 1000) -> tuple[Event, ...]:
        """See JobDesk."""
        rows = await self._all(_EVENTS, id=job_id, after=after, limit=limit)
        if not rows and not await self._all("select 1 from job where id = %(id)s", id=job_id):
            raise NoSuchJob(job_id)
        return tuple(job_rows.read_event(row) for row in rows)

    async def attest(self, job_id: str, attestation: Attestation) -> JobRecord:
        """See JobDesk."""
        job, now = await self.locked(job_id)
        change = transitions.attested(job, attestation, now)
        await self._insert_attestation(job_id, attestation)
        return await self.apply(job, change)

    async def decide(self, job_id: str, decision: Decision) -> JobRecord:
        """See JobDesk."""
        job, now = await self.locked(job_id)
        change = decided(job, decision, now)
        await self._run(job_rows.INSERT_DECISION, **job_rows.decision_values(job_id, decision))
        return await self.apply(job, change)

    async def request_cancel(self, job_id: str, *, by: str, reason: str = "") -> JobRecord:
        """See JobDesk."""
        job, now = await self.locked(job_id)
        return await self.apply(job, transitions.cancel_requested(job, by, reason, now))

    async def request_pause(self, job_id: str, *, by: str) -> JobRecord:
        """See JobDesk."""
        job, _ = await self.locked(job_id)
        return await self.apply(job, transitions.pause_requested(job, by))

    async def resume(self, job_id: str, *, by: str) -> JobRecord:
        """See JobDesk."""
        job, now = await self.locked(job_id)
        return await self.apply(job, transitions.resumed(job, by, now))

    async def retry(self, job_id: str, *, by: str) -> JobRecord:
        """See JobDesk."""
        job, now = await self.locked(job_id)
        return await self._taken_up(job, transitions.retried(job, by, now))

    async def skip(self, job_id: str, skip: Skip) -> JobRecord:
        """See JobDesk."""
        job, now = await self.locked(job_id)
        return await self._taken_up(job, skipped(job, skip, now))

    async def locked(self, job_id: str) -> tuple[JobRecord, dt.datetime]:
        """The job, its row locked until the transaction ends, and the database's time."""
        rows = await self._all(job_rows.LOCK_JOB, id=job_id)
        if not rows:
            raise NoSuchJob(job_id)
        note(cluster_id=rows[0]["cluster_id"])
        return (await job_rows.read_jobs(self._connection, rows))[0], rows[0]["now"]

    async def locked_all(self, job_ids: list[str]) -> list[tuple[JobRecord, dt.datetime]]:
        """Those of the jobs that nobody else has locked, as `locked` gives one."""
        rows = await self._all(job_rows.LOCK_JOBS, ids=job_ids)
        jobs = await job_rows.read_jobs(self._connection, rows)
        return [(job, row["now"]) for job, row in zip(jobs, rows, strict=True)]

    async def apply(self, old: JobRecord, change: Change) -> JobRecord:
        """Write a change of a locked job; one that frees its cluster starts the next in line."""
        if change.job == old and not change.events and not change.wake:
            return old
        changed = [s for s, o in zip(change.job.steps, old.steps, strict=True) if s != o]
        await self._write_steps(old.id, tuple(changed))
        if change.job.holds != old.holds:
            await self._run(job_rows.UPDATE_PEERS, id=old.id, holds=change.job.holds)
        job = await self._finish(change)
        if old.holds and not job.holds:
            await self.promote()
        return job

    async def promote(self) -> int:
        """Give cluster and peers to those in line for them; how many got theirs."""
        await self._run("select pg_advisory_xact_lock(%(lock)s)", lock=HOLDS_LOCK)
        rows = await self._all(_BEHIND)
        turns = 0
        for job, row in zip(await job_rows.read_jobs(self._connection, rows), rows, strict=True):
            if await self._held(job) is None:
                change = transitions.promoted(job, row["now"])
                await self._run(job_rows.UPDATE_PEERS, id=job.id, holds=change.job.holds)
                await self._finish(change)
                turns += 1
        return turns

    async def finish(self, changes: Sequence[Change]) -> list[JobRecord]:
        """Write rows and events of changed jobs, tell listeners, and queue the wake-ups.

        Steps and holds are as they were. All rows of one kind go to the server together.
        """
        jobs: list[JobRecord] = []
        events: list[dict[str, Any]] = []
        for change in changes:
            seq = change.job.last_event_seq
            for event in change.events:
                seq += 1
                data = Jsonb(to_json(event.data))
                events.append(
                    {"job_id": change.job.id, "seq": seq, "type": event.type, "data": data}
                )
            jobs.append(replace(change.job, last_event_seq=seq))
        await self._each(job_rows.INSERT_EVENT, events)
        await self._each(job_rows.UPDATE_JOB, [job_rows.job_values(job) for job in jobs])
        told = {event["job_id"]: event["seq"] for event in events}
        if self._told is not None:
            self._told.update(told)
        for news in payloads(told.items() if self._told is None else ()):
            await self._run("select pg_notify(%(channel)s, %(news)s)", channel=CHANNEL, news=news)
        for job, change in zip(jobs, changes, strict=True):
            if change.wake and job.wake_at is not None:
                await self._enqueue(self._connection, job.id, job.wake_at)
        return jobs

    async def _finish(self, change: Change) -> JobRecord:
        return (await self.finish([change]))[0]

    async def _taken_up(self, job: JobRecord, change: Change) -> JobRecord:
        """Write a change that gives a job its cluster again. Raises Held where another has it.

        The job's row is locked, then who holds what: as where a job ends and frees its cluster.
        Two that asked the other way round would wait for each other.
        """
        await self._run("select pg_advisory_xact_lock(%(lock)s)", lock=HOLDS_LOCK)
        held = await self._held(job)
        if held is not None:
            raise held
        return await self.apply(job, change)

    async def _held(self, job: JobRecord) -> Held | None:
        found = await self._all(_HOLDER, cluster=job.cluster_id, id=job.id)
        if found:
            return ClusterBusy(found[0]["id"])
        found = await self._all(_PEER_HOLDER, peers=list(job.peers), id=job.id)
        return PeerBusy(found[0]["peer_id"], found[0]["job_id"]) if found else None

    async def _write_steps(self, job_id: str, steps: tuple[Any, ...]) -> None:
        await self._each(
            job_rows.WRITE_STEP, [job_rows.step_values(job_id, step) for step in steps]
        )

    async def _insert_attestation(self, job_id: str, made: Attestation) -> None:
        await self._run(
            job_rows.INSERT_ATTESTATION,
            job_id=job_id,
            gate=made.gate,
            by=made.by,
            reason=made.reason,
            recorded_for=made.recorded_for,
            recorded_at=made.recorded_at,
        )

    async def _each(self, statement: str, rows: Sequence[dict[str, Any]]) -> None:
        """The statement once for each; many go to the server together."""
        if len(rows) == 1:
            await self._connection.execute(statement.encode(), rows[0])
        elif rows:
            async with self._connection.cursor() as cursor:
                await cursor.executemany(statement.encode(), rows)

    async def _run(self, statement: str, **values: Any) -> None:
        await self._connection.execute(statement.encode(), values)

    async def _all(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        async with self._connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(statement.encode(), values)
            return await cursor.fetchall()

    async def _one(self, statement: str, **values: Any) -> dict[str, Any]:
        return (await self._all(statement, **values))[0]


def _asked(wanted: JobFilter, cursor: str | None) -> dict[str, Any]:
    """What the conditions of a list are asked with, by their names."""
    states = sorted(wanted.states)
    found = {
        "before": None if cursor is None else read_cursor(cursor),
        "state": states[0] if len(states) == 1 else None,
        "states": states if len(states) > 1 else None,
        "cluster": wanted.cluster_id or None,
        "clusters": None if wanted.clusters is None else sorted(wanted.clusters),
        "procedure": wanted.procedure or None,
        "details": Jsonb(to_json(wanted.details)) if wanted.details else None,
        "approval": wanted.approval,
        "asked": wanted.asked_for_approval or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def payloads(written: Iterable[tuple[str, int]]) -> list[str]:
    """News for listeners: `job:seq` items joined by commas, in payloads of bearable length."""
    found: list[str] = []
    for job_id, seq in written:
        item = f"{job_id}:{seq}"
        if found and len(found[-1]) + len(item) < LONGEST_PAYLOAD:
            found[-1] += f",{item}"
        else:
            found.append(item)
    return found
