"""The desk of jobs for a caller that is limited to some clusters: the other jobs do not exist.

A caller without limits gets the desk itself. This class implements the whole port, so a verb that
is added to the desk does not compile until it has been thought of here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.domain.job import Attestation, Event
from app.domain.terms import Decision
from app.engine.errors import NoSuchJob
from app.engine.ports import JobDesk
from app.engine.records import JobFilter, JobRecord, Lease, NewJob, Page
from app.engine.skipping import Skip
from app.storage.reach import Reach


@dataclass(frozen=True, slots=True)
class ReachedDesk:
    """Implements `app.engine.ports.JobDesk` over another desk."""

    desk: JobDesk
    reach: Reach

    async def create(self, new: NewJob, *, queue: bool = False) -> JobRecord:
        """See JobDesk. Raises LookupError for a cluster that services should have refused."""
        if not self.reach.has(new.plan.cluster_id):
            raise LookupError("a job of a cluster that the caller does not reach")
        return await self.desk.create(new, queue=queue)

    async def load(self, job_id: str) -> JobRecord:
        """See JobDesk."""
        job = await self.desk.load(job_id)
        if not self.reach.has(job.cluster_id):
            raise NoSuchJob(job_id)
        return job

    async def list_jobs(
        self, wanted: JobFilter, *, cursor: str | None = None, limit: int = 50
    ) -> Page:
        """See JobDesk."""
        within = [one for one in (self.reach.clusters, wanted.clusters) if one is not None]
        clusters = frozenset.intersection(*within) if within else None
        return await self.desk.list_jobs(
            replace(wanted, clusters=clusters), cursor=cursor, limit=limit
        )

    async def unended(self, cluster_id: str) -> str | None:
        """See JobDesk."""
        return await self.desk.unended(cluster_id) if self.reach.has(cluster_id) else None

    async def demand(self, lease: Lease) -> None:
        """See JobDesk. Only a worker has a lease."""
        await self.desk.demand(lease)

    async def holder_of(self, peer_id: str) -> str | None:
        """See JobDesk. Told of any job: nobody may change a peer that a job is at work on."""
        return await self.desk.holder_of(peer_id)

    async def events(self, job_id: str, *, after: int = 0, limit: int = 1000) -> tuple[Event, ...]:
        """See JobDesk."""
        await self.load(job_id)
        return await self.desk.events(job_id, after=after, limit=limit)

    async def attest(self, job_id: str, attestation: Attestation) -> JobRecord:
        """See JobDesk."""
        await self.load(job_id)
        return await self.desk.attest(job_id, attestation)

    async def request_cancel(self, job_id: str, *, by: str, reason: str = "") -> JobRecord:
        """See JobDesk."""
        await self.load(job_id)
        return await self.desk.request_cancel(job_id, by=by, reason=reason)

    async def request_pause(self, job_id: str, *, by: str) -> JobRecord:
        """See JobDesk."""
        await self.load(job_id)
        return await self.desk.request_pause(job_id, by=by)

    async def resume(self, job_id: str, *, by: str) -> JobRecord:
        """See JobDesk."""
        await self.load(job_id)
        return await self.desk.resume(job_id, by=by)

    async def decide(self, job_id: str, decision: Decision) -> JobRecord:
        """See JobDesk."""
        await self.load(job_id)
        return await self.desk.decide(job_id, decision)

    async def retry(self, job_id: str, *, by: str) -> JobRecord:
        """See JobDesk."""
        await self.load(job_id)
        return await self.desk.retry(job_id, by=by)

    async def skip(self, job_id: str, skip: Skip) -> JobRecord:
        """See JobDesk."""
        await self.load(job_id)
        return await self.desk.skip(job_id, skip)
