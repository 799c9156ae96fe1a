"""Backups over all jobs: listing, verifying, and the rule of which may be deleted."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.domain.clock import Clock
from app.engine.errors import EngineError
from app.engine.memory import read_cursor, write_cursor
from app.procedures.base import StepFailed
from app.security.vault import VaultError
from app.services.problems import Problem, not_found
from app.services.records import Backup, Page

_MARK = "|"


class Removal(enum.StrEnum):
    """What came of a wish to delete a backup."""

    DONE = "done"
    UNKNOWN = "unknown"
    ONLY = "only"
    UNENDED = "unended"
    HELD = "held"


_REFUSED = {
    Removal.ONLY: "it is the only backup of its peer",
    Removal.UNENDED: "the job that took it has not ended",
    Removal.HELD: "its job is on hold",
}


class BackupShelf(Protocol):
    """Finished backups of all jobs. Raises EngineError where the database is away."""

    async def page(
        self, peer_id: str, cluster_id: str, before: tuple[datetime, str] | None, limit: int
    ) -> list[Backup]:
        """Backups, newest first; empty filters do not filter."""
        ...

    async def get(self, backup_id: str) -> Backup | None:
        """One finished backup."""
        ...

    def read(self, backup_id: str) -> AsyncIterator[bytes]:
        """The plain bytes, piece by piece. Raises LookupError, StepFailed, VaultError."""
        ...

    async def remove(self, backup_id: str) -> Removal:
        """Delete it, unless it is needed."""
        ...


@dataclass(frozen=True, slots=True)
class Verified:
    """What opening a whole backup came to. `found` is the digest of what lies there."""

    backup: Backup
    intact: bool
    found: str
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True)
class BackupsService:
    """What callers may do with backups beside downloading one of a job."""

    shelf: BackupShelf
    clock: Clock

    async def page(
        self, peer_id: str, cluster_id: str, cursor: str | None, limit: int
    ) -> Page[Backup]:
        """Some backups, newest first. Raises Problem `invalid-cursor`."""
        before = None if cursor is None else _place(cursor)
        with _reading():
            found = await self.shelf.page(peer_id, cluster_id, before, limit + 1)
        items = tuple(found[:limit])
        if len(found) <= limit or items[-1].finished_at is None:
            return Page(items)
        return Page(
            items, write_cursor(f"{items[-1].finished_at.isoformat()}{_MARK}{items[-1].id}")
        )

    async def verify(self, backup_id: str) -> Verified:
        """Decrypt it whole and compare with its digest. Raises Problem `not-found`."""
        with _reading():
            backup = await self.shelf.get(backup_id)
            if backup is None:
                raise not_found("backup", backup_id)
            digest, size = hashlib.sha256(), 0
            try:
                async for piece in self.shelf.read(backup_id):
                    digest.update(piece)
                    size += len(piece)
            except VaultError as error:
                return Verified(backup, False, "", f"it does not open: {error}", self.clock.now())
            except StepFailed as broken:
                return Verified(backup, False, "", broken.failure.message, self.clock.now())
            except LookupError:
                raise not_found("backup", backup_id) from None
        found = digest.hexdigest()
        intact = found == backup.sha256 and size == backup.size
        detail = "it opens, and is what the peer sent" if intact else "it is not what the peer sent"
        return Verified(backup, intact, found, detail, self.clock.now())

    async def remove(self, backup_id: str) -> None:
        """Delete a backup. Raises Problem `not-found`, `backup-needed`."""
        with _reading():
            came_to = await self.shelf.remove(backup_id)
        if came_to is Removal.UNKNOWN:
            raise not_found("backup", backup_id)
        if came_to is not Removal.DONE:
            raise Problem("backup-needed", _REFUSED[came_to], backup_id=backup_id)


def _place(cursor: str) -> tuple[datetime, str]:
    try:
        at, mark, backup_id = read_cursor(cursor).partition(_MARK)
        place = datetime.fromisoformat(at)
        if not mark or place.tzinfo is None or not backup_id.isprintable():
            raise ValueError
    except ValueError:
        raise Problem("invalid-cursor", "this cursor did not come from here") from None
    return place, backup_id


@contextmanager
def _reading() -> Iterator[None]:
    """Trouble with the database is `storage-unavailable`, as everywhere."""
    try:
        yield
    except EngineError as error:
        detail = "the database does not answer at the moment"
        raise Problem("storage-unavailable", detail) from error
