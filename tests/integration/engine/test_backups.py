"""The archive on PostgreSQL does what every archive does, sealed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, cast

import pytest

from app.engine.errors import LeaseLost
from app.security.vault import Vault, VaultError
from app.storage.backups import PIECE, BackupArchive, BackupBroken
from app.storage.database import journal_pool
from app.storage.engine import open_engine
from tests.support.archive_suite import CONTENT, Archive, ArchiveSuite, produce
from tests.support.engine_bench import new_job, step
from tests.support.journals import postgres_place

pytestmark = pytest.mark.postgres
SWAP = """
update backup_chunk set seq = case seq when 1 then 12 else 11 end where seq < 3;
update backup_chunk set seq = seq - 10 where seq > 10
"""


class TestBackupArchive(ArchiveSuite):
    @pytest.fixture
    async def archive(self, database_url: str) -> AsyncIterator[Archive]:
        async with postgres_place(database_url) as place:
            for number in (1, 2):
                made = new_job(step("a", peer_id=f"peer-{number}"), job_id=f"job-{number}")
                await place.create(made, queue=True)
        async with journal_pool(database_url) as pool:
            yield BackupArchive(pool, Vault({"k1": bytes(32)}))

    async def test_nothing_of_a_backup_lies_in_clear_in_the_database(
        self, archive: Archive, database_url: str
    ) -> None:
        text = b"admin password is hunter2 " * 1000
        await archive.of("job-1").receive("backup-1", "peer-1", produce(text))
        async with journal_pool(database_url) as pool, pool.connection() as connection:
            rows = await (await connection.execute("select sealed from backup_chunk")).fetchall()
        assert rows
        assert all(b"hunter2" not in bytes(row["sealed"]) for row in rows)

    @pytest.mark.parametrize(
        ("harm", "error"),
        [
            ("delete from backup_chunk where seq = 3", BackupBroken),
            (SWAP, VaultError),
            ("update backup_chunk set sealed = set_byte(sealed, 500, 7)", VaultError),
        ],
    )
    async def test_a_backup_that_was_tampered_with_is_not_handed_out_whole(
        self, archive: Archive, database_url: str, harm: str, error: type[Exception]
    ) -> None:
        await archive.of("job-1").receive("backup-1", "peer-1", produce(CONTENT))
        (backup,) = await archive.of_job("job-1")
        async with journal_pool(database_url) as pool, pool.connection() as connection:
            await connection.execute(harm.encode())
        with pytest.raises(error):
            [piece async for piece in archive.read(backup.id)]

    async def test_a_worker_that_lost_its_lease_in_mid_backup_stores_nothing(
        self, archive: Archive, database_url: str
    ) -> None:
        async with open_engine(database_url) as engine:
            job = await engine.journal.claim("job-1", "worker-1")
            assert job is not None

            async def loses_it(write: Callable[[bytes], Awaitable[None]]) -> Mapping[str, Any]:
                await write(CONTENT[:PIECE])
                await engine.journal.reclaim("job-1")
                await write(CONTENT[PIECE:])
                return {}

            store = cast("BackupArchive", archive).of("job-1", job.lease)
            with pytest.raises(LeaseLost):
                await store.receive("backup-1", "peer-1", loses_it)
            assert await store.taken("backup-1") is None
            async with engine.pool.connection() as connection:
                kept = await connection.execute("select from backup_chunk")
                assert kept.rowcount == 1
            with pytest.raises(LeaseLost):
                await store.receive("backup-1", "peer-1", produce(CONTENT))
            assert not await store.of_peer("peer-1")
