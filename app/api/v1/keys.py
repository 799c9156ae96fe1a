"""`/v1/keys`: who may call, and how far each of them reaches."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from app.api import links
from app.api.dependencies import (
    Administrator,
    Cursor,
    IfMatch,
    Limit,
    ServicesOf,
    from_cursor,
    to_cursor,
)
from app.api.marks import created
from app.api.problems import responses
from app.api.v1.schemas.keys import (
    KEY,
    KeyCreate,
    KeyList,
    KeyMade,
    KeyPatch,
    KeyRead,
    KeyRotate,
    key_made,
    key_read,
)
from app.api.v1.schemas.words import IDENTIFIER
from app.services.conditions import tag

KeyId = Annotated[str, Path(pattern=IDENTIFIER, description="A key.", examples=[KEY])]

router = APIRouter(prefix="/v1/keys", tags=["keys"], redirect_slashes=False)


@router.post(
    "",
    status_code=201,
    operation_id="createKey",
    summary="Make a key",
    responses=responses("name-taken", "body-too-large", "unsupported-media-type"),
)
async def create(
    *,
    request: Request,
    response: Response,
    body: KeyCreate,
    caller: Administrator,
    services: ServicesOf,
) -> KeyMade:
    """Make a key that may at most what yours may. Its text is in this answer and never again.

    There is no Idempotency-Key here: a repeated request could not show the text again. A key whose
    answer was lost is found by its name and rotated or revoked.
    """
    made = await services.keys.create(body.name, body.limits(), caller)
    etag = tag(made.key.id, made.key.version)
    created(request, response, f"/v1/keys/{made.key.id}", etag, replayed=False)
    return key_made(made)


@router.get("", operation_id="listKeys", summary="List keys", responses=responses("invalid-cursor"))
async def list_all(
    *,
    request: Request,
    response: Response,
    caller: Administrator,
    services: ServicesOf,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> KeyList:
    """Keys that may no more than yours, without their texts."""
    page = await services.keys.page(from_cursor(cursor), limit, caller)
    following = to_cursor(page.next)
    links.announce_next(request, response, following)
    return KeyList(items=[key_read(item) for item in page.items], next_cursor=following)


@router.get(
    "/{key_id}", operation_id="getKey", summary="Read a key", responses=responses("not-found")
)
async def get(
    *, response: Response, key_id: KeyId, caller: Administrator, services: ServicesOf
) -> KeyRead:
    """One key without its text."""
    key = await services.keys.get(key_id, caller)
    response.headers["ETag"] = tag(key.id, key.version)
    return key_read(key)


@router.patch(
    "/{key_id}",
    operation_id="updateKey",
    summary="Change a key's name or limits",
    responses=responses(
        "not-found",
        "name-taken",
        "last-admin-key",
        "precondition-failed",
        "precondition-required",
        "body-too-large",
        "unsupported-media-type",
    ),
)
async def update(
    *,
    response: Response,
    key_id: KeyId,
    body: KeyPatch,
    caller: Administrator,
    services: ServicesOf,
    if_match: IfMatch,
) -> KeyRead:
    """What is absent stays; null in `clusters`, `labels` or `expires_at` takes that limit away.

    Holds from the next request of the key.
    """
    key = await services.keys.change(key_id, body.change, if_match, caller)
    response.headers["ETag"] = tag(key.id, key.version)
    return key_read(key)


@router.post(
    "/{key_id}/rotate",
    operation_id="rotateKey",
    summary="Give a key a new text",
    responses=responses(
        "not-found",
        "precondition-failed",
        "precondition-required",
        "body-too-large",
        "unsupported-media-type",
    ),
)
async def rotate(
    *,
    response: Response,
    key_id: KeyId,
    body: KeyRotate,
    caller: Administrator,
    services: ServicesOf,
    if_match: IfMatch,
) -> KeyMade:
    """The same key, name and limits with a new text; the old one stays good as long as you say."""
    made = await services.keys.rotate(key_id, body.keep_old, if_match, caller)
    response.headers["ETag"] = tag(made.key.id, made.key.version)
    return key_made(made)


@router.delete(
    "/{key_id}",
    status_code=204,
    operation_id="revokeKey",
    summary="Revoke a key",
    responses=responses(
        "not-found", "last-admin-key", "precondition-failed", "precondition-required"
    ),
)
async def revoke(
    key_id: KeyId, caller: Administrator, services: ServicesOf, if_match: IfMatch
) -> None:
    """Refused from the next request on. The last key that can let others in cannot be revoked."""
    await services.keys.revoke(key_id, if_match, caller)
