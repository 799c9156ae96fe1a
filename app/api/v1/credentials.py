"""`/v1/credentials`: secrets go in and never come out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.api import links
from app.api.dependencies import (
    ClustersReader,
    CredentialsWriter,
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
from app.api.v1.schemas.credentials import (
    CredentialCreate,
    CredentialList,
    CredentialRead,
    CredentialRotate,
    credential_read,
)
from app.api.v1.schemas.words import CredentialId
from app.services.conditions import tag

router = APIRouter(prefix="/v1/credentials", tags=["credentials"], redirect_slashes=False)


@router.post(
    "",
    status_code=201,
    operation_id="createCredential",
    summary="Create a credential",
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
    body: CredentialCreate,
    _caller: CredentialsWriter,
    services: ServicesOf,
    once: MaybeOnce,
) -> CredentialRead:
    """Seal a password or pre-shared key in the vault."""
    made = await services.credentials.create(body.name, body.kind, body.username, body.secret, once)
    path = f"/v1/credentials/{made.value.id}"
    created(request, response, path, tag(made.value.id, made.value.version), replayed=made.replayed)
    return credential_read(made.value)


@router.get(
    "",
    operation_id="listCredentials",
    summary="List credentials",
    responses=responses("invalid-cursor"),
)
async def list_all(
    *,
    request: Request,
    response: Response,
    _caller: ClustersReader,
    services: ServicesOf,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> CredentialList:
    """Credentials without their secrets."""
    page = await services.credentials.page(from_cursor(cursor), limit)
    following = to_cursor(page.next)
    links.announce_next(request, response, following)
    return CredentialList(
        items=[credential_read(item) for item in page.items], next_cursor=following
    )


@router.get(
    "/{credential_id}",
    operation_id="getCredential",
    summary="Read a credential",
    responses=responses("not-found"),
)
async def get(
    *,
    response: Response,
    credential_id: CredentialId,
    _caller: ClustersReader,
    services: ServicesOf,
) -> CredentialRead:
    """One credential without its secret."""
    credential = await services.credentials.get(credential_id)
    response.headers["ETag"] = tag(credential.id, credential.version)
    return credential_read(credential)


@router.put(
    "/{credential_id}/secret",
    operation_id="rotateCredential",
    summary="Rotate a secret",
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
    credential_id: CredentialId,
    body: CredentialRotate,
    _caller: CredentialsWriter,
    services: ServicesOf,
    if_match: IfMatch,
) -> CredentialRead:
    """Replace the secret. A password that an appliance declined may be tried again afterwards."""
    credential = await services.credentials.rotate(credential_id, body.secret, if_match)
    response.headers["ETag"] = tag(credential.id, credential.version)
    return credential_read(credential)


@router.delete(
    "/{credential_id}",
    status_code=204,
    operation_id="deleteCredential",
    summary="Delete a credential",
    responses=responses(
        "not-found", "credential-in-use", "precondition-failed", "precondition-required"
    ),
)
async def delete(
    credential_id: CredentialId,
    _caller: CredentialsWriter,
    services: ServicesOf,
    if_match: IfMatch,
) -> None:
    """Forget a secret that nothing refers to."""
    await services.credentials.delete(credential_id, if_match)
