"""Forecasts: when a job that has not begun would run, and when one of a plan would.

The arithmetic is in app.domain.forecast; here is gathered what it needs: the jobs in line before,
what each of them still has to do and waits for, and the windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.clock import Clock
from app.domain.forecast import Forecast, InLine, foretold, left
from app.domain.job import WaitReason
from app.domain.terms import Terms
from app.engine.records import UNENDED, JobFilter, JobRecord
from app.services.engine_answers import answered
from app.services.ports import Store, Transaction
from app.services.problems import Problem, not_found
from app.services.windows import calendar_of

MOST_BEFORE = 200
"""Unended jobs that are looked at; a line longer than that is not foretold to its end."""
_PEOPLE = frozenset({WaitReason.APPROVAL, WaitReason.ATTESTATION, WaitReason.HOLD})


@dataclass(frozen=True, slots=True)
class ForecastsService:
    """Tells when jobs would run. Changes nothing."""

    store: Store
    clock: Clock

    async def of_job(self, job_id: str) -> Forecast:
        """Of a job that has not begun. Raises Problem `not-found`, `illegal-transition`."""
        async with self.store.transaction() as tx:
            with answered():
                job = await tx.jobs.load(job_id)
            if job.started_at is not None or job.state.ended:
                raise Problem("illegal-transition", "the job has begun; its steps say where it is")
            others = [] if job.holds else await _unended(tx)
        before = [other for other in others if _before(other, job)]
        unknown = _doubts(job.terms, len(job.decisions))
        if job.pause_requested:
            unknown.append("it is asked to pause at its first safe point")
        return foretold(
            job.plan,
            job.terms.calendar,
            now=self.clock.now(),
            pace=job.terms.pace,
            enforce=job.terms.enforce_window,
            not_before=job.terms.not_before,
            line=[_in_line(other) for other in before],
            unknown=unknown,
        )

    async def of_plan(self, plan_id: str) -> Forecast:
        """Of a job of that plan that is started now with `?queue=true`. Raises `not-found`."""
        now = self.clock.now()
        async with self.store.transaction() as tx:
            stored = await tx.plans.get(plan_id)
            if stored is None:
                raise not_found("plan", plan_id)
            plan = stored.plan
            registered = await tx.clusters.get(plan.cluster_id)
            if registered is None:
                raise not_found("cluster", plan.cluster_id)
            policy = registered.policy
            calendar = await calendar_of(tx, policy, None, now)
            others = await _unended(tx)
        peers = {step.peer_id for step in plan.steps if step.peer_id}
        before = [job for job in others if _in_the_way(job, plan.cluster_id, peers)]
        unknown = _doubts(Terms(approvals=policy.minimum_approvers), 0)
        if plan.blockers:
            unknown.append(f"{len(plan.blockers)} finding(s) of the plan forbid starting")
        return foretold(
            plan,
            calendar,
            now=now,
            pace=self.clock.pace,
            enforce=policy.enforce_window,
            line=[_in_line(other) for other in before],
            unknown=unknown,
        )


async def _unended(tx: Transaction) -> Sequence[JobRecord]:
    """Jobs that have not ended, those with a cluster first, then in the order of the line."""
    page = await tx.jobs.list_jobs(JobFilter(UNENDED), limit=MOST_BEFORE)
    return sorted(page.items, key=lambda job: (not job.holds, job.created_at, job.id))


def _before(other: JobRecord, job: JobRecord) -> bool:
    if other.id == job.id or not _in_the_way(other, job.cluster_id, set(job.peers)):
        return False
    return other.holds or (other.created_at, other.id) < (job.created_at, job.id)


def _in_the_way(other: JobRecord, cluster_id: str, peers: set[str]) -> bool:
    return other.cluster_id == cluster_id or not peers.isdisjoint(other.peers)


def _in_line(job: JobRecord) -> InLine:
    waits = job.wait.reason.value if job.wait is not None and job.wait.reason in _PEOPLE else ""
    until: datetime | None = job.wake_at if not waits else None
    return InLine(job.id, left(job.plan, job.steps) / job.terms.pace, waits, until)


def _doubts(terms: Terms, given: int) -> list[str]:
    missing = max(0, terms.approvals - given)
    return [f"{missing} approval(s) are missing"] if missing else []
