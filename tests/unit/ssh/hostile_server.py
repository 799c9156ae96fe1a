"""A small SSH server that answers exactly what a test tells it to, however wrong.

The simulated fleet behaves; this one need not: it may send garbage, stop half-way, never end, or be
silent. Only log-in and the first reply are proper by themselves, so that a test can get to its
point.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncssh

from transports.base import Endpoint, Limits
from transports.ssh import SshTransport, create
from transports.trust import HostKeyPin

PASSWORD = "correct horse"
HELLO = b'*s SystemUnit: /\r\n  Product: "TANDBERG VCS"\r\n*s/end\r\n\r\nOK\r\n'
HOST_KEY = asyncssh.generate_private_key("ssh-ed25519")
OTHER_KEY = asyncssh.generate_private_key("ssh-ed25519")

Process = asyncssh.SSHServerProcess[bytes]
Answer = Callable[[str, Process], Awaitable[None]]


def pin(key: asyncssh.SSHKey) -> HostKeyPin:
    return HostKeyPin(" ".join(key.export_public_key().decode().split()[:2]))


@dataclass
class HostileServer:
    """What it does, and what it saw."""

    answer: Answer
    banner: bytes = b"TANDBERG Video Communication Server X8.2\r\n"
    prompt: bytes = b""
    echo: bool = True
    hello: bytes | None = HELLO
    password: str = PASSWORD
    methods: str = "password"
    waits_for_newline: bool = False
    """Drop what is typed until an empty line has come, as some do after log-in."""
    key: asyncssh.SSHKey = HOST_KEY
    passwords_seen: list[str] = field(default_factory=list)
    lines_seen: list[str] = field(default_factory=list)
    connections: int = 0
    open_connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)
    port: int = 0

    async def serve_shell(self, process: Process) -> None:
        try:
            process.stdout.write(self.banner + self.prompt)
            buffered = b""
            while data := await process.stdin.read(4096):
                buffered += data
                while b"\n" in buffered:
                    raw, _, buffered = buffered.partition(b"\n")
                    await self._take(raw.decode(), process)
        except (asyncssh.Error, OSError, asyncssh.TerminalSizeChanged, asyncssh.BreakReceived):
            return
        finally:
            process.close()

    async def _take(self, line: str, process: Process) -> None:
        if self.echo:
            process.stdout.write(line.encode() + b"\r\n")
        if not line:
            self.waits_for_newline = False
            process.stdout.write(self.prompt)
        if not line or self.waits_for_newline:
            return
        if line == "xStatus SystemUnit" and self.hello is not None:
            process.stdout.write(self.hello + self.prompt)
            return
        self.lines_seen.append(line)
        await self.answer(line, process)

    def cut(self) -> None:
        """Drop every connection without a goodbye."""
        for connection in self.open_connections:
            connection.abort()
        self.open_connections.clear()


class _Login(asyncssh.SSHServer):
    def __init__(self, server: HostileServer) -> None:
        self.server = server

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.server.connections += 1
        self.server.open_connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return "password" in self.server.methods

    def kbdint_auth_supported(self) -> bool:
        return "keyboard" in self.server.methods

    def validate_password(self, username: str, password: str) -> bool:
        self.server.passwords_seen.append(password)
        return password == self.server.password

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str):
        return "", "", "", [("Password: ", False)]

    def validate_kbdint_response(self, username: str, responses) -> bool:
        self.server.passwords_seen.extend(responses)
        return list(responses) == [self.server.password]


@asynccontextmanager
async def serving(answer: Answer, **settings) -> AsyncIterator[HostileServer]:
    server = HostileServer(answer, **settings)
    listener = await asyncssh.create_server(
        lambda: _Login(server),
        "127.0.0.1",
        0,
        server_host_keys=[server.key],
        process_factory=server.serve_shell,
        encoding=None,
        line_editor=False,
    )
    server.port = listener.get_port()
    try:
        yield server
    finally:
        server.cut()
        listener.close()
        await listener.wait_closed()
        await asyncio.sleep(0)


def transport_to(server: HostileServer, **changes) -> SshTransport:
    settings = {
        "host": "127.0.0.1",
        "port": server.port,
        "username": "admin",
        "password": PASSWORD,
        "trust": pin(HOST_KEY),
        "options": {"quiet_time": "0.03"},
        "limits": Limits(connect=5, reply=2, max_reply_bytes=1_000_000),
    }
    return create(Endpoint(**(settings | changes)))


def saying(text: bytes | str) -> Answer:
    """Answer every line with this text."""

    async def answer(line: str, process: Process) -> None:
        process.stdout.write(text.encode() if isinstance(text, str) else text)

    return answer
