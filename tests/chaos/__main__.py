"""`python -m tests.chaos`: real worker processes, a real PostgreSQL, and what is done to them.

Jobs on 100 clusters run while workers are killed (SIGKILL) and stopped beyond their lease (SIGSTOP,
SIGCONT), all connections are cut, PostgreSQL is restarted and its disk is full. The disk is a tmpfs
of its own, which only root can mount; where that is not possible the last line says so. Prints what
it cost; exit code 1 where a step was lost, an act was repeated without a look in between, a stopped
worker acted, or a takeover took too long. Bounded in time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from app.storage.database import migrate, plain_url
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import PostgresEngine, open_engine
from app.storage.liveness import Rules
from tests.chaos.worker import HURRY
from tests.support.engine_bench import new_job, step
from tests.support.journals import register

STEPS = 30
PATIENCE = 240.0
DISK_MEGABYTES = 400
FOUND_ROOM = "the server found room"
FILL = "create table filler as select repeat('x', 1000) from generate_series(1, 200000)"
"""200 MB that a full disk has no room for."""
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


def acts_of(folder: Path, pid: int) -> int:
    """How often that process has acted."""
    wanted = f"act {pid}"
    files = (path.read_text().splitlines() for path in folder.iterdir() if path.name != HURRY)
    return sum(line == wanted for lines in files for line in lines)


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


@dataclass
class Report:
    """What was done, and what came of it."""

    jobs: int
    takeovers: list[tuple[float, int]] = field(default_factory=list)
    """Seconds until the last job of a killed worker was claimed by another, and how many it had."""
    stops: int = 0
    late_acts: int = 0
    """Acts of a stopped worker after it was let go on."""
    cut: int = 0
    to_be_cut: bool = False
    restarts: int = 0
    disk: str = "not tried"
    succeeded: int = 0
    lost: int = 0
    acts: int = 0
    again: int = 0
    blind: int = 0
    gaps: int = 0

    @property
    def whole(self) -> bool:
        """Nothing was lost, and nothing done that should not have been."""
        wrong = self.lost or self.blind or self.gaps or self.late_acts
        # What was to be done and was not shows nothing.
        wrong = wrong or (self.to_be_cut and not self.cut) or self.disk == FOUND_ROOM
        return self.succeeded == self.jobs and not wrong

    @property
    def slowest(self) -> float:
        """Seconds of the slowest takeover."""
        return max((took for took, _ in self.takeovers), default=0.0)

    def lines(self) -> Iterator[str]:
        """The figures; the last line is the sum."""
        seconds = sorted(took for took, _ in self.takeovers)
        yield f"steps {self.jobs * STEPS}, acts {self.acts}, on a step that had acted: {self.again}"
        yield f"jobs with gaps in their events: {self.gaps}"
        yield f"acts of a stopped worker after its lease: {self.late_acts}"
        if seconds:
            yield (
                f"takeover of {sum(n for _, n in self.takeovers)} jobs: median "
                f"{seconds[len(seconds) // 2]:.2f} s, longest {seconds[-1]:.2f} s "
                f"(twice the heartbeat: {2 * Rules().beat:g} s)"
            )
        yield f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
        yield (
            f"{self.jobs} jobs ({self.succeeded} succeeded), {len(seconds)} kills, {self.stops} "
            f"stops, {self.cut} connections cut, {self.restarts} database restarts, disk full: "
            f"{self.disk}: {self.lost} lost, {self.blind} repeated"
        )


async def kills(tries: int, url: str, workers: Workers, report: Report) -> None:
    """Kill the worker with the most jobs, again and again."""
    draw = random.Random(1)
    for number in range(tries):
        took, many = await takeover(url, workers)
        report.takeovers.append((took, many))
        say(f"kill {number + 1}: {many} jobs taken over in {took:.2f} s")
        await workers.fill()
        await workers.ready()
        await asyncio.sleep(draw.uniform(0.0, 1.0))


async def stop_beyond_the_lease(url: str, workers: Workers, folder: Path, report: Report) -> None:
    """Stop the worker with the most jobs until others have them; then let it go on."""
    have = await owners(url)
    stopped = max(workers.living, key=lambda process: have[process.pid])
    stopped.send_signal(signal.SIGSTOP)
    await asyncio.sleep(Rules().frozen + 3)
    before = acts_of(folder, stopped.pid)
    stopped.send_signal(signal.SIGCONT)
    await asyncio.sleep(3)
    report.stops += 1
    report.late_acts += acts_of(folder, stopped.pid) - before
    say(f"a worker with {have[stopped.pid]} jobs stopped for {Rules().frozen + 3:g} s, and let go")


async def cut_and_restart(url: str, embedded: EmbeddedPostgres, report: Report) -> None:
    """Cut every connection; a second later restart the server."""
    report.cut = len(
        await rows(
            url,
            "select pg_terminate_backend(pid) from pg_stat_activity where pid <> "
            "pg_backend_pid() and datname = current_database()",
        )
    )
    await asyncio.sleep(1)
    await embedded.restart()
    report.restarts += 1
    say(f"{report.cut} connections cut, PostgreSQL restarted")


async def fill_the_disk(url: str, disk: Path, embedded: EmbeddedPostgres, report: Report) -> None:
    """Leave the database no byte for some seconds, then give it its room again."""
    filler = disk / "filler"
    await asyncio.to_thread(fill, filler)
    try:
        await rows(url, FILL)
        report.disk = FOUND_ROOM
    except psycopg.Error as error:
        report.disk = type(error).__name__
    await asyncio.sleep(5)
    await asyncio.to_thread(filler.unlink)
    await embedded.restart()
    report.restarts += 1
    say(f"disk full for 5 s (PostgreSQL said {report.disk}), then restarted with room")


def fill(filler: Path) -> None:
    """Write until nothing more fits."""
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))


async def chaos(
    report: Report,
    tries: int,
    folder: Path,
    database: Path,
    *,
    full: bool = True,
    cut: bool = True,
    disk: bool,
) -> None:
    """All of it: `full` stops a worker, `cut` ends connections and server, `disk` fills it."""
    embedded = EmbeddedPostgres(database)
    url = await embedded.__aenter__()
    workers = Workers(url, folder, wanted=3)
    names = [f"job-{number:03}" for number in range(report.jobs)]
    try:
        await migrate(url)
        async with open_engine(url) as engine:
            await workers.fill()
            await workers.ready()
            await start_jobs(engine, url, names, takes=max(2.0, tries * 30 / STEPS))
            await asyncio.sleep(Rules().settle)
            await kills(tries, url, workers, report)
            if full:
                await stop_beyond_the_lease(url, workers, folder, report)
            report.to_be_cut = cut
            if cut:
                await cut_and_restart(url, embedded, report)
            if disk:
                await asyncio.sleep(Rules().settle + 2)
                await fill_the_disk(url, database, embedded, report)
            hurry(folder)
            async with asyncio.timeout(PATIENCE):
                while await rows(url, "select 1 from job where state <> 'succeeded' limit 1"):  # noqa: ASYNC110 - other processes write it
                    await asyncio.sleep(0.5)
    finally:
        with contextlib.suppress(psycopg.Error):
            done = await rows(url, "select count(*) from job where state = 'succeeded'")
            report.succeeded = int(str(done[0][0]))
            report.gaps = len(
                await rows(
                    url, "select job_id from job_event group by job_id having count(*) <> max(seq)"
                )
            )
        await workers.end()
        await embedded.__aexit__(None, None, None)
    report.acts, report.again, report.blind = repeated_blindly(folder)
    report.lost = report.jobs * STEPS - report.acts + report.again


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[bool]:
    """Put the folder on a disk of its own; False where this machine does not allow that."""
    options = f"size={DISK_MEGABYTES}m,mode=0755"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    mounted = (
        shutil.which("mount") is not None
        and not subprocess.run(mount, check=False, capture_output=True).returncode
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=100)
    asked = parser.parse_args()
    report = Report(asked.jobs)
    with tempfile.TemporaryDirectory(prefix="cw-chaos-") as place:
        Path(place).chmod(0o755)
        folder, database = Path(place, "peers"), Path(place, "database")
        folder.mkdir()
        database.mkdir()
        with small_disk(database) as disk:
            if not disk:
                report.disk = "NOT TRIED, only root can mount a small disk"
            asyncio.run(chaos(report, asked.tries, folder, database, disk=disk))
    for line in report.lines():
        say(line)
    return 0 if report.whole and report.slowest <= 2 * Rules().beat else 1


if __name__ == "__main__":
    sys.exit(main())
