"""`/v1/clusters/{cluster_id}/neighbours`: devices whose zones name the cluster's addresses."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from app.api import links
from app.api.dependencies import (
    ClustersReader,
    ClustersWriter,
    Cursor,
    IfMatch,
    Limit,
    MaybeOnce,
    ServicesOf,
    from_cursor,
    to_cursor,
)
from app.api.marks import created
from app.api.problems import responses
from app.api.v1.schemas.neighbours import (
    NEIGHBOUR,
    NeighbourCreate,
    NeighbourList,
    NeighbourRead,
    neighbour_read,
)
from app.api.v1.schemas.words import IDENTIFIER, ClusterId
from app.services.conditions import tag

NeighbourId = Annotated[
    str, Path(pattern=IDENTIFIER, description="A neighbour.", examples=[NEIGHBOUR])
]

router = APIRouter(
    prefix="/v1/clusters/{cluster_id}/neighbours", tags=["neighbours"], redirect_slashes=False
)


@router.post(
    "",
    status_code=201,
    operation_id="createNeighbour",
    summary="Register a neighbour",
    responses=responses(
        "not-found",
        "name-taken",
        "idempotency-in-flight",
        "idempotency-key-reused",
        "body-too-large",
        "unsupported-media-type",
    ),
)
async def create(
    *,
    request: Request,
    response: Response,
    cluster_id: ClusterId,
    body: NeighbourCreate,
    _caller: ClustersWriter,
    services: ServicesOf,
    once: MaybeOnce,
) -> NeighbourRead:
    """Register a device with a zone to this cluster. Jobs that change members keep it right."""
    made = await services.neighbours.create(cluster_id, body.said(), once)
    found = made.value.neighbour
    path = f"/v1/clusters/{cluster_id}/neighbours/{found.id}"
    etag = tag(found.id, made.value.version)
    created(request, response, path, etag, replayed=made.replayed)
    return neighbour_read(made.value)


@router.get(
    "",
    operation_id="listNeighbours",
    summary="List neighbours",
    responses=responses("not-found", "invalid-cursor"),
)
async def list_all(
    *,
    request: Request,
    response: Response,
    cluster_id: ClusterId,
    _caller: ClustersReader,
    services: ServicesOf,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> NeighbourList:
    """The registered neighbours of this cluster."""
    page = await services.neighbours.page(cluster_id, from_cursor(cursor), limit)
    following = to_cursor(page.next)
    links.announce_next(request, response, following)
    return NeighbourList(items=[neighbour_read(item) for item in page.items], next_cursor=following)


@router.get(
    "/{neighbour_id}",
    operation_id="getNeighbour",
    summary="Read a neighbour",
    responses=responses("not-found"),
)
async def get(
    *,
    response: Response,
    cluster_id: ClusterId,
    neighbour_id: NeighbourId,
    _caller: ClustersReader,
    services: ServicesOf,
) -> NeighbourRead:
    """One neighbour."""
    found = await services.neighbours.get(cluster_id, neighbour_id)
    response.headers["ETag"] = tag(neighbour_id, found.version)
    return neighbour_read(found)


@router.put(
    "/{neighbour_id}",
    operation_id="replaceNeighbour",
    summary="Change a neighbour",
    responses=responses(
        "not-found",
        "name-taken",
        "precondition-failed",
        "precondition-required",
        "body-too-large",
        "unsupported-media-type",
    ),
)
async def replace(
    *,
    response: Response,
    cluster_id: ClusterId,
    neighbour_id: NeighbourId,
    body: NeighbourCreate,
    _caller: ClustersWriter,
    services: ServicesOf,
    if_match: IfMatch,
) -> NeighbourRead:
    """The whole neighbour anew. Nothing changes on the device; jobs keep what they began with."""
    found = await services.neighbours.replace(cluster_id, neighbour_id, body.said(), if_match)
    response.headers["ETag"] = tag(neighbour_id, found.version)
    return neighbour_read(found)


@router.delete(
    "/{neighbour_id}",
    status_code=204,
    operation_id="deleteNeighbour",
    summary="Forget a neighbour",
    responses=responses("not-found", "precondition-failed", "precondition-required"),
)
async def delete(
    *,
    cluster_id: ClusterId,
    neighbour_id: NeighbourId,
    _caller: ClustersWriter,
    services: ServicesOf,
    if_match: IfMatch,
) -> None:
    """Forget a neighbour. Nothing changes on the device."""
    await services.neighbours.delete(cluster_id, neighbour_id, if_match)
