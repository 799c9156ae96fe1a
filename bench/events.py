"""Many readers of one stream of events in one process, beside a bare stream: `events`.

1,000 and 5,000 readers (`--readers`) of one job, each over a connection of its own. The service is
a process of its own, with one LISTEN connection; its events are written by another process, as a
worker writes them. The bare side is Starlette's own StreamingResponse with messages of the same
length from memory, without a database, keys or anything else: a limit, not a peer that does as
much. Every reader of either side has to get every event once and in order, or there are no figures.
An event's time is that from its commit (bare: from being there) until the last reader has it.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.domain.job import StepRecord, StepState
from app.engine.records import NewEvent
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import open_engine
from bench.command import many_files, parser, tell
from bench.rows import Row
from bench.serving import Running, side
from bench.stock import stock
from tests.support.engine_bench import new_job, step
from tests.support.journals import register

JOB = "job-1"
SIDE_BY_SIDE = 50
"""Readers that come in at the same time."""
SERVICE, BARE = "bench.ours.service", "bench.bare.stream"


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


@dataclass(frozen=True)
class Seen:
    """What one side came to: seconds until half and all had an event, to come in; CPU; MB."""

    half: float
    everybody: float
    worst: float
    came_in: float
    cpu: float
    peak: float


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
    serving: Running, count: int, url: str, *, key: str, events: int, pause: float, go: Path
) -> tuple[Readers, dict[int, float], float]:
    """One side with so many readers: what they saw, when it was there, and the coming in."""
    began = time.monotonic()
    readers, doors = Readers(), asyncio.Semaphore(SIDE_BY_SIDE)
    last = 1 + events + bool(key)  # the service tells of the claim, too
    tasks = [
        asyncio.create_task(read(serving.port, key, readers, first=1, last=last, ready=doors))
        for _ in range(count)
    ]
    inside = asyncio.gather(*tasks)
    while readers.inside < count and not inside.done():  # noqa: ASYNC110 - a count, no event
        await asyncio.sleep(0.01)
    came_in = time.monotonic() - began
    if key:
        wrote = await write(url, events, pause)
    else:
        go.touch()  # noqa: ASYNC240 - an empty file
        wrote = {}
        for _ in range(events):
            told = await _line(serving)
            wrote[int(told["seq"])] = told["at"]
    await inside
    return readers, wrote, came_in


async def _line(serving: Running) -> Mapping[str, float]:
    found: Mapping[str, float] = json.loads(await serving.lines.readline())
    return found


async def one_side(
    name: str, count: int, url: str, folder: Path, *, key: str, events: int, pause: float
) -> Seen:
    """One side, and a check that nothing was lost, doubled or out of order."""
    go = folder / f"go-{count}"
    work = {"events": events, "pause": pause, "go": str(go)}
    if key:
        work |= {"role": "api", "url": url, "folder": str(folder)}
    async with side(SERVICE if key else BARE, **work) as serving:
        readers, wrote, came_in = await measure(
            serving, count, url, key=key, events=events, pause=pause, go=go
        )
    delays = [came - at for seq, at in wrote.items() for came in readers.came[seq]]
    slowest = [max(readers.came[seq]) - at for seq, at in wrote.items()]
    if readers.wrong or len(delays) != count * events:
        sys.exit(f"{name}: {len(delays)} of {count * events} came, {readers.wrong} out of order")
    return Seen(
        half=statistics.median(delays),
        everybody=statistics.median(slowest),
        worst=max(slowest),
        came_in=came_in,
        cpu=serving.cpu,
        peak=serving.peak,
    )


async def main(counts: Sequence[int], events: int, pause: float) -> list[Row]:
    """Both sides for each number of readers, on servers that are thrown away."""
    rows: list[Row] = []
    for count in counts:
        with tempfile.TemporaryDirectory(prefix="cw-bench-") as place:
            folder = Path(place)
            folder.chmod(0o755)  # noqa: ASYNC240 - before anything runs
            async with EmbeddedPostgres(folder) as url:
                async with stock(folder) as made:
                    key = made.key
                    new = new_job(step("a"), job_id=JOB)
                    await register(url, new)
                    await made.service.engine.journal.create(new)
                how = {"events": events, "pause": pause}
                bare = await one_side("bare", count, url, folder, key="", **how)
                ours = await one_side("service", count, url, folder, key=key, **how)
        case = f"{count:,} readers of {events} events, one each {pause:g} s"
        beside = "a bare Starlette stream from memory"
        for measure_name, unit, our, their in (
            ("until half have an event", "s", ours.half, bare.half),
            ("until all have an event", "s", ours.everybody, bare.everybody),
            ("until all have the slowest event", "s", ours.worst, bare.worst),
            ("for all to come in", "s", ours.came_in, bare.came_in),
            ("CPU in all", "s", ours.cpu, bare.cpu),
            ("memory at the peak", "MB", ours.peak, bare.peak),
        ):
            rows.append(Row(case, measure_name, unit, our, beside, their))
    return rows


if __name__ == "__main__":
    asking = parser(__doc__)
    asking.add_argument("--readers", type=int, nargs="+", default=[1000, 5000])
    asking.add_argument("--events", type=int, default=5)
    asking.add_argument("--pause", type=float, default=2.0, help="seconds between two events")
    asked = asking.parse_args()
    many_files()
    if asked.short:
        found = asyncio.run(main([20], 2, 0.2))
    else:
        found = asyncio.run(main(asked.readers, asked.events, asked.pause))
    tell("events", found, asked.rows)
