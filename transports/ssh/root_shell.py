"""The root shell, where an endpoint grants one.

Opened for one operation and closed after it: the vendor advises against working as root (device
facts 1.1), so nothing is kept open there. Unlike `admin`, root takes single commands by exec.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncssh

from transports.base import Endpoint
from transports.errors import (
    AuthenticationFailed,
    ConnectionLost,
    ReplyTimeout,
    ReplyTooLarge,
    Unreachable,
)
from transports.ssh.connection import connect, disconnect
from transports.ssh.options import Options

ROOT = "root"
_PIECE = 64 * 1024
_MAX_OUTPUT = 1024 * 1024
_SAFE_PATH = re.compile(r"/[\w./+-]+", re.ASCII)


class RootShell:
    """Opens root sessions; remembers that a password was declined."""

    def __init__(self, endpoint: Endpoint, options: Options) -> None:
        self._endpoint = endpoint
        self._options = options
        self._declined = False

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[OpenRootShell]:
        """A root shell for one operation. Errors as in `transports.ssh.connection.connect`."""
        if self._declined:
            raise AuthenticationFailed(
                "the appliance declined the root password; not tried again with the same password",
                account=ROOT,
            )
        seconds = self._endpoint.limits.connect
        try:
            async with asyncio.timeout(seconds):
                connection = await connect(
                    self._endpoint,
                    ROOT,
                    self._endpoint.root_password,
                    legacy=self._options.legacy_algorithms,
                )
        except TimeoutError:
            raise Unreachable(f"no root session within {seconds:g} s") from None
        except AuthenticationFailed as declined:
            self._declined = True
            raise AuthenticationFailed(str(declined), account=ROOT) from None
        try:
            yield OpenRootShell(connection)
        except (ConnectionError, asyncssh.Error):
            raise ConnectionLost("the root session ended under way") from None
        finally:
            await disconnect(connection)


class Finished:
    """What a command left behind: its exit status (None: killed) and its output as text."""

    def __init__(self, status: int | None, output: str) -> None:
        self.status = status
        self.output = output


class OpenRootShell:
    """Runs single commands as root. Library errors are turned into ours by `RootShell.opened`."""

    def __init__(self, connection: asyncssh.SSHClientConnection) -> None:
        self.connection = connection

    async def run(
        self, command: str, *, seconds: float, typed: str = "", max_bytes: int = _MAX_OUTPUT
    ) -> Finished:
        """Run a command to its end, with `typed` as its input.

        Raises ReplyTimeout after so many seconds, ReplyTooLarge beyond so many bytes of output.
        """
        try:
            async with asyncio.timeout(seconds):
                return await self._run(command, typed, max_bytes)
        except TimeoutError:
            raise ReplyTimeout(f"a root command did not end within {seconds:g} s") from None

    async def _run(self, command: str, typed: str, max_bytes: int) -> Finished:
        process = await self.connection.create_process(
            command, encoding=None, stderr=asyncssh.STDOUT
        )
        try:
            give_input(process, typed)
            output = bytearray()
            while piece := await process.stdout.read(_PIECE):
                output += piece
                if len(output) > max_bytes:
                    raise ReplyTooLarge("a root command does not stop writing")
            await process.wait_closed()
        finally:
            process.close()
        if process.exit_status is None and process.exit_signal is None:
            raise ConnectionLost("the root session ended before the command did")
        return Finished(process.exit_status, output.decode(errors="replace"))


def give_input(process: asyncssh.SSHClientProcess[bytes], typed: str) -> None:
    """Hand over all of a command's input; one that has ended already needs none."""
    with contextlib.suppress(ConnectionError):
        if typed:
            process.stdin.write(typed.encode())
        process.stdin.write_eof()


def is_plain_path(path: str) -> bool:
    """Whether a path can be part of a command without quoting."""
    return _SAFE_PATH.fullmatch(path) is not None and ".." not in path
