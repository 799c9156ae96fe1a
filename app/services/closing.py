"""The last look: what a job's peers say of themselves when it ends, however it ends.

The worker that carries a job takes it just before the end, while the job still holds its peers.
Where no worker was there (a job cancelled while it waited, a worker that drained or died at that
moment), any worker takes it afterwards and marks it late: by then another job may be at work.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from app.domain.clock import Clock
from app.domain.observation import NotObserved, View
from app.engine.records import JobRecord
from app.services.evidence_records import EvidenceStore, JobObservation, Moment
from app.services.plan_document import to_json
from app.services.ports import Store

log = logging.getLogger(__name__)
Observe = Callable[[str], Awaitable[View]]
LATE_AFTER = 10.0
"""Seconds after a job's end before somebody else takes the look that is missing."""
AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Closing:
    """Takes and keeps the last look. `limit`: seconds of our own time for all peers together."""

    store: Store
    rows: EvidenceStore
    clock: Clock
    limit: float = 20.0

    async def look(self, job: JobRecord, observe: Observe, *, late: bool = False) -> None:
        """Observe the job's peers and the cluster's members, and keep what they said.

        Trouble with the database is logged: the look is then taken later, or missing.
        """
        try:
            async with self.store.transaction() as tx:
                registered = await tx.clusters.get(job.cluster_id)
            members = [] if registered is None else [p.id for p in registered.cluster.members]
            peers = dict.fromkeys([*job.peers, *members])
            views = await asyncio.gather(*(self._view(peer, observe) for peer in peers))
            await self.rows.observe(self._observations(job.id, views, late=late))
        except Exception as error:  # noqa: BLE001 - evidence never ends a job
            log.warning("job %s: no look at the end (%s)", job.id, type(error).__name__)

    async def look_late(self, observe: Observe) -> int:
        """Take the looks that are missing, of some jobs that have ended; how many."""
        taken = 0
        for job_id in await self.rows.unobserved(LATE_AFTER, AT_ONCE):
            async with self.store.transaction() as tx:
                job = await tx.jobs.load(job_id)
            await self.look(job, observe, late=True)
            taken += 1
        return taken

    async def _view(self, peer_id: str, observe: Observe) -> View:
        try:
            async with asyncio.timeout(self.limit):
                return await observe(peer_id)
        except TimeoutError:
            return NotObserved(
                peer_id,
                self.clock.now(),
                "peer-slow",
                f"the peer did not answer everything within {self.limit:g} s",
                "see whether the peer is busy or restarting, then ask again",
            )

    @staticmethod
    def _observations(
        job_id: str, views: Iterable[View], *, late: bool
    ) -> tuple[JobObservation, ...]:
        return tuple(
            JobObservation(
                job_id, Moment.AFTER, view.peer_id, view.observed_at, to_json(view), late=late
            )
            for view in views
        )
