"""What every archive of backups does. A test module inherits this and provides `archive`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import pytest

from app.procedures.base import BackupStore
from app.services.ports import Backups
from app.storage.backups import PIECE, BackupBroken


class Archive(Backups, Protocol):
    def of(self, job_id: str) -> BackupStore: ...


CONTENT = os.urandom(2 * PIECE + 12345)


def produce(
    content: bytes, receipt: Mapping[str, Any] | None = None
) -> Callable[[Callable[[bytes], Awaitable[None]]], Awaitable[Mapping[str, Any]]]:
    async def sends(write: Callable[[bytes], Awaitable[None]]) -> Mapping[str, Any]:
        for start in range(0, len(content), 70_000):
            await write(content[start : start + 70_000])
        whole = {
            "file_name": "backup.tar.gz",
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        return whole if receipt is None else {**whole, **receipt}

    return sends


class ArchiveSuite:
    async def test_a_backup_comes_back_as_it_was_sent(self, archive: Archive) -> None:
        store = archive.of("job-1")
        await store.receive("backup-1", "peer-1", produce(CONTENT))
        (backup,) = await archive.of_job("job-1")
        assert b"".join([piece async for piece in archive.read(backup.id)]) == CONTENT
        assert (backup.file_name, backup.size) == ("backup.tar.gz", len(CONTENT))
        assert await store.taken("backup-1") == {
            "file_name": "backup.tar.gz",
            "size": len(CONTENT),
            "sha256": hashlib.sha256(CONTENT).hexdigest(),
        }
        assert await store.of_peer("peer-1")
        assert not await store.of_peer("peer-2")
        assert not await archive.of("job-2").of_peer("peer-1")

    async def test_a_backup_that_broke_off_was_never_taken(self, archive: Archive) -> None:
        async def breaks_off(write: Callable[[bytes], Awaitable[None]]) -> Mapping[str, Any]:
            await write(CONTENT)
            raise ConnectionResetError

        store = archive.of("job-1")
        with pytest.raises(ConnectionResetError):
            await store.receive("backup-1", "peer-1", breaks_off)
        assert await store.taken("backup-1") is None
        assert not await store.of_peer("peer-1")
        assert list(await archive.of_job("job-1")) == []
        await store.receive("backup-1", "peer-1", produce(CONTENT))
        assert await store.of_peer("peer-1")

    @pytest.mark.parametrize("receipt", [{"size": 1}, {"sha256": "0" * 64}])
    async def test_a_backup_that_is_not_what_its_receipt_says_was_never_taken(
        self, archive: Archive, receipt: Mapping[str, Any]
    ) -> None:
        store = archive.of("job-1")
        with pytest.raises(BackupBroken):
            await store.receive("backup-1", "peer-1", produce(CONTENT, receipt))
        assert await store.taken("backup-1") is None

    async def test_an_empty_backup_was_never_taken(self, archive: Archive) -> None:
        with pytest.raises(BackupBroken):
            await archive.of("job-1").receive("backup-1", "peer-1", produce(b""))

    async def test_a_repeated_backup_takes_the_place_of_the_first(self, archive: Archive) -> None:
        store = archive.of("job-1")
        await store.receive("backup-1", "peer-1", produce(b"first"))
        await store.receive("backup-1", "peer-1", produce(b"second"))
        (backup,) = await archive.of_job("job-1")
        assert [piece async for piece in archive.read(backup.id)] == [b"second"]

    async def test_a_backup_that_never_ends_is_cut_off(self, archive: Archive) -> None:
        archive._largest = archive.largest = 1_000_000  # type: ignore[attr-defined]  # a small limit for this test
        with pytest.raises(BackupBroken):
            await archive.of("job-1").receive("b", "peer-1", produce(bytes(1_000_001)))

    async def test_a_backup_nobody_took_is_not_found(self, archive: Archive) -> None:
        with pytest.raises(LookupError):
            [piece async for piece in archive.read("nothing")]

    async def test_another_job_finds_a_backup_and_reads_it_as_often_as_it_likes(
        self, archive: Archive
    ) -> None:
        await archive.of("job-1").receive("backup-1", "peer-1", produce(CONTENT))
        (backup,) = await archive.of_job("job-1")
        later = archive.of("job-2")
        assert await later.find(backup.id) == {
            "peer_id": "peer-1",
            "file_name": "backup.tar.gz",
            "size": len(CONTENT),
            "sha256": hashlib.sha256(CONTENT).hexdigest(),
        }
        read = await later.contents(backup.id)
        for _ in range(2):
            assert b"".join([piece async for piece in read()]) == CONTENT
        assert await later.find("nothing") is None
