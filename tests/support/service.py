"""The service and the fleet as processes of their own, as a user runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.api_story import ApiStory

START_SECONDS = 60.0
SPEED = 100.0


class Process:
    """One `clusterway` process with its output in a file."""

    def __init__(self, folder: Path, name: str, arguments: list[str], **environment: str) -> None:
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **environment, "PYTHONUNBUFFERED": "1"},
                cwd=Path(__file__).parents[2],
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float = 30.0) -> int:
        return self._process.wait(seconds)

    def stop(self) -> int:
        if self.running:
            self.signal(signal.SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            return self.wait()


@dataclass
class Lab:
    """Fleet, API and workers over one data folder; ended by `close`."""

    folder: Path
    scenario: Mapping[str, Any] = field(default_factory=dict)
    database_url: str | None = None
    processes: list[Process] = field(default_factory=list)
    workers: int = 0
    speed: float = SPEED
    data: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="cw-lab-")
    )

    def __post_init__(self) -> None:
        # As root, PostgreSQL runs as another user and must be able to pass through.
        Path(self.data.name).chmod(0o711)

    watch_interval: str = "0"

    def start_fleet(self) -> list[dict[str, Any]]:
        description = self.folder / "fleet.json"
        scenario = self.folder / "scenario.json"
        scenario.write_text(json.dumps(self.scenario), encoding="utf-8")
        arguments = ["simulate", "--speed", str(self.speed), "--scenario", str(scenario)]
        self.fleet = self._start("fleet", [*arguments, "--write", str(description)])
        wait_until(description.exists, "the fleet's description", self.fleet)
        self.expressways: list[dict[str, Any]] = json.loads(
            description.read_text(encoding="utf-8")
        )["expressways"]
        return self.expressways

    def start_api(self, *, worker: bool) -> None:
        arguments = ["serve", "--port", "0", *([] if worker else ["--no-worker"])]
        api = self._start("api", arguments, **self.environment)
        self.api = api
        url = wait_until(lambda: _after(api.said, "API on "), "the API's address", api)
        key = _after(api.said, "shown only now: ")
        self.url, self.key = str(url), key

    @asynccontextmanager
    async def caller(self) -> AsyncIterator[ApiStory]:
        """A caller with the first key."""
        headers = {"Authorization": f"Bearer {self.key}"}
        async with httpx.AsyncClient(
            base_url=self.url, headers=headers, timeout=90.0, trust_env=False
        ) as client:
            yield ApiStory(client)

    def restart_api(self, *, worker: bool) -> None:
        """The same data folder again; the key is the one of the first start."""
        key = self.key
        self.api.log.unlink()
        self.start_api(worker=worker)
        self.key = key

    def start_worker(self) -> Process:
        self.workers += 1
        worker = self._start(f"worker-{self.workers}", ["worker"], **self.environment)
        wait_until(lambda: "carrying out jobs" in worker.said, "a worker", worker)
        return worker

    @property
    def environment(self) -> dict[str, str]:
        url = {"CLUSTERWAY_DATABASE_URL": self.database_url} if self.database_url else {}
        return {
            "CLUSTERWAY_DATA_FOLDER": str(Path(self.data.name) / "data"),
            "CLUSTERWAY_PACE": str(self.speed),
            "CLUSTERWAY_WATCH_INTERVAL": self.watch_interval,
            "CLUSTERWAY_ALLOW_LOOPBACK_PEERS": "true",
            **url,
        }

    def run(self, *arguments: str, **environment: str) -> Process:
        """One more `clusterway` command."""
        return self._start("command", list(arguments), **environment)

    def close(self) -> None:
        for process in reversed(self.processes):
            process.stop()
        self.data.cleanup()

    def _start(self, name: str, arguments: list[str], **environment: str) -> Process:
        process = Process(self.folder, name, arguments, **environment)
        self.processes.append(process)
        return process


def wait_until(condition: Callable[[], Any], what: str, process: Process | None = None) -> Any:
    """Poll until the condition gives something; fails with the process's output."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        found = condition()
        if found:
            return found
        said = process.said if process is not None else ""
        assert process is None or process.running, f"{what}: the process ended: {said}"
        assert time.monotonic() < deadline, f"{what} did not come: {said}"
        time.sleep(0.05)


def _after(text: str, words: str) -> str:
    _, found, rest = text.partition(words)
    return rest.split()[0] if found and rest.split() else ""
