"""Runs one side of a comparison as a process of its own, and takes its time, CPU and memory.

A side (bench/ours/, bench/peers/) reads its work as JSON from standard input and ends with one line
of JSON, by bench/work.py: seconds and CPU of the work, without the start of its interpreter, and
what proves that it did the whole of it. Programs such as dig and ssh have a side that drives them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PEERS_PYTHON = ROOT / ".venv" / "bench" / "bin" / "python"
"""Where aiohttp, paramiko, ansible and the like are; `make bench` sets it up."""


@dataclass(frozen=True, slots=True)
class Took:
    """What a side took: seconds on the wall, and of CPU with all that it started and waited for."""

    seconds: float
    cpu: float
    peak: float
    """MB at its peak, of the largest of its processes."""
    told: Mapping[str, Any]


def run(command: Sequence[str], work: Mapping[str, Any]) -> Took:
    """Let a side do the work. Raises RuntimeError with its last words where it does not."""
    with tempfile.TemporaryFile("w+") as asked, tempfile.TemporaryFile("w+") as said:
        json.dump(work, asked)
        asked.seek(0)
        process = subprocess.Popen(  # noqa: S603 - commands of the benchmarks
            command, stdin=asked, stdout=said, cwd=ROOT
        )
        # wait4 tells what this child alone took; nothing else waits for it.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        lines = said.read().splitlines()
    if process.returncode or not lines:
        raise RuntimeError(f"{command} ended with {process.returncode}: {lines[-5:]}")
    told = json.loads(lines[-1])
    return Took(told["seconds"], told["cpu"], usage.ru_maxrss / _PER_MB, told)


_PER_MB = 2**20 if sys.platform == "darwin" else 2**10


def ours(module: str) -> list[str]:
    """Our side: `python -m MODULE`, with what the service runs with."""
    return [sys.executable, "-m", module]


def theirs(script: str) -> list[str]:
    """A peer's side: a module of bench/peers/ in the peers' own environment."""
    if not PEERS_PYTHON.exists():
        sys.exit("the peers are not installed: make bench-short sets them up")
    return [str(PEERS_PYTHON), "-m", f"bench.peers.{script}"]
