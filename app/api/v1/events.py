"""A job's events by polling and as a stream, and the backups it took."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from app.api.dependencies import BackupsReader, JobsReader, ServicesOf
from app.api.negotiation import prefers
from app.api.problems import responses
from app.api.streams import READER_TOO_SLOW, SERVICE_STOPPING, EventStream, end_of_stream
from app.api.v1.schemas.job_reading import backup_read, event_read
from app.api.v1.schemas.jobs import BackupList, EventList
from app.api.v1.schemas.words import IDENTIFIER, JobId
from app.domain.job import Event
from app.services.bundle import Services

router = APIRouter(prefix="/v1/jobs", redirect_slashes=False)

HEARTBEAT = 15.0
"""Seconds of silence after which a stream sends a comment, so that nobody takes it for dead."""

_STREAM: dict[str, Any] = {
    "text/event-stream": {
        "schema": {"type": "string"},
        "example": 'id: 1\nevent: job.started\ndata: {"seq": 1, "type": "job.started"}\n\n',
    }
}


@router.get(
    "/{job_id}/events",
    tags=["events"],
    operation_id="listJobEvents",
    summary="Read or follow a job's events",
    response_model=EventList,
    responses={200: {"content": _STREAM}, **responses("not-found")},
)
async def events(
    *,
    request: Request,
    job_id: JobId,
    _caller: JobsReader,
    services: ServicesOf,
    after: Annotated[
        int, Query(ge=0, le=2**31, description="Events behind this number.", examples=[0])
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many at most.")] = 200,
    last_event_id: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            max_length=20,
            pattern=r"^[0-9]{1,10}$",
            description="Where a broken stream goes on.",
            examples=["4"],
        ),
    ] = None,
) -> EventList | Response:
    """Numbered events without gaps. `Accept: text/event-stream` follows them as they come.

    A stream ends behind the last event of a job that has ended; comments keep it alive meanwhile.
    One that ends earlier says why in a `stream.end` event: `service-stopping`, `reader-too-slow`.
    `Last-Event-ID` goes on where it ended.
    """
    if last_event_id is not None:
        after = max(after, int(last_event_id))
    if not prefers(request, "text/event-stream"):
        found = await services.jobs.events(job_id, after, limit)
        return EventList(
            items=[event_read(event) for event in found],
            last_seq=found[-1].seq if found else after,
        )
    await services.jobs.get(job_id)
    heartbeat: float = request.app.state.heartbeat
    patience: float = request.app.state.patience
    return EventStream(_stream(services, job_id, after, heartbeat, patience), patience)


@router.get(
    "/{job_id}/backups",
    tags=["backups"],
    operation_id="listJobBackups",
    summary="List a job's backups",
    responses=responses("not-found"),
)
async def backups(job_id: JobId, _caller: JobsReader, services: ServicesOf) -> BackupList:
    """Finished backups the job took; a half-written one is not among them."""
    found = await services.jobs.backups_of(job_id)
    return BackupList(items=[backup_read(backup) for backup in found])


@router.get(
    "/{job_id}/backups/{backup_id}/content",
    tags=["backups"],
    operation_id="downloadJobBackup",
    summary="Download a backup",
    response_class=Response,
    responses={
        200: {
            "description": "The backup as the appliance made it.",
            "content": {
                "application/octet-stream": {
                    "schema": {"type": "string", "format": "binary"},
                    "example": "(bytes of a .tar.gz)",
                }
            },
        },
        **responses("not-found"),
    },
)
async def download(
    *,
    job_id: JobId,
    backup_id: Annotated[
        str, Path(pattern=IDENTIFIER, description="A backup.", examples=["backup-1"])
    ],
    _caller: BackupsReader,
    services: ServicesOf,
) -> StreamingResponse:
    """The plain bytes, decrypted while they are sent."""
    backup, pieces = await services.jobs.backup(job_id, backup_id)
    name = quote(backup.file_name, safe="")
    return StreamingResponse(
        pieces,
        media_type="application/octet-stream",
        headers={
            "Content-Length": str(backup.size),
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
            "X-Content-SHA256": backup.sha256,
        },
    )


async def _stream(
    services: Services, job_id: str, after: int, heartbeat: float, patience: float
) -> AsyncGenerator[str, None]:
    now = asyncio.get_running_loop().time
    yield "retry: 3000\n\n"
    async for event in services.jobs.follow(job_id, after, heartbeat):
        began = now()
        yield ": still here\n\n" if event is None else _message(event)
        if now() - began > patience / 2:
            yield end_of_stream(READER_TOO_SLOW)
            return
    if services.jobs.feed.closing:
        yield end_of_stream(SERVICE_STOPPING)


def _message(event: Event) -> str:
    data = json.dumps(event_read(event).model_dump(mode="json"), separators=(",", ":"))
    return f"id: {event.seq}\nevent: {event.type}\ndata: {data}\n\n"
