"""Control: holding a job, letting it go on, setting a step aside, running it once more.

What is possible when is one table in the engine (`transitions.legal_actions`); the answers to what
is not name what is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from app.engine.errors import IllegalTransition
from app.engine.records import JobRecord
from app.engine.skipping import Skip
from app.engine.transitions import legal_actions
from app.procedures.base import Handler
from app.security.keys import Principal
from app.services.engine_answers import answered
from app.services.jobs import JobsService, StartRequest
from app.services.problems import Problem
from app.services.records import Once, Outcome
from app.services.recovery import parameters_of


@dataclass(frozen=True, slots=True)
class ControlService:
    """What operators may do with a job beside cancelling, retrying and attesting."""

    jobs: JobsService
    handlers: Mapping[str, Handler]

    async def pause(self, job_id: str, by: Principal, once: Once | None) -> JobRecord:
        """Hold at the next safe point, cluster held. Raises Problem `illegal-transition`."""
        return await self.jobs.changed(
            job_id, once, lambda desk: desk.request_pause(job_id, by=by.id)
        )

    async def resume(self, job_id: str, by: Principal, once: Once | None) -> JobRecord:
        """End a hold; approvals and times are waited for all the same.

        Raises Problem `illegal-transition`.
        """
        return await self.jobs.changed(job_id, once, lambda desk: desk.resume(job_id, by=by.id))

    async def skip(
        self,
        job_id: str,
        step_key: str,
        *,
        reason: str,
        settled: bool,
        by: Principal,
        once: Once | None,
    ) -> JobRecord:
        """Set the step aside at which the job stands (the rule: app.domain.skipping).

        Raises Problem `not-found`, `illegal-transition`, `skip-refused`, `cluster-busy`.
        """
        job = await self.jobs.get(job_id)
        step = next((step for step in job.plan.steps if step.key == step_key), None)
        if step is None:
            raise Problem("not-found", "the job has no step of this key", job_id=job_id)
        handler = self.handlers.get(step.kind)
        acts = handler is None or handler.act is not None
        skip = Skip(step_key, by.id, reason, settled=settled, acts=acts)
        return await self.jobs.changed(job_id, once, lambda desk: desk.skip(job_id, skip))

    async def rerun(
        self, job_id: str, request: StartRequest, *, by: Principal, once: Once | None
    ) -> Outcome[JobRecord]:
        """A new job of the same procedure and parameters, over a plan made now.

        Nothing that was said for the earlier job counts for this one: neither statements nor
        approvals. Raises what a start raises, and `illegal-transition` before the end.
        """
        job = await self.jobs.get(job_id)
        with answered():
            if not job.state.ended:
                raise IllegalTransition(job.id, job.state, "rerun", legal_actions(job))
        slug = job.plan.procedure
        parameters = parameters_of(self.jobs.planning.procedure(slug), job.plan.parameters)
        again = replace(request, rerun_of=job.id)
        return await self.jobs.start(job.cluster_id, slug, parameters, again, by=by, once=once)
