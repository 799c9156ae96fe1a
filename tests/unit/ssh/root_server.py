"""A small SSH server with a root shell that does what a test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from tests.unit.ssh.hostile_server import HOST_KEY, pin
from transports.base import Endpoint, Limits
from transports.ssh import SshTransport, create

ROOT_PASSWORD = "root's own"
Process = asyncssh.SSHServerProcess[bytes]
Command = Callable[[Process], Awaitable[int | None]]


@dataclass
class RootServer:
    """Its disk, its commands, and what it saw."""

    disk: Path
    commands: dict[str, Command]
    seen: list[str] = field(default_factory=list)
    log_ins: list[str] = field(default_factory=list)
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)
    port: int = 0

    async def serve(self, process: Process) -> None:
        command = process.command or ""
        self.seen.append(command)
        try:
            if command.startswith("mv "):
                _, source, target = command.split()
                (self.disk / source[1:]).rename(self.disk / target[1:])
                process.exit(0)
                return
            for name, act in self.commands.items():
                if command.startswith(name):
                    process.exit(await act(process) or 0)
                    return
            process.exit(127)
        except (OSError, asyncssh.Error):
            process.close()


class _Login(asyncssh.SSHServer):
    def __init__(self, server: RootServer) -> None:
        self.server = server

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.server.connections.append(conn)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self.server.log_ins.append(username)
        return (username, password) == ("root", ROOT_PASSWORD)


@asynccontextmanager
async def root_serving(disk: Path, **commands: Command) -> AsyncIterator[RootServer]:
    (disk / "tmp").mkdir()
    named = {_NAMES[name]: act for name, act in commands.items()}
    server = RootServer(disk, named)
    listener = await asyncssh.create_server(
        lambda: _Login(server),
        "127.0.0.1",
        0,
        server_host_keys=[HOST_KEY],
        process_factory=server.serve,
        encoding=None,
        line_editor=False,
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(disk).encode()),
    )
    server.port = listener.get_port()
    try:
        yield server
    finally:
        for connection in server.connections:
            connection.abort()
        listener.close()
        await listener.wait_closed()
        await asyncio.sleep(0)


_NAMES = {
    "backup": "/sbin/backup.sh",
    "listing": "ls -l /tmp/install*",
    "reset": "factory-reset",
    "purge": "clusterdb_destroy_and_purge_data.sh",
}


def rooted(
    server: RootServer, password: str = ROOT_PASSWORD, transfer: float = 5.0
) -> SshTransport:
    return create(
        Endpoint(
            host="127.0.0.1",
            port=server.port,
            username="admin",
            password="unused",
            root_password=password,
            trust=pin(HOST_KEY),
            options={"root": "true", "quiet_time": "0.03", "poll_time": "0.01"},
            limits=Limits(connect=5, reply=2, transfer=transfer),
        )
    )
