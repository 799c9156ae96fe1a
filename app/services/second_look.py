"""Whether the world is still as a job's plan found it, asked when the job comes to its first step.

A start observes everything; a job that is approved, or whose window opens, days later acts on what
those days have made of it. So whoever takes it up plans once more, over what is so now, and
compares as a start does. A job that begins soon after its start is not held up by a second look.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from app.domain.clock import Clock
from app.domain.job import StepFailure
from app.domain.observation import NotObserved
from app.domain.plan import Plan
from app.engine import failures
from app.engine.errors import JournalDown
from app.engine.records import JobRecord
from app.services.drift import differences
from app.services.planning import Drafted, PlanningService
from app.services.problems import Item, Problem
from app.services.records import StoredPlan
from app.services.recovery import parameters_of
from transports.errors import Unreachable

FRESH_FOR = timedelta(minutes=1)
"""How long what a start has observed is good for."""
MOST_TOLD = 5
"""How many differences a failure names; a new plan shows all of them."""


@dataclass(frozen=True, slots=True)
class SecondLook:
    """Compares a job's plan with one made now."""

    planning: PlanningService
    clock: Clock

    async def drift(self, job: JobRecord) -> StepFailure | None:
        """Why the job must not begin; None: the world is as its plan found it, or was just now.

        Raises Unreachable where a peer that the plan had seen does not answer now, and JournalDown.
        """
        if self.clock.now() - job.created_at < FRESH_FOR:
            return None
        try:
            promised = await self._promised(job.plan)
            now = await self._drafted(job)
        except Problem as problem:
            if problem.code == "storage-unavailable":
                raise JournalDown(problem.detail) from problem
            return failures.drifted_facts([problem.detail])
        if now.plan.digest == job.plan.digest:
            return None
        silent = [v for v in now.views.values() if isinstance(v, NotObserved) and _had(promised, v)]
        if silent:
            raise Unreachable(f"{silent[0].peer_id}: {silent[0].detail}")
        told = [_words(item) for item in differences(promised, now)]
        return failures.drifted_facts(told[:MOST_TOLD])

    async def _promised(self, plan: Plan) -> StoredPlan:
        async with self.planning.store.transaction() as tx:
            return await tx.plans.get(plan.id) or StoredPlan(plan, {})

    async def _drafted(self, job: JobRecord) -> Drafted:
        procedure = self.planning.procedure(job.plan.procedure)
        parameters = parameters_of(procedure, job.plan.parameters)
        return await self.planning.draft(
            job.cluster_id, job.plan.procedure, parameters, job.requested_by
        )


def _had(promised: StoredPlan, view: NotObserved) -> bool:
    """Whether the plan had seen the peer that is silent now."""
    return "system_name" in promised.observations.get(view.peer_id, {})


def _words(item: Item) -> str:
    where = f"{item.peer_id}: " if item.peer_id else ""
    evidence = item.evidence or {}
    change = f" ({evidence['then']}; now: {evidence['now']})" if "then" in evidence else ""
    return f"{where}{item.detail}{change}"
