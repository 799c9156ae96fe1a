"""A worker as a process of its own, with the product's own rules, for `python -m tests.chaos`.

`python -m tests.chaos.worker URL FOLDER`: each step has a file in FOLDER, the stand-in for a peer's
state, to which every look and act adds a line, so what was done to the "peer" outlives the worker.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from app.engine.clock import SystemClock
from app.procedures.base import Handler, Look, StepContext
from app.storage.engine import open_engine
from tests.support.engine_bench import Bench

HURRY = "hurry"
"""While this file is not there, acts take their time, so that all jobs are at work all along."""


def handlers(folder: Path) -> dict[str, Handler]:
    """The one kind of step there is."""

    hurry = folder / HURRY

    def note(key: str, what: str) -> None:
        line = f"{what} {os.getpid()}\n".encode()
        file = os.open(folder / key, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, line)
        os.close(file)

    async def look(context: StepContext) -> Look:
        path = folder / context.step.key
        done = path.exists() and "act" in path.read_text()
        note(context.step.key, "look")
        return Look(met=done)

    async def act(context: StepContext) -> None:
        note(context.step.key, "act")
        until = time.monotonic() + float(context.step.params.get("takes", 0))
        while time.monotonic() < until and not hurry.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.5)

    return {"set": Handler("set", look, act)}


async def main(url: str, folder: Path) -> None:
    drain = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, drain.set)
    async with open_engine(url) as engine:
        await engine.work(
            handlers=handlers(folder),
            equip=Bench().equip,
            clock=SystemClock(),
            drain=drain,
            concurrency=500,
        )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
