"""Workers on a real PostgreSQL: they are killed, they drain, their database restarts."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.domain.job import JobState
from app.engine.clock import SystemClock
from app.engine.records import STEP_PROGRESS, JobRecord, NewEvent
from app.storage.database import migrate
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import PostgresEngine, open_engine
from tests.support.engine_bench import Bench, new_job, statement, step
from tests.support.journals import register
from tests.support.worker_process import RULES, acts, handlers

pytestmark = pytest.mark.postgres
PATIENCE = 20.0


@asynccontextmanager
async def process(url: str, device: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.worker_process", url, str(device), cwd=Path.cwd()
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


@asynccontextmanager
async def working(engine: PostgresEngine, device: Path) -> AsyncIterator[asyncio.Event]:
    drain = asyncio.Event()
    work = asyncio.create_task(
        engine.work(
            handlers=handlers(device),
            equip=Bench().equip,
            clock=SystemClock(),
            drain=drain,
            concurrency=50,
            rules=RULES,
        )
    )
    try:
        yield drain
    finally:
        drain.set()
        async with asyncio.timeout(PATIENCE):
            await work


async def until(engine: PostgresEngine, state: JobState, job_id: str = "job-1") -> JobRecord:
    """Wait for news until the job is so."""
    async with asyncio.timeout(PATIENCE), engine.news.watch(job_id) as news:
        while True:
            job = await engine.journal.load(job_id)
            if job.state is state:
                return job
            await news(0.2)


async def start(engine: PostgresEngine, url: str, *steps: object, job_id: str = "job-1") -> None:
    new = new_job(*steps, job_id=job_id, cluster=f"cluster-of-{job_id}")  # type: ignore[arg-type]  # steps, made by step()
    await register(url, new)
    await engine.journal.create(new)


async def acted(device: Path) -> None:
    """Wait until another process has acted."""
    async with asyncio.timeout(PATIENCE):
        while not acts(device):  # noqa: ASYNC110 - another process writes the file
            await asyncio.sleep(0.05)


async def test_a_job_is_carried_out_as_soon_as_it_is_made(
    database_url: str, tmp_path: Path
) -> None:
    device = tmp_path / "device"
    async with open_engine(database_url) as engine, working(engine, device):
        await start(engine, database_url, step("a"), step("b"))
        await until(engine, JobState.SUCCEEDED)
        assert acts(device) == ["a", "b"]
        types = [event.type for event in await engine.journal.events("job-1")]
        assert types == [
            "job.queued",
            "job.started",
            "job.step.started",
            "job.step.finished",
            "job.step.started",
            "job.step.finished",
            "job.succeeded",
        ]


async def test_the_jobs_of_a_killed_worker_are_finished_by_another_without_acting_twice(
    database_url: str, tmp_path: Path
) -> None:
    device = tmp_path / "device"
    async with open_engine(database_url) as engine, process(database_url, device) as child:
        await start(engine, database_url, step("a", params={"takes": 30}), step("b"))
        await acted(device)
        child.send_signal(signal.SIGKILL)
        await child.wait()
        async with working(engine, device):
            job = await until(engine, JobState.SUCCEEDED)
        assert acts(device) == ["a", "b"]
        assert job.epoch >= 3
        queued = [e.data["why"] for e in await engine.journal.events("job-1") if "why" in e.data]
        assert "worker-lost" in queued


async def test_a_worker_that_was_frozen_can_neither_write_nor_act_when_it_comes_back(
    database_url: str, tmp_path: Path
) -> None:
    device = tmp_path / "device"
    async with open_engine(database_url) as engine, process(database_url, device) as child:
        await start(engine, database_url, step("a", params={"takes": 1}), step("b"))
        await acted(device)
        child.send_signal(signal.SIGSTOP)
        async with working(engine, device):
            await until(engine, JobState.SUCCEEDED)
        events = await engine.journal.events("job-1")
        child.send_signal(signal.SIGCONT)
        child.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            assert await child.wait() == 0
        assert await engine.journal.events("job-1") == events
        assert acts(device) == ["a", "b"]


async def test_news_of_a_job_reach_readers_in_another_process(database_url: str) -> None:
    async with open_engine(database_url) as here, open_engine(database_url) as there:
        await start(here, database_url, step("a"))
        job = await here.journal.claim("job-1", "worker")
        assert job is not None
        async with asyncio.timeout(PATIENCE), there.news.watch("job-1") as news:
            await news(0.5)
            told = [NewEvent(STEP_PROGRESS, {"note": "half way"})]
            while len(await there.journal.events("job-1")) < 3:
                await here.journal.record(job.lease, job.steps[0], told)
                await news(PATIENCE)


async def test_a_worker_asked_to_end_gives_its_jobs_back_and_ends(
    database_url: str, tmp_path: Path
) -> None:
    device = tmp_path / "device"
    async with open_engine(database_url) as engine, process(database_url, device) as child:
        never = step("never", "set", poll=0.2, limit=3600, params={"takes": 30})
        await start(engine, database_url, never)
        await acted(device)
        async with asyncio.timeout(PATIENCE):
            child.send_signal(signal.SIGTERM)
            assert await child.wait() == 0
        job = await engine.journal.load("job-1")
        assert (job.state, job.owner) == (JobState.QUEUED, None)


async def test_a_job_whose_wake_up_was_lost_is_found(database_url: str, tmp_path: Path) -> None:
    device = tmp_path / "device"
    async with open_engine(database_url) as engine:
        await start(engine, database_url, step("a"))
        async with engine.pool.connection() as connection:
            await connection.execute("delete from procrastinate_jobs")
        async with working(engine, device):
            await until(engine, JobState.SUCCEEDED)


async def test_a_job_lost_inside_a_living_worker_is_taken_up_again(
    database_url: str, tmp_path: Path
) -> None:
    device = tmp_path / "device"
    async with open_engine(database_url) as engine:
        await start(engine, database_url, step("a"))
        async with working(engine, device):
            await until(engine, JobState.SUCCEEDED)
            async with engine.pool.connection() as connection:
                row = await (await connection.execute("select name from worker")).fetchone()
                assert row is not None
                await connection.execute(
                    "update job set state = 'running', holds = true, owner = %s", [row["name"]]
                )
            await until(engine, JobState.SUCCEEDED)


async def test_an_operators_statement_opens_the_gate(database_url: str, tmp_path: Path) -> None:
    device = tmp_path / "device"
    bench = Bench()
    async with open_engine(database_url) as engine:
        drain = asyncio.Event()
        work = asyncio.create_task(
            engine.work(
                handlers=dict(bench.runner.handlers) | handlers(device),
                equip=bench.equip,
                clock=SystemClock(),
                drain=drain,
                rules=RULES,
            )
        )
        await start(engine, database_url, step("g", "attest", attestation="open"), step("a"))
        await until(engine, JobState.WAITING)
        await engine.journal.attest("job-1", statement("open", SystemClock().now()))
        await until(engine, JobState.SUCCEEDED)
        drain.set()
        await work


async def test_a_restart_of_the_database_loses_and_repeats_nothing(
    tmp_path: Path, open_folder: Path
) -> None:
    device = tmp_path / "device"
    embedded = EmbeddedPostgres(open_folder)
    url = await embedded.__aenter__()
    try:
        await migrate(url)
        async with open_engine(url) as engine, working(engine, device):
            names, takes = [f"job-{number}" for number in range(5)], {"takes": 0.3}
            for name in names:
                steps = [
                    step(f"{name}-{n}", peer_id=f"peer-of-{name}", params=takes) for n in range(4)
                ]
                await start(engine, url, *steps, job_id=name)
            await acted(device)
            await embedded.restart()
            assert len(acts(device)) < 20
            for name in names:
                await until(engine, JobState.SUCCEEDED, name)
            assert sorted(acts(device)) == sorted(f"{name}-{n}" for name in names for n in range(4))
    finally:
        await embedded.__aexit__(None, None, None)
