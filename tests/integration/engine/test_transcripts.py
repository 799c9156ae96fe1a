"""Transcripts on PostgreSQL: chained, numbered, bounded; and what a crash leaves of them."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from app.security.chain import BEGINNING, canonical, link
from app.services.transcript import Entry
from app.storage.database import connect, journal_pool
from app.storage.transcripts import NO_TEXT, Transcripts
from tests.support.engine_bench import new_job, step
from tests.support.journals import postgres_place

pytestmark = pytest.mark.postgres


def entry(number: int, text: str = "xStatus", notebook: str = "n1", job: str = "job-1") -> Entry:
    return Entry(
        job_id=job,
        notebook=notebook,
        number=number,
        at=datetime(2026, 3, 1, 9, 30, number % 60, 123456, tzinfo=UTC),
        peer_id="peer-1",
        step="a",
        transport="ssh",
        exchange=number,
        direction="received",
        text=text,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        size=len(text),
        outcome="ok",
        duration_ms=1.25,
    )


async def with_jobs(url: str) -> None:
    async with postgres_place(url) as place:
        for number in (1, 2):
            made = new_job(
                step("a", peer_id=f"peer-{number}"),
                job_id=f"job-{number}",
                cluster=f"cluster-{number}",
            )
            await place.create(made)


async def test_entries_are_numbered_and_chained(database_url: str) -> None:
    await with_jobs(database_url)
    async with journal_pool(database_url) as pool:
        kept = Transcripts(pool)
        await kept.append(
            [entry(1), entry(1, job="job-2", notebook="m"), entry(2, "ä „x“ \U0001f600")]
        )
        await kept.append([entry(3)])
        rows = await kept.page("job-1", 0, 10)
        assert [row.seq for row in rows] == [1, 2, 3]
        before = BEGINNING
        for row in rows:
            before = link(before, canonical(row.body))
            assert row.hash == before.hex()
        assert [row.seq for row in await kept.page("job-1", 1, 1)] == [2]
        assert len(await kept.page("job-2", 0, 10)) == 1


async def test_an_entry_that_is_sent_again_is_kept_once(database_url: str) -> None:
    await with_jobs(database_url)
    async with journal_pool(database_url) as pool:
        kept = Transcripts(pool)
        await kept.append([entry(1), entry(2)])
        await kept.append([entry(1), entry(2), entry(3)])
        assert len(await kept.page("job-1", 0, 10)) == 3


async def test_two_workers_that_both_believe_to_have_the_job_write_one_chain(
    database_url: str,
) -> None:
    await with_jobs(database_url)
    async with journal_pool(database_url) as pool:
        kept = Transcripts(pool)
        writes = [
            kept.append([entry(n, notebook=book)]) for n in range(1, 6) for book in ("old", "new")
        ]
        await asyncio.gather(*writes)
        rows = await kept.page("job-1", 0, 20)
        assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
        before = BEGINNING
        for row in rows:
            before = link(before, canonical(row.body))
            assert row.hash == before.hex()


async def test_a_transcript_that_is_full_keeps_everything_but_the_text(database_url: str) -> None:
    await with_jobs(database_url)
    async with journal_pool(database_url) as pool:
        kept = Transcripts(pool, largest_job=1000)
        await kept.append([entry(n, "x" * 400) for n in range(1, 5)])
        rows = await kept.page("job-1", 0, 10)
        assert [row.body["text"] == NO_TEXT for row in rows] == [False, False, True, True]
        assert len({row.body["digest"] for row in rows}) == 1


async def test_entries_of_a_job_that_is_gone_are_dropped(database_url: str) -> None:
    await with_jobs(database_url)
    async with journal_pool(database_url) as pool:
        kept = Transcripts(pool)
        await kept.append([entry(1), replace(entry(1), job_id="job-of-nobody")])
        assert len(await kept.page("job-1", 0, 10)) == 1


async def test_an_entry_cannot_be_changed(database_url: str) -> None:
    await with_jobs(database_url)
    async with journal_pool(database_url) as pool:
        await Transcripts(pool).append([entry(1)])
    async with await connect(database_url) as connection:
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            await connection.execute("update job_transcript set at = now()")


async def test_a_crash_between_an_act_and_its_reply_leaves_the_act_on_record(
    database_url: str, tmp_path: Path
) -> None:
    await with_jobs(database_url)
    reached = tmp_path / "reached"
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.transcript_process",
        database_url,
        str(reached),
        cwd=Path.cwd(),
    )
    try:
        async with asyncio.timeout(60):
            while not reached.exists():  # noqa: ASYNC110 - another process writes the file
                await asyncio.sleep(0.02)
        child.send_signal(signal.SIGKILL)
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()
    async with journal_pool(database_url) as pool:
        rows = await Transcripts(pool).page("job-1", 0, 10)
    told = [(row.body["direction"], row.body["text"].splitlines()[:1]) for row in rows]
    assert told == [
        ("sent", ["xStatus SystemUnit"]),
        ("received", ["Name: exp1"]),
        ("sent", ["xCommand DisconnectCall Call: 1"]),
        ("received", []),
        ("sent", ["xCommand Boot"]),
    ]
