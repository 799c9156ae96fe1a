"""`clusterway keys`: the way back in on the service's own machine, straight to its database.

Whoever can read the settings and the database may let themselves in; the API is not asked, so this
works when no key is left.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.cli.service import said_plainly
from app.domain.terms import LABEL_NAME, LONGEST_LABEL_VALUE, Label, in_words
from app.engine.clock import SystemClock
from app.main import database
from app.security.keys import Limits, Scope
from app.services.identifiers import Identifiers
from app.services.keys import KeysService
from app.services.problems import Problem
from app.settings import Settings
from app.storage.database import migrate, resource_engine
from app.storage.desk import ConnectionDesk
from app.storage.store import PostgresStore

EXIT_REFUSED = 1

app = typer.Typer(no_args_is_help=True, help="API keys, made and revoked on this machine.")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Its name, for people.")],
    scope: Annotated[
        list[Scope] | None, typer.Option(help="What it may do; without any: admin.")
    ] = None,
    cluster: Annotated[
        list[str] | None, typer.Option(help="The only clusters it reaches; without any: all.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE: only clusters with all of these; without any: all."),
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, help="How long it is good; without it: until revoked.")
    ] = None,
) -> None:
    """Make a key and print its text, once."""
    until = None if days is None else datetime.now(UTC) + timedelta(days=days)
    limits = Limits(
        scopes=frozenset(scope or [Scope.ADMIN]),
        clusters=frozenset(cluster) if cluster else None,
        labels=frozenset(_labels(label or ())),
        expires_at=until,
    )

    async def work(keys: KeysService) -> None:
        made = await keys.create_here(name, limits)
        typer.echo(f"{made.key.id}, shown only now: {made.text}")

    _run(work)


@app.command("list")
def show() -> None:
    """List all keys that are not revoked."""

    async def work(keys: KeysService) -> None:
        table = Table(
            "id", "prefix", "name", "scopes", "clusters", "labels", "expires", "last used", box=None
        )
        for key in await keys.all():
            limits = key.limits
            table.add_row(
                key.id,
                key.prefix,
                key.name,
                " ".join(sorted(limits.scopes)),
                "all" if limits.clusters is None else " ".join(sorted(limits.clusters)),
                in_words(limits.labels) or "any",
                _time(limits.expires_at),
                _time(key.last_used_at),
            )
        Console(width=None if Console().is_terminal else 240).print(table)

    _run(work)


@app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key, as `keys list` shows it.")],
) -> None:
    """Revoke a key, also the last one."""

    async def work(keys: KeysService) -> None:
        await keys.revoke_here(key_id)
        typer.echo(f"{key_id} is revoked")

    _run(work)


def _labels(given: Sequence[str]) -> Iterator[Label]:
    names: set[str] = set()
    for text in given:
        name, sign, value = text.partition("=")
        well = re.fullmatch(LABEL_NAME, name) and sign and value.isprintable()
        if not well or len(value) > LONGEST_LABEL_VALUE or name in names:
            raise typer.BadParameter(f"--label {text!r} is not NAME=VALUE with a name of its own")
        names.add(name)
        yield Label(name, value)


@asynccontextmanager
async def store_of(settings: Settings) -> AsyncIterator[PostgresStore]:
    """The service's database, up to date, while the block lasts."""

    async def nobody(*_: object) -> None:
        """No job is started here."""

    async with database(settings) as url:
        await migrate(url)
        engine = resource_engine(url)
        try:
            yield PostgresStore(engine, lambda connection: ConnectionDesk(connection, nobody))
        finally:
            await engine.dispose()


def _run(work: Callable[[KeysService], Awaitable[None]]) -> None:
    async def run() -> None:
        async with store_of(Settings()) as store:
            await work(KeysService(store=store, clock=SystemClock(1.0), new_id=Identifiers()))

    with said_plainly():
        try:
            asyncio.run(run())
        except Problem as problem:
            more = "".join(f"; {item.detail}" for item in problem.errors)
            typer.echo(f"clusterway: {problem.detail}{more}", err=True)
            raise typer.Exit(EXIT_REFUSED) from None


def _time(at: datetime | None) -> str:
    return "-" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ")
