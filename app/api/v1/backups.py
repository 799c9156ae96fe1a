"""`/v1/backups`: the backups of all peers, and whether they are still good."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from app.api import links
from app.api.dependencies import BackupsReader, BackupsWriter, Cursor, Limit, ServicesOf
from app.api.problems import responses
from app.api.v1.schemas.backups import BackupPage, BackupVerified, verified_read
from app.api.v1.schemas.job_reading import backup_read
from app.api.v1.schemas.words import IDENTIFIER

router = APIRouter(prefix="/v1/backups", tags=["backups"], redirect_slashes=False)

BackupId = Annotated[str, Path(pattern=IDENTIFIER, description="A backup.", examples=["backup-1"])]


@router.get(
    "", operation_id="listBackups", summary="List backups", responses=responses("invalid-cursor")
)
async def list_all(
    *,
    request: Request,
    response: Response,
    _caller: BackupsReader,
    services: ServicesOf,
    limit: Limit = 50,
    cursor: Cursor = None,
    peer_id: Annotated[
        str | None, Query(pattern=IDENTIFIER, description="Only backups of this peer.")
    ] = None,
    cluster_id: Annotated[
        str | None, Query(pattern=IDENTIFIER, description="Only those jobs of this cluster took.")
    ] = None,
) -> BackupPage:
    """Finished backups of all peers, newest first."""
    page = await services.backups.page(peer_id or "", cluster_id or "", cursor, limit)
    links.announce_next(request, response, page.next)
    return BackupPage(items=[backup_read(item) for item in page.items], next_cursor=page.next)


@router.post(
    "/{backup_id}/verify",
    operation_id="verifyBackup",
    summary="Verify a backup",
    responses=responses("not-found"),
)
async def verify(
    *, backup_id: BackupId, _caller: BackupsReader, services: ServicesOf
) -> BackupVerified:
    """Decrypts the whole backup and compares it with the SHA-256 of what the peer sent."""
    return verified_read(await services.backups.verify(backup_id))


@router.delete(
    "/{backup_id}",
    status_code=204,
    operation_id="deleteBackup",
    summary="Delete a backup",
    responses=responses("not-found", "backup-needed"),
)
async def delete(*, backup_id: BackupId, _caller: BackupsWriter, services: ServicesOf) -> None:
    """Never the only backup of a peer, one of a job that has not ended, or one on hold."""
    await services.backups.remove(backup_id)
