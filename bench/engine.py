"""Jobs at once in one worker, beside bare loops: `engine`.

1,000 jobs of 12 steps of 50 ms (`--jobs`, `make bench-engine JOBS=2000`). Three sides, each a
process of its own that only works: the jobs are there before it starts, and all have to be done.
The worker, and a loop of psycopg alone, write the same rows durably: per step one statement that
sets the step running and one that sets it done, each with its event, fenced by owner and epoch; the
loop has the same number of connections, so it is what PostgreSQL and the driver cost. The worker
adds claims, handlers, wake-ups, liveness. Bare Procrastinate gets what it can keep: a job is a
chain of 12 tasks, each of which sleeps and defers the next, so that it also goes on behind the last
step after a crash; it writes no steps, no events and no fence.

Beside that, what a step's record costs while 1 and 50 webhooks want its event: the outbox is filled
by a trigger in the same statement.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import pstats
import statistics
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
from app.engine.records import STEP_PROGRESS, NewEvent, NewJob
from app.procedures.base import Handler, Look, StepContext
from app.services.plan_document import to_json
from app.storage import job_rows
from app.storage.database import connect, journal_pool, migrate, plain_url
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import PostgresEngine, open_engine
from bench.bare.tasks import carry_out
from bench.command import many_files, parser, tell
from bench.rows import Row
from bench.serving import peak
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


async def side(name: str, count: int, url: str, profile: str) -> Cost:
    """One side, alone in this process."""
    made = jobs(count, name) if name == "bare" else []
    before, cpu = peak(), time.process_time()
    most = CONNECTIONS
    if name == "bare":
        took = await bare(url, made)
    elif name == "procrastinate":
        took = await carry_out(plain_url(url), count, STEPS, ACT_SECONDS, CONNECTIONS)
    else:
        took, most = await engine_run(url, [f"job-{name}-{n:05}" for n in range(count)], profile)
    return Cost(took, time.process_time() - cpu, most, before, peak())


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


async def recorded(url: str, rounds: int) -> dict[int, float]:
    """Milliseconds of the record of a step with an event, by how many webhooks want it."""
    spent: dict[int, list[float]] = {count: [] for count in WEBHOOKS}
    new = jobs(1, "outbox")
    await register(url, new)
    async with open_engine(url) as engine, await connect(url) as connection:
        await create(engine, new)
        job = await engine.journal.claim(new[0].id, "bench")
        if job is None:
            raise RuntimeError("the job was not to be had")
        for number in range(max(WEBHOOKS)):
            await connection.execute(_SUBSCRIBE, {"id": f"webhook-{number:026}"})
        event = [NewEvent(STEP_PROGRESS, {"note": "x" * 100})]
        for _ in range(rounds):
            for count in WEBHOOKS:
                await connection.execute(_WANTED, {"last": f"webhook-{count:026}"})
                for _ in range(10):
                    begin = time.perf_counter()
                    await engine.journal.record(job.lease, job.steps[0], event)
                    spent[count].append((time.perf_counter() - begin) * 1000)
        row = await (
            await connection.execute("select count(*) as made from webhook_delivery")
        ).fetchone()
        wanted = rounds * 10 * sum(WEBHOOKS)
        if row is None or row["made"] != wanted:
            sys.exit(f"{row} deliveries were made, and not {wanted}")
    return {count: statistics.median(of_one) for count, of_one in spent.items()}


WEBHOOKS = (0, 1, 50)
_SUBSCRIBE = """
insert into webhook (id, name, url, host, event_types, cluster_ids, labels, format, auth_kind, auth,
    ca_bundle, state, state_reason, state_since, version, created_at, created_by)
values (%(id)s, %(id)s, 'https://hooks.example.com', 'hooks.example.com',
    '{job.step.progress}', '{}', '[]', 'standard', 'none', '{}', '', 'paused', '', now(), 1, now(),
    '')
"""
_WANTED = """
update webhook set state = case when id < %(last)s then 'paused' else 'disabled' end
"""
"""Whether somebody receives them plays no part here, so nobody does."""


async def bench(count: int, database: Path, profile: str, rounds: int) -> list[Row]:
    """All sides, one after the other."""
    rows: list[Row] = []
    async with EmbeddedPostgres(database) as url:
        await migrate(url)
        steps = count * STEPS
        costs: dict[str, Cost] = {}
        for name in ("bare", "procrastinate", "worker"):
            if name != "procrastinate":
                made = jobs(count, name)
                await register(url, made)
                async with open_engine(url) as engine:
                    await create(engine, made)
                    if name == "bare":
                        async with engine.pool.connection() as connection:
                            await connection.execute(b"delete from procrastinate_jobs")
            costs[name] = await apart(name, count, url, profile if name == "worker" else "")
        ours = costs.pop("worker")
        case = f"{count:,} jobs of {STEPS} steps of {ACT_SECONDS * 1000:.0f} ms"
        for name, theirs in costs.items():
            beside = {"bare": "a loop of psycopg", "procrastinate": "bare Procrastinate"}[name]
            for measure, unit, of in (
                ("throughput", "steps/s", lambda cost: steps / cost.seconds),
                ("CPU of the process", "ms a step", lambda cost: cost.cpu / steps * 1000),
                ("memory at the peak", "MB", lambda cost: cost.peak),
                ("connections", "", lambda cost: cost.connections),
            ):
                better = "more" if measure == "throughput" else "less"
                rows.append(Row(case, measure, unit, of(ours), beside, of(theirs), better))
        spent = await recorded(url, rounds)
        for many in WEBHOOKS[1:]:
            measure = f"median, wanted by {many} webhook{'s' if many > 1 else ''}"
            case = "a step's record with an event"
            rows.append(Row(case, measure, "ms", spent[many], "wanted by none", spent[0]))
    return rows


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    asking = parser(__doc__)
    asking.add_argument("--jobs", type=int, default=1000)
    asking.add_argument("--profile", default="", help="a file for the worker's profile")
    asking.add_argument("--side", default="", help=argparse.SUPPRESS)
    asking.add_argument("--url", default="", help=argparse.SUPPRESS)
    asked = asking.parse_args()
    many_files()
    if asked.side:
        cost = asyncio.run(side(asked.side, asked.jobs, asked.url, asked.profile))
        say(json.dumps(asdict(cost)))
        return
    count, rounds = (20, 2) if asked.short else (asked.jobs, 20)
    with tempfile.TemporaryDirectory(prefix="cw-bench-") as place:
        Path(place).chmod(0o755)
        rows = asyncio.run(bench(count, Path(place), asked.profile, rounds))
    tell("engine", rows, asked.rows)


if __name__ == "__main__":
    main()
