"""What the service says to its database for one request, written down to be said again by others.

So the bare side of a comparison sends the very same statements, with the same values but for the
ids that have to be new, in the same transactions: not what somebody thinks they are.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Json, Jsonb

AUDIT_HEAD = "from audit_head for update"
AUDIT = ("into audit ", "update audit_head")


@dataclass(frozen=True)
class Said:
    """One statement, or the end of a transaction (`query` empty). `many`: values of each time."""

    query: str
    values: Any = None
    many: bool = False


@dataclass(frozen=True)
class _Document:
    """A value that psycopg sends as JSON, which it cannot itself be kept as."""

    binary: bool
    value: Any


@dataclass
class Exchange:
    """One request: what was said for it in order, and how it was answered."""

    said: list[Said] = field(default_factory=list)
    answer: bytes = b""

    def keep(self, file: Path) -> None:
        file.write_bytes(pickle.dumps(self))

    @classmethod
    def kept(cls, file: Path) -> Exchange:
        found: Exchange = pickle.loads(file.read_bytes())  # noqa: S301 - our own parent wrote it
        return found


@contextmanager
def recorded() -> Iterator[Exchange]:
    """What every connection of this process says while the block lasts."""
    heard = Exchange()
    cursor, connection = psycopg.AsyncCursor, psycopg.AsyncConnection
    execute, executemany, commit = cursor.execute, cursor.executemany, connection.commit

    async def one(self: Any, query: Any, params: Any = None, **more: Any) -> Any:
        heard.said.append(Said(_text(query), _plain(params)))
        return await execute(self, query, params, **more)

    async def many(self: Any, query: Any, params_seq: Any, **more: Any) -> None:
        rows = list(params_seq)
        heard.said.append(Said(_text(query), [_plain(row) for row in rows], many=True))
        await executemany(self, query, rows, **more)

    async def committed(self: Any) -> None:
        heard.said.append(Said(""))
        await commit(self)

    cursor.execute, cursor.executemany = one, many  # type: ignore[method-assign,assignment]
    connection.commit = committed  # type: ignore[method-assign]
    try:
        yield heard
    finally:
        cursor.execute, cursor.executemany = execute, executemany  # type: ignore[method-assign]
        connection.commit = commit  # type: ignore[method-assign]


async def say_again(
    connection: psycopg.AsyncConnection[Any], exchange: Exchange, new: Mapping[str, str]
) -> int:
    """Say it all on one connection, with new ids for old ones; how many rows were read."""
    rows, seq = 0, 0
    async with connection.cursor() as cursor:
        for said in exchange.said:
            if not said.query:
                await connection.commit()
                continue
            values = _renewed(said.values, new)
            if any(word in said.query for word in AUDIT):
                values = {**values, "seq": seq}
            if said.many:
                await cursor.executemany(said.query.encode(), values)
                continue
            await cursor.execute(said.query.encode(), values)
            if cursor.description:
                found = await cursor.fetchall()
                rows += len(found)
                if AUDIT_HEAD in said.query:
                    seq = found[0][0] + 1
    await connection.commit()
    return rows


def _text(query: Any) -> str:
    if isinstance(query, bytes):
        return query.decode()
    return query if isinstance(query, str) else query.as_string()


def _plain(values: Any) -> Any:
    if isinstance(values, Json | Jsonb):
        return _Document(isinstance(values, Jsonb), values.obj)
    if isinstance(values, Mapping):
        return {key: _plain(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return type(values)([_plain(value) for value in values])
    return values


def _renewed(values: Any, new: Mapping[str, str]) -> Any:
    if isinstance(values, _Document):
        return (Jsonb if values.binary else Json)(_renewed(values.value, new))
    if isinstance(values, str):
        for old, fresh in new.items():
            values = values.replace(old, fresh)
        return values
    if isinstance(values, Mapping):
        return {_renewed(key, new): _renewed(value, new) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return type(values)([_renewed(value, new) for value in values])
    return values
