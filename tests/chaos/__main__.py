"""`python -m tests.chaos`: real worker processes, a real PostgreSQL, and what is done to them.

Jobs on 100 clusters run while workers are killed (SIGKILL) and stopped (SIGSTOP), all connections
of a worker are cut and PostgreSQL is restarted. Prints what it cost; exit code 1 where a step was
lost, an act was repeated without a look in between, or a takeover took too long. Bounded in time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import psycopg

from app.domain.job import JobState
from app.storage.database import migrate, plain_url
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import PostgresEngine, open_engine
from app.storage.liveness import Rules
from tests.chaos.worker import HURRY
from tests.support.engine_bench import new_job, step
from tests.support.journals import register

STEPS = 30
PATIENCE = 240.0
Process = asyncio.subprocess.Process


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Workers:
    """The worker processes; there are always `wanted` of them."""

    def __init__(self, url: str, folder: Path, wanted: int) -> None:
        self._url, self._folder, self._wanted = url, folder, wanted
        self.living: list[Process] = []

    async def fill(self) -> None:
        while len(self.living) < self._wanted:
            self.living.append(
                await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "tests.chaos.worker",
                    self._url,
                    str(self._folder),
                    stderr=asyncio.subprocess.DEVNULL,
                )
            )

    async def ready(self) -> None:
        """Wait until all of them beat: a worker that is still starting survives nobody."""
        async with asyncio.timeout(PATIENCE):
            while True:
                names = await rows(self._url, "select name from worker")
                beating = {int(str(name).split("-")[-2]) for (name,) in names}
                if all(process.pid in beating for process in self.living):
                    return
                await asyncio.sleep(0.1)

    async def kill(self, process: Process) -> None:
        self.living.remove(process)
        process.kill()
        await process.wait()

    async def end(self) -> None:
        for process in list(self.living):
            process.send_signal(signal.SIGCONT)
            await self.kill(process)


async def rows(url: str, statement: str, *values: object) -> list[tuple[object, ...]]:
    async with await psycopg.AsyncConnection.connect(plain_url(url), autocommit=True) as connection:
        cursor = await connection.execute(statement.encode(), values)
        return await cursor.fetchall() if cursor.description else []


async def owners(url: str) -> Counter[int]:
    """How many unfinished jobs each process has."""
    found = await rows(url, "select owner from job where owner is not null")
    return Counter(int(str(owner).split("-")[-2]) for (owner,) in found)


async def start_jobs(engine: PostgresEngine, url: str, names: Sequence[str], takes: float) -> None:
    for name in names:
        steps = [
            step(f"{name}-{n}", peer_id=f"peer-of-{name}", params={"takes": takes}, limit=3600)
            for n in range(STEPS)
        ]
        new = new_job(*steps, job_id=name, cluster=f"cluster-of-{name}")
        await register(url, new)
        await engine.journal.create(new)


async def takeover(url: str, workers: Workers) -> tuple[float, int]:
    """Kill the worker with the most jobs; seconds until others have all of them, and how many."""
    async with asyncio.timeout(PATIENCE):
        while True:
            have = await owners(url)
            able = [p for p in workers.living if have[p.pid] > 0]
            if len(able) > 1 or (able and len(workers.living) > 1):
                break
            await asyncio.sleep(0.1)
        victim = max(able, key=lambda process: have[process.pid])
        query = "select id, epoch from job where owner like %s"
        orphans = dict(await rows(url, query, f"%-{victim.pid}-%"))
        await workers.kill(victim)
        killed = time.monotonic()
        async with await psycopg.AsyncConnection.connect(
            plain_url(url), autocommit=True
        ) as connection:
            while True:
                cursor = await connection.execute(
                    "select id, epoch, owner, state from job where id = any(%s)", [list(orphans)]
                )
                late = [
                    job_id
                    for job_id, epoch, owner, state in await cursor.fetchall()
                    if state not in {"succeeded"}
                    and (epoch <= orphans[job_id] + 1 or (owner and f"-{victim.pid}-" in owner))
                ]
                if not late:
                    return time.monotonic() - killed, len(orphans)
                await asyncio.sleep(0.02)


def hurry(folder: Path) -> None:
    """Let the jobs come to their end."""
    Path(folder, HURRY).touch()


def repeated_blindly(folder: Path) -> tuple[int, int, int]:
    """Acts, acts on a step that had acted before, and such without a look in between."""
    acts = again = blind = 0
    for path in folder.iterdir():
        if path.name == HURRY:
            continue
        acted = looked = False
        for line in path.read_text().splitlines():
            if line.startswith("look"):
                looked = True
                continue
            acts += 1
            again += acted
            blind += acted and not looked
            acted, looked = True, False
    return acts, again, blind


async def chaos(tries: int, jobs: int, folder: Path, database: Path) -> int:
    embedded = EmbeddedPostgres(database)
    url = await embedded.__aenter__()
    draw = random.Random(1)
    workers = Workers(url, folder, wanted=3)
    names = [f"job-{number:03}" for number in range(jobs)]
    try:
        await migrate(url)
        async with open_engine(url) as engine:
            await workers.fill()
            await asyncio.sleep(3)
            await start_jobs(engine, url, names, takes=max(2.0, tries * 20 / STEPS))
            await asyncio.sleep(Rules().settle)
            times: list[tuple[float, int]] = []
            for number in range(tries):
                times.append(await takeover(url, workers))
                say(f"kill {number + 1}: {times[-1][1]} jobs taken over in {times[-1][0]:.2f} s")
                await workers.fill()
                await workers.ready()
                await asyncio.sleep(draw.uniform(0.0, 1.0))
            hurry(folder)
            stopped = draw.choice(workers.living)
            stopped.send_signal(signal.SIGSTOP)
            await asyncio.sleep(Rules().frozen + 2)
            stopped.send_signal(signal.SIGCONT)
            cut = await rows(
                url,
                "select pg_terminate_backend(pid) from pg_stat_activity where pid <> "
                "pg_backend_pid() and datname = current_database()",
            )
            await asyncio.sleep(1)
            await embedded.restart()
            say(f"one worker stopped for {Rules().frozen + 2:g} s, {len(cut)} connections cut,")
            say("PostgreSQL restarted")
            async with asyncio.timeout(PATIENCE):
                while await rows(url, "select 1 from job where state <> 'succeeded' limit 1"):  # noqa: ASYNC110 - other processes write it
                    await asyncio.sleep(0.5)
            states = Counter([(await engine.journal.load(name)).state for name in names])
            gaps = await rows(
                url, "select job_id from job_event group by job_id having count(*) <> max(seq)"
            )
    finally:
        await workers.end()
        await embedded.__aexit__(None, None, None)
    acts, again, blind = repeated_blindly(folder)
    lost = jobs * STEPS - acts + again
    limit = 2 * Rules().beat
    seconds = sorted(took for took, _ in times)
    say(f"jobs: {jobs}, succeeded {states[JobState.SUCCEEDED]}; steps lost: {lost}")
    say(f"acts: {acts}; on a step that had acted before: {again}; without a look between: {blind}")
    say(f"jobs with gaps in their events: {len(gaps)}")
    say(
        f"takeover, {tries} kills, {sum(n for _, n in times)} jobs: median "
        f"{seconds[len(seconds) // 2]:.2f} s, longest {seconds[-1]:.2f} s "
        f"(twice the heartbeat: {limit:g} s)"
    )
    load = os.getloadavg()[0]
    say(f"load of this machine at the end: {load:.1f} on {os.cpu_count()} processors")
    good = states[JobState.SUCCEEDED] == jobs and lost == blind == len(gaps) == 0
    return 0 if good and seconds[-1] <= limit else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=100)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cw-chaos-") as place:
        Path(place).chmod(0o755)
        folder, database = Path(place, "peers"), Path(place, "database")
        folder.mkdir()
        database.mkdir()
        return asyncio.run(chaos(asked.tries, asked.jobs, folder, database))


if __name__ == "__main__":
    sys.exit(main())
