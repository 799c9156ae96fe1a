"""`clusterway vault`: the keys that seal everything secret, on the service's own machine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.cli.keys import store_of
from app.cli.service import said_plainly
from app.security.key_file import KeyFile
from app.security.vault import load_vault
from app.services.problems import Problem
from app.services.vault_keys import VaultKeysService
from app.settings import Settings

EXIT_LEFT = 1

app = typer.Typer(
    no_args_is_help=True,
    help="Key-encryption keys: new-key, then rewrap, then retire the old one. The service runs on.",
)


@app.command("list")
def show() -> None:
    """Show the keys, oldest first, and how many secrets of each kind each has sealed."""

    async def work(vault: VaultKeysService) -> None:
        counts = await vault.counts()
        known = vault.vault.keys
        missing = sorted({key for keys in counts.values() for key in keys} - set(known))
        table = Table("key", *counts, box=None)
        for key in (*known, *missing):
            said = f"{key} (not in the file)" if key in missing else key
            table.add_row(said, *(str(keys.get(key, 0)) for keys in counts.values()))
        Console(width=None if Console().is_terminal else 240).print(table)
        if missing:
            raise typer.Exit(EXIT_LEFT)

    _run(work)


@app.command("new-key")
def new_key() -> None:
    """Add a key to the file. It seals what is written from now on; the older keys still open."""

    async def work(vault: VaultKeysService) -> None:
        key = await vault.add()
        typer.echo(f"{key} seals from now on; move what there is to it: clusterway vault rewrap")

    _run(work)


@app.command("rewrap")
def rewrap() -> None:
    """Move all secrets and backups to the newest key. May be interrupted and run again.

    Exit code 1 where something is still sealed by another key.
    """

    async def work(vault: VaultKeysService) -> None:
        done = await vault.rewrap()
        for kind, count in done.moved.items():
            typer.echo(f"{kind}: {count} moved")
        for kind, keys in done.left.items():
            for key, count in keys.items():
                typer.echo(f"clusterway: {count} {kind} still need key {key}", err=True)
        if done.left:
            raise typer.Exit(EXIT_LEFT)

    _run(work)


@app.command("retire")
def retire(key: Annotated[str, typer.Argument(help="A key, as `vault list` shows it.")]) -> None:
    """Take an older key out of the file, once nothing needs it. Copies of the file keep it."""

    async def work(vault: VaultKeysService) -> None:
        await vault.retire(key)
        typer.echo(f"{key} is retired")

    _run(work)


def _run(work: Callable[[VaultKeysService], Awaitable[None]]) -> None:
    async def run() -> None:
        settings = Settings()
        vault = load_vault(settings.keys)
        async with store_of(settings) as store:
            await work(VaultKeysService(store, KeyFile(settings.keys), vault))

    with said_plainly():
        try:
            asyncio.run(run())
        except Problem as problem:
            typer.echo(f"clusterway: {problem.detail}", err=True)
            raise typer.Exit(EXIT_LEFT) from None
