"""Backups of peers: sealed piece by piece on their way into PostgreSQL, and opened on the way out.

A backup is never whole in memory, never in clear in the database, and never half there: until the
appliance's receipt agrees with what arrived, it is not reported as taken. Each piece is sealed for
its backup and place, and the whole is compared with its digest when it is read, so nothing can be
cut, swapped or reordered unnoticed.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

from app.domain.job import StepFailure
from app.engine.errors import JournalDown
from app.engine.ports import Seal
from app.engine.records import Lease
from app.procedures.base import StepFailed
from app.services.backups import Removal
from app.services.records import Backup
from app.storage.database import Connection, Pool
from app.storage.fence import demand
from app.storage.reach import reach_of_the_caller
from app.storage.retention import RETENTION_LOCK

PIECE = 256 * 1024
"""Bytes of one sealed piece."""
LARGEST = 4 * 1024 * 1024 * 1024
"""Bytes of one backup; a peer that sends more is not believed."""

FOUND = ("peer_id", "file_name", "size", "sha256")
"""What a step is told of a backup that another job took."""
_FINISHED = "select * from backup where finished_at is not null"

_PAGE = """
select backup.* from backup join job on job.id = backup.job_id
where backup.finished_at is not null
    and (%(peer)s = '' or backup.peer_id = %(peer)s)
    and (%(cluster)s = '' or job.cluster_id = %(cluster)s)
    and (%(reach)s::text[] is null or job.cluster_id = any(%(reach)s))
    and (%(at)s::timestamptz is null or (backup.finished_at, backup.id) < (%(at)s, %(id)s))
order by backup.finished_at desc, backup.id desc limit %(limit)s
"""
_NEEDED = """
select job.state in ('succeeded', 'failed', 'cancelled') as ended,
    exists (select 1 from retention_hold h where h.job_id = job.id) as held,
    (select count(*) from backup o where o.peer_id = backup.peer_id and o.id <> backup.id
        and o.finished_at is not null) as others
from backup join job on job.id = backup.job_id
where backup.id = %(id)s and backup.finished_at is not null
    and (%(reach)s::text[] is null or job.cluster_id = any(%(reach)s))
