"""An interactive terminal on an SSH connection, as plain bytes with a bounded buffer.

The log-in shell of the appliance's `admin` is its command line, and every tool on record opens it
with a pseudo terminal (device facts 0.4). The library's stream classes would do, but here it must
be possible to look whether something has come in without waiting for it, and to stop a flood.
"""

from __future__ import annotations

import asyncio
from collections import deque

import asyncssh

from transports.errors import Busy, ConnectionLost, Unreachable

_BUFFER_BYTES = 1024 * 1024
_COLUMNS, _ROWS = 4096, 1000
"""Wide enough that no line we send is wrapped in its echo."""


async def open_terminal(connection: asyncssh.SSHClientConnection) -> Terminal:
    """A terminal with the log-in shell. Raises Busy or Unreachable where none is granted."""
    terminal = Terminal()
    try:
        channel, _ = await connection.create_session(
            lambda: terminal,
            term_type="dumb",
            term_size=(_COLUMNS, _ROWS),
            encoding=None,
        )
    except asyncssh.ChannelOpenError as error:
        if error.code == asyncssh.OPEN_RESOURCE_SHORTAGE:
            raise Busy("the appliance grants no further session for now") from None
        raise Unreachable("the appliance grants no interactive session") from None
    except (OSError, asyncssh.Error):
        raise Unreachable("the connection ended before a session was open") from None
    terminal.attach(channel)
    return terminal


class Terminal(asyncssh.SSHClientSession[bytes]):
    """The bytes of one terminal. `receive` is for one task at a time."""

    def __init__(self) -> None:
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._paused = False

    def attach(self, channel: asyncssh.SSHClientChannel[bytes]) -> None:
        """Tell the terminal its channel."""
        self._channel = channel

    @property
    def ended(self) -> bool:
        """Whether the other end is gone."""
        return self._ended or self._channel is None or self._channel.is_closing()

    async def send(self, data: bytes) -> None:
        """Hand over bytes. Raises ConnectionLost where the other end is gone."""
        await self._writable.wait()
        if self.ended or self._channel is None:
            raise ConnectionLost("the session is closed")
        try:
            self._channel.write(data)
        except (OSError, asyncssh.Error):
            raise ConnectionLost("the session ended while a line was sent") from None

    async def receive(self, seconds: float | None) -> bytes | None:
        """What came in; b"" at the end; None after `seconds` of silence (0: do not wait)."""
        if not self._chunks and not self._ended and seconds != 0:
            self._news.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            except TimeoutError:
                return None
        if not self._chunks:
            return b"" if self._ended else None
        chunk = self._chunks.popleft()
        self._size -= len(chunk)
        if self._paused and self._size < _BUFFER_BYTES and self._channel is not None:
            self._paused = False
            self._channel.resume_reading()
        return chunk

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Take bytes from the library; ask it to pause when too many wait."""
        del datatype  # a terminal has one stream; standard error is part of it
        self._chunks.append(data)
        self._size += len(data)
        if self._size >= _BUFFER_BYTES and not self._paused and self._channel is not None:
            self._paused = True
            self._channel.pause_reading()
        self._news.set()

    def eof_received(self) -> bool:
        """The other end will send no more."""
        self._end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is gone."""
        del exc
        self._end()

    def pause_writing(self) -> None:
        """The other end takes no more for now."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The other end takes bytes again."""
        self._writable.set()

    def _end(self) -> None:
        self._ended = True
        self._writable.set()
        self._news.set()
