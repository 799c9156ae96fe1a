"""`python -m bench.engine`: 2,000 jobs at once in one worker, against a bare loop, in one run.

Both sides write the same rows durably: per step one statement that sets the step running and one
that sets it done, each with its event, fenced by owner and epoch. The bare loop is psycopg alone
with the same number of connections: what PostgreSQL and the driver cost. The worker adds the whole
engine: claims, handlers, wake-ups, liveness. Each side is a process of its own that only works: the
jobs are there before it starts. Prints steps per second, CPU, memory and connections.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import os
import pstats
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from psycopg.types.json import Jsonb

from app.domain.job import StepRecord, StepState
from app.engine.clock import SystemClock
from app.engine.records import NewEvent, NewJob
from app.procedures.base import Handler, Look, StepContext
from app.services.plan_document import to_json
from app.storage import job_rows
from app.storage.database import journal_pool, migrate, plain_url
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import PostgresEngine, open_engine
from tests.support.engine_bench import Bench, new_job, step

STEPS = 12
ACT_SECONDS = 0.05
CONNECTIONS = 14


@dataclass(frozen=True)
class Cost:
    """What one side took: seconds, CPU seconds, connections, and MB before and at the peak."""

    seconds: float
    cpu: float
    connections: int
    before: float
    peak: float


def handler() -> Handler:
    """A step that is not met, acts for a moment, and is met."""
    done: set[tuple[str, str]] = set()

    async def look(context: StepContext) -> Look:
        return Look(met=(context.job_id, context.step.key) in done, seen={"value": "On"})

    async def act(context: StepContext) -> None:
        await asyncio.sleep(ACT_SECONDS)
        done.add((context.job_id, context.step.key))

    return Handler("set", look, act)


def jobs(count: int, prefix: str) -> list[NewJob]:
    return [
        new_job(
            *(step(f"step-{k}", peer_id=f"peer-{prefix}-{n}") for k in range(STEPS)),
            job_id=f"job-{prefix}-{n:05}",
            cluster=f"cluster-{prefix}-{n}",
        )
        for n in range(count)
    ]


async def register(url: str, made: Sequence[NewJob]) -> None:
    """The rows that jobs refer to."""
    async with (
        await psycopg.AsyncConnection.connect(plain_url(url)) as connection,
        connection.cursor() as cursor,
    ):
        await cursor.executemany(
            "insert into cluster (id, name, version, created_at) values (%s, %s, 1, now())",
            [(new.plan.cluster_id, new.plan.cluster_id) for new in made],
        )
        await cursor.executemany(
            "insert into plan (id, cluster_id, procedure, digest, body, observations, "
            "created_at, expires_at) values (%s, %s, %s, %s, %s, '{}', now(), now())",
            [
                (
                    new.plan.id,
                    new.plan.cluster_id,
                    "bench",
                    new.plan.digest,
                    Jsonb(to_json(new.plan)),
                )
                for new in made
            ],
        )


async def create(engine: PostgresEngine, made: Sequence[NewJob]) -> None:
    async def some(part: Sequence[NewJob]) -> None:
        for new in part:
            await engine.journal.create(new)

    await asyncio.gather(*(some(made[n::8]) for n in range(8)))


async def bare(url: str, made: Sequence[NewJob]) -> float:
    """The same two statements a step by psycopg alone; seconds."""
    connections = asyncio.Semaphore(CONNECTIONS)
    began = time.monotonic()
    async with journal_pool(url) as pool:
        async with pool.connection() as connection:
            await connection.execute(
                b"update job set owner = 'bare', epoch = 1 where id = any(%s)",
                [[new.id for new in made]],
            )

        async def carry(new: NewJob) -> None:
            for seq, planned in enumerate(new.plan.steps, start=1):
                for state in (StepState.RUNNING, StepState.DONE):
                    record = StepRecord(seq, planned.key, state, attempt=1, seen={"value": "On"})
                    event = NewEvent("job.step", {"step": planned.key, "state": state.value})
                    values = {
                        **job_rows.step_values(new.id, record),
                        **job_rows.wait_values(None),
                        "owner": "bare",
                        "epoch": 1,
                        "job_state": "running",
                        "count": 1,
                        "events": job_rows.event_values([event]),
                    }
                    async with connections, pool.connection() as connection:
                        await connection.execute(job_rows.RECORD.encode(), values)
                    if state is StepState.RUNNING:
                        await asyncio.sleep(ACT_SECONDS)

        await asyncio.gather(*(carry(new) for new in made))
        took = time.monotonic() - began
        async with pool.connection() as connection:
            await connection.execute(
                b"update job set owner = null, holds = false, state = 'succeeded', wake_at = null"
            )
    return took


async def engine_run(url: str, ids: Sequence[str], profile: str) -> tuple[float, int]:
    """The worker carries out the jobs; seconds, and the most connections it had."""
    most = 0
    async with open_engine(url) as engine:
        drain = asyncio.Event()
        began = time.monotonic()
        with cProfile.Profile(time.process_time) if profile else nullcontext() as profiler:
            work = asyncio.create_task(
                engine.work(
                    handlers={"set": handler()},
                    equip=Bench().equip,
                    clock=SystemClock(),
                    drain=drain,
                    concurrency=len(ids),
                )
            )
            async with await psycopg.AsyncConnection.connect(
                plain_url(url), autocommit=True
            ) as connection:
                while True:
                    await asyncio.sleep(0.5)
                    row = await (
                        await connection.execute(
                            "select count(*) filter (where state = 'succeeded'), (select count(*) "
                            "from pg_stat_activity where datname = current_database()) - 1 "
                            "from job where id = any(%s)",
                            [list(ids)],
                        )
                    ).fetchone()
                    most = max(most, row[1] if row else 0)
                    if row and row[0] == len(ids):
                        break
            took = time.monotonic() - began
            drain.set()
            await work
        if profiler is not None:
            profiler.dump_stats(profile)
            pstats.Stats(profiler).sort_stats("tottime").print_stats(35)
    return took, most


def memory() -> float:
    """The most memory this process has had, in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


