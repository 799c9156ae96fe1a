"""`clusterway credentials`: secrets go in, by prompt or stdin, and never come out."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from app.cli import secrets
from app.cli.desk import Desk, command
from app.cli.output import when

app = typer.Typer(no_args_is_help=True, help="Passwords and pre-shared keys in the vault.")


class Kind(enum.StrEnum):
    """What a secret is."""

    PASSWORD = "password"  # noqa: S105 - the word, not a password
    PRE_SHARED_KEY = "pre_shared_key"


@command(app, "add")
async def add(
    desk: Desk,
    name: Annotated[str, typer.Argument(help="What people call it.")],
    username: Annotated[str, typer.Option(help="The account of a password.")] = "admin",
    kind: Annotated[Kind, typer.Option(help="What it is.")] = Kind.PASSWORD,
) -> None:
    """Seal a secret in the vault. It is asked for twice, or is the first line of stdin."""
    secret = secrets.ask("secret", twice=True)
    body = {"name": name, "kind": kind.value, "secret": secret}
    if kind is Kind.PASSWORD:
        body["username"] = username
    made = await desk.client.post("/v1/credentials", body)
    desk.out.document(made)
    desk.out.line(f"{made['id']}  {made['name']}")


@command(app, "list")
async def show(desk: Desk) -> None:
    """List credentials, without their secrets."""
    entries = await desk.client.items("/v1/credentials")
    desk.out.document({"items": entries})
    desk.out.table(
        ("id", "name", "kind", "user", "rotated"),
        [(e["id"], e["name"], e["kind"], e["username"], when(e["rotated_at"])) for e in entries],
    )
