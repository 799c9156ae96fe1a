"""`clusterway demo`: the main job from nothing, as a user would do it.

Starts a simulated fleet and the service as processes of their own, then uses the HTTP API alone:
credential, peers with pinned host keys and certificates, a cluster on the first peer, the others
added one at a time. Ends well only if the peers' own answers prove the cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

from app.cli.client import ApiError, Client
from app.cli.watching import watch

CLUSTER = "cluster1.example.com"
START_SECONDS = 90.0
STOP_SECONDS = 20.0
_KEY = re.compile(r"first API key, shown only now: (\S+)")
_URL = re.compile(r"API on (http://\S+)")


class DemoFailed(Exception):
    """The demo did not prove what it set out to prove."""


def demo(
    speed: Annotated[
        float, typer.Option(min=1, max=500, help="Appliance seconds per second; 1 is real time.")
    ] = 100.0,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave service and fleet running until Ctrl-C.")
    ] = False,
) -> None:
    """Build a three-peer cluster on a simulated fleet through the API."""
    # Where nobody knows how wide the paper is, the table of answers must fit on it.
    console = Console(width=None if sys.stdout.isatty() else 110)
    try:
        asyncio.run(_demo(console, speed, keep=keep))
    except (DemoFailed, ApiError, httpx.TransportError) as error:
        console.print(f"demo failed: {error}", style="red", highlight=False, markup=False)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        console.print("demo stopped; its processes have ended", highlight=False)
        raise typer.Exit(130) from None


async def _demo(console: Console, speed: float, *, keep: bool) -> None:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="clusterway-demo-") as folder:
        data = Path(folder)
        _let_through(data)
        console.print(f"Fleet and service start (fleet clock x{speed:g}) ...", highlight=False)
        async with _fleet(data, speed) as fleet, _service(data, speed) as (url, key):
            async with Client(url, key) as client:
                job_id = await _story(client, console, fleet, speed)
                await _prove(client, console, fleet)
            console.print(
                f"\nThe peers' own answers prove the cluster; {time.monotonic() - begun:.0f} s"
                " in all.",
                style="bold green",
                highlight=False,
            )
            _look_next(console, url, key, job_id, keep=keep)
            if keep:
                await _until_interrupted()


async def _story(client: Client, console: Console, fleet: Mapping[str, Any], speed: float) -> str:
    expressways = fleet["expressways"]
    credential = await client.post(
        "/v1/credentials",
        {
            "name": "expressway admin",
            "kind": "password",
            "username": "admin",
            "secret": expressways[0]["password"],
        },
    )
    console.print(f"credential stored: {credential['id']}", highlight=False)
    peers = []
    for entry in expressways:
        peer = await client.post("/v1/peers", _peer(entry, credential["id"]))
        pin = peer["endpoints"][0]["trust"]["fingerprint"]
        console.print(f"peer registered: {peer['name']} {peer['address']} {pin}", highlight=False)
        peers.append(peer)
    cluster = await client.post("/v1/clusters", {"name": CLUSTER})
    base = f"/v1/clusters/{cluster['id']}/procedures"
    first, *others = peers
    parameters = {
        "primary_peer_id": first["id"],
        "planned_peer_ids": [peer["id"] for peer in others],
    }
    job_id = await _run(client, console, f"{base}/create-cluster", parameters, speed)
    for peer in others:
        job_id = await _run(client, console, f"{base}/add-peer", {"peer_id": peer["id"]}, speed)
    return job_id


def _let_through(folder: Path) -> None:
    """As root, PostgreSQL runs as another user and must be able to pass through the folder."""
    folder.chmod(0o711)


def _peer(entry: Mapping[str, Any], credential_id: str) -> dict[str, Any]:
    """Admin CLI over SSH, and the web forms for what the CLI has not (key, backup)."""
    return {
        "name": entry["name"],
        "address": entry["address"],
        "endpoints": [
            {
                "transport": "ssh",
                "host": entry["host"],
                "port": entry["ssh_port"],
                "credential_id": credential_id,
                "trust": {"host_key": entry["host_key"]},
            },
            {
                "transport": "http",
                "host": entry["host"],
                "port": entry["https_port"],
                "credential_id": credential_id,
                "trust": {"certificate": entry["certificate"]},
                "options": {"xml_api": "false"},
            },
        ],
    }


async def _run(
    client: Client, console: Console, path: str, parameters: dict[str, Any], speed: float
) -> str:
    """Plan, show what people must state, state it, start exactly that plan, watch it to its end."""
    plan = await client.post(f"{path}/plan", parameters)
    steps = sum(len(stage["steps"]) for stage in plan["stages"])
    console.print(
        f"\n[bold]{plan['procedure']}[/bold]: {len(plan['stages'])} stages, {steps} steps, about"
        f" {plan['expected_seconds'] / 60:.0f} min on real appliances",
        highlight=False,
    )
    blockers = [f for f in plan["findings"] if f["severity"] == "blocker"]
    if blockers:
        raise DemoFailed("; ".join(f"{f['code']}: {f['message']}" for f in blockers))
    stated = [
        {
            "gate": needed["gate"],
            "by": "demo operator",
            "reason": "true of the simulated fleet of this demo",
        }
        for needed in plan["attestations_needed"]
    ]
    body = {**parameters, "plan_digest": plan["digest"], "attestations": stated}
    job = await client.post(path, body)
    state = await watch(client, job["id"], console, pace=speed)
    if state != "succeeded":
        raise DemoFailed(f"job {job['id']} {state}")
    return str(job["id"])


async def _prove(client: Client, console: Console, fleet: Mapping[str, Any]) -> None:
    """Ask every peer, and compare with what must be; the registry's word does not count."""
    wanted = [entry["address"] for entry in fleet["expressways"]]
    clusters = await client.get("/v1/clusters")
    cluster_id = clusters["items"][0]["id"]
    answers = await client.post(f"/v1/clusters/{cluster_id}/observations")
    table = Table(title="What each peer itself says", title_justify="left")
    for column in ("peer", "cluster name", "primary", "peer list", "database", "alarms"):
        table.add_column(column)
    proved = len(answers["members"]) == len(wanted)
    for member in answers["members"]:
        seen = member["observation"]
        if seen is None:
            proved = False
            table.add_row(member["peer_id"], "no answer", "", "", "", "")
            continue
        page = seen["clustering"]
        listed = [peer["address"] for peer in page["peers"]]
        primary = next(
            (p["address"] for p in page["peers"] if p["index"] == page["primary_index"]), ""
        )
        words = [f"{p['address']} {p['status']}" for p in page["peers"]]
        good = (
            page["cluster_name"] == CLUSTER
            and listed == wanted
            and primary == wanted[0]
            and page["database_status"] == "Active"
        )
        proved = proved and good
        table.add_row(
            seen["system_name"],
            page["cluster_name"],
            primary,
            "\n".join(words),
            page["database_status"] or "",
            str(len(seen["alarms"])),
        )
    console.print()
    console.print(table)
    if not proved:
        raise DemoFailed("the peers' answers do not prove the cluster")


