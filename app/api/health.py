"""Whether the process lives, and whether it can work. Open to all, and says nothing else."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import Field

from app.api.dependencies import ServicesOf
from app.api.problems import responses
from app.api.v1.schemas.words import Told
from app.services.problems import Problem

router = APIRouter(tags=["health"], redirect_slashes=False)


class Health(Told):
    """A sign of life."""

    status: str = Field(description="`ok`.", examples=["ok"])


class Readiness(Health):
    """Whether the process can work."""

    worker: str | None = Field(
        description="`beating` where a worker lives in this process; else null.",
        examples=["beating"],
    )


@router.get(
    "/livez",
    operation_id="getLiveness",
    summary="Is the process alive?",
    responses=responses("internal-error", everywhere=False),
)
async def live() -> Health:
    """The process answers. Restart it when it does not."""
    return Health(status="ok")


@router.get(
    "/readyz",
    operation_id="getReadiness",
    summary="Can the service work?",
    responses=responses("storage-unavailable", "internal-error", everywhere=False),
)
async def ready(services: ServicesOf, request: Request) -> Readiness:
    """The database answers and has the schema, and the worker in this process, if any, may act.

    Send no requests while it is not so.
    """
    if not await services.store.ready():
        raise Problem("storage-unavailable", "the database does not answer or is not migrated")
    beating = request.app.state.telemetry.beating
    if beating is False:
        raise Problem("storage-unavailable", "the worker's beat does not reach the database")
    return Readiness(status="ok", worker="beating" if beating else None)
