"""`python -m bench.events`: many readers of one stream in one process, against a bare stream.

The service is a process of its own, with one LISTEN connection; its events are written by another
process, as a worker writes them. The bare side is Starlette's own StreamingResponse with messages
of the same length from memory. Every reader checks that no event is lost, doubled or out of order.
Prints how long an event takes to all readers, how long the readers take to come in, and CPU. Ends
by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from app.domain.job import StepRecord, StepState
from app.engine.records import NewEvent
from app.main import open_service
from app.observability import logs
from app.security.redaction import Redactor
from app.settings import Settings
from app.storage.database import migrate
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import open_engine
from tests.support.engine_bench import new_job, step
from tests.support.journals import register

JOB = "job-1"
SIDE_BY_SIDE = 50
"""Readers that come in at the same time."""
BACKLOG = 1024
LONGEST_SECONDS = 240.0


@dataclass
class Readers:
    """What all readers have seen: when each event came to each of them."""

    came: dict[int, list[float]] = field(default_factory=dict)
    wrong: int = 0
    inside: int = 0

    def saw(self, seq: int, before: int) -> None:
        """One more event at one reader."""
        self.came.setdefault(seq, []).append(time.monotonic())
        self.wrong += seq != before + 1


async def read(
    port: int, key: str, readers: Readers, *, first: int, last: int, ready: asyncio.Semaphore
) -> None:
    """One reader: comes in, then reads until the last event."""
    async with ready:
        incoming, outgoing = await asyncio.open_connection("127.0.0.1", port)
        path = f"/v1/jobs/{JOB}/events?after={first}"
        outgoing.write(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
            "Accept: text/event-stream\r\n\r\n".encode()
        )
        head = await incoming.readuntil(b"retry: 3000\n\n")
        if b" 200 " not in head.splitlines()[0]:
            raise RuntimeError(head.decode())
        readers.inside += 1
    seq = first
    while seq < last:
        line = await incoming.readline()
        if not line:
            raise RuntimeError(f"a stream ended behind event {seq}")
        if line.startswith(b"id: "):
            now = int(line[4:])
            readers.saw(now, seq)
            seq = now
    outgoing.close()


def bare(events: int, pause: float, go: Path) -> Starlette:
    """The same messages, at the same pace, once the file is there."""
    sent: list[str] = []
    more = asyncio.Condition()

    async def tell() -> None:
        while not go.exists():  # noqa: ASYNC110, ASYNC240 - the other process makes it
            await asyncio.sleep(0.05)
        for seq in range(2, events + 2):
            await asyncio.sleep(pause)
            told = json.dumps({"seq": seq, "at": time.monotonic(), "note": "x" * 200})
            sent.append(f"id: {seq}\nevent: job.step.progress\ndata: {told}\n\n")
            say(json.dumps([seq, time.monotonic()]))
            async with more:
                more.notify_all()

    async def stream() -> AsyncIterator[str]:
        yield "retry: 3000\n\n"
        done = 0
        while done < events:
            async with more:
                while len(sent) <= done:
                    await more.wait()
            for message in sent[done:]:
                yield message
            done = len(sent)

    telling: list[asyncio.Task[None]] = []

    async def follow(_: Request) -> StreamingResponse:
        if not telling:
            telling.append(asyncio.create_task(tell()))
        return StreamingResponse(stream(), media_type="text/event-stream")

    return Starlette(routes=[Route(f"/v1/jobs/{JOB}/events", follow)])


async def serve(side: str, listener: socket.socket, url: str, events: int, pause: float) -> None:
    """One side, alone in this process, until the parent closes our standard input."""
    folder = Path(os.environ["BENCH_FOLDER"])
    if side == "bare":
        await _served(bare(events, pause, folder / "go"), listener)
        return
    settings = Settings(
        database_url=SecretStr(url), data_folder=folder, rate_limit=0, max_connections=100_000
    )
    redactor = Redactor()
    logs.set_up(redactor, level="WARNING")
    async with open_service(settings, redactor) as service:
        say(json.dumps(await service.services.keys.first_key()))
        await _served(service.api(), listener)


async def _served(app: object, listener: socket.socket) -> None:
    config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False)  # type: ignore[arg-type]
    serving = uvicorn.Server(config)
    task = asyncio.create_task(serving.serve(sockets=[listener]))
    say(json.dumps("serving"))
    await asyncio.to_thread(sys.stdin.read)
    serving.should_exit = serving.force_exit = True
    await task
    say(json.dumps([time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))


async def write(url: str, events: int, pause: float) -> dict[int, float]:
    """Write events as a worker does; when each was committed, by number."""
    wrote: dict[int, float] = {}
    async with open_engine(url) as engine:
        job = await engine.journal.claim(JOB, "bench")
        if job is None:
            raise RuntimeError("the job was not to be had")
        first = job.last_event_seq
        record = StepRecord(1, job.steps[0].key, StepState.RUNNING, attempt=1)
        for seq in range(first + 1, first + events + 1):
            await asyncio.sleep(pause)
            event = NewEvent("job.step.progress", {"note": "x" * 200})
            wrote[seq] = time.monotonic()
            await engine.journal.record(job.lease, record, [event])
        await asyncio.sleep(0.2)  # the last news is gathered for a moment before it is told
    return wrote


async def measure(
    side: str, count: int, url: str, folder: Path, *, events: int, pause: float
) -> None:
    """One side with so many readers; prints its line."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    port = listener.getsockname()[1]
    go = folder / "go"
    go.unlink(missing_ok=True)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.events", "--side", side, "--url", url),
        *("--socket", str(listener.fileno()), "--events", str(events), "--pause", str(pause)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        pass_fds=[listener.fileno()],
        env={**os.environ, "BENCH_FOLDER": str(folder)},
    )
    listener.close()
    if child.stdout is None or child.stdin is None:
        raise RuntimeError("no pipes")
    try:
        key = "" if side == "bare" else json.loads(await child.stdout.readline())
        await child.stdout.readline()
        began = time.monotonic()
        readers, doors = Readers(), asyncio.Semaphore(SIDE_BY_SIDE)
        first = 1
        last = first + events + (side == "service")  # the service tells of the claim, too
        tasks = [
            asyncio.create_task(read(port, key, readers, first=first, last=last, ready=doors))
            for _ in range(count)
        ]
        inside = asyncio.gather(*tasks)
        while readers.inside < count and not inside.done():  # noqa: ASYNC110 - a count, no event
            await asyncio.sleep(0.01)
        came_in = time.monotonic() - began
        if side == "bare":
            go.touch()
            wrote = {}
            for _ in range(events):
                seq, at = json.loads(await child.stdout.readline())
                wrote[seq] = at
        else:
            wrote = await write(url, events, pause)
        await inside
        child.stdin.close()
        cpu, memory = json.loads(await child.stdout.readline())
    finally:
        if child.returncode is None:
            child.stdin.close()
        await child.wait()
    report(side, count, readers, wrote, (came_in, cpu, memory))


