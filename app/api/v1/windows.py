"""`/v1/windows`: when clusters may be worked on, and change freezes that close them all."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

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
from app.api.v1.schemas.windows import (
    WINDOW,
    OpeningList,
    WindowCreate,
    WindowList,
    WindowRead,
    openings_read,
    window_read,
)
from app.api.v1.schemas.words import IDENTIFIER
from app.services.conditions import tag

WindowId = Annotated[str, Path(pattern=IDENTIFIER, description="A window.", examples=[WINDOW])]

router = APIRouter(prefix="/v1/windows", tags=["windows"], redirect_slashes=False)


@router.post(
    "",
    status_code=201,
    operation_id="createWindow",
    summary="Register a window",
    responses=responses(
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
    body: WindowCreate,
    _caller: ClustersWriter,
    services: ServicesOf,
    once: MaybeOnce,
) -> WindowRead:
    """A window serves the clusters whose policy names it; a blackout closes every cluster at once.

    Jobs that were started before keep the windows and freezes they were started under.
    """
    found = await services.windows.create(body.kind, body.window, once)
    window = found.value
    etag = tag(window.id, window.version)
    created(request, response, f"/v1/windows/{window.id}", etag, replayed=found.replayed)
    return window_read(window)


@router.get(
    "", operation_id="listWindows", summary="List windows", responses=responses("invalid-cursor")
)
async def list_all(
    *,
    request: Request,
    response: Response,
    _caller: ClustersReader,
    services: ServicesOf,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> WindowList:
    """Windows and change freezes."""
    page = await services.windows.page(from_cursor(cursor), limit)
    following = to_cursor(page.next)
    links.announce_next(request, response, following)
    return WindowList(items=[window_read(item) for item in page.items], next_cursor=following)


@router.get(
    "/{window_id}",
    operation_id="getWindow",
    summary="Read a window",
    responses=responses("not-found"),
)
async def get(
    *, response: Response, window_id: WindowId, _caller: ClustersReader, services: ServicesOf
) -> WindowRead:
    """One window."""
    found = await services.windows.get(window_id)
    response.headers["ETag"] = tag(window_id, found.version)
    return window_read(found)


@router.put(
    "/{window_id}",
    operation_id="replaceWindow",
    summary="Change a window",
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
    window_id: WindowId,
    body: WindowCreate,
    _caller: ClustersWriter,
    services: ServicesOf,
    if_match: IfMatch,
) -> WindowRead:
    """The whole window anew. Jobs that were started before keep what it was."""
    found = await services.windows.replace(window_id, body.kind, body.window, if_match)
    response.headers["ETag"] = tag(window_id, found.version)
    return window_read(found)


@router.delete(
    "/{window_id}",
    status_code=204,
    operation_id="deleteWindow",
    summary="Forget a window",
    responses=responses(
        "not-found", "window-in-use", "precondition-failed", "precondition-required"
    ),
)
async def delete(
    window_id: WindowId, _caller: ClustersWriter, services: ServicesOf, if_match: IfMatch
) -> None:
    """Forget a window that no policy names and no unended job runs in."""
    await services.windows.delete(window_id, if_match)


@router.get(
    "/{window_id}/openings",
    operation_id="listWindowOpenings",
    summary="See when a window opens next",
    responses=responses("not-found"),
)
async def openings(
    *,
    window_id: WindowId,
    _caller: ClustersReader,
    services: ServicesOf,
    count: Annotated[int, Query(ge=1, le=100, description="How many at most.", examples=[5])] = 5,
) -> OpeningList:
    """The next openings with the change freezes taken out; of a blackout, when it closes."""
    return openings_read(await services.windows.openings(window_id, count))
