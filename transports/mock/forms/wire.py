"""HTTP/1.1 on a stream: as much of it as the appliance's web server needs, and nothing lenient.

Bodies come with a length or in chunks, both bounded; a request that is neither is answered with 400
and the connection is closed, as Apache does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

MAX_HEAD = 32 * 1024
MAX_BODY = 256 * 1024 * 1024


class BadRequest(Exception):
    """The bytes are no request; the connection cannot go on."""


@dataclass(frozen=True)
class HttpRequest:
    """One request. Header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def keeps_connection(self) -> bool:
        """Whether the client wants to go on with this connection."""
        return self.headers.get("connection", "").casefold() != "close"

    def cookies(self) -> dict[str, str]:
        """The cookies it carries."""
        pairs = (part.partition("=") for part in self.headers.get("cookie", "").split(";"))
        return {name.strip(): value.strip() for name, _, value in pairs if name.strip()}

    def form(self) -> tuple[dict[str, str], dict[str, bytes]]:
        """The fields and the files of a sent form."""
        kind, _, parameters = self.headers.get("content-type", "").partition(";")
        if kind.strip().casefold() == "multipart/form-data":
            return _multipart(self.body, parameters)
        text = self.body.decode("utf-8", "replace")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=2000)), {}


@dataclass(frozen=True)
class HttpResponse:
    """One answer."""

    status: int
    body: bytes = b""
    content_type: str = "text/html; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()

    def encoded(self, *, keep: bool, keep_alive: float) -> bytes:
        """Head and body as sent."""
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            "Server: Apache",
            f"Content-Length: {len(self.body)}",
            f"Content-Type: {self.content_type}",
            *(f"{name}: {value}" for name, value in self.headers),
            f"Keep-Alive: timeout={keep_alive:.0f}" if keep else "Connection: close",
        ]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


async def read_request(reader: asyncio.StreamReader, idle: float) -> HttpRequest | None:
    """The next request, or None where the client has closed.

    Raises BadRequest, and TimeoutError where no head has come after `idle` real seconds.
    """
    try:
        async with asyncio.timeout(idle):
            head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise BadRequest from None
        return None
    except asyncio.LimitOverrunError:
        raise BadRequest from None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or not words[1].startswith("/"):
        raise BadRequest
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise BadRequest
        headers[name.casefold()] = value.strip()
    target = urlsplit(words[1])
    query = dict(parse_qsl(target.query, keep_blank_values=True, max_num_fields=100))
    path = unquote_to_bytes(target.path).decode("utf-8", "replace")
    return HttpRequest(words[0], path, query, headers, await _body(reader, headers))


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    try:
        if headers.get("transfer-encoding", "").casefold() == "chunked":
            return await _chunks(reader)
        announced = headers.get("content-length", "0")
        if not (announced.isascii() and announced.isdigit()) or int(announced) > MAX_BODY:
            raise BadRequest
        return await reader.readexactly(int(announced))
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
        raise BadRequest from None


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while True:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        if size < 0 or len(body) + size > MAX_BODY:
            raise BadRequest
        body += (await reader.readexactly(size + 2))[:-2]
        if size == 0:
            return bytes(body)


def _multipart(body: bytes, parameters: str) -> tuple[dict[str, str], dict[str, bytes]]:
    boundary = parameters.partition("boundary=")[2].strip().strip('"').encode()
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    if not boundary:
        return fields, files
    for part in body.split(b"--" + boundary)[1:]:
        head, blank, content = part.partition(b"\r\n\r\n")
        if not blank:
            continue
        disposition = head.decode("utf-8", "replace")
        name = disposition.partition('name="')[2].partition('"')[0]
        content = content.removesuffix(b"\r\n")
        if 'filename="' in disposition:
            files[name] = content
        else:
            fields[name] = content.decode("utf-8", "replace")
    return fields, files
