"""A throw-away PostgreSQL for tests: one server a session, one database a test.

CLUSTERWAY_TEST_DATABASE_URL points at another server, on which databases may be made; without it
the embedded one is started in a temporary folder.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from app.storage.database import migrate, plain_url
from app.storage.embedded import EmbeddedPostgres


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server with an empty, migrated database `template_clusterway`."""
    given = os.environ.get("CLUSTERWAY_TEST_DATABASE_URL")
    with asyncio.Runner() as runner:
        if given:
            template = runner.run(_make_template(given))
            try:
                yield given
            finally:
                runner.run(_drop(given, template))
            return
        with tempfile.TemporaryDirectory(prefix="cw-pg-") as folder:
            Path(folder).chmod(0o755)
            embedded = EmbeddedPostgres(Path(folder))
            url = runner.run(embedded.__aenter__())
            try:
                runner.run(_hurry(url))
                runner.run(_make_template(url))
                yield url
            finally:
                runner.run(embedded.__aexit__(None, None, None))


@asynccontextmanager
async def database(server_url: str) -> AsyncIterator[str]:
    """The URL of a database of one's own, with the schema; dropped at the end."""
    name = f"test_{secrets.token_hex(6)}"
    await _execute(
        server_url,
        sql.SQL("create database {} template {}").format(
            sql.Identifier(name), sql.Identifier(_template_name())
        ),
    )
    try:
        yield _other(server_url, name)
    finally:
        await _drop(server_url, name)


async def _hurry(url: str) -> None:
    """Let a server that is thrown away not wait for the disk; durability has tests of its own."""
    for statement in ("alter system set fsync = off", "select pg_reload_conf()"):
        await _execute(url, sql.SQL(statement).format())


async def _make_template(url: str) -> str:
    name = _template_name()
    await _execute(url, sql.SQL("create database {}").format(sql.Identifier(name)))
    await migrate(_other(url, name))
    return name


def _template_name() -> str:
    return f"template_clusterway_{os.getpid()}"


async def _drop(url: str, name: str) -> None:
    await _execute(
        url, sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
    )


async def _execute(url: str, statement: sql.Composed) -> None:
    async with await psycopg.AsyncConnection.connect(plain_url(url), autocommit=True) as connection:
        await connection.execute(statement)


def _other(url: str, name: str) -> str:
    parsed = make_url(plain_url(url)).set(database=name)
    return parsed.render_as_string(hide_password=False)
