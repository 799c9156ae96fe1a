"""The session of `admin` over SSH: a terminal with the command line, and nothing else.

A terminal echoes what arrives, answers line by line, and knows no command channel (facts 0.4).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncssh

from transports.mock.cli import CommandLine
from transports.mock.configuration import DeviceRefusal
from transports.mock.exchange import answer
from transports.mock.expressway import Expressway

if TYPE_CHECKING:
    from transports.mock.clock import Timer

_WAITING_LINES = 256


class LineReader:
    """Cuts what arrives into lines, at CR, LF or both; drops what is too long."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._line = bytearray()
        self._after_return = False

    def feed(self, data: bytes) -> list[str]:
        """The lines that are now complete."""
        lines: list[str] = []
        for byte in data:
            if byte == 0x0A and self._after_return:
                self._after_return = False
                continue
            self._after_return = byte == 0x0D
            if byte in {0x0D, 0x0A}:
                lines.append(self._line.decode("utf-8", "replace"))
                self._line.clear()
            elif byte in {0x08, 0x7F}:
                del self._line[-1:]
            elif len(self._line) <= self._longest:
                self._line.append(byte)
        return lines


class AdminSession(asyncssh.SSHServerSession[bytes]):
    """One terminal of `admin`."""

    def __init__(self, device: Expressway, connection: asyncssh.SSHServerConnection) -> None:
        self._device = device
        self._connection = connection
        self._line = CommandLine(device)
        self._reader = LineReader(device.profile.max_line)
        self._channel: asyncssh.SSHServerChannel[bytes] | None = None
        self._lines: asyncio.Queue[str | None] = asyncio.Queue(_WAITING_LINES)
        self._task: asyncio.Task[None] | None = None
        self._number: int | None = None
        self._idle: Timer | None = None
        self._terminal = False

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        """Keep the channel."""
        self._channel = chan

    def pty_requested(self, *_: object) -> bool:
        """A terminal is what this user gets."""
        self._terminal = True
        return True

    def shell_requested(self) -> bool:
        """A shell only on a terminal."""
        return self._terminal

    def exec_requested(self, command: str) -> bool:  # noqa: ARG002 - every command is refused
        """No command channel for `admin`."""
        return False

    def subsystem_requested(self, subsystem: str) -> bool:  # noqa: ARG002 - every one is refused
        """No subsystem for `admin`."""
        return False

    def session_started(self) -> None:
        """Show the banner and begin to answer."""
        try:
            self._number = self._device.open_session(self._connection.abort)
        except DeviceRefusal as refusal:
            self._write(refusal.description + self._device.profile.line_end)
            self._leave()
            return
        self._rest()
        end = self._device.profile.line_end
        banner = "".join(line + end for line in self._line.banner())
        self._write(banner + self._device.profile.prompt)
        self._task = asyncio.get_running_loop().create_task(self._answer_all())

    def data_received(
        self,
        data: bytes,
        datatype: asyncssh.DataType = None,  # noqa: ARG002 - a terminal has one kind
    ) -> None:
        """Echo what was typed and queue the complete lines."""
        if self._device.profile.echo and self._channel is not None:
            shown = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
            self._channel.write(shown)
        for line in self._reader.feed(data):
            if self._lines.full():
                self._connection.abort()
                return
            self._lines.put_nowait(line)

    def eof_received(self) -> bool:
        """The other side has nothing more to say: what it typed is answered, then it is over."""
        if self._task is None or self._lines.full():
            self._leave()
            return False
        self._lines.put_nowait(None)
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - nobody to tell
        """Forget the session."""
        if self._number is not None:
            self._device.close_session(self._number)
            self._number = None
        if self._idle is not None:
            self._idle.cancel()
        if self._task is not None:
            self._task.cancel()

    async def _answer_all(self) -> None:
        while True:
            line = await self._lines.get()
            if line is None:
                self._leave()
                return
            self._rest()
            if not await self._answer(line):
                return

    async def _answer(self, line: str) -> bool:
        """Answer one line; False where the session is over."""
        profile = self._device.profile
        given = await answer(self._device, self._line, line, profile.line_end)
        if given.dies:
            if given.text:
                self._write(given.text)
                # What was written must leave before the connection dies, or the cut is at byte 0.
                await asyncio.sleep(0.01)
            self._connection.abort()
            return False
        if given.leave:
            self._leave()
            return False
        self._write(given.text + profile.prompt)
        return True

    def _write(self, text: str) -> None:
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(self._device.sent(text).encode())

    def _leave(self) -> None:
        if self._channel is not None and not self._channel.is_closing():
            self._channel.exit(0)

    def _rest(self) -> None:
        """Start the inactivity time anew (facts 2: minutes, 0 switches it off)."""
        if self._idle is not None:
            self._idle.cancel()
        minutes = int(self._device.configuration.get("Management Session InactivityTimeout"))
        if minutes:
            self._idle = self._device.clock.call_later(minutes * 60.0, self._connection.abort)
