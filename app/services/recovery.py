"""Recovery as callers get it: observed now, decided purely, and each way out tried as a plan.

The decision (app.procedures.recovery) says which ways lead out of what it sees; whether the
procedure behind a way could start this minute only its own checks know, so each is drafted over the
same observations. Nothing is stored and nothing is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.domain.clock import Clock
from app.domain.finding import Finding, Severity
from app.domain.procedure import Situation
from app.procedures.base import Procedure
from app.procedures.recovery import Ended, Recovery, WayOut, involved, recover
from app.services.jobs import JobRecord, JobsService
from app.services.planning import PlanningService
from app.services.ports import Store
from app.services.problems import Problem, not_found


@dataclass(frozen=True, slots=True)
class Tried:
    """A way out, and what forbids taking it right now (nothing, as a rule)."""

    way: WayOut
    blockers: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Recovered:
    """A job's recovery at one moment; the ways that are open come first."""

    job: JobRecord
    at: datetime
    recovery: Recovery
    ways: tuple[Tried, ...]


@dataclass(frozen=True, slots=True)
class RecoveryService:
    """Says where a cluster stands after a job, and what leads out."""

    store: Store
    jobs: JobsService
    planning: PlanningService
    clock: Clock

    async def of(self, job_id: str) -> Recovered:
        """The recovery now. Raises Problem `not-found`; `illegal-transition` before the end."""
        job = await self.jobs.get(job_id)
        if not job.state.ended:
            raise Problem(
                "illegal-transition",
                "the job has not ended; its recovery is known when it has",
                job_id=job_id,
                state=job.state.value,
            )
        situation = await self.planning.situation(
            job.cluster_id, await self._named(job), elsewhere=True
        )
        found = recover(
            Ended(job.id, job.state, job.plan, job.steps),
            situation.cluster,
            situation.peers,
            situation.views,
            self.planning.procedures,
        )
        tried = [Tried(way, self._blockers(way, situation)) for way in found.ways]
        open_first = sorted(tried, key=lambda entry: bool(entry.blockers))
        return Recovered(job, self.clock.now(), found, tuple(open_first))

    async def _named(self, job: JobRecord) -> tuple[str, ...]:
        """The registered peers that the job had to do with."""
        async with self.store.transaction() as tx:
            registered = await tx.clusters.get(job.cluster_id)
            known = {entry.peer.id for entry in await tx.peers.all()}
        if registered is None:
            raise not_found("cluster", job.cluster_id)
        return tuple(p for p in involved(job.plan, registered.cluster) if p in known)

    def _blockers(self, way: WayOut, situation: Situation) -> tuple[Finding, ...]:
        if not way.procedure:
            return ()
        procedure = self.planning.procedures[way.procedure]
        parameters = parameters_of(procedure, way.request.body)
        draft = procedure.draft(parameters, situation)
        return tuple(f for f in draft.findings if f.severity is Severity.BLOCKER)


def parameters_of(procedure: Procedure, body: Mapping[str, Any]) -> Any:
    """A procedure's parameters out of JSON: what is a list there is a tuple here."""
    values = {
        name: tuple(value) if isinstance(value, list) else value for name, value in body.items()
    }
    return procedure.parameters(**values)
