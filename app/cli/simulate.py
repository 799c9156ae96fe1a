"""`clusterway simulate`: a fleet of simulated Expressways behind real SSH and HTTPS servers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import typer

from transports.mock.clock import FleetClock
from transports.mock.fleet import Fleet
from transports.mock.https_server import serve_https
from transports.mock.scenario import load
from transports.mock.ssh_server import serve_ssh
from transports.mock.witness import Witness


def simulate(
    speed: Annotated[
        float, typer.Option(min=0.1, max=1000, help="Appliance seconds per second.")
    ] = 1.0,
    scenario: Annotated[
        Path | None, typer.Option(help="A scenario as JSON; three healthy Expressways without it.")
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="Write how to reach the fleet to this file, as JSON.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Start a simulated fleet and keep it until Ctrl-C.

    Ends with exit code 1 where a safety rule was broken on it meanwhile. docs/rehearse.md has the
    words of a scenario.
    """
    try:
        text = scenario.read_text(encoding="utf-8") if scenario else "{}"
        fleet = load(text, clock=FleetClock(speed))
    except (OSError, ValueError, LookupError, TypeError) as error:
        typer.echo(f"scenario not understood: {error}", err=True)
        raise typer.Exit(2) from error
    violations = asyncio.run(_simulate(fleet, speed, write, host))
    raise typer.Exit(1 if violations else 0)


async def _simulate(fleet: Fleet, speed: float, write: Path | None, host: str) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    witness = Witness(fleet)
    async with servers(fleet, host) as described:
        description = {"speed": speed, "expressways": described}
        if write is not None:
            _write(write, description)
        for entry in described:
            typer.echo(
                f"{entry['name']}  LAN 1 {entry['address']}"
                f"  ssh {host}:{entry['ssh_port']}  https {host}:{entry['https_port']}"
            )
        typer.echo(f"user admin, password {described[0]['password']}; Ctrl-C ends the fleet")
        await stop.wait()
    for violation in witness.violations:
        typer.echo(f"broken safety rule: {violation}", err=True)
    return len(witness.violations)


def _write(path: Path, description: dict[str, Any]) -> None:
    """Whole or not at all: somebody may be waiting for the file."""
    aside = path.with_name(f".{path.name}.new")
    aside.write_text(json.dumps(description, indent=2), encoding="utf-8")
    aside.rename(path)


@contextlib.asynccontextmanager
async def servers(fleet: Fleet, host: str = "127.0.0.1") -> AsyncIterator[list[dict[str, Any]]]:
    """SSH and HTTPS servers for every appliance, and how to reach each."""
    async with contextlib.AsyncExitStack() as stack:
        described = []
        for expressway in fleet:
            ssh = await serve_ssh(expressway, host)
            stack.push_async_callback(ssh.close)
            https = await serve_https(expressway, host)
            stack.push_async_callback(https.close)
            described.append(
                {
                    "name": expressway.name,
                    "address": expressway.address,
                    "host": host,
                    "ssh_port": ssh.port,
                    "host_key": ssh.host_key,
                    "https_port": https.port,
                    "certificate": https.certificate_pem,
                    "username": "admin",
                    "password": expressway.accounts.admin_password,
                }
            )
        yield described
