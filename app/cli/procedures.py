"""`clusterway procedures`: what can be planned, and with which parameters."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli import names
from app.cli.desk import Desk, command
from app.cli.parameters import described

app = typer.Typer(no_args_is_help=True, help="What can be planned.")


@command(app, "list")
async def show_all(desk: Desk) -> None:
    """List procedures."""
    entries = await desk.client.items("/v1/procedures")
    desk.out.document({"items": entries})
    desk.out.table(
        ("procedure", "guide", "what it does"),
        [(e["slug"], f"p.{e['guide_pages']}", e["summary"]) for e in entries],
    )


@command(app, "show")
async def show(
    desk: Desk,
    procedure: Annotated[
        str, typer.Argument(help="A procedure.", autocompletion=names.complete_procedure)
    ],
) -> None:
    """Show a procedure and its parameters."""
    found = await desk.client.get(f"/v1/procedures/{procedure}")
    desk.out.document(found)
    desk.out.line(f"{found['title']} (guide p.{found['guide_pages']})", "bold")
    desk.out.line(found["summary"])
    desk.out.table(("parameter", "default", "meaning"), list(described(found["parameters_schema"])))
