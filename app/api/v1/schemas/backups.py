"""Backups over all jobs, in the words of the API."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from app.api.v1.schemas.jobs import BackupRead
from app.api.v1.schemas.plans import DIGEST
from app.api.v1.schemas.words import TIME, NextCursor, Told
from app.services.backups import Verified


class BackupPage(Told):
    """A page of backups."""

    items: list[BackupRead] = Field(description="Newest first.")
    next_cursor: NextCursor = None


class BackupVerified(Told):
    """What opening a whole backup came to."""

    backup_id: str = Field(description="The backup.", examples=["backup-1"])
    intact: bool = Field(description="Whether it opens and is what the peer sent.")
    sha256: str = Field(description="What the peer sent.", examples=[DIGEST])
    found_sha256: str = Field(description="What lies there; empty where it does not open.")
    detail: str = Field(
        description="In one line.", examples=["it opens, and is what the peer sent"]
    )
    verified_at: datetime = Field(description="When.", examples=[TIME])


def verified_read(verified: Verified) -> BackupVerified:
    """As a reader sees it."""
    return BackupVerified(
        backup_id=verified.backup.id,
        intact=verified.intact,
        sha256=verified.backup.sha256,
        found_sha256=verified.found,
        detail=verified.detail,
        verified_at=verified.at,
    )