for update of job
"""

Write = Callable[[bytes], Awaitable[None]]
Produce = Callable[[Write], Awaitable[Mapping[str, Any]]]


class BackupBroken(StepFailed):
    """What arrived, or what lies in the database, is not the backup it should be."""

    def __init__(self, message: str) -> None:
        remedy = "Look at the peer's disk and the network to it, then retry the job."
        super().__init__(StepFailure("backup-broken", message, remedy))


class Intake:
    """Gathers what a peer sends into pieces of one size, with size and digest of the whole."""

    def __init__(self, keep: Callable[[int, bytes], Awaitable[None]], largest: int) -> None:
        self._keep = keep
        self._largest = largest
        self._buffer = bytearray()
        self._digest = hashlib.sha256()
        self._pieces = 0
        self.size = 0

    async def write(self, data: bytes) -> None:
        """Take some bytes. Raises BackupBroken where they are more than any backup has."""
        self.size += len(data)
        if self.size > self._largest:
            raise BackupBroken(f"the peer sent more than {self._largest} bytes")
        self._digest.update(data)
        self._buffer += data
        while len(self._buffer) >= PIECE:
            await self._send(PIECE)

    async def finish(self, receipt: Mapping[str, Any]) -> str:
        """Take the last piece and compare with the receipt; the digest, hexadecimal."""
        if self._buffer:
            await self._send(len(self._buffer))
        digest = self._digest.hexdigest()
        if self.size == 0:
            raise BackupBroken("the peer sent an empty backup")
        if receipt.get("size", self.size) != self.size or receipt.get("sha256", digest) != digest:
            raise BackupBroken("the backup that arrived is not the one its receipt speaks of")
        return digest

    async def _send(self, length: int) -> None:
        piece = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._pieces += 1
        await self._keep(self._pieces, piece)


class BackupArchive:
    """All backups. Implements `app.services.ports.Backups`; `of` gives a step's store."""

    def __init__(self, pool: Pool, seal: Seal, largest: int = LARGEST) -> None:
        self._pool = pool
        self._seal = seal
        self._largest = largest

    def of(self, job_id: str, lease: Lease | None = None) -> BackupsOfJob:
        """The store of one job's steps. With `lease`, nothing is stored once that is lost."""
        return BackupsOfJob(self, job_id, lease)

    async def of_job(self, job_id: str) -> Sequence[Backup]:
        """The finished backups of a job, in the order they were taken."""
        return [_backup(row) for row in await self.finished("job_id = %(job)s", job=job_id)]

    async def page(
        self, peer_id: str, cluster_id: str, before: tuple[datetime, str] | None, limit: int
    ) -> list[Backup]:
        """See `app.services.backups.BackupShelf`."""
        at, backup_id = before or (None, "")
        async with self.connection() as connection:
            rows = await connection.execute(
                _PAGE,
                {
                    "peer": peer_id,
                    "cluster": cluster_id,
                    "at": at,
                    "id": backup_id,
                    "limit": limit,
                    "reach": _reach(),
                },
            )
            return [_backup(row) for row in await rows.fetchall()]

    async def get(self, backup_id: str) -> Backup | None:
        """See `app.services.backups.BackupShelf`."""
        within = (
            "id = %(id)s and (%(reach)s::text[] is null or exists (select 1 from job"
            " where job.id = backup.job_id and job.cluster_id = any(%(reach)s)))"
        )
        rows = await self.finished(within, id=backup_id, reach=_reach())
        return _backup(rows[0]) if rows else None

    async def remove(self, backup_id: str) -> Removal:
        """See `app.services.backups.BackupShelf`."""
        async with self.connection() as connection, connection.transaction():
            # Retention counts the backups of a peer, too: one after the other.
            await connection.execute("select pg_advisory_xact_lock(%s)", [RETENTION_LOCK])
            row = await (
                await connection.execute(_NEEDED, {"id": backup_id, "reach": _reach()})
            ).fetchone()
            if row is None:
                return Removal.UNKNOWN
            if not row["ended"]:
                return Removal.UNENDED
            if row["held"]:
                return Removal.HELD
            if row["others"] == 0:
                return Removal.ONLY
            await connection.execute("delete from backup where id = %s", [backup_id])
            return Removal.DONE

    async def read(self, backup_id: str) -> AsyncIterator[bytes]:
        """The plain bytes, piece by piece. Raises LookupError, BackupBroken.

        The last piece is handed over only when the whole agrees with its digest.
        """
        found = await self.finished("id = %(id)s", id=backup_id)
        if not found:
            raise LookupError(f"there is no finished backup {backup_id}")
        digest, seq, held = hashlib.sha256(), 0, b""
        while True:
            seq += 1
            async with self.connection() as connection:
                cursor = await connection.execute(
                    "select sealed from backup_chunk where backup_id = %s and seq = %s",
                    [backup_id, seq],
                )
                row = await cursor.fetchone()
            if row is None:
                break
            if held:
                yield held
            held = self._seal.open(bytes(row["sealed"]), place(backup_id, seq))
            digest.update(held)
        if digest.hexdigest() != found[0]["sha256"]:
            raise BackupBroken(f"backup {backup_id} is damaged: its digest does not fit")
        yield held

    async def receive(
        self,
        job_id: str,
        step_key: str,
        peer_id: str,
        produce: Produce,
        lease: Lease | None = None,
    ) -> None:
        """Store what `produce` writes; in place of an earlier one of the step.

        Raises LeaseLost, and stores nothing more, once `lease` is no longer good.
        """
        backup_id = f"backup-{secrets.token_hex(12)}"
        async with self._writing(lease) as connection:
            await connection.execute(
                "delete from backup where job_id = %s and step_key = %s and finished_at is null",
                [job_id, step_key],
            )
            await connection.execute(
                "insert into backup (id, job_id, step_key, peer_id, created_at) "
                "values (%s, %s, %s, %s, clock_timestamp())",
                [backup_id, job_id, step_key, peer_id],
            )

        async def keep(seq: int, piece: bytes) -> None:
            sealed = self._seal.seal(piece, place(backup_id, seq))
            async with self._writing(lease) as connection:
                await connection.execute(
                    "insert into backup_chunk (backup_id, seq, sealed) values (%s, %s, %s)",
                    [backup_id, seq, sealed],
                )

        intake = Intake(keep, self._largest)
        receipt = await produce(intake.write)
        digest = await intake.finish(receipt)
        async with self._writing(lease) as connection:
            await connection.execute(
                "delete from backup where job_id = %s and step_key = %s and id <> %s",
                [job_id, step_key, backup_id],
            )
            await connection.execute(
                "update backup set file_name = %s, size = %s, sha256 = %s, "
                "finished_at = clock_timestamp() where id = %s",
                [str(receipt.get("file_name", "")), intake.size, digest, backup_id],
            )

    async def finished(self, where: str, **values: Any) -> list[dict[str, Any]]:
        """Rows of finished backups; `where` is our own text, never a caller's."""
        statement = f"{_FINISHED} and {where} order by finished_at, id"
        async with self.connection() as connection:
            return await (await connection.execute(statement.encode(), values)).fetchall()

    @asynccontextmanager
    async def _writing(self, lease: Lease | None) -> AsyncIterator[Connection]:
        async with self.connection() as connection, connection.transaction():
            if lease is not None:
                await demand(connection, lease)
            yield connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection; trouble with it is JournalDown."""
        try:
            async with self._pool.connection() as connection:
                yield connection
        except (
            psycopg.OperationalError,
            psycopg.InterfaceError,
            PoolTimeout,
            PoolClosed,
        ) as error:
            raise JournalDown(f"the database does not answer ({type(error).__name__})") from error


class BackupsOfJob:
    """Implements `app.procedures.base.BackupStore` for one job."""

    def __init__(self, backups: BackupArchive, job_id: str, lease: Lease | None) -> None:
        self._backups = backups
        self._job_id = job_id
        self._lease = lease

    async def taken(self, step_key: str) -> Mapping[str, Any] | None:
        """The receipt of that step's finished backup, or None."""
        rows = await self._backups.finished(
            "job_id = %(job)s and step_key = %(step)s", job=self._job_id, step=step_key
        )
        if not rows:
            return None
        return {key: rows[0][key] for key in ("file_name", "size", "sha256")}

    async def of_peer(self, peer_id: str) -> bool:
        """Whether this job has a finished backup of that peer."""
        return bool(
            await self._backups.finished(
                "job_id = %(job)s and peer_id = %(peer)s", job=self._job_id, peer=peer_id
            )
        )

    async def receive(self, step_key: str, peer_id: str, produce: Produce) -> None:
        """Store what `produce` writes; kept only when its receipt agrees."""
        await self._backups.receive(self._job_id, step_key, peer_id, produce, self._lease)

    async def find(self, backup_id: str) -> Mapping[str, Any] | None:
        """The receipt and peer of a finished backup of any job, or None."""
        rows = await self._backups.finished("id = %(id)s", id=backup_id)
        return {key: rows[0][key] for key in FOUND} if rows else None

    async def contents(self, backup_id: str) -> Callable[[], AsyncIterator[bytes]]:
        """What reads that backup. Reading raises LookupError, BackupBroken."""
        return partial(self._backups.read, backup_id)


def _reach() -> list[str] | None:
    """The clusters that the caller is limited to; None: all of them."""
    clusters = reach_of_the_caller().clusters
    return None if clusters is None else sorted(clusters)


def place(backup_id: str, seq: int) -> str:
    """What a piece is sealed for."""
    return f"backup:{backup_id}:{seq}"


def _backup(row: Mapping[str, Any]) -> Backup:
    return Backup(
        id=row["id"],
        job_id=row["job_id"],
        peer_id=row["peer_id"],
        step_key=row["step_key"],
        file_name=row["file_name"],
        size=row["size"],
        sha256=row["sha256"],
        created_at=row["created_at"],
        finished_at=row["finished_at"],
    )
