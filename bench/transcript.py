"""What the transcript adds to an exchange with a peer; a private PostgreSQL with fsync on.

python -m bench.transcript --exchanges 300

A simulated peer in process answers at once, so what is measured is almost all our own time.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from app.engine.clock import SystemClock
from app.security.redaction import Redactor
from app.services.transcript import Notebook, Recorded
from app.services.transcript_writer import TranscriptWriter
from app.storage.database import migrate
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import open_engine
from app.storage.transcripts import Transcripts
from simulation.rehearsal import Rehearsal
from tests.support.engine_bench import new_job, step
from tests.support.journals import register
from transports import mock
from transports.base import Transport
from transports.command import Setting
from transports.document import WHOLE
from transports.document import Path as Place


async def median(times: int, call: Callable[[int], Awaitable[object]]) -> float:
    """Milliseconds of one call."""
    spent = []
    for number in range(times):
        begin = time.perf_counter()
        await call(number)
        spent.append((time.perf_counter() - begin) * 1000)
    return statistics.median(spent)


async def bench(url: str, times: int) -> None:
    """The same exchanges with and without."""
    new = new_job(step("a"))
    await register(url, new)
    async with open_engine(url) as engine:
        await engine.journal.create(new)
        writer = TranscriptWriter(Transcripts(engine.pool))
        writing = asyncio.create_task(writer.run())
        plain: Transport = mock.create(Rehearsal().endpoint("exp1"))
        notebook = Notebook("job-1", writer, Redactor(["some-secret"]), SystemClock())
        recorded = Recorded(plain, "exp1", notebook)
        name = Place.parse("SystemUnit Name")
        for title, call in (
            ("a look at one value", lambda way: lambda _: way.read_configuration(name)),
            ("a look at everything", lambda way: lambda _: way.read_configuration(WHOLE)),
            (
                "an act",
                lambda way: lambda n: way.write([Setting.of("SystemUnit Name", f"exp{n}")]),
            ),
        ):
            without = await median(times, call(plain))
            within = await median(times, call(recorded))
            print(f"{title}: {without:.2f} ms without, {within:.2f} ms with a transcript")
        await notebook.settled(10)
        writing.cancel()
        await asyncio.wait({writing})


async def main(times: int) -> None:
    """On a server that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="cw-bench-") as folder:
        Path(folder).chmod(0o755)  # noqa: ASYNC240 - before anything runs
        async with EmbeddedPostgres(Path(folder)) as url:
            await migrate(url)
            await bench(url, times)


if __name__ == "__main__":
    asked = argparse.ArgumentParser()
    asked.add_argument("--exchanges", type=int, default=300)
    asyncio.run(main(asked.parse_args().exchanges))
