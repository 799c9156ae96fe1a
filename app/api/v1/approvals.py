"""`/v1/approvals`: jobs that people have to agree to, and what they say.

A request for approval has the id of its job.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from app.api import links
from app.api.dependencies import (
    ApprovalsDecider,
    Cursor,
    JobsReader,
    Limit,
    MaybeOnce,
    ServicesOf,
)
from app.api.problems import responses
from app.api.v1.schemas.approvals import (
    ApprovalList,
    ApprovalRead,
    DecisionCreate,
    approval_read,
    approval_summary,
)
from app.api.v1.schemas.words import IDENTIFIER, JOB, JobId
from app.domain.terms import ApprovalState, Verdict
from app.services.approvals import Said

router = APIRouter(tags=["approvals"], redirect_slashes=False)

ApprovalId = Annotated[
    str,
    Path(
        pattern=IDENTIFIER,
        description="A request for approval: the id of its job.",
        examples=[JOB],
    ),
]
REFUSALS = (
    "not-found",
    "approval-closed",
    "approval-mismatch",
    "already-decided",
    "four-eyes",
    "idempotency-in-flight",
    "idempotency-key-reused",
    "body-too-large",
    "unsupported-media-type",
)


@router.get(
    "/v1/approvals",
    operation_id="listApprovals",
    summary="List requests for approval",
    responses=responses("invalid-cursor"),
)
async def list_all(
    *,
    request: Request,
    response: Response,
    _caller: JobsReader,
    services: ServicesOf,
    limit: Limit = 50,
    cursor: Cursor = None,
    state: Annotated[
        ApprovalState | None, Query(description="Only requests in this state.")
    ] = None,
    procedure: Annotated[
        str | None, Query(pattern=IDENTIFIER, description="Only jobs of this procedure.")
    ] = None,
    cluster_id: Annotated[
        str | None, Query(pattern=IDENTIFIER, description="Only jobs of this cluster.")
    ] = None,
) -> ApprovalList:
    """Jobs that somebody has or had to approve, newest first."""
    page = await services.approvals.page(state, cluster_id or "", procedure or "", cursor, limit)
    links.announce_next(request, response, page.next_cursor)
    return ApprovalList(
        items=[approval_summary(job) for job in page.items], next_cursor=page.next_cursor
    )


@router.get(
    "/v1/approvals/{approval_id}",
    operation_id="getApproval",
    summary="Read a request for approval",
    responses=responses("not-found"),
)
async def get(approval_id: ApprovalId, _caller: JobsReader, services: ServicesOf) -> ApprovalRead:
    """Who has to agree and who has, with the impact, the back-out and the texts of the plan."""
    return approval_read(await services.approvals.get(approval_id))


@router.get(
    "/v1/jobs/{job_id}/approvals",
    operation_id="listJobApprovals",
    summary="List the requests for approval of a job",
    responses=responses("not-found"),
)
async def of_job(job_id: JobId, _caller: JobsReader, services: ServicesOf) -> ApprovalList:
    """The job's request; nothing where nobody has to approve it."""
    job = await services.jobs.get(job_id)
    return ApprovalList(items=[] if job.approval is None else [approval_summary(job)])


@router.post(
    "/v1/approvals/{approval_id}/approve",
    operation_id="approveApproval",
    summary="Approve a job",
    responses=responses(*REFUSALS),
)
async def approve(
    *,
    approval_id: ApprovalId,
    body: DecisionCreate,
    caller: ApprovalsDecider,
    services: ServicesOf,
    once: MaybeOnce,
) -> ApprovalRead:
    """Agree to exactly the plan of that digest. With enough approvals the job goes on."""
    said = Said(Verdict.APPROVED, body.plan_digest, body.by, body.reason)
    return approval_read(await services.approvals.decide(approval_id, said, caller, once))


@router.post(
    "/v1/approvals/{approval_id}/reject",
    operation_id="rejectApproval",
    summary="Reject a job",
    responses=responses(*REFUSALS),
)
async def reject(
    *,
    approval_id: ApprovalId,
    body: DecisionCreate,
    caller: ApprovalsDecider,
    services: ServicesOf,
    once: MaybeOnce,
) -> ApprovalRead:
    """Refuse the plan: the job ends as cancelled, and nothing was done."""
    said = Said(Verdict.REJECTED, body.plan_digest, body.by, body.reason)
    return approval_read(await services.approvals.decide(approval_id, said, caller, once))
