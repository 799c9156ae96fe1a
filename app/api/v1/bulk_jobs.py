"""`/v1/bulk-jobs`: the same procedure on many clusters, in waves.

A bulk job is started below its procedure, because that is where its parameters are known.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from app.api import links
from app.api.dependencies import (
    ClustersReader,
    Cursor,
    JobsCanceller,
    JobsReader,
    JobsRunner,
    Limit,
    MaybeOnce,
    RequiredOnce,
    ServicesOf,
    from_cursor,
    to_cursor,
)
from app.api.marks import WORKING, created
from app.api.problems import responses
from app.api.v1.jobs import Wait
from app.api.v1.schemas.bulk_jobs import (
    BULK,
    BulkCancelCreate,
    BulkCancelPreview,
    BulkJobList,
    BulkJobRead,
    BulkPreviewRead,
    bulk_cancel_preview,
    bulk_preview,
    bulk_read,
    bulk_summary,
)
from app.api.v1.schemas.bulk_starting import BulkPreviewAsked, bulk_body, bulk_parameters
from app.api.v1.schemas.starting import bulk_path, camel
from app.api.v1.schemas.words import IDENTIFIER, LINE
from app.domain.bulk import BulkState
from app.procedures.base import Procedure
from app.services.bulk_jobs import BulkNow, NewBulkJob
from app.services.bulk_records import BulkFilter
from app.services.problems import invalid

BulkId = Annotated[str, Path(pattern=IDENTIFIER, description="A bulk job.", examples=[BULK])]
Queue = Annotated[
    bool,
    Query(
        description="Wait in line where a cluster is busy; else that cluster counts as refused.",
        examples=[False],
    ),
]

router = APIRouter(prefix="/v1/bulk-jobs", tags=["bulk-jobs"], redirect_slashes=False)


def add_start(made: APIRouter, procedure: Procedure) -> None:
    """The route that starts the procedure on many clusters, where it is offered for many."""
    model = bulk_body(procedure)
    if model is None:
        return

    async def start(
        *,
        request: Request,
        response: Response,
        body: Any,
        caller: JobsRunner,
        services: ServicesOf,
        once: RequiredOnce,
        queue: Queue = False,
    ) -> BulkJobRead:
        said: NewBulkJob = body.said(queue=queue)
        try:
            parameters = bulk_parameters(procedure, body)
        except ValueError as refused:
            # A rule over several parameters, written in the parameters' own __post_init__.
            raise invalid("", str(refused)) from None
        found = await services.bulk_jobs.start(
            procedure.slug, parameters, said, by=caller, once=once
        )
        bulk = found.value.bulk
        created(request, response, f"/v1/bulk-jobs/{bulk.id}", None, replayed=found.replayed)
        response.headers["Operation-Location"] = response.headers["Location"]
        return _told(request, response, found.value)

    start.__annotations__["body"] = model
    made.add_api_route(
        bulk_path(procedure),
        start,
        methods=["POST"],
        status_code=202,
        tags=["bulk-jobs"],
        operation_id=f"bulk{camel(procedure.slug)}",
        summary=f"Start on many clusters: {procedure.title}",
        description=f"{procedure.summary}\n\nOn each selected cluster, in waves: observes, plans, "
        "and starts a job as a single start would, until too many did not succeed. "
        f"Guide: p.{procedure.guide_pages}.",
        responses=responses(
            "idempotency-key-required",
            "change-required",
            "idempotency-in-flight",
            "idempotency-key-reused",
            "body-too-large",
            "unsupported-media-type",
        ),
    )


@router.post(
    "/preview",
    operation_id="previewBulkJob",
    summary="See which clusters a bulk job would work on",
    responses=responses("body-too-large", "unsupported-media-type"),
)
async def preview(
    body: BulkPreviewAsked, _caller: ClustersReader, services: ServicesOf
) -> BulkPreviewRead:
    """The clusters that the selector finds now, in their waves. Changes nothing."""
    return bulk_preview(await services.bulk_jobs.preview(body.selector.selector()), body.wave_size)


@router.get(
    "",
    operation_id="listBulkJobs",
    summary="List bulk jobs",
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
    state: Annotated[BulkState | None, Query(description="Only those in this state.")] = None,
    procedure: Annotated[
        str | None, Query(pattern=IDENTIFIER, description="Only those of this procedure.")
    ] = None,
    cluster_id: Annotated[
        str | None, Query(pattern=IDENTIFIER, description="Only those with this cluster.")
    ] = None,
    change_number: Annotated[
        str | None,
        Query(pattern=LINE, max_length=200, description="Only those of this change record."),
    ] = None,
) -> BulkJobList:
    """Bulk jobs, newest first, without their children."""
    wanted = BulkFilter(state, procedure or "", cluster_id or "", change_number)
    page = await services.bulk_jobs.page(wanted, from_cursor(cursor), limit)
    following = to_cursor(page.next)
    links.announce_next(request, response, following)
    base = links.base_url(request)
    return BulkJobList(
        items=[bulk_summary(item, base) for item in page.items], next_cursor=following
    )


@router.get(
    "/{bulk_job_id}",
    operation_id="getBulkJob",
    summary="Read a bulk job",
    responses=responses("not-found"),
)
async def get(
    *,
    request: Request,
    response: Response,
    bulk_job_id: BulkId,
    _caller: JobsReader,
    services: ServicesOf,
    wait: Wait = 0,
) -> BulkJobRead:
    """A bulk job with its waves; always 200, `wait` answers as soon as anything of it changes."""
    return _told(request, response, await services.bulk_jobs.wait(bulk_job_id, wait))


@router.get(
    "/{bulk_job_id}/cancel",
    operation_id="previewCancelBulkJob",
    summary="See what cancelling a bulk job would mean",
    responses=responses("not-found"),
)
async def preview_cancel(
    request: Request, bulk_job_id: BulkId, _caller: JobsReader, services: ServicesOf
) -> BulkCancelPreview:
    """Which clusters would not be begun, and which jobs are under way."""
    found = await services.bulk_jobs.get(bulk_job_id)
    return bulk_cancel_preview(found, links.base_url(request))


@router.post(
    "/{bulk_job_id}/cancel",
    status_code=202,
    operation_id="cancelBulkJob",
    summary="Cancel a bulk job",
    responses=responses(
        "not-found",
        "illegal-transition",
        "idempotency-in-flight",
        "idempotency-key-reused",
        "body-too-large",
        "unsupported-media-type",
    ),
)
async def cancel(
    *,
    request: Request,
    response: Response,
    bulk_job_id: BulkId,
    caller: JobsCanceller,
    services: ServicesOf,
    once: MaybeOnce,
    body: BulkCancelCreate | None = None,
) -> BulkJobRead:
    """No further cluster is begun; what is under way goes on, or stops at its next safe point.

    Asking twice is asking once. `cancel_running` may be asked for afterwards.
    """
    asked = body or BulkCancelCreate()
    found = await services.bulk_jobs.cancel(
        bulk_job_id, asked.reason, running_too=asked.cancel_running, by=caller, once=once
    )
    return _told(request, response, found)


def _told(request: Request, response: Response, found: BulkNow) -> BulkJobRead:
    if not found.bulk.state.ended:
        response.headers["Retry-After"] = str(WORKING)
    return bulk_read(found, links.base_url(request))
