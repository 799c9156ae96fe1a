"""A job's transcript and its observations before and after."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.dependencies import JobsReader, ServicesOf
from app.api.problems import responses
from app.api.v1.schemas.evidence import (
    JobObservations,
    TranscriptList,
    entry_read,
    observations_read,
)
from app.api.v1.schemas.words import JobId

router = APIRouter(prefix="/v1/jobs", tags=["evidence"], redirect_slashes=False)


@router.get(
    "/{job_id}/transcript",
    operation_id="listJobTranscript",
    summary="Read what a job and its peers said to each other",
    responses=responses("not-found"),
)
async def transcript(
    *,
    job_id: JobId,
    _caller: JobsReader,
    services: ServicesOf,
    after: Annotated[
        int, Query(ge=0, le=2**31, description="Entries behind this number.", examples=[0])
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=500, description="How many at most.")] = 100,
) -> TranscriptList:
    """Every request and reply, redacted, bounded and chained, in the order they were written."""
    found = await services.evidence.transcript(job_id, after, limit)
    return TranscriptList(
        items=[entry_read(row) for row in found], last_seq=found[-1].seq if found else after
    )


@router.get(
    "/{job_id}/observations",
    operation_id="getJobObservations",
    summary="Read a job's peers before and after",
    responses=responses("not-found"),
)
async def observations(job_id: JobId, _caller: JobsReader, services: ServicesOf) -> JobObservations:
    """What the peers said of themselves when the job was made and when it ended, and what differs.

    A peer that could not be read has a `code` and a `remedy` in place of its facts.
    """
    return observations_read(job_id, await services.evidence.observations(job_id))
