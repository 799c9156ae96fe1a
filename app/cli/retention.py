"""`clusterway retention`: what would be pruned, or a pass of pruning now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated

import typer

from app.cli.service import said_plainly
from app.main import open_service
from app.security.redaction import Redactor
from app.settings import Settings


def retention(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how many rows would go.")
    ] = False,
) -> None:
    """Take away what is older than the settings say; workers do the same by themselves."""

    async def run() -> Mapping[str, int]:
        async with open_service(Settings(), Redactor()) as service:
            rules = service.services.retention
            return await (rules.would_go() if dry_run else rules.prune())

    with said_plainly():
        found = asyncio.run(run())
    for kind, rows in found.items():
        typer.echo(f"{kind:<13} {rows:>9} {'would go' if dry_run else 'gone'}")
