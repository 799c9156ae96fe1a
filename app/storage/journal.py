"""The journal on PostgreSQL.

The hot call, `record`, is one statement through plain psycopg: fence, step, events and flags in one
round trip. Everything else is a transaction of `ConnectionDesk`. Trouble with the connection is
raised as JournalDown: whether the last write arrived is not known then, and the engine does not
guess.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

from app.domain.job import Attestation, Event, JobState, StepRecord
from app.domain.terms import Decision
from app.engine import transitions
from app.engine.errors import JournalDown, LeaseLost
from app.engine.records import (
    Flags,
    JobFilter,
    JobRecord,
    Lease,
    Leave,
    NewEvent,
    NewJob,
    Page,
    Wait,
)
from app.engine.skipping import Skip
from app.observability import spans
from app.storage import job_rows
from app.storage.database import Pool
from app.storage.desk import ConnectionDesk, Enqueue

Wrote = Callable[[str, int], None]
"""Told of each write: job id, number of its last event."""


class PostgresJournal:
    """Implements Journal and JobDesk over a pool of connections in autocommit."""

    def __init__(self, pool: Pool, enqueue: Enqueue, wrote: Wrote) -> None:
        self._pool = pool
        self._enqueue = enqueue
        self._wrote = wrote

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[ConnectionDesk]:
        """A desk in a transaction of its own, committed when the block ends well.

        Listeners are told after that, of many transactions at once: a commit that carries a NOTIFY
        waits for every other such commit of the server.
        """
        told: dict[str, int] = {}
        try:
            with spans.inner("journal transaction"):
                async with self._pool.connection() as connection, connection.transaction():
                    yield ConnectionDesk(connection, self._enqueue, told)
        except _TROUBLE as error:
            raise _down(error) from error
        for job_id, seq in told.items():
            self._wrote(job_id, seq)

    async def claim(self, job_id: str, owner: str) -> JobRecord | None:
        """See Journal."""
        async with self.desk() as desk:
            job, now = await desk.locked(job_id)
            if not transitions.may_claim(job, now):
                return None
            job = await desk.apply(job, transitions.claimed(job, owner, now))
            return job if job.owner == owner else None

    async def record(
        self,
        lease: Lease,
        step: StepRecord,
        events: Sequence[NewEvent] = (),
        wait: Wait | None = None,
    ) -> Flags:
        """See Journal."""
        state = JobState.RUNNING if wait is None else JobState.WAITING
        values = {
            **job_rows.step_values(lease.job_id, step),
            **job_rows.wait_values(wait),
            "owner": lease.owner,
            "epoch": lease.epoch,
            "job_state": state.value,
            "count": len(events),
            "events": job_rows.event_values(events),
        }
        try:
            with spans.inner("journal record"):
                async with self._pool.connection() as connection:
                    row = await (await connection.execute(job_rows.RECORD, values)).fetchone()
        except _TROUBLE as error:
            raise _down(error) from error
        if row is None:
            raise LeaseLost(f"job {lease.job_id} is no longer ours")
        if events:
            self._wrote(lease.job_id, row["last_event_seq"])
        return Flags(row["cancel_requested"], row["pause_requested"])

    async def leave(self, lease: Lease, leave: Leave) -> JobRecord:
        """See Journal."""
        async with self.desk() as desk:
            job, now = await desk.locked(lease.job_id)
            if job.lease != lease or job.owner is None:
                raise LeaseLost(f"job {lease.job_id} is no longer ours")
            return await desk.apply(job, transitions.left(job, leave, now))

    async def reclaim(self, job_id: str) -> JobRecord:
        """Take the job from its worker and queue it."""
        async with self.desk() as desk:
            job, now = await desk.locked(job_id)
            return (
                job if job.owner is None else await desk.apply(job, transitions.reclaimed(job, now))
            )

    async def take_over(self, leases: Sequence[Lease], owner: str) -> Sequence[JobRecord]:
        """See Journal. One transaction, whatever their number; rows others have are passed by."""
        known = {lease.job_id: lease for lease in leases}
        async with self.desk() as desk:
            found = await desk.locked_all(list(known))
            return await desk.finish(
                [
                    transitions.taken_over(job, owner, now)
                    for job, now in found
                    if job.owner and job.lease == known[job.id]
                ]
            )

    async def create(self, new: NewJob, *, queue: bool = False) -> JobRecord:
        """See JobDesk."""
        async with self.desk() as desk:
            return await desk.create(new, queue=queue)

    async def load(self, job_id: str) -> JobRecord:
        """See Journal."""
        async with self.desk() as desk:
            return await desk.load(job_id)

    async def list_jobs(
        self, wanted: JobFilter, *, cursor: str | None = None, limit: int = 50
    ) -> Page:
        """See JobDesk."""
        async with self.desk() as desk:
            return await desk.list_jobs(wanted, cursor=cursor, limit=limit)

    async def unended(self, cluster_id: str) -> str | None:
        """See JobDesk."""
        async with self.desk() as desk:
            return await desk.unended(cluster_id)

    async def holder_of(self, peer_id: str) -> str | None:
        """See JobDesk."""
        async with self.desk() as desk:
            return await desk.holder_of(peer_id)

    async def demand(self, lease: Lease) -> None:
        """See JobDesk."""
        async with self.desk() as desk:
            await desk.demand(lease)

    async def events(self, job_id: str, *, after: int = 0, limit: int = 1000) -> tuple[Event, ...]:
        """See JobDesk."""
        async with self.desk() as desk:
            return await desk.events(job_id, after=after, limit=limit)

    async def attest(self, job_id: str, attestation: Attestation) -> JobRecord:
        """See JobDesk."""
        async with self.desk() as desk:
            return await desk.attest(job_id, attestation)

    async def decide(self, job_id: str, decision: Decision) -> JobRecord:
        """See JobDesk."""
        async with self.desk() as desk:
            return await desk.decide(job_id, decision)

    async def request_cancel(self, job_id: str, *, by: str, reason: str = "") -> JobRecord:
        """See JobDesk."""
        async with self.desk() as desk:
            return await desk.request_cancel(job_id, by=by, reason=reason)

    async def request_pause(self, job_id: str, *, by: str) -> JobRecord:
        """See JobDesk."""
        async with self.desk() as desk:
            return await desk.request_pause(job_id, by=by)

    async def resume(self, job_id: str, *, by: str) -> JobRecord:
        """See JobDesk."""
        async with self.desk() as desk:
            return await desk.resume(job_id, by=by)

    async def retry(self, job_id: str, *, by: str) -> JobRecord:
        """See JobDesk."""
        async with self.desk() as desk:
            return await desk.retry(job_id, by=by)

    async def skip(self, job_id: str, skip: Skip) -> JobRecord:
        """See JobDesk."""
        async with self.desk() as desk:
            return await desk.skip(job_id, skip)


_TROUBLE = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, PoolClosed)


def _down(error: Exception) -> JournalDown:
    return JournalDown(f"the database does not answer ({type(error).__name__})")
