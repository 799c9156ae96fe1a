"""Approvals: what approvers read, and what they say."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from app.api.v1.schemas.plans import DIGEST, ChangeTextsRead, ImpactRead, impact_read
from app.api.v1.schemas.starting import Change
from app.api.v1.schemas.words import CLUSTER, JOB, PLAN, TIME, Asked, Line, NextCursor, Told, Words
from app.domain.job import JobState
from app.domain.terms import ApprovalState, Verdict
from app.services import change_texts
from app.services.jobs import JobRecord


class DecisionCreate(Asked):
    """What an approver says of the plan they read."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"plan_digest": DIGEST, "by": "B. Approver", "reason": "Agreed in the CAB."}
            ]
        }
    )

    plan_digest: str = Field(
        pattern=r"^[0-9a-f]{64}$",
        description="Digest of the plan that was read; another plan is not decided on.",
        examples=[DIGEST],
    )
    by: Line = Field(description="Who says so.", examples=["B. Approver"])
    reason: Words = Field(description="Why, for the record.", examples=["Agreed in the CAB."])


class DecisionRead(Told):
    """What one approver said."""

    verdict: Verdict = Field(description="approved or rejected.", examples=["approved"])
    by: str = Field(description="Who says so.", examples=["B. Approver"])
    reason: str = Field(description="Why.", examples=["Agreed in the CAB."])
    principal: str = Field(description="The key that sent it.", examples=["key-2"])
    digest: str = Field(description="Digest of the plan they read.", examples=[DIGEST])
    at: datetime = Field(description="When.", examples=[TIME])


class ApprovalSummary(Told):
    """A job that people have to agree to."""

    id: str = Field(description="The request; the id of its job.", examples=[JOB])
    job_id: str = Field(description="The job.", examples=[JOB])
    job_state: JobState = Field(description="Where the job stands.", examples=["waiting"])
    cluster_id: str = Field(description="The cluster it changes.", examples=[CLUSTER])
    procedure: str = Field(description="The procedure.", examples=["add-peer"])
    plan_id: str = Field(description="The plan to read.", examples=[PLAN])
    plan_digest: str = Field(description="Its digest; a decision names it.", examples=[DIGEST])
    state: ApprovalState = Field(description="Where the request stands.", examples=["pending"])
    approvals_needed: int = Field(description="How many people must agree.", examples=[2])
    approvals_given: int = Field(description="How many have.", examples=[1])
    four_eyes: bool = Field(description="Whether the requester may not decide.", examples=[True])
    requested_by: str = Field(description="The key that started the job.", examples=["key-1"])
    requested_at: datetime = Field(description="When.", examples=[TIME])
    expires_at: datetime | None = Field(description="Until when it waits.", examples=[TIME])
    not_before: datetime | None = Field(description="The scheduled start.", examples=[TIME])
    change: Change | None = Field(description="The caller's change record, untouched.")
    decisions: list[DecisionRead] = Field(description="What was said, in that order.")


class ApprovalRead(ApprovalSummary):
    """A request with what there is to know before deciding."""

    impact: list[ImpactRead] = Field(description="What users will notice.")
    back_out: list[str] = Field(description="How to get back.", examples=[["Remove the peer."]])
    expected_seconds: float = Field(description="From start to end.", examples=[900])
    change_texts: ChangeTextsRead = Field(description="The plan in the words of a change form.")


class ApprovalList(Told):
    """A page of requests."""

    items: list[ApprovalSummary] = Field(description="Newest first.")
    next_cursor: NextCursor = None


def approval_summary(job: JobRecord) -> ApprovalSummary:
    """Without what the plan says."""
    return ApprovalSummary(**_fields(job))


def approval_read(job: JobRecord) -> ApprovalRead:
    """With what the plan says."""
    plan = job.plan
    return ApprovalRead(
        **_fields(job),
        impact=[impact_read(impact) for impact in plan.impact],
        back_out=list(plan.back_out),
        expected_seconds=plan.expected,
        change_texts=ChangeTextsRead.model_validate(change_texts.of_plan(plan)),
    )


def _fields(job: JobRecord) -> dict[str, Any]:
    terms = job.terms
    return {
        "id": job.id,
        "job_id": job.id,
        "job_state": job.state,
        "cluster_id": job.cluster_id,
        "procedure": job.plan.procedure,
        "plan_id": job.plan.id,
        "plan_digest": job.plan.digest,
        "state": job.approval,
        "approvals_needed": terms.approvals,
        "approvals_given": sum(d.verdict is Verdict.APPROVED for d in job.decisions),
        "four_eyes": terms.four_eyes,
        "requested_by": job.requested_by,
        "requested_at": job.created_at,
        "expires_at": terms.approve_before,
        "not_before": terms.not_before,
        "change": job.details.get("change"),
        "decisions": [DecisionRead.model_validate(decision) for decision in job.decisions],
    }