def report(
    side: str,
    count: int,
    readers: Readers,
    wrote: dict[int, float],
    more: Sequence[float],
) -> None:
    """One line."""
    delays = [came - at for seq, at in wrote.items() for came in readers.came[seq]]
    slowest = [max(readers.came[seq]) - at for seq, at in wrote.items()]
    lost = count * len(wrote) - len(delays)
    came_in, cpu, memory = more
    say(
        f"{side:8} {count:5} readers  an event reaches half after {statistics.median(delays):.3f} s"
        f" and all after {statistics.median(slowest):.3f} s (worst {max(slowest):.3f} s)"
        f"  came in within {came_in:.1f} s  {cpu:.1f} s CPU  {memory / 1024:.0f} MB"
        f"  {lost} lost, {readers.wrong} doubled or out of order"
    )


async def bench(counts: Sequence[int], events: int, pause: float) -> None:
    """Both sides for each number of readers, on a server that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="cw-bench-") as place:
        folder = Path(place)
        folder.chmod(0o755)  # noqa: ASYNC240 - before anything runs
        for number, count in enumerate(counts):
            async with EmbeddedPostgres(folder / f"database-{number}") as url:
                await migrate(url)
                new = new_job(step("a"), job_id=JOB)
                await register(url, new)
                async with open_engine(url) as engine:
                    await engine.journal.create(new)
                home = folder / f"home-{number}"
                home.mkdir()
                for side in ("bare", "service"):
                    async with asyncio.timeout(LONGEST_SECONDS):
                        await measure(side, count, url, home, events=events, pause=pause)
    say(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, nargs="+", default=[200])
    parser.add_argument("--events", type=int, default=10)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two events")
    parser.add_argument("--side", default="", help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    parser.add_argument("--socket", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
    if asked.side:
        listener = socket.socket(fileno=asked.socket)
        asyncio.run(serve(asked.side, listener, asked.url, asked.events, asked.pause))
    else:
        asyncio.run(bench(asked.readers, asked.events, asked.pause))


if __name__ == "__main__":
    main()