async def side(name: str, count: int, url: str, profile: str) -> Cost:
    """One side, alone in this process."""
    made = jobs(count, name) if name == "bare" else []
    before, cpu = memory(), time.process_time()
    if name == "bare":
        took, most = await bare(url, made), CONNECTIONS
    else:
        took, most = await engine_run(url, [f"job-{name}-{n:05}" for n in range(count)], profile)
    return Cost(took, time.process_time() - cpu, most, before, memory())


async def apart(name: str, count: int, url: str, profile: str) -> Cost:
    """One side in a process of its own."""
    asked = ["--jobs", str(count), "--profile", profile, "--side", name, "--url", url]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.engine", *asked, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    if process.returncode:
        sys.exit(f"the {name} side ended with {process.returncode}")
    *more, last = told.decode().splitlines()
    for line in more:
        say(line)
    return Cost(**json.loads(last))


async def bench(count: int, database: Path, profile: str) -> None:
    embedded = EmbeddedPostgres(database)
    url = await embedded.__aenter__()
    try:
        await migrate(url)
        steps = count * STEPS
        results = []
        for name in ("bare", "worker"):
            made = jobs(count, name)
            await register(url, made)
            async with open_engine(url) as engine:
                await create(engine, made)
                if name == "bare":
                    async with engine.pool.connection() as connection:
                        await connection.execute(b"delete from procrastinate_jobs")
            cost = await apart(name, count, url, profile)
            results.append(steps / cost.seconds)
            say(
                f"{name:7} {steps / cost.seconds:7,.0f} steps/s"
                f"  {cost.cpu / steps * 1000:5.2f} ms CPU a step  {cost.connections:3} connections"
                f"  {cost.before:4.0f} MB before, {cost.peak:4.0f} MB at its peak"
            )
        load = os.getloadavg()[0]
        say(f"{count} jobs of {STEPS} steps: worker / bare loop = {results[1] / results[0]:.2f}")
        say(f"load of this machine: {load:.1f} on {os.cpu_count()} processors")
    finally:
        await embedded.__aexit__(None, None, None)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--profile", default="", help="a file for the worker's profile")
    parser.add_argument("--side", default="", help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        cost = asyncio.run(side(asked.side, asked.jobs, asked.url, asked.profile))
        say(json.dumps(asdict(cost)))
        return
    with tempfile.TemporaryDirectory(prefix="cw-bench-") as place:
        Path(place).chmod(0o755)
        asyncio.run(bench(asked.jobs, Path(place), asked.profile))


if __name__ == "__main__":
    main()
