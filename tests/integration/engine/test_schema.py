"""The schema is made once, however many ask, and what it forbids stays forbidden."""

from __future__ import annotations

import asyncio
import hashlib

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from alembic import command
from app.engine.records import STEP_PROGRESS, NewEvent
from app.storage.database import (
    connect,
    migrate,
    migrations_folder,
    plain_url,
    resource_engine,
    sqlalchemy_url,
)
from app.storage.engine import open_engine
from tests.support.engine_bench import new_job, step
from tests.support.journals import postgres_place, register

pytestmark = pytest.mark.postgres


async def test_migrations_asked_for_twice_at_once_run_once(database_url: str) -> None:
    configuration = Config()
    configuration.set_main_option("script_location", str(migrations_folder()))
    configuration.attributes["url"] = sqlalchemy_url(database_url)
    await asyncio.to_thread(command.downgrade, configuration, "base")
    await asyncio.gather(migrate(database_url), migrate(database_url))
    async with await connect(database_url) as connection:
        rows = await (
            await connection.execute("select version_num from alembic_version")
        ).fetchall()
    assert len(rows) == 1


async def test_a_cluster_cannot_be_held_twice_even_by_hand(database_url: str) -> None:
    async with postgres_place(database_url) as place:
        await place.create(new_job(step("a")))
        await place.create(new_job(step("a"), job_id="job-2"), queue=True)
    async with await connect(database_url) as connection:
        with pytest.raises(psycopg.errors.UniqueViolation, match="job_one_per_cluster"):
            await connection.execute("update job set holds = true")
        with pytest.raises(psycopg.errors.UniqueViolation, match="job_one_per_peer"):
            await connection.execute("update job_peer set holds = true")


async def test_an_event_cannot_be_changed(database_url: str) -> None:
    async with postgres_place(database_url) as place:
        await place.create(new_job(step("a")))
    async with await connect(database_url) as connection:
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            await connection.execute("update job_event set type = 'job.succeeded'")


async def test_a_job_and_the_callers_rows_vanish_together(database_url: str) -> None:
    async with postgres_place(database_url) as place:
        await place.create(new_job(step("a")))
        await place.journal.request_cancel("job-1", by="Ann")
        await register(database_url, new_job(step("a"), job_id="job-2"))
    async with open_engine(database_url) as engine, await connect(database_url) as connection:
        before = await _wake_ups(connection)
        async with connection.transaction():
            desk = engine.desk_on(connection)
            await desk.create(new_job(step("a"), job_id="job-2"))
            raise psycopg.Rollback
        assert await _wake_ups(connection) == before
        assert await (await connection.execute("select id from job")).fetchall() == [
            {"id": "job-1"}
        ]


async def _wake_ups(connection: psycopg.AsyncConnection[dict[str, object]]) -> int:
    rows = await (await connection.execute("select id from procrastinate_jobs")).fetchall()
    return len(rows)


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
async def test_both_ways_of_writing_a_url_are_understood(scheme: str, database_url: str) -> None:
    url = database_url.replace("postgresql", scheme, 1)
    assert plain_url(url) == database_url
    engine = resource_engine(url)
    async with engine.connect() as connection:
        assert (await connection.exec_driver_sql("select 1")).scalar() == 1
    await engine.dispose()


async def test_every_event_hangs_on_the_one_before_it(database_url: str) -> None:
    async with postgres_place(database_url) as place:
        await place.create(new_job(step("a")))
        job = await place.claim()
        told = [NewEvent(STEP_PROGRESS, {"note": f"{n}", "progress": n / 7}) for n in range(3)]
        await place.journal.record(job.lease, job.steps[0], told)
    async with await connect(database_url) as connection:
        rows = await (
            await connection.execute(
                "select hash, job_event_text(e) as text from job_event e order by seq"
            )
        ).fetchall()
        assert len(rows) == 5
        before = b""
        for row in rows:
            before = hashlib.sha256(before + row["text"].encode()).digest()
            assert row["hash"] == before
        with pytest.raises(psycopg.errors.RaiseException, match="no event before it"):
            await connection.execute(
                "insert into job_event (job_id, seq, at, type, data)"
                " values ('job-1', 9, now(), 'job.started', '{}')"
            )


async def test_events_from_before_the_chain_are_chained_by_the_migration(
    database_url: str,
) -> None:
    async with postgres_place(database_url) as place:
        await place.create(new_job(step("a")))
        await place.claim()
    async with await connect(database_url) as connection:
        kept = "select seq, hash from job_event order by seq"
        before = await (await connection.execute(kept)).fetchall()
        configuration = Config()
        configuration.set_main_option("script_location", str(migrations_folder()))
        configuration.attributes["url"] = sqlalchemy_url(database_url)
        revision = ScriptDirectory.from_config(configuration).get_revision("0008")
        below = str(revision.down_revision)
        await asyncio.to_thread(command.downgrade, configuration, below)
        await asyncio.to_thread(command.upgrade, configuration, "head")
        assert await (await connection.execute(kept)).fetchall() == before
