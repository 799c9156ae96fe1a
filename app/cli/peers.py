"""`clusterway peers`: what an address presents, registering it under that identity, looking."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli import names
from app.cli.desk import Desk, command
from app.cli.exits import Exit, Stopped, misused
from app.cli.output import when

app = typer.Typer(no_args_is_help=True, help="Registered Expressways.")
Peer = Annotated[
    str, typer.Argument(help="A peer, by name or id.", autocompletion=names.complete_peer)
]


class Way(enum.StrEnum):
    """How a peer is reached, with the port where none is said."""

    SSH = "ssh"
    HTTPS = "https"

    @property
    def port(self) -> int:
        """The usual one."""
        return 22 if self is Way.SSH else 443

    @property
    def transport(self) -> str:
        """In the API's words."""
        return "ssh" if self is Way.SSH else "http"


@command(app, "probe")
async def probe(
    desk: Desk,
    at: Annotated[str, typer.Argument(help="HOST or HOST:PORT.", metavar="HOST[:PORT]")],
    way: Annotated[Way, typer.Option(help="The access path to look at.")] = Way.SSH,
) -> None:
    """Show the host key or certificate at an address, for you to compare. Sends no password."""
    found = await _presented(desk, way, at)
    desk.out.document(found)
    desk.out.facts([("fingerprint", found["fingerprint"]), (found["kind"], found["value"].strip())])
    desk.out.line(
        f"Compare it with the appliance's own; register it with --{way.value}-pin"
        f" {found['fingerprint']}",
        "dim",
    )


@command(app, "add")
async def add(
    desk: Desk,
    *,
    name: Annotated[str, typer.Argument(help="What people call it.")],
    address: Annotated[str, typer.Argument(help="Its LAN 1 address, as peer lists name it.")],
    credential: Annotated[str, typer.Option(help="Its administrator's, by name or id.")],
    ssh: Annotated[
        str, typer.Option(help="HOST[:PORT] of the command line; with a pin alone: ADDRESS:22.")
    ] = "",
    ssh_pin: Annotated[
        str, typer.Option(help="Fingerprint of its host key, compared by you.")
    ] = "",
    https: Annotated[
        str, typer.Option(help="HOST[:PORT] of the web side; with a pin alone: ADDRESS:443.")
    ] = "",
    https_pin: Annotated[
        str, typer.Option(help="Fingerprint of its certificate, compared by you.")
    ] = "",
    ca_bundle: Annotated[
        Path | None, typer.Option(help="Instead of --https-pin: authorities to trust, a PEM file.")
    ] = None,
    root_credential: Annotated[
        str, typer.Option(help="Of the root shell, where it is granted, by name or id.")
    ] = "",
    xml_api: Annotated[
        bool, typer.Option(help="Whether its XML API is used, or its web forms alone.")
    ] = True,
) -> None:
    """Register an Expressway under the identity you compared; exit code 1 if it shows another.

    The address is probed again; only what has the pinned fingerprint is registered.
    """
    endpoints: list[dict[str, Any]] = []
    credential_id = await desk.credential_id(credential)
    if ssh or ssh_pin:
        if not ssh_pin:
            raise misused("--ssh needs --ssh-pin; see `clusterway peers probe`")
        trust = await _pinned(desk, Way.SSH, ssh or address, ssh_pin)
        endpoints.append(_endpoint(Way.SSH, ssh or address, credential_id, trust))
        if root_credential:
            endpoints[0]["root_credential_id"] = await desk.credential_id(root_credential)
    if https or https_pin or ca_bundle:
        if bool(https_pin) == bool(ca_bundle):
            raise misused("--https needs --https-pin or --ca-bundle; see `clusterway peers probe`")
        trust = (
            {"ca_bundle": _text(ca_bundle)}
            if ca_bundle
            else await _pinned(desk, Way.HTTPS, https or address, https_pin)
        )
        web = _endpoint(Way.HTTPS, https or address, credential_id, trust)
        endpoints.append(web if xml_api else {**web, "options": {"xml_api": "false"}})
    if not endpoints:
        raise misused("say how it is reached: --ssh-pin, --https-pin or both")
    body = {"name": name, "address": address, "endpoints": endpoints}
    made = await desk.client.post("/v1/peers", body)
    desk.out.document(made)
    desk.out.line(f"{made['id']}  {made['name']}")


@command(app, "list")
async def show_all(desk: Desk) -> None:
    """List peers."""
    entries = await desk.client.items("/v1/peers")
    desk.out.document({"items": entries})
    desk.out.table(
        ("id", "name", "address", "reached by", "cluster"),
        [
            (
                e["id"],
                e["name"],
                e["address"],
                [end["transport"] for end in e["endpoints"]],
                e["cluster_id"],
            )
            for e in entries
        ],
    )


@command(app, "show")
async def show(desk: Desk, peer: Peer) -> None:
    """Show a peer and how it is reached."""
    found = await desk.client.get(f"/v1/peers/{await desk.peer_id(peer)}")
    desk.out.document(found)
    desk.out.facts(
        [(name, found[name]) for name in ("id", "name", "address", "cluster_id")]
        + [("registered", when(found["created_at"]))]
    )
    desk.out.table(
        ("reached by", "at", "identity"),
        [
            (
                end["transport"],
                f"{end['host']} port {end['port']}",
                end["trust"]["fingerprint"] if end["trust"] else "",
            )
            for end in found["endpoints"]
        ],
    )


@command(app, "observe")
async def observe(desk: Desk, peer: Peer) -> None:
    """Ask a peer what it says of itself now. Changes nothing."""
    seen = await desk.client.post(f"/v1/peers/{await desk.peer_id(peer)}/observations")
    desk.out.document(seen)
    page = seen["clustering"]
    desk.out.facts(
        [
            ("system name", seen["system_name"]),
            ("version", seen["software_version"]),
            ("cluster name", page["cluster_name"]),
            ("peer list", [f"{p['address']} {p['status']}" for p in page["peers"]]),
            ("database", page["database_status"]),
            ("alarms", len(seen["alarms"])),
        ]
    )


async def _presented(desk: Desk, way: Way, at: str) -> dict[str, Any]:
    host, port = _place(at, way)
    body = {"transport": way.transport, "host": host, "port": port}
    return await desk.client.post("/v1/peers/probe", body)


async def _pinned(desk: Desk, way: Way, at: str, pin: str) -> dict[str, str]:
    found = await _presented(desk, way, at)
    if found["fingerprint"] != pin:
        raise Stopped(
            Exit.NOT_WELL,
            f"{at} shows {found['fingerprint']} over {way.value}, not {pin}; nothing was"
            " registered\n  remedy: find out which of the two is the appliance's own",
        )
    return {found["kind"]: found["value"]}


def _endpoint(way: Way, at: str, credential_id: str, trust: dict[str, str]) -> dict[str, Any]:
    host, port = _place(at, way)
    return {
        "transport": way.transport,
        "host": host,
        "port": port,
        "credential_id": credential_id,
        "trust": trust,
    }


def _place(text: str, way: Way) -> tuple[str, int]:
    """`192.0.2.11`, `192.0.2.11:22`, `2001:db8::1` or `[2001:db8::1]:22`."""
    host, sign, port = text.rpartition(":")
    if text.startswith("["):
        host, sign, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif not sign or ":" in host:
        host, port = text, ""
    if port and not (port.isdecimal() and 0 < int(port) < 65536):
        raise misused(f"{text!r}: {port!r} is not a port")
    return host, int(port) if port else way.port


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise misused(f"{file} cannot be read: {error}") from error
