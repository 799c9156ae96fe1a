"""Backups without a database, for rehearsals and tests; the same intake, the same answers."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from app.services.records import Backup
from app.storage.backups import FOUND, LARGEST, Intake, Produce


@dataclass
class MemoryArchive:
    """Implements `app.services.ports.Backups`; `of` gives a step's store."""

    largest: int = LARGEST
    _kept: dict[str, tuple[Backup, list[bytes]]] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def of(self, job_id: str) -> MemoryBackupsOfJob:
        """The store of one job's steps."""
        return MemoryBackupsOfJob(self, job_id)

    async def of_job(self, job_id: str) -> Sequence[Backup]:
        """The finished backups of a job, in the order they were taken."""
        return [backup for backup, _ in self._kept.values() if backup.job_id == job_id]

    def finished(self, backup_id: str) -> Backup | None:
        """A finished backup."""
        return self._kept[backup_id][0] if backup_id in self._kept else None

    async def read(self, backup_id: str) -> AsyncIterator[bytes]:
        """The plain bytes, piece by piece. Raises LookupError."""
        if backup_id not in self._kept:
            raise LookupError(f"there is no finished backup {backup_id}")
        for piece in self._kept[backup_id][1]:
            yield piece

    async def receive(self, job_id: str, step_key: str, peer_id: str, produce: Produce) -> None:
        """Store what `produce` writes; in place of an earlier one of the step."""
        pieces: list[bytes] = []

        async def keep(_: int, piece: bytes) -> None:
            pieces.append(piece)

        intake = Intake(keep, self.largest)
        receipt = await produce(intake.write)
        digest = await intake.finish(receipt)
        for backup in await self.of_job(job_id):
            if backup.step_key == step_key:
                del self._kept[backup.id]
        backup = Backup(
            id=f"backup-{next(self._numbers)}",
            job_id=job_id,
            peer_id=peer_id,
            step_key=step_key,
            file_name=str(receipt.get("file_name", "")),
            size=intake.size,
            sha256=digest,
        )
        self._kept[backup.id] = (backup, pieces)


@dataclass(frozen=True)
class MemoryBackupsOfJob:
    """Implements `app.procedures.base.BackupStore` for one job."""

    backups: MemoryArchive
    job_id: str

    async def taken(self, step_key: str) -> Mapping[str, Any] | None:
        """The receipt of that step's finished backup, or None."""
        for backup in await self.backups.of_job(self.job_id):
            if backup.step_key == step_key:
                return {
                    "file_name": backup.file_name,
                    "size": backup.size,
                    "sha256": backup.sha256,
                }
        return None

    async def of_peer(self, peer_id: str) -> bool:
        """Whether this job has a finished backup of that peer."""
        return any(b.peer_id == peer_id for b in await self.backups.of_job(self.job_id))

    async def receive(self, step_key: str, peer_id: str, produce: Produce) -> None:
        """Store what `produce` writes; kept only when its receipt agrees."""
        await self.backups.receive(self.job_id, step_key, peer_id, produce)

    async def find(self, backup_id: str) -> Mapping[str, Any] | None:
        """The receipt and peer of a finished backup of any job, or None."""
        kept = self.backups.finished(backup_id)
        return None if kept is None else {key: getattr(kept, key) for key in FOUND}

    async def contents(self, backup_id: str) -> Callable[[], AsyncIterator[bytes]]:
        """What reads that backup. Reading raises LookupError."""
        return partial(self.backups.read, backup_id)
