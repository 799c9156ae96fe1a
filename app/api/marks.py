"""Headers of answers that say where something is and how to go on."""

from __future__ import annotations

from fastapi import Request, Response

from app.api import links
from app.services.jobs import JobRecord

WORKING = 5
WAITING = 30
"""Seconds to suggest between two looks at a job."""


def created(
    request: Request, response: Response, path: str, etag: str | None, *, replayed: bool
) -> None:
    """Location and ETag of something new, and whether it is not so new."""
    response.headers["Location"] = links.to(request, path)
    if etag is not None:
        response.headers["ETag"] = etag
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"


def come_back(response: Response, job: JobRecord) -> None:
    """`Retry-After` until the job ends: soon while it works, later while it waits for people."""
    if not job.state.ended:
        parked = job.wait is not None and job.wake_at is None
        response.headers["Retry-After"] = str(WAITING if parked else WORKING)
