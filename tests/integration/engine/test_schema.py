"""The schema is made once, however many ask, and what it forbids stays forbidden."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from alembic.config import Config

from alembic import command
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