def _look_next(console: Console, url: str, key: str, job_id: str, *, keep: bool) -> None:
    links = (
        ("API documentation", f"{url}/docs"),
        ("last job", f"{url}/v1/jobs/{job_id}"),
        ("its evidence: events", f"{url}/v1/jobs/{job_id}/events"),
        ("its evidence: backups", f"{url}/v1/jobs/{job_id}/backups"),
    )
    for what, link in links:
        console.print(f"  {what:22} {link}", highlight=False, soft_wrap=True)
    if keep:
        console.print(f"  API key                {key}", highlight=False, soft_wrap=True)
        console.print("Ctrl-C ends the demo.", highlight=False)
    else:
        console.print(
            "These ended with the demo; `clusterway demo --keep` leaves them running.",
            style="dim",
            highlight=False,
        )


@contextlib.asynccontextmanager
async def _fleet(data: Path, speed: float) -> AsyncIterator[Mapping[str, Any]]:
    description = data / "fleet.json"
    arguments = ["simulate", "--speed", f"{speed:g}", "--write", str(description)]
    async with _process("fleet", arguments, data, {}) as process:
        await _wait_for(lambda: description.exists() and description.stat().st_size, process)
        yield json.loads(description.read_text(encoding="utf-8"))
    if process.returncode not in {0, -signal.SIGTERM}:
        raise DemoFailed("a safety rule was broken on the fleet; see its log above")


@contextlib.asynccontextmanager
async def _service(data: Path, speed: float) -> AsyncIterator[tuple[str, str]]:
    environment = {
        "CLUSTERWAY_DATA_FOLDER": str(data / "service"),
        "CLUSTERWAY_WATCH_INTERVAL": "0",
        "CLUSTERWAY_PACE": f"{speed:g}",
        "CLUSTERWAY_ALLOW_LOOPBACK_PEERS": "true",
        "CLUSTERWAY_LOG_LEVEL": "WARNING",
    }
    async with _process("service", ["serve", "--port", "0"], data, environment) as process:
        said = data / "service.log"
        await _wait_for(lambda: _URL.search(said.read_text(encoding="utf-8")), process)
        text = said.read_text(encoding="utf-8")
        url, key = _URL.search(text), _KEY.search(text)
        if url is None or key is None:
            raise DemoFailed("the service did not say its address and key")
        yield url[1], key[1]


@contextlib.asynccontextmanager
async def _process(
    name: str, arguments: list[str], data: Path, environment: Mapping[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A `clusterway` process of its own group; ended, and its errors shown, with the block."""
    log = data / f"{name}.log"
    log.touch(mode=0o600)  # the service says its first API key there
    with log.open("w", encoding="utf-8") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "app.cli",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **environment, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
    try:
        yield process
    except BaseException:
        await _end(process)
        print(log.read_text(encoding="utf-8")[-4000:], file=sys.stderr)
        raise
    await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _wait_for(condition: Any, process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(START_SECONDS):
            while not condition():
                if process.returncode is not None:
                    raise DemoFailed("a process ended while starting")
                await asyncio.sleep(0.1)
    except TimeoutError as error:
        raise DemoFailed(f"not started within {START_SECONDS:g} s") from error


async def _until_interrupted() -> None:
    await asyncio.Event().wait()
