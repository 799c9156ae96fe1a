"""The HTTP server itself: heads that do not end, heads that are too large."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from app.cli.http_server import LARGEST_HEAD, PunctualProtocol

pytestmark = pytest.mark.sockets


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


class Hasty(PunctualProtocol):
    head_seconds = 0.2


@asynccontextmanager
async def served() -> AsyncIterator[int]:
    config = uvicorn.Config(
        hello, port=0, lifespan="off", log_config=None, http=Hasty,
        h11_max_incomplete_event_size=LARGEST_HEAD,
    )  # fmt: skip
    config.load()
    loop = asyncio.get_running_loop()
    state = uvicorn.server.ServerState()
    server = await loop.create_server(
        lambda: Hasty(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "])
async def test_a_head_that_does_not_end_is_given_up_however_it_trickles(first: bytes) -> None:
    async with served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(first)

        async def trickle() -> None:
            while True:
                await asyncio.sleep(0.02)
                writer.write(b"a" if first else b"")

        feeding = asyncio.create_task(trickle())
        try:
            async with asyncio.timeout(5):
                assert await reader.read() == b""
        except ConnectionResetError:
            pass
        finally:
            feeding.cancel()
            writer.close()


async def test_a_connection_that_asks_again_in_time_stays(  # the clock is for heads, not for pauses
) -> None:
    async with served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            async with asyncio.timeout(5):
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")
            await asyncio.sleep(0.3)
        writer.close()


async def test_a_head_that_is_too_large_is_refused() -> None:
    async with served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-Large: " + b"a" * (LARGEST_HEAD + 1))
        async with asyncio.timeout(5):
            assert (await reader.readline()).startswith(b"HTTP/1.1 400")
        writer.close()
