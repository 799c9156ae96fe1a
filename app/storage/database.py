"""Connections to PostgreSQL, and its schema.

Resources go through SQLAlchemy, the journal's hot statements through plain psycopg; both are pools
on the same server. A connection that the server closed is noticed before it is used.
"""

from __future__ import annotations

import asyncio
import select
import threading
from pathlib import Path
from typing import Any

import psycopg
from alembic.config import Config
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

from alembic import command
from app.observability.metrics import PoolUse

Connection = psycopg.AsyncConnection[DictRow]
Pool = AsyncConnectionPool[Connection]

KEEPALIVES = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
"""A server that vanished without a word is noticed within 11 s."""
LONGEST_RECONNECT_PAUSE = 2.0
"""The pool's own back-off doubles up to half a minute; a restarted server is found sooner."""
_ONE_MIGRATION = threading.Lock()
"""Alembic keeps its context in module globals, so one process runs one migration at a time."""


def journal_pool(url: str, max_size: int = 14) -> Pool:
    """A closed pool of plain connections in autocommit; open it with `async with`."""
    return AsyncConnectionPool(
        plain_url(url),
        connection_class=psycopg.AsyncConnection[DictRow],
        min_size=1,
        max_size=max_size,
        open=False,
        timeout=15.0,
        reconnect_timeout=LONGEST_RECONNECT_PAUSE,
        check=look_at,
        kwargs={"autocommit": True, "row_factory": dict_row, **KEEPALIVES},
        name="journal",
    )


async def look_at(connection: Connection) -> None:
    """Raises OperationalError where the server has closed the connection.

    An idle connection with something to read has bad news; only then is a question sent, because a
    round trip at every checkout would cost as much as the statement it is for.
    """
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    if poll.poll(0):
        await AsyncConnectionPool.check_connection(connection)


def resource_engine(url: str, pool_size: int = 8) -> AsyncEngine:
    """The SQLAlchemy engine of the resources; dispose it at the end."""
    return create_async_engine(
        sqlalchemy_url(url), pool_size=pool_size, pool_pre_ping=True, connect_args=KEEPALIVES
    )


def pool_use(pool: Pool) -> PoolUse:
    """How the connections of the journal are used now."""
    found = pool.get_stats()
    idle = found.get("pool_available", 0)
    return PoolUse(found.get("pool_size", 0) - idle, idle, found.get("requests_waiting", 0))


def engine_use(engine: AsyncEngine) -> PoolUse:
    """How the connections of the resources are used now. Who waits for one is not known."""
    pool = engine.pool
    if not isinstance(pool, QueuePool):
        return PoolUse(0, 0, 0)
    return PoolUse(pool.checkedout(), pool.checkedin(), 0)


async def connect(url: str, **more: Any) -> Connection:
    """One connection outside every pool, in autocommit: for LISTEN and for locks."""
    return await psycopg.AsyncConnection.connect(
        plain_url(url), autocommit=True, row_factory=dict_row, **{**KEEPALIVES, **more}
    )


def plain_url(url: str) -> str:
    """The URL as libpq reads it."""
    scheme, _, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}://{rest}"


def sqlalchemy_url(url: str) -> str:
    """The URL as SQLAlchemy reads it, with the driver we use."""
    parsed = make_url(plain_url(url)).set(drivername="postgresql+psycopg")
    return parsed.render_as_string(hide_password=False)


async def migrate(url: str, revision: str = "head") -> None:
    """Bring the schema to a revision; several processes may ask at once."""
    await asyncio.to_thread(_migrate, url, revision)


def _migrate(url: str, revision: str) -> None:
    configuration = Config()
    configuration.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    configuration.attributes["url"] = sqlalchemy_url(url)
    with _ONE_MIGRATION:
        command.upgrade(configuration, revision)


def migrations_folder() -> Path:
    """Beside the package in the repository, inside it in a wheel."""
    packaged = Path(__file__).parent / "alembic"
    beside = Path(__file__).parents[2] / "alembic"
    return packaged if packaged.is_dir() else beside
