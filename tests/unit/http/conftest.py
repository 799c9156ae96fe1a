"""A certificate, endpoints, and a server that answers with exactly the bytes it is told to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from transports.base import Endpoint, Limits
from transports.mock.forms.certificate import ServerIdentity, self_signed
from transports.trust import CertificatePin

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="session")
def identity() -> ServerIdentity:
    return self_signed("exp1.example.com")


@pytest.fixture
def endpoint(identity: ServerIdentity) -> Callable[..., Endpoint]:
    def make(port: int = 443, **changes: object) -> Endpoint:
        given: dict = {
            "host": "127.0.0.1",
            "port": port,
            "username": "admin",
            "password": PASSWORD,
            "trust": CertificatePin(identity.certificate_pem),
            "limits": Limits(connect=2.0, reply=2.0, transfer=2.0),
        }
        return Endpoint(**(given | changes))

    return make


@dataclass
class ScriptedServer:
    """Answers each request with the next script; remembers the heads of what it was sent."""

    port: int
    heads: list[str] = field(default_factory=list)
    connections: int = 0
    open_now: int = 0
    most_open: int = 0


Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def scripted(identity: ServerIdentity) -> AsyncIterator[Callable]:
    servers: list[asyncio.Server] = []
    tasks: set[asyncio.Task] = set()

    async def start(*scripts: Script, who: ServerIdentity | None = None) -> ScriptedServer:
        state = ScriptedServer(0)
        pending = list(scripts)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            state.connections += 1
            state.open_now += 1
            state.most_open = max(state.most_open, state.open_now)
            try:
                while pending:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode()
                    state.heads.append(head)
                    for line in head.split("\r\n"):
                        if line.casefold().startswith("content-length:"):
                            await reader.readexactly(int(line.split(":")[1]))
                    await pending.pop(0)(writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                state.open_now -= 1
                writer.transport.abort()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(serve(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(
            accept, "127.0.0.1", 0, ssl=(who or identity).server_context()
        )
        servers.append(server)
        state.port = server.sockets[0].getsockname()[1]
        return state

    yield start
    for server in servers:
        server.close()
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for _ in range(3):
        await asyncio.sleep(0)


def sending(raw: bytes) -> Script:
    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return script


def xml_reply(body: bytes, status: str = "200 OK") -> bytes:
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


UPTIME = (
    b'<?xml version="1.0"?><Status xmlns="http://www.tandberg.no/XML/CUIL/1.0" '
    b'product="TANDBERG VCS" version="X8.2"><SystemUnit item="1">'
    b'<Uptime item="1">604800</Uptime></SystemUnit></Status>'
)
