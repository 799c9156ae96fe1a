"""Event streams over a real socket: slow readers, and the end of the service."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
import uvicorn

from app.engine.news import LocalNews
from app.storage.database import plain_url
from tests.api.conftest import World

pytestmark = pytest.mark.postgres
EVENTS = 1500
MANY = """
insert into job_event (job_id, seq, at, type, data)
select %(job)s, n, now(), 'job.step.progress', jsonb_build_object('note', repeat('x', 4000))
from generate_series(2, %(last)s) as n
"""
ENDED = """
update job set last_event_seq = %(last)s, state = 'succeeded', holds = false, finished_at = now()
where id = %(job)s
"""
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Feed(LocalNews):
    """The product's own feed, without the database behind it."""


@pytest.fixture
async def server(world: World) -> AsyncIterator[tuple[World, int]]:
    """The API behind uvicorn on a socket whose buffers are small, as over a long line."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(world.app, lifespan="off", log_config=None, access_log=False)
    serving = uvicorn.Server(config)
    task = asyncio.create_task(serving.serve(sockets=[listener]))
    async with asyncio.timeout(20):
        while not serving.started:  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.01)
    yield world, listener.getsockname()[1]
    serving.should_exit = serving.force_exit = True
    await task


@asynccontextmanager
async def asked(world: World, port: int, path: str, **headers: str) -> AsyncIterator[Connection]:
    """A request whose answer is read by hand, from a socket that takes little at a time."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=plain, limit=8192)
    lines = {
        "Host": "service.example.com",
        "Authorization": world.client.headers["Authorization"],
        **headers,
    }
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    writer.write(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
    try:
        yield reader, writer
    finally:
        writer.close()


def numbers(text: str) -> list[int]:
    """The events that came whole."""
    whole = text[: text.rfind("\n\n")]
    return [int(line[4:]) for line in whole.splitlines() if line.startswith("id: ")]


async def rest_of(reader: asyncio.StreamReader) -> str:
    """What is left of a chunked answer, without the lengths of its chunks."""
    found = []
    while (line := await reader.readline()).strip():  # the head
        pass
    while line := await reader.readline():
        length = int(line, 16)
        if length == 0:
            found.append("[complete]")
            break
        try:
            found.append((await reader.readexactly(length + 2))[:-2].decode())
        except asyncio.IncompleteReadError as cut:
            found.append(cut.partial.decode())
            break
    return "".join(found)


async def job_with_many_events(world: World, database_url: str) -> str:
    peer, cluster = await world.peer(), await world.cluster()
    job: str = (await world.start(cluster, "k1", peer_id=peer["id"])).json()["id"]
    async with await psycopg.AsyncConnection.connect(plain_url(database_url)) as connection:
        await connection.execute(MANY.encode(), {"job": job, "last": EVENTS})
        await connection.execute(ENDED.encode(), {"job": job, "last": EVENTS})
    return job


async def test_a_reader_that_takes_nothing_is_dropped_and_goes_on_without_loss_or_doubling(
    server: tuple[World, int], database_url: str
) -> None:
    world, port = server
    world.app.state.patience = 0.5
    job = await job_with_many_events(world, database_url)
    path, stream = f"/v1/jobs/{job}/events", {"Accept": "text/event-stream"}
    async with asyncio.timeout(60):
        async with asked(world, port, path, **stream) as (reader, _):
            while "is dropped" not in world.logs.getvalue():  # noqa: ASYNC110 - the log offers no event
                await asyncio.sleep(0.05)
            text = await rest_of(reader)
        first = numbers(text)
        assert "[complete]" not in text
        assert first == list(range(1, len(first) + 1))
        assert 0 < len(first) < EVENTS
        world.app.state.patience = 30.0
        async with asked(world, port, path, **stream, **{"Last-Event-ID": str(first[-1])}) as (
            reader,
            _,
        ):
            text = await rest_of(reader)
    assert text.endswith("[complete]")
    assert numbers(text.removesuffix("[complete]")) == list(range(len(first) + 1, EVENTS + 1))


async def test_streams_and_long_polls_end_well_when_the_service_stops(
    server: tuple[World, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, port = server
    feed = Feed()
    monkeypatch.setattr(type(world.services.jobs), "feed", feed)
    peer, cluster = await world.peer(), await world.cluster()
    job = (await world.start(cluster, "k1", peer_id=peer["id"])).json()["id"]
    path = f"/v1/jobs/{job}"
    async with (
        asyncio.timeout(20),
        asked(world, port, f"{path}/events", Accept="text/event-stream") as (stream, _),
        asked(world, port, f"{path}?wait=60", Connection="close") as (poll, _),
    ):
        while feed.readers < 2:  # noqa: ASYNC110 - who waits is not told
            await asyncio.sleep(0.01)
        feed.close()
        told = await rest_of(stream)
        answer = (await poll.read(-1)).decode()
    assert told.endswith('event: stream.end\ndata: {"reason": "service-stopping"}\n\n[complete]')
    assert answer.startswith("HTTP/1.1 200 ")
    body: dict[str, Any] = json.loads(answer.partition("\r\n\r\n")[2])
    assert (body["id"], body["state"]) == (job, "queued")
