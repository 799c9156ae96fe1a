"""The command line as a person uses it, against a live API on a loopback socket.

Service, worker and fleet run in the test's process; commands run in a thread, or as processes where
signals, terminals and pipes matter. Profiles lie in the test's own folder.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli.main import app
from app.cli.service import Server
from tests.acceptance.conftest import House, OpenHouse, database_url, open_house, postgres_server
from tests.api.conftest import quiet_logs, redactor
from transports.mock.scenario import REHEARSAL_PASSWORD

__all__ = ["database_url", "open_house", "postgres_server", "quiet_logs", "redactor"]

CLUSTER = "cluster1.example.com"


@dataclass(frozen=True)
class Ended:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Person:
    """Somebody with profiles of their own, who types commands."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def surroundings(self) -> dict[str, str]:
        absent = {name: "" for name in os.environ if name.startswith("CLUSTERWAY_")}
        return {**absent, "XDG_CONFIG_HOME": str(self.home), **self.environment}

    async def types(self, *words: str, stdin: str = "") -> Ended:
        """A command in a thread; stdin is no terminal."""
        runner = CliRunner(env=self.surroundings)
        done = await asyncio.to_thread(runner.invoke, app, list(words), input=stdin)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return Ended(done.exit_code, done.stdout, done.stderr)

    async def does(self, *words: str, stdin: str = "") -> Any:
        """A command that must end well, with --json: its document."""
        ended = await self.types(*words, "--json", stdin=stdin)
        assert ended.code == 0, (words, ended)
        return ended.json

    @asynccontextmanager
    async def process(self, *words: str, **more: Any) -> AsyncIterator[asyncio.subprocess.Process]:
        """A command as a process of its own; killed at the end of the block if it still runs."""
        started = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app.cli", *words,
            env={**os.environ, **self.surroundings},
            **{"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE, **more},
        )  # fmt: skip
        try:
            yield started
        finally:
            if started.returncode is None:
                started.kill()
                await started.wait()


@dataclass
class Stand:
    """A live service, and somebody with its first key in a profile `lab`."""

    house: House
    url: str
    key: str
    ann: Person
    folder: Path

    def somebody(self, name: str) -> Person:
        home = self.folder / name
        home.mkdir()
        return Person(home)

    async def key_of(self, name: str, *scopes: str) -> str:
        made = await self.house.story.post("/v1/keys", {"name": name, "scopes": list(scopes)})
        return str(made["key"])

    async def register(self, number: int, person: Person | None = None) -> Any:
        """A peer over SSH and the web forms, pinned to what it shows."""
        person = person or self.ann
        entry = self.house.reachable[number]
        ssh, https = (f"{entry['host']}:{entry[port]}" for port in ("ssh_port", "https_port"))
        ssh_pin = (await person.does("peers", "probe", ssh))["fingerprint"]
        https_pin = (await person.does("peers", "probe", https, "--way", "https"))["fingerprint"]
        return await person.does(
            "peers", "add", entry["name"], entry["address"], "--credential", "expressways",
            "--ssh", ssh, "--ssh-pin", ssh_pin, "--https", https, "--https-pin", https_pin,
            "--no-xml-api",
        )  # fmt: skip

    async def begin(self, peers: int = 1) -> None:
        """Credential, peers and a declared cluster."""
        await self.ann.does("credentials", "add", "expressways", stdin=f"{REHEARSAL_PASSWORD}\n")
        for number in range(peers):
            await self.register(number)
        await self.ann.does("clusters", "declare", CLUSTER)

    async def plan(self, procedure: str, *given: str) -> Any:
        return await self.ann.does("plan", procedure, "--cluster", CLUSTER, *given)


def attested(plan: Mapping[str, Any]) -> list[str]:
    """Every gate of the plan, stated."""
    words = ["--by", "Ann Operator"]
    for needed in plan["attestations_needed"]:
        words += ["--attest", f"{needed['gate']}=seen it"]
    return words


OpenStand = Callable[..., AbstractAsyncContextManager[Stand]]


@pytest.fixture
def open_stand(open_house: OpenHouse, tmp_path: Path, quiet_logs: object) -> OpenStand:
    """`quiet_logs`: the service in this process must not write to the commands' stdout."""

    @asynccontextmanager
    async def opened(
        scenario: Mapping[str, Any] | None = None, **differ: Any
    ) -> AsyncIterator[Stand]:
        async with open_house(scenario or {}, **differ) as house:
            listener = socket.create_server(("127.0.0.1", 0))
            stop = asyncio.Event()
            serving = asyncio.create_task(
                Server(house.service, house.service.api()).serve_until(stop, listener)
            )
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            key = house.story.client.headers["authorization"].removeprefix("Bearer ")
            folder = tmp_path / "people"
            folder.mkdir()
            stand = Stand(house, url, key, Person(folder), folder)
            kept = await stand.ann.types("profiles", "add", "lab", "--url", url, stdin=f"{key}\n")
            assert kept.code == 0, kept
            try:
                yield stand
            finally:
                stop.set()
                await serving

    return opened
