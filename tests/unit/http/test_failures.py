"""Every way a connection can fail, over real sockets, and whether the request was sent by then."""

import asyncio
import socket

import httpx
import pytest
import respx

from tests.unit.http.conftest import UPTIME, sending, xml_reply
from transports import http
from transports.base import Limits
from transports.command import Command
from transports.document import Path
from transports.errors import (
    Busy,
    ConnectionLost,
    Garbled,
    InvalidRequest,
    ReplyTimeout,
    ReplyTooLarge,
    TransportError,
    Unreachable,
)

PATH = Path.parse("SystemUnit Uptime")
pytestmark = pytest.mark.sockets


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (httpx.ConnectTimeout("x"), Unreachable),
        (httpx.ConnectError("x"), Unreachable),
        (httpx.ProxyError("x"), Unreachable),
        (httpx.PoolTimeout("x"), Busy),
        (httpx.ReadTimeout("x"), ReplyTimeout),
        (httpx.WriteTimeout("x"), ReplyTimeout),
        (httpx.ReadError("x"), ConnectionLost),
        (httpx.WriteError("x"), ConnectionLost),
        (httpx.CloseError("x"), ConnectionLost),
        (
            httpx.RemoteProtocolError("Server disconnected without sending a response."),
            ConnectionLost,
        ),
        (httpx.RemoteProtocolError("illegal status line"), Garbled),
        (httpx.LocalProtocolError("x"), InvalidRequest),
        (httpx.UnsupportedProtocol("x"), InvalidRequest),
        (httpx.DecodingError("x"), Garbled),
        (httpx.InvalidURL("x"), InvalidRequest),
        (httpx.CookieConflict("x"), Garbled),
    ],
)
@respx.mock(base_url="https://127.0.0.1")
async def test_no_exception_of_the_library_gets_out(respx_mock, endpoint, raised, expected):
    respx_mock.get("/getxml").mock(side_effect=raised)
    with pytest.raises(TransportError) as caught:
        await http.create(endpoint()).read_status(PATH)
    assert type(caught.value) is expected


async def test_a_refused_connection_is_unreachable_and_nothing_was_sent(endpoint):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        transport = http.create(endpoint(held.getsockname()[1]))
        with pytest.raises(Unreachable) as caught:
            await transport.read_status(PATH)
    assert caught.value.sent is False


async def test_a_port_that_never_speaks_tls_is_unreachable(endpoint):
    gone = asyncio.Event()

    async def mute(reader, writer):
        await reader.read()
        writer.transport.abort()
        gone.set()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        transport = http.create(endpoint(port, limits=Limits(connect=0.05, reply=5.0)))
        with pytest.raises(Unreachable):
            await transport.read_status(PATH)
        await transport.close()
        await gone.wait()
        await asyncio.sleep(0)


async def test_an_answer_that_never_comes_is_a_reply_timeout(endpoint, scripted):
    server = await scripted(_never)
    transport = http.create(endpoint(server.port, limits=Limits(connect=1.0, reply=0.05)))
    with pytest.raises(ReplyTimeout) as caught:
        await transport.run(Command("Boot"))
    assert caught.value.sent is None
    assert len(server.heads) == 1


async def test_an_answer_that_trickles_without_end_is_a_reply_timeout(endpoint, scripted):
    async def trickle(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<Status>")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.005)

    server = await scripted(trickle)
    limits = Limits(connect=0.02, reply=0.06)
    with pytest.raises((ReplyTimeout, Unreachable)):
        await http.create(endpoint(server.port, limits=limits)).read_status(PATH)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
async def test_an_answer_cut_anywhere_is_a_lost_connection(endpoint, scripted, share):
    reply = xml_reply(UPTIME)
    server = await scripted(sending(reply[: int(len(reply) * share)]))
    with pytest.raises(ConnectionLost) as caught:
        await http.create(endpoint(server.port)).read_status(PATH)
    assert caught.value.sent is None


async def test_an_announced_length_over_the_limit_is_refused_before_it_is_read(endpoint, scripted):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 31457280\r\n\r\n"
    server = await scripted(sending(head))
    with pytest.raises(ReplyTooLarge):
        await http.create(endpoint(server.port)).read_status(PATH)


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_6.0\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a" * 200_000,
    ],
    ids=["ssh", "status", "endless-header"],
)
async def test_what_is_no_http_is_garbled(endpoint, scripted, raw):
    server = await scripted(sending(raw))
    with pytest.raises(Garbled):
        await http.create(endpoint(server.port)).read_status(PATH)


async def test_after_a_lost_connection_the_next_call_opens_another(endpoint, scripted):
    async def cut(writer):
        writer.transport.abort()

    server = await scripted(cut, sending(xml_reply(UPTIME)))
    transport = http.create(endpoint(server.port))
    with pytest.raises(ConnectionLost):
        await transport.read_status(PATH)
    assert (await transport.read_status(PATH)).get("SystemUnit Uptime") == "604800"
    await transport.close()


async def test_one_connection_serves_many_calls_one_after_the_other(endpoint, scripted):
    server = await scripted(*[sending(xml_reply(UPTIME))] * 6)
    transport = http.create(endpoint(server.port))
    await asyncio.gather(*(transport.read_status(PATH) for _ in range(6)))
    assert (server.connections, server.most_open) == (1, 1)
    await transport.close()


async def test_an_idle_connection_is_closed_by_itself(endpoint, scripted, monkeypatch):
    monkeypatch.setattr("transports.http.channel.IDLE_SECONDS", 0.01)
    server = await scripted(*[sending(xml_reply(UPTIME))] * 2)
    transport = http.create(endpoint(server.port))
    await transport.read_status(PATH)
    async with asyncio.timeout(2):
        while server.open_now:  # noqa: ASYNC110  # the server gives no sign to wait for
            await asyncio.sleep(0.005)
    assert (await transport.read_status(PATH)).get("SystemUnit Uptime") == "604800"
    await transport.close()


async def test_a_cancelled_call_stays_cancelled_and_the_transport_goes_on(endpoint, scripted):
    started = asyncio.Event()

    async def hang(writer):
        started.set()
        await asyncio.Event().wait()

    server = await scripted(hang, sending(xml_reply(UPTIME)))
    transport = http.create(endpoint(server.port))
    call = asyncio.create_task(transport.read_status(PATH))
    await started.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await transport.read_status(PATH)).get("SystemUnit Uptime") == "604800"
    await transport.close()


async def test_closing_twice_is_quiet_and_the_transport_works_again(endpoint, scripted):
    server = await scripted(*[sending(xml_reply(UPTIME))] * 2)
    transport = http.create(endpoint(server.port))
    await transport.close()
    await transport.read_status(PATH)
    await transport.close()
    await transport.close()
    assert (await transport.read_status(PATH)).name == "Status"
    await transport.close()


async def _never(writer):
    await asyncio.Event().wait()
