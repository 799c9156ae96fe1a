"""What follows from an approver's word: transitions like those of app.engine.transitions.

Who may say something, of which plan and how often is decided here, under the lock of the job's row,
so two people who decide at the same moment are one after the other.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from app.domain.terms import ApprovalState, Decision, Verdict
from app.engine.clearance import Never, clearance
from app.engine.errors import DecisionRefused
from app.engine.records import (
    APPROVAL_GIVEN,
    APPROVAL_REJECTED,
    JOB_QUEUED,
    JobRecord,
    NewEvent,
)
from app.engine.transitions import Change, going_on


def decided(job: JobRecord, decision: Decision, now: datetime) -> Change:
    """The job with one approver's word. Raises DecisionRefused where that does not count."""
    _demand_open(job, now)
    if decision.digest != job.plan.digest:
        raise DecisionRefused(
            job.id, "approval-mismatch", "the job carries out another plan than the one you read"
        )
    if job.terms.four_eyes and decision.principal == job.requested_by:
        raise DecisionRefused(job.id, "four-eyes", "whoever started this job does not decide on it")
    if any(earlier.principal == decision.principal for earlier in job.decisions):
        raise DecisionRefused(job.id, "already-decided", "you have decided on this job already")
    job = replace(job, decisions=(*job.decisions, decision))
    return going_on(job, now, (_told(job, decision),), NewEvent(JOB_QUEUED, {"why": "approved"}))


def _demand_open(job: JobRecord, now: datetime) -> None:
    if job.approval is None:
        reason = "nobody has to approve this job"
    elif job.approval is not ApprovalState.PENDING:
        reason = f"the request is {job.approval.value} already"
    elif isinstance(clearance(job, now), Never):
        reason = "the time to decide is over"
    else:
        return
    raise DecisionRefused(job.id, "approval-closed", reason)


def _told(job: JobRecord, decision: Decision) -> NewEvent:
    rejected = decision.verdict is Verdict.REJECTED
    return NewEvent(
        APPROVAL_REJECTED if rejected else APPROVAL_GIVEN,
        {
            "by": decision.by,
            "recorded_for": decision.principal,
            "reason": decision.reason,
            "plan_digest": decision.digest,
            "given": sum(d.verdict is Verdict.APPROVED for d in job.decisions),
            "approvals": job.terms.approvals,
        },
    )
