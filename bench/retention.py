"""What retention costs, on a private PostgreSQL of its own (fsync on).

python -m bench.retention --jobs 100 --events 1000

Prunes the events of old jobs batch by batch while another job writes steps; says how long a batch
takes, how many dead rows it leaves, and what the running job notices. Beside it: dropping a
partition that holds as many rows, and what that waits for.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from app.domain.job import JobState
from app.engine.records import STEP_PROGRESS, JobRecord, Leave, NewEvent
from app.services.retention import Keep
from app.storage.database import connect, migrate
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import PostgresEngine, open_engine
from app.storage.retention import Retention
from tests.support.engine_bench import new_job, step
from tests.support.journals import register

OLD = timedelta(0)
KEEP = Keep(OLD, OLD, OLD, OLD, OLD, OLD, OLD, OLD, 1)
_SEAL = """
insert into job_evidence (job_id, made_at, digest, key_id, event_seq, event_hash, document)
select id, now(), '', '', last_event_seq, '', '' from job where finished_at is not null
"""
_DEAD = "select n_dead_tup as n from pg_stat_user_tables where relname = 'job_event'"


async def begun(engine: PostgresEngine, url: str, name: str) -> JobRecord:
    """A job that a worker has."""
    new = new_job(step("a", peer_id=f"peer-{name}"), job_id=name, cluster=f"cluster-{name}")
    await register(url, new)
    await engine.journal.create(new)
    job = await engine.journal.claim(name, "w")
    if job is None:
        raise RuntimeError("nobody else works here")
    return job


async def writes(engine: PostgresEngine, job: JobRecord, stop: asyncio.Event) -> list[float]:
    """Milliseconds of each write of a step with an event, until told to stop."""
    spent = []
    while not stop.is_set():
        begin = time.perf_counter()
        await engine.journal.record(job.lease, job.steps[0], [NewEvent(STEP_PROGRESS)])
        spent.append((time.perf_counter() - begin) * 1000)
        await asyncio.sleep(0.01)
    return spent


async def during(engine: PostgresEngine, job: JobRecord, work: asyncio.Task[None]) -> list[float]:
    """What writes take while something else is done."""
    stop = asyncio.Event()
    writing = asyncio.create_task(writes(engine, job, stop))
    await work
    stop.set()
    return await writing


def said(name: str, spent: list[float]) -> None:
    """One line of figures."""
    ordered = sorted(spent)
    print(
        f"{name}: {len(ordered)} times, median {statistics.median(ordered):.1f} ms, "
        f"p99 {ordered[int(len(ordered) * 0.99)]:.1f} ms, most {ordered[-1]:.1f} ms"
    )


async def bench(url: str, jobs: int, events: int) -> None:
    """Fill, prune, compare."""
    told = [NewEvent(STEP_PROGRESS, {"step": "a", "note": "x" * 150})] * 500
    async with open_engine(url) as engine, await connect(url) as connection:
        spent = []
        for number in range(jobs):
            job = await begun(engine, url, f"old-{number}")
            for _ in range(events // len(told)):
                begin = time.perf_counter()
                await engine.journal.record(job.lease, job.steps[0], told)
                spent.append((time.perf_counter() - begin) * 1000)
            await engine.journal.leave(job.lease, Leave(JobState.FAILED))
        said(f"{len(told)} chained events written at once", spent)
        await connection.execute(_SEAL)
        await connection.execute("create table part (like job_event) partition by range (at)")
        await connection.execute("create table part_1 (like job_event)")
        await connection.execute("insert into part_1 select * from job_event")
        await connection.execute(
            "alter table part attach partition part_1 for values from (minvalue) to (maxvalue)"
        )
        await connection.execute("vacuum analyze")
        live = await begun(engine, url, "live")
        quiet = asyncio.create_task(asyncio.sleep(3))
        said("writes, nothing else", await during(engine, live, quiet))

        batches: list[float] = []

        async def prune() -> None:
            rows = Retention(engine.pool)
            while True:
                begin = time.perf_counter()
                if not await rows.prune("events", KEEP):
                    return
                batches.append((time.perf_counter() - begin) * 1000)
                await asyncio.sleep(0.05)

        begin = time.perf_counter()
        said("writes, while pruning", await during(engine, live, asyncio.create_task(prune())))
        seconds = time.perf_counter() - begin
        print(f"pruned {jobs * events} events in {seconds:.1f} s, breaths included")
        said("batches of 1000", batches)
        await connection.execute("select pg_stat_force_next_flush()")
        row = await (await connection.execute(_DEAD)).fetchone()
        begin = time.perf_counter()
        await connection.execute("vacuum job_event")
        print(f"dead rows {row and row['n']}, vacuum {time.perf_counter() - begin:.2f} s")

        async with await connect(url) as reader, reader.transaction():
            await reader.execute("select count(*) from part")
            dropping = asyncio.create_task(connection.execute("drop table part_1"))
            await asyncio.wait({dropping}, timeout=2.0)
            print(f"a partition, with one open reader: dropped {dropping.done()} after 2 s")
            await reader.execute("select 1")
            begin = time.perf_counter()
        await dropping
        spent_ms = (time.perf_counter() - begin) * 1000
        print(f"a partition, the reader gone: dropped in {spent_ms:.0f} ms")


async def main(jobs: int, events: int) -> None:
    """On a server that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="cw-bench-") as folder:
        Path(folder).chmod(0o755)  # noqa: ASYNC240 - before anything runs
        async with EmbeddedPostgres(Path(folder)) as url:
            await migrate(url)
            await bench(url, jobs, events)


if __name__ == "__main__":
    asked = argparse.ArgumentParser()
    asked.add_argument("--jobs", type=int, default=100)
    asked.add_argument("--events", type=int, default=1000)
    given = asked.parse_args()
    asyncio.run(main(given.jobs, given.events))
