"""Long-lived sides: processes that serve or work until their parent has measured enough.

A side is told by a line of JSON on its standard input what to do, says "ready" when it can, and
ends when its input is closed, with what it took. It may be handed a listening socket.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from bench.command import many_files

BACKLOG = 4096
READY_SECONDS = 90.0


@dataclass
class Running:
    """A side at work. `cpu` (seconds) and `peak` (MB) are known when it has ended."""

    pid: int
    port: int
    told: Mapping[str, Any]
    """What it said beside being ready."""
    lines: asyncio.StreamReader
    cpu: float = 0.0
    peak: float = 0.0


@asynccontextmanager
async def side(module: str, **work: Any) -> AsyncIterator[Running]:
    """`python -m MODULE` until the block ends. Raises RuntimeError where it fails."""
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listener:
        port = listener.getsockname()[1]
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=[listener.fileno()],
        )
        asked = json.dumps({**work, "socket": listener.fileno()})
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("no pipes")
    try:
        child.stdin.write(f"{asked}\n".encode())
        async with asyncio.timeout(READY_SECONDS):
            line = await child.stdout.readline()
        if not line:
            raise RuntimeError(f"{module} did not get ready")
        running = Running(child.pid, port, json.loads(line), child.stdout)
        yield running
        child.stdin.close()
        took = json.loads(await child.stdout.readline())
        running.cpu, running.peak = took["cpu"], took["peak"]
    finally:
        child.stdin.close()
        try:
            await asyncio.wait_for(child.wait(), 15.0)
        except TimeoutError:
            child.kill()
            await child.wait()


@dataclass
class Asked:
    """What a side was told."""

    work: dict[str, Any] = field(default_factory=dict)

    @property
    def listener(self) -> socket.socket:
        """The socket that it was handed."""
        return socket.socket(fileno=self.work["socket"])


def asked() -> Asked:
    """In a side: what to do."""
    many_files()
    return Asked(json.loads(sys.stdin.readline()))


def say(**told: Any) -> None:
    """In a side: one line to the parent."""
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


async def until_told() -> None:
    """In a side: until the parent has had enough."""
    await asyncio.to_thread(sys.stdin.read)


def say_the_end(since: float = 0.0) -> None:
    """In a side: what it took, of CPU since that `time.process_time`."""
    say(cpu=time.process_time() - since, peak=peak())


def peak() -> float:
    """The most memory this process has had, in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not getrusage: a child begins there with what its parent had.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


async def serve(app: Any, listener: socket.socket, **ready: Any) -> float:
    """In a side: an application until the parent has had enough; its CPU seconds at the start."""
    config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False)
    serving = uvicorn.Server(config)
    task = asyncio.create_task(serving.serve(sockets=[listener]))
    while not serving.started and not task.done():  # noqa: ASYNC110 - uvicorn tells nobody
        await asyncio.sleep(0.01)
    since = time.process_time()
    say(**ready)
    await until_told()
    serving.should_exit = serving.force_exit = True
    await task
    return since
