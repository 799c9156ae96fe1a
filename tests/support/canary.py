"""Where a secret could have got to: all that a service keeps, writes and says; and the search.

A secret is looked for as it is, and as it looks in JSON, in a URL, in base64 and in hexadecimal,
which is how a column of bytes shows; what is compressed is unpacked first.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import httpx
import psycopg
from psycopg import sql


def spellings(secret: str) -> set[str]:
    """The forms in which the secret is readable by anybody."""
    plain = secret.encode()
    forms = {secret, json.dumps(secret)[1:-1], quote(secret, safe=""), plain.hex()}
    # A row as text doubles quotes and backslashes.
    forms |= {form.replace("\\", "\\\\").replace('"', '""') for form in forms}
    # Base64 depends on where the secret begins: of three places one is the right one, and its
    # first and last characters hang on the neighbours.
    for before in range(3):
        text = base64.b64encode(b"\0" * before + plain).decode().rstrip("=")
        forms.add(text[4 if before else 0 : -1])
    return forms


@dataclass
class Search:
    """Everything gathered: place -> text. `secrets`: name -> text."""

    secrets: Mapping[str, str]
    places: dict[str, str] = field(default_factory=dict)
    shown: set[tuple[str, str]] = field(default_factory=set)
    """Place and name of a secret that is meant to be there: it is shown this once."""

    def add(self, place: str, text: str) -> None:
        self.places[place] = f"{self.places.get(place, '')}\n{text}"

    @property
    def leaks(self) -> list[tuple[str, str]]:
        """Place and name of every secret that is where it must not be."""
        return [
            (place, name)
            for place, text in self.places.items()
            for name, secret in self.secrets.items()
            if (place, name) not in self.shown and any(s in text for s in spellings(secret))
        ]

    async def keep(self, response: httpx.Response) -> None:
        """Take an answer: its status, headers and body. A hook of an httpx client."""
        await response.aread()
        request = response.request
        head = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
        self.add(f"{request.method} {request.url.path}", f"{head}\n{response.text}")

    async def take_database(self, connection: psycopg.AsyncConnection) -> int:
        """Every row of every table, as text; how many there are."""
        rows = 0
        found = await connection.execute(
            "select schemaname, tablename from pg_tables"
            " where schemaname not in ('pg_catalog', 'information_schema')"
        )
        for schema, table in await found.fetchall():
            query = sql.SQL("select t::text from {} t").format(sql.Identifier(schema, table))
            for (text,) in await (await connection.execute(query)).fetchall():
                self.add(f"table {table}", text)
                rows += 1
        sealed = await connection.execute("select document from job_evidence")
        for (document,) in await sealed.fetchall():
            self.add("table job_evidence", zlib.decompress(document).decode())
        return rows
