"""A worker as a process of its own, to be killed.

`python -m tests.support.worker_process URL FILE`: its one kind of step writes a line into FILE (the
"device") when it acts, and comes back after the step's `takes` seconds.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from app.engine.clock import SystemClock
from app.procedures.base import Handler, Look, StepContext
from app.storage.engine import open_engine
from app.storage.liveness import Rules
from tests.support.engine_bench import Bench

RULES = Rules(beat=0.2, gone=0.4, settle=0.5, reap=0.2, sweep=0.5, late=0.5, frozen=5, stale=2.5)


def acts(device: Path) -> list[str]:
    """The steps that acted, in order."""
    if not device.exists():
        return []
    return [line.split()[0] for line in device.read_text().splitlines()]


def handlers(device: Path) -> dict[str, Handler]:
    async def look(context: StepContext) -> Look:
        return Look(met=context.step.key in acts(device))

    async def act(context: StepContext) -> None:
        with device.open("a") as file:
            file.write(f"{context.step.key} {os.getpid()}\n")
        await asyncio.sleep(context.step.params.get("takes", 0))

    return {"set": Handler("set", look, act)}


async def main(url: str, device: Path) -> None:
    drain = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, drain.set)
    async with open_engine(url) as engine:
        await engine.work(
            handlers=handlers(device),
            equip=Bench().equip,
            clock=SystemClock(),
            drain=drain,
            concurrency=50,
            rules=RULES,
        )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
