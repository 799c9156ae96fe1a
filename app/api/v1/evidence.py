"""A job's transcript, its observations before and after, and all of it as signed evidence."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.api.dependencies import JobsReader, ServicesOf
from app.api.evidence_page import evidence_page
from app.api.negotiation import prefers
from app.api.problems import responses
from app.api.v1.schemas.evidence import (
    DOCUMENT,
    EvidenceKey,
    EvidenceKeys,
    JobObservations,
    TranscriptList,
    entry_read,
    observations_read,
)
from app.api.v1.schemas.words import JobId

router = APIRouter(tags=["evidence"], redirect_slashes=False)

_PAGE: dict[str, Any] = {
    "text/html": {"schema": {"type": "string"}, "example": "<!doctype html>..."}
}
_DOCUMENT: dict[str, Any] = {
    "application/json": {"schema": {"type": "object"}, "example": DOCUMENT}
}


@router.get(
    "/v1/jobs/{job_id}/transcript",
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
    "/v1/jobs/{job_id}/observations",
    operation_id="getJobObservations",
    summary="Read a job's peers before and after",
    responses=responses("not-found"),
)
async def observations(job_id: JobId, _caller: JobsReader, services: ServicesOf) -> JobObservations:
    """What the peers said of themselves when the job was made and when it ended, and what differs.

    A peer that could not be read has a `code` and a `remedy` in place of its facts.
    """
    return observations_read(job_id, await services.evidence.observations(job_id))


@router.get(
    "/v1/jobs/{job_id}/evidence",
    operation_id="getJobEvidence",
    summary="Read the signed evidence of a job",
    response_class=Response,
    responses={
        200: {
            "description": "The signed document; `Accept: text/html` gives it as one page.",
            "content": {**_DOCUMENT, **_PAGE},
        },
        **responses("not-found"),
    },
)
async def document(
    *,
    request: Request,
    job_id: JobId,
    _caller: JobsReader,
    services: ServicesOf,
    from_rows: Annotated[
        bool,
        Query(
            description="Make it anew from the rows of today, to compare it with the sealed one."
        ),
    ] = False,
) -> Response:
    """Everything about a job in one document: plan, people, steps, events, transcript, peers.

    Of a job that has ended: the document that was sealed then. Otherwise one made now, marked as
    partial. `clusterway evidence verify` checks it offline.
    """
    found = await services.evidence.document(job_id, from_rows=from_rows)
    if prefers(request, "text/html"):
        return evidence_page(json.loads(found))
    name = f'attachment; filename="evidence-{job_id}.json"'
    return Response(found, media_type="application/json", headers={"Content-Disposition": name})


@router.get(
    "/v1/jobs/{job_id}/evidence.html",
    operation_id="getJobEvidencePage",
    summary="Read the evidence of a job as one page",
    response_class=Response,
    responses={
        200: {"description": "One printable page.", "content": _PAGE},
        **responses("not-found"),
    },
)
async def document_page(job_id: JobId, _caller: JobsReader, services: ServicesOf) -> Response:
    """The same document for people and printers; it names the digest of the JSON."""
    return evidence_page(json.loads(await services.evidence.document(job_id)))


@router.get(
    "/v1/evidence/keys",
    operation_id="listEvidenceKeys",
    summary="Read the public keys of evidence",
    responses=responses(),
)
async def keys(_caller: JobsReader, services: ServicesOf) -> EvidenceKeys:
    """A JSON Web Key Set: the newest key last. Keep it where the evidence is not."""
    return EvidenceKeys(keys=[EvidenceKey(**key.jwk) for key in await services.evidence.keys()])
