"""`/v1/jobs/{job_id}/...`: holding a job, letting it go on, setting a step aside, running it again.

Skipping needs `admin`: it sets aside what the service would otherwise see for itself. The other
verbs need `jobs:run`, as starting does.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from app.api import links
from app.api.dependencies import Administrator, JobsRunner, MaybeOnce, RequiredOnce, ServicesOf
from app.api.marks import come_back, created
from app.api.problems import responses
from app.api.v1.schemas.job_reading import job_read
from app.api.v1.schemas.jobs import JobRead, SkipCreate
from app.api.v1.schemas.starting import Bodies, StartOptions
from app.api.v1.schemas.words import STEP_KEY, JobId

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["jobs"], redirect_slashes=False)


@router.post(
    "/pause",
    status_code=202,
    operation_id="pauseJob",
    summary="Hold a job",
    responses=responses("not-found", "illegal-transition", "idempotency-key-reused"),
)
async def pause(
    *,
    request: Request,
    response: Response,
    job_id: JobId,
    caller: JobsRunner,
    services: ServicesOf,
    once: MaybeOnce,
) -> JobRead:
    """Wait at the next safe point, the cluster held, until it is resumed."""
    job = await services.control.pause(job_id, caller, once)
    come_back(response, job)
    return job_read(job, links.base_url(request))


@router.post(
    "/resume",
    status_code=202,
    operation_id="resumeJob",
    summary="Let a held job go on",
    responses=responses("not-found", "illegal-transition", "idempotency-key-reused"),
)
async def resume(
    *,
    request: Request,
    response: Response,
    job_id: JobId,
    caller: JobsRunner,
    services: ServicesOf,
    once: MaybeOnce,
) -> JobRead:
    """End a hold. It leads past no approval, scheduled start or window."""
    job = await services.control.resume(job_id, caller, once)
    come_back(response, job)
    return job_read(job, links.base_url(request))


@router.post(
    "/steps/{step_key}/skip",
    status_code=202,
    operation_id="skipStep",
    summary="Set a step aside",
    responses=responses(
        "not-found",
        "illegal-transition",
        "skip-refused",
        "cluster-busy",
        "peer-busy",
        "idempotency-key-reused",
        "body-too-large",
        "unsupported-media-type",
    ),
)
async def skip(
    *,
    request: Request,
    response: Response,
    job_id: JobId,
    step_key: Annotated[
        str, Path(pattern=STEP_KEY, description="The step it stands at.", examples=["calls-exp1"])
    ],
    body: SkipCreate,
    caller: Administrator,
    services: ServicesOf,
    once: MaybeOnce,
) -> JobRead:
    """Go on behind the step at which the job waits or has failed; the reason is kept."""
    job = await services.control.skip(
        job_id, step_key, reason=body.reason, settled=body.settled, by=caller, once=once
    )
    come_back(response, job)
    return job_read(job, links.base_url(request))


@router.post(
    "/rerun",
    status_code=202,
    operation_id="rerunJob",
    summary="Run a job again",
    responses=responses(
        "idempotency-key-required",
        "not-found",
        "illegal-transition",
        "cluster-busy",
        "peer-busy",
        "plan-drifted",
        "plan-blocked",
        "plan-expired",
        "plan-mismatch",
        "change-required",
        "idempotency-in-flight",
        "idempotency-key-reused",
        "body-too-large",
        "unsupported-media-type",
    ),
)
async def rerun(
    *,
    request: Request,
    response: Response,
    job_id: JobId,
    body: StartOptions,
    caller: JobsRunner,
    services: ServicesOf,
    once: RequiredOnce,
) -> JobRead:
    """A new job with the procedure and parameters of an ended one, over a plan made now."""
    asked = Bodies.request(body, queue=False)
    found = await services.control.rerun(job_id, asked, by=caller, once=once)
    job = found.value
    created(request, response, f"/v1/jobs/{job.id}", None, replayed=found.replayed)
    response.headers["Operation-Location"] = response.headers["Location"]
    come_back(response, job)
    return job_read(job, links.base_url(request))
