"""`clusterway audit verify`: whether the audit trail is as it was written."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated

import typer

from app.cli.exits import Exit
from app.cli.keys import store_of
from app.cli.service import said_plainly
from app.services.audit import AuditService
from app.services.audit_records import Broken
from app.settings import Settings

EXIT_BROKEN = 1
_EMPTY = "0:empty"
"""Printed of a trail without rows; whatever came later is no contradiction."""
_PRINTED = re.compile(rf"[1-9][0-9]{{0,17}}:[0-9a-f]{{64}}|{_EMPTY}")

app = typer.Typer(no_args_is_help=True, help="The audit trail, read on this machine.")


@app.callback()
def options() -> None:
    """Keep `verify` a word of its own."""


@app.command("verify")
def verify(
    expect: Annotated[
        str | None,
        typer.Option(help="NUMBER:HASH as printed before: that row must be there, unchanged."),
    ] = None,
) -> None:
    """Follow the chain from its first row to its last. Exit code 1 where it breaks."""
    if expect is not None and not _PRINTED.fullmatch(expect):
        typer.echo(f"clusterway: --expect {expect!r}: not a NUMBER:HASH that was printed", err=True)
        raise typer.Exit(Exit.USAGE)
    with said_plainly():
        said, whole = asyncio.run(_verified(expect))
    typer.echo(said, err=not whole)
    if not whole:
        raise typer.Exit(EXIT_BROKEN)


async def _verified(expect: str | None) -> tuple[str, bool]:
    async with store_of(Settings()) as store:
        audit = AuditService(store)
        found = await audit.verify()
        if isinstance(found, Broken):
            return f"the audit trail is broken at row {found.seq}: {found.why}", False
        if expect is not None and expect != _EMPTY:
            number, _, wanted = expect.partition(":")
            if await audit.hash_at(int(number)) != wanted:
                return f"row {number} is not the one that was printed before", False
        seq, last = found
        return f"the audit trail is whole: {f'{seq}:{last}' if last else _EMPTY}", True
