"""A job's retention hold: nothing of it is pruned until the hold is taken back."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from app.api.dependencies import Administrator, ServicesOf
from app.api.problems import responses
from app.api.v1.schemas.words import JOB, TIME, Asked, JobId, Told, Words
from app.services.evidence_records import RetentionHold

router = APIRouter(prefix="/v1/jobs", tags=["evidence"], redirect_slashes=False)


class RetentionHoldPut(Asked):
    """Why everything of a job is to be kept."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Legal case 2026-17."}]})

    reason: Words = Field(description="For the record.", examples=["Legal case 2026-17."])


class RetentionHoldRead(Told):
    """A hold on everything of a job."""

    job_id: str = Field(description="The job.", examples=[JOB])
    reason: str = Field(description="Why.", examples=["Legal case 2026-17."])
    held_by: str = Field(description="The key that put it.", examples=["key-1"])
    held_at: datetime = Field(description="When.", examples=[TIME])


@router.put(
    "/{job_id}/retention-hold",
    operation_id="holdJobRecords",
    summary="Keep everything of a job",
    responses=responses("not-found", "body-too-large", "unsupported-media-type"),
)
async def hold(
    *, job_id: JobId, body: RetentionHoldPut, caller: Administrator, services: ServicesOf
) -> RetentionHoldRead:
    """Nothing of the job is pruned, whatever its age. A second hold replaces the first."""
    return _read(await services.retention.hold(job_id, body.reason, caller))


@router.get(
    "/{job_id}/retention-hold",
    operation_id="getJobHold",
    summary="Read a job's retention hold",
    responses=responses("not-found"),
)
async def get(*, job_id: JobId, _caller: Administrator, services: ServicesOf) -> RetentionHoldRead:
    """Who holds it and why."""
    return _read(await services.retention.held(job_id))


@router.delete(
    "/{job_id}/retention-hold",
    status_code=204,
    operation_id="releaseJobRecords",
    summary="Take a retention hold back",
    responses=responses("not-found"),
)
async def release(*, job_id: JobId, _caller: Administrator, services: ServicesOf) -> None:
    """From now on the job's records age like others."""
    await services.retention.release(job_id)


def _read(found: RetentionHold) -> RetentionHoldRead:
    return RetentionHoldRead(
        job_id=found.job_id, reason=found.reason, held_by=found.held_by, held_at=found.held_at
    )
