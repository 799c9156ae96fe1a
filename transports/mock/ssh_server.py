"""A real SSH server in front of one simulated appliance, on loopback.

It is what the SSH transport is tried against: own host key, password only, a terminal for `admin`,
and the root shell with file copy where the appliance grants it. While the appliance is down its
port refuses, and it goes down in the middle of whatever anybody was doing.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tempfile
from pathlib import Path
from typing import cast

import asyncssh
from asyncssh.channel import SSHChannel

from transports.mock.accounts import Login
from transports.mock.expressway import Expressway
from transports.mock.ssh_admin import AdminSession, LineReader
from transports.mock.ssh_root import RootShell

_ROOT = "root"
_MAX_AUTHENTICATIONS = 6


class SshServer:
    """The SSH side of one appliance. `host_key` is its public key as OpenSSH writes it."""

    def __init__(self, device: Expressway, host: str) -> None:
        self.device = device
        self.host = host
        self.port = 0
        self._key = asyncssh.generate_private_key("ssh-ed25519")
        self.host_key = self._key.export_public_key().decode().strip()
        self._reserved: socket.socket | None = None
        self._listener: asyncssh.SSHAcceptor | None = None
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._folder = tempfile.TemporaryDirectory(prefix="fleet-")
        self.disk = Path(self._folder.name)
        (self.disk / "tmp").mkdir()
        self._moved = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._unhook = device.fleet.on_change(self._changed)

    async def start(self, port: int) -> None:
        """Reserve the port and, where the appliance is up, listen."""
        self._reserved = socket.socket(socket.AF_INET)
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Bound and never listening, so that the port stays ours and refuses while we are down.
        self._reserved.bind((self.host, port))
        self.port = self._reserved.getsockname()[1]
        await self._follow()
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def close(self) -> None:
        """Stop listening, drop everybody, free the port and the disk."""
        self._unhook()
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        self._drop()
        if self._reserved is not None:
            self._reserved.close()
        await asyncio.sleep(0)
        self._folder.cleanup()

    def change_host_key(self) -> None:
        """A new host key from the next connection on, as after a replacement."""
        self._key = asyncssh.generate_private_key("ssh-ed25519")
        self.host_key = self._key.export_public_key().decode().strip()
        self._drop()
        self._moved.set()

    @property
    def _answers(self) -> bool:
        return self.device.up and self.device.fleet.serves(self.device)

    def _changed(self, device: Expressway, _: str) -> None:
        if device is self.device and self._answers != (self._listener is not None):
            if not self._answers:
                self._drop()
            self._moved.set()

    def _drop(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for connection in list(self._connections):
            connection.abort()
        self._connections.clear()

    async def _keep(self) -> None:
        while True:
            await self._moved.wait()
            self._moved.clear()
            await self._follow()

    async def _follow(self) -> None:
        if not self._answers or self._listener is not None:
            return
        for path in (self.disk / "tmp").iterdir():
            path.unlink()
        listening = socket.socket(socket.AF_INET)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setblocking(False)
        listening.bind((self.host, self.port))
        self._listener = await asyncssh.listen(
            sock=listening,
            server_factory=lambda: _Server(self),
            server_host_keys=[self._key],
            encoding=None,
            line_editor=False,
            public_key_auth=False,
            kbdint_auth=False,
            host_based_auth=False,
            gss_host=None,
            agent_forwarding=False,
            login_timeout=30,
            server_version="OpenSSH_6.0",
        )

    def files(self, channel: SSHChannel[bytes]) -> asyncssh.SFTPServer:
        """File transfer within the appliance's own folder."""
        served = cast("asyncssh.SSHServerChannel[bytes]", channel)
        return asyncssh.SFTPServer(served, chroot=str(self.disk).encode())

    def joined(self, connection: asyncssh.SSHServerConnection) -> None:
        """Remember an open connection."""
        self._connections.add(connection)

    def left(self, connection: asyncssh.SSHServerConnection) -> None:
        """Forget a closed one."""
        self._connections.discard(connection)


class _Server(asyncssh.SSHServer):
    """One connection."""

    def __init__(self, front: SshServer) -> None:
        self._front = front
        self._device = front.device
        self._connection: asyncssh.SSHServerConnection | None = None
        self._user = ""
        self._client = ""
        self._attempts = 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._client = str(conn.get_extra_info("peername")[0])
        self._front.joined(conn)
        if self._device.protection.banned(self._client):
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - nobody to tell
        if self._connection is not None:
            self._front.left(self._connection)

    def begin_auth(self, username: str) -> bool:
        self._user = username
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self._attempts += 1
        outcome = self._device.log_in(username, password, client=self._client, category="ssh-auth")
        out = outcome is Login.BANNED or self._attempts >= _MAX_AUTHENTICATIONS
        if out and self._connection is not None:
            self._connection.abort()
        return outcome is Login.OK

    def session_requested(self) -> object:  # type: ignore[override]  # a session, or a channel and one
        connection = self._connection
        if connection is None or self._user not in {"admin", _ROOT}:
            return False
        if self._user == _ROOT:
            return asyncssh.SSHServerProcess(
                _RootSession(self._device, self._front.disk, connection).run,
                self._front.files,
                3,
                True,
            )
        return AdminSession(self._device, connection)


class _RootSession:
    """A shell or a single command of `root`."""

    def __init__(
        self, device: Expressway, disk: Path, connection: asyncssh.SSHServerConnection
    ) -> None:
        self._device = device
        self._disk = disk
        self._connection = connection

    async def run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        number = self._device.open_session(self._connection.abort)
        reader = LineReader(self._device.profile.max_line)
        waiting: list[str] = []

        def say(data: bytes) -> None:
            process.stdout.write(data)

        async def ask(text: str) -> str | None:
            say(text.encode())
            while not waiting:
                data = await process.stdin.read(4096)
                if not data:
                    return None
                waiting.extend(reader.feed(data))
            return waiting.pop(0)

        shell = RootShell(self._device, self._disk, ask, say)
        status = 0
        try:
            if process.command is not None:
                status = await shell.run(process.command)
            else:
                prompt = self._device.profile.root_prompt
                while (line := await ask(prompt)) is not None and line.strip() != "exit":
                    status = await shell.run(line)
            process.exit(status)
        except (OSError, asyncssh.Error):
            self._connection.abort()
        finally:
            self._device.close_session(number)


async def serve_ssh(device: Expressway, host: str = "127.0.0.1", port: int = 0) -> SshServer:
    """Start the SSH server of an appliance; port 0 takes a free one. Close it when done."""
    server = SshServer(device, host)
    await server.start(port)
    return server
