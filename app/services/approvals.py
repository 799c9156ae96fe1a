"""Approvals: the jobs that people have to agree to, and what they say.

A request for approval is a part of its job and has the job's id. It is decided on the plan that the
approver read: the digest says which one that was.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.clock import Clock
from app.domain.terms import ApprovalState, Decision, Verdict
from app.engine.records import JobFilter, JobRecord, Page
from app.security.keys import Principal
from app.services.jobs import JobsService
from app.services.problems import not_found
from app.services.records import Once


@dataclass(frozen=True, slots=True)
class Said:
    """An approver's word as it came: which plan was read, who says so, and why."""

    verdict: Verdict
    plan_digest: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class ApprovalsService:
    """What approvers may do."""

    jobs: JobsService
    clock: Clock

    async def page(
        self,
        state: ApprovalState | None,
        cluster_id: str,
        procedure: str,
        cursor: str | None,
        limit: int,
    ) -> Page:
        """Jobs that somebody has or had to approve, newest first. Raises `invalid-cursor`."""
        wanted = JobFilter(
            cluster_id=cluster_id, procedure=procedure, approval=state, asked_for_approval=True
        )
        return await self.jobs.page(wanted, cursor, limit)

    async def get(self, approval_id: str) -> JobRecord:
        """The job behind a request for approval. Raises `not-found`, also where none is asked."""
        job = await self.jobs.get(approval_id)
        if job.approval is None:
            raise not_found("approval", approval_id)
        return job

    async def decide(
        self, approval_id: str, said: Said, by: Principal, once: Once | None
    ) -> JobRecord:
        """Record what an approver says.

        Raises Problem `approval-closed`, `approval-mismatch`, `four-eyes`, `already-decided`.
        """
        decision = Decision(
            principal=by.id,
            verdict=said.verdict,
            by=said.by,
            reason=said.reason,
            digest=said.plan_digest,
            at=self.clock.now(),
        )
        return await self.jobs.changed(
            approval_id, once, lambda desk: desk.decide(approval_id, decision)
        )
