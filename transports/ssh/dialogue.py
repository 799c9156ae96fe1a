"""One question, one answer, over an open terminal.

A dialogue owns what must be remembered between two exchanges: whether the terminal echoes, what its
prompt looks like, and what came in after the last reply. It never finds its way back after an
exchange that went wrong: any error leaves it `broken`, and its owner opens a new session. To go on
by guessing where the next reply starts could hand the answer of one command to another.
"""

from __future__ import annotations

import asyncio
import re
from typing import Protocol

from transports.errors import (
    AuthenticationFailed,
    ConnectionLost,
    InvalidRequest,
    ReplyTimeout,
    Unreachable,
)
from transports.ssh.framing import Framer, Progress, Reply
from transports.ssh.lines import LineSplitter

_HELLO = "xStatus SystemUnit"
"""The one exchange that public tools are on record with on this product (device facts 1.5)."""
_MAX_GREETING = 256 * 1024
_MAX_PROMPT = 256
_ASKS_FOR_PASSWORD = re.compile(r"password[^:\r\n]*:\s*\Z", re.IGNORECASE)


class Wire(Protocol):
    """A terminal as bytes."""

    async def send(self, data: bytes) -> None:
        """Hand over bytes. Raises ConnectionLost where the terminal is gone."""

    async def receive(self, seconds: float | None) -> bytes | None:
        """What came in, at least one byte; b"" at the end; None after so many silent seconds."""


class Dialogue:
    """Sends lines and returns their replies, one at a time. Not to be shared between tasks."""

    def __init__(self, wire: Wire, *, quiet_time: float, max_reply_bytes: int) -> None:
        self._wire = wire
        self._quiet = quiet_time
        self._max = max_reply_bytes
        self._echoes: bool | None = None
        self._prompt = ""
        self._tail = ""
        self._left_over = False
        self.broken = False

    async def greet(self) -> None:
        """Get from log-in to the first reply: past banner, alarms and a missing newline.

        The owner bounds the time. Raises Unreachable where the other end is no such command line;
        nothing of any caller has been sent by then. Raises AuthenticationFailed where log-in ends
        in a demand for another password (newer releases with the default one; device facts 1.1).
        """
        self.broken = True
        await self._until_quiet()
        if _ASKS_FOR_PASSWORD.search(self._tail):
            raise AuthenticationFailed("the appliance wants its password changed at log-in")
        await self._wire.send(b"\n")  # some wait for one after log-in (device facts 1.1)
        await self._until_quiet()
        framer = Framer(_HELLO, prompt=self._prompt, max_bytes=self._max, only_status=True)
        try:
            await self._converse(framer)
        except ConnectionLost:
            raise Unreachable("the session ended before its first reply") from None
        self.broken = False

    async def exchange(self, line: str, *, seconds: float) -> Reply:
        """Send one line and return its reply.

        Raises ReplyTimeout after `seconds`, ConnectionLost, or ReplyTooLarge; then this dialogue
        is `broken`, as it is after a cancellation.
        """
        if "\n" in line or "\r" in line:
            raise InvalidRequest("a command line may not contain a line end")
        self.broken = True
        framer = Framer(line, echoes=self._echoes, prompt=self._prompt, max_bytes=self._max)
        try:
            async with asyncio.timeout(seconds):
                await self._converse(framer)
        except TimeoutError:
            raise ReplyTimeout(f"no full reply within {seconds:g} s") from None
        self.broken = False
        return framer.reply()

    async def in_step(self) -> bool:
        """Whether the next reply can be told from what is left of the last one.

        A terminal that echoes always can. One that does not must have been silent since.
        """
        if self.broken:
            return False
        if self._echoes:
            return True
        while (chunk := await self._wire.receive(0)) is not None:
            if not chunk:
                return False
            splitter = LineSplitter()
            lines = list(splitter.feed(self._tail.encode() + chunk))
            self._left_over = self._left_over or any(line.strip() for line in lines)
            self._tail = splitter.tail[-_MAX_PROMPT:]
        return not self._left_over

    async def _converse(self, framer: Framer) -> None:
        framer.feed(self._tail.encode())
        await self._wire.send(framer.sent.encode() + b"\n")
        while framer.progress is not Progress.DONE:
            settling = framer.progress is Progress.SETTLING
            chunk = await self._wire.receive(self._quiet if settling else None)
            if chunk is None:
                break
            if not chunk:
                if settling:
                    break  # the answer was whole; the next exchange meets the closed session
                raise ConnectionLost("the connection ended before the reply did")
            framer.feed(chunk)
        self._echoes = framer.echo_seen
        self._tail = framer.tail[-_MAX_PROMPT:]
        self._left_over = framer.left_over

    async def _until_quiet(self) -> None:
        """Drop what comes until nothing more does; remember the last line's text as prompt."""
        splitter, size = LineSplitter(), 0
        while chunk := await self._wire.receive(self._quiet):
            size += len(chunk)
            if size > _MAX_GREETING:
                raise Unreachable("the log-in greeting does not end")
            for _ in splitter.feed(chunk):
                pass
        if chunk is not None:
            raise Unreachable("the session ended right after log-in")
        tail = splitter.tail
        if tail.strip() not in {"", "OK"} and len(tail) <= _MAX_PROMPT:
            self._prompt = tail
        self._tail = tail[-_MAX_PROMPT:]
