"""Retention: what is kept how long, and who takes away the rest.

Rows go in small batches, each in a transaction of its own, by one worker at a time: so nobody waits
for a lock, and vacuum keeps up (ADR 0014). Nothing goes of a job that has not ended, that is on
hold, or that is not sealed as it is now: evidence of a job is as provable after pruning as before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from app.domain.clock import Clock
from app.engine.errors import EngineError
from app.security.keys import Principal
from app.services.engine_answers import answered
from app.services.evidence_records import RetentionHold
from app.services.ports import Store
from app.services.problems import Problem, not_found

log = logging.getLogger(__name__)
BREATH = 0.05
"""Seconds between two batches, so that jobs come first."""
FIRST_PASS = 60.0
"""Seconds after a worker's start."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How long things are kept after a job's end, or after they were made; backups by number."""

    events: timedelta
    transcripts: timedelta
    observations: timedelta
    jobs: timedelta
    bulk_jobs: timedelta
    evidence: timedelta
    plans: timedelta
    idempotency: timedelta
    backups_per_peer: int


class RetentionRows(Protocol):
    """What is too old. Raises EngineError where the database is away."""

    async def counts(self, keep: Keep) -> Mapping[str, int]:
        """How many rows of each kind would go now."""
        ...

    async def prune(self, kind: str, keep: Keep) -> int | None:
        """Take away one batch of a kind: how many rows went, 0 when there are no more.

        None: another process is at it.
        """
        ...

    async def hold(self, hold: RetentionHold) -> None:
        """Keep everything of that job until the hold is taken back."""
        ...

    async def held(self, job_id: str) -> RetentionHold | None:
        """The hold on that job."""
        ...

    async def release(self, job_id: str) -> bool:
        """Take the hold back; whether there was one."""
        ...


KINDS = (
    "transcripts",
    "events",
    "observations",
    "backups",
    "jobs",
    "bulk_jobs",
    "evidence",
    "plans",
    "idempotency",
)
"""In the order in which they go: a job goes behind what hangs on it, and a bulk job behind its
jobs. A new kind (such as the deliveries of webhooks) is one more word here, one more field of
`Keep` and one more rule in app.storage.retention."""


@dataclass(frozen=True, slots=True)
class RetentionService:
    """Prunes, and says what would be pruned."""

    rows: RetentionRows
    store: Store
    clock: Clock
    keep: Keep
    interval: float
    """Seconds between two passes; 0: never by itself."""

    async def would_go(self) -> Mapping[str, int]:
        """How many rows of each kind would go now; nothing is touched."""
        return await self.rows.counts(self.keep)

    async def prune(self) -> Mapping[str, int]:
        """One pass over every kind; how many rows went. Ends where another process is at it."""
        gone = dict.fromkeys(KINDS, 0)
        for kind in KINDS:
            while went := await self.rows.prune(kind, self.keep):
                gone[kind] += went
                await asyncio.sleep(BREATH)
            if went is None:
                break
        return gone

    async def run(self) -> None:
        """A pass each interval, until cancelled."""
        await asyncio.sleep(FIRST_PASS)
        while self.interval > 0:
            try:
                gone = await self.prune()
                if any(gone.values()):
                    log.info("pruned: %s", {kind: n for kind, n in gone.items() if n})
            except EngineError as error:
                log.warning("retention waits: %s", error)
            await asyncio.sleep(self.interval)

    async def hold(self, job_id: str, reason: str, by: Principal) -> RetentionHold:
        """Keep everything of a job, whatever its age. Raises Problem `not-found`."""
        await self._known(job_id)
        made = RetentionHold(job_id, reason, by.id, self.clock.now())
        await self.rows.hold(made)
        return made

    async def held(self, job_id: str) -> RetentionHold:
        """The hold on a job. Raises Problem `not-found`."""
        await self._known(job_id)
        found = await self.rows.held(job_id)
        if found is None:
            raise not_found("hold", job_id)
        return found

    async def release(self, job_id: str) -> None:
        """Take the hold back. Raises Problem `not-found`."""
        await self._known(job_id)
        if not await self.rows.release(job_id):
            raise Problem("not-found", "nothing of this job is on hold", job_id=job_id)

    async def _known(self, job_id: str) -> None:
        """Raises Problem `not-found` where the job is not there, or out of the caller's reach."""
        async with self.store.transaction() as tx:
            with answered():
                await tx.jobs.load(job_id)
