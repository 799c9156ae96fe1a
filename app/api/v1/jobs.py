"""`/v1/jobs`: what is being done, what was done, and what people may do to it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from app.api import links
from app.api.dependencies import (
    Cursor,
    JobsCanceller,
    JobsReader,
    JobsRunner,
    LabelFilter,
    Limit,
    MaybeOnce,
    ServicesOf,
    to_labels,
)
from app.api.marks import come_back
from app.api.problems import responses
from app.api.v1.schemas.forecasts import ForecastRead, forecast_read
from app.api.v1.schemas.job_reading import cancel_preview, job_read, job_result, job_summary
from app.api.v1.schemas.jobs import (
    AttestCreate,
    CancelCreate,
    CancelPreview,
    JobList,
    JobRead,
    JobResult,
)
from app.api.v1.schemas.recovery import RecoveryRead, recovery_read
from app.api.v1.schemas.words import IDENTIFIER, LINE, STEP_KEY, JobId
from app.domain.job import JobState
from app.services.jobs import JobFilter

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], redirect_slashes=False)

Wait = Annotated[
    float,
    Query(
        ge=0,
        le=60,
        description="Answer as soon as the state changes, or after this many seconds.",
        examples=[30],
    ),
]


@router.get("", operation_id="listJobs", summary="List jobs", responses=responses("invalid-cursor"))
async def list_all(
    *,
    request: Request,
    response: Response,
    _caller: JobsReader,
    services: ServicesOf,
    limit: Limit = 50,
    cursor: Cursor = None,
    state: Annotated[JobState | None, Query(description="Only jobs in this state.")] = None,
    procedure: Annotated[
        str | None, Query(pattern=IDENTIFIER, description="Only jobs of this procedure.")
    ] = None,
    cluster_id: Annotated[
        str | None, Query(pattern=IDENTIFIER, description="Only jobs of this cluster.")
    ] = None,
    change_number: Annotated[
        str | None,
        Query(pattern=LINE, max_length=200, description="Only jobs of this change record."),
    ] = None,
    rerun_of: Annotated[
        str | None, Query(pattern=IDENTIFIER, description="Only jobs that run this one again.")
    ] = None,
    bulk_job_id: Annotated[
        str | None, Query(pattern=IDENTIFIER, description="Only jobs of this bulk job.")
    ] = None,
    labels: LabelFilter = [],  # noqa: B006 - FastAPI copies it
) -> JobList:
    """Jobs, newest first, without their steps."""
    wanted = JobFilter(
        states=frozenset() if state is None else frozenset({state}),
        cluster_id=cluster_id or "",
        procedure=procedure or "",
        details={
            **({} if change_number is None else {"change": {"number": change_number}}),
            **({} if rerun_of is None else {"rerun_of": rerun_of}),
            **({} if bulk_job_id is None else {"bulk_job_id": bulk_job_id}),
        },
    )
    page = await services.jobs.page(wanted, cursor, limit, to_labels(labels))
    links.announce_next(request, response, page.next_cursor)
    base = links.base_url(request)
    return JobList(
        items=[job_summary(job, base) for job in page.items], next_cursor=page.next_cursor
    )


@router.get(
    "/{job_id}",
    operation_id="getJob",
    summary="Read a job",
    responses=responses("not-found"),
)
async def get(
    *,
    request: Request,
    response: Response,
    job_id: JobId,
    _caller: JobsReader,
    services: ServicesOf,
    wait: Wait = 0,
) -> JobRead:
    """A job with its stages and steps; always 200, `wait` makes it a long poll."""
    job = await services.jobs.wait(job_id, wait)
    come_back(response, job)
    return job_read(job, links.base_url(request))


@router.get(
    "/{job_id}/result",
    operation_id="getJobResult",
    summary="Read a job's result",
    responses={
        202: {
            "model": JobResult,
            "description": "The job has not ended: as far as it is. Ask again after Retry-After.",
        },
        **responses("not-found"),
    },
)
async def result(
    *, response: Response, job_id: JobId, _caller: JobsReader, services: ServicesOf
) -> JobResult:
    """202 with Retry-After and how far it is until the job ends, then 200 with its result."""
    job = await services.jobs.get(job_id)
    if not job.state.ended:
        response.status_code = 202
        come_back(response, job)
    return job_result(job)


@router.get(
    "/{job_id}/recovery",
    operation_id="getJobRecovery",
    summary="See what leads out after a failed or cancelled job",
    responses=responses("not-found", "illegal-transition"),
)
async def recovery(job_id: JobId, _caller: JobsReader, services: ServicesOf) -> RecoveryRead:
    """Where every peer of the job stands now, and the ways to a consistent cluster, best first.

    The peers are asked now; each way is a request ready to be sent, and its procedure has been
    drafted, so that what forbids it right now is told. Changes nothing.
    """
    return recovery_read(await services.recovery.of(job_id))


@router.get(
    "/{job_id}/forecast",
    operation_id="getJobForecast",
    summary="See when a job that has not begun would run",
    responses=responses("not-found", "illegal-transition"),
)
async def forecast(job_id: JobId, _caller: JobsReader, services: ServicesOf) -> ForecastRead:
    """From the jobs before it, its windows and its scheduled start, by the plans' expected times.

    With anything in `unknown` the times are the earliest possible ones.
    """
    return forecast_read(await services.forecasts.of_job(job_id))


@router.get(
    "/{job_id}/cancel",
    operation_id="previewCancelJob",
    summary="See what a cancel would mean",
    responses=responses("not-found"),
)
async def preview(job_id: JobId, _caller: JobsReader, services: ServicesOf) -> CancelPreview:
    """The next safe point, what still runs until there, and what would stay undone."""
    return cancel_preview(await services.jobs.preview_cancel(job_id))


@router.post(
    "/{job_id}/cancel",
    status_code=202,
    operation_id="cancelJob",
    summary="Cancel a job",
    responses=responses("not-found", "illegal-transition", "idempotency-key-reused"),
)
async def cancel(
    *,
    request: Request,
    response: Response,
    job_id: JobId,
    caller: JobsCanceller,
    services: ServicesOf,
    once: MaybeOnce,
    body: CancelCreate | None = None,
) -> JobRead:
    """Stop at the next safe point. Asking twice is asking once."""
    reason = "" if body is None else body.reason
    job = await services.jobs.cancel(job_id, reason, caller, once)
    come_back(response, job)
    return job_read(job, links.base_url(request))


@router.post(
    "/{job_id}/retry",
    status_code=202,
    operation_id="retryJob",
    summary="Retry a job at its failed step",
    responses=responses(
        "not-found", "illegal-transition", "cluster-busy", "peer-busy", "idempotency-key-reused"
    ),
)
async def retry(
    *,
    request: Request,
    response: Response,
    job_id: JobId,
    caller: JobsRunner,
    services: ServicesOf,
    once: MaybeOnce,
) -> JobRead:
    """Go on from a failed or unsettled step. It looks first and acts only where it must."""
    job = await services.jobs.retry(job_id, caller, once)
    come_back(response, job)
    return job_read(job, links.base_url(request))


@router.post(
    "/{job_id}/steps/{step_key}/attest",
    status_code=202,
    operation_id="attestStep",
    summary="State that a manual action is done",
    responses=responses(
        "not-found",
        "illegal-transition",
        "idempotency-key-reused",
        "body-too-large",
        "unsupported-media-type",
    ),
)
async def attest(
    *,
    request: Request,
    response: Response,
    job_id: JobId,
    step_key: Annotated[
        str,
        Path(pattern=STEP_KEY, description="A step of the job.", examples=["attest-firewall"]),
    ],
    body: AttestCreate,
    caller: JobsRunner,
    services: ServicesOf,
    once: MaybeOnce,
) -> JobRead:
    """Record an operator's word for the gate a step waits at; the job goes on."""
    job = await services.jobs.attest(
        job_id, step_key, said_by=body.by, reason=body.reason, by=caller, once=once
    )
    come_back(response, job)
    return job_read(job, links.base_url(request))
