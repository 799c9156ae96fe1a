"""The one command line session that is kept open to a peer.

Connecting and logging in costs far more than an exchange, so a session is opened when first needed
and kept. It is given up when anything about it is in doubt: after an error, a cancellation, text
that nobody asked for, or a long rest. The appliance ends a session that was idle for 30 minutes by
default (device facts 1.1), and SSH keep-alives do not count as use; so one that has rested for 20
is closed from our side and the next call opens another.
"""

from __future__ import annotations

import asyncio

import asyncssh

from transports import round_trip
from transports.base import Endpoint
from transports.errors import AuthenticationFailed, NotTrusted, TransportError, Unreachable
from transports.ssh.connection import connect, disconnect
from transports.ssh.dialogue import Dialogue
from transports.ssh.framing import Reply
from transports.ssh.options import Options
from transports.ssh.terminal import Terminal, open_terminal

IDLE_SECONDS = 20 * 60.0


class Session:
    """Exchanges lines with the command line of one peer, reconnecting where it must.

    Not to be shared between tasks: its owner holds a lock around `exchange` and `close`.
    """

    def __init__(self, endpoint: Endpoint, options: Options) -> None:
        self._endpoint = endpoint
        self._options = options
        self._open: _Open | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._declined: NotTrusted | None = None
        self._nearest: float | None = None

    async def exchange(self, line: str) -> Reply:
        """Send one line and return its reply.

        Raises NotSent errors and NotTrusted while connecting; OutcomeUnknown or Garbled afterwards,
        and then the session is closed. Once the password was declined it is never sent again.
        """
        self._rest_over()
        current = await self._ready()
        try:
            return await current.dialogue.exchange(line, seconds=self._endpoint.limits.reply)
        finally:
            if current.dialogue.broken or current.terminal.ended:
                self.abandon()
            else:
                self._rest()

    async def close(self) -> None:
        """Close what is open. Never raises."""
        self._rest_over()
        if (current := self._open) is not None:
            self._open = None
            await disconnect(current.connection)

    @property
    def round_trip(self) -> float | None:
        """See `transports.base.KnowsRoundTrip`."""
        if self._open is not None:
            now = round_trip.smallest(self._open.connection.get_extra_info("socket"))
            self._nearest = round_trip.smaller(self._nearest, now)
        return self._nearest

    def abandon(self) -> None:
        """Cut the session at once: what it would say next cannot be trusted."""
        if self._open is not None:
            self._open.connection.abort()
            self._open = None

    async def _ready(self) -> _Open:
        if self._open is not None:
            if not self._open.terminal.ended and await self._open.dialogue.in_step():
                return self._open
            self.abandon()
        if self._declined is not None:
            raise self._declined_again(self._declined)
        seconds = self._endpoint.limits.connect
        try:
            async with asyncio.timeout(seconds):
                self._open = await self._log_in()
        except TimeoutError:
            raise Unreachable(f"no session within {seconds:g} s") from None
        except AuthenticationFailed as declined:
            self._declined = declined
            raise
        return self._open

    async def _log_in(self) -> _Open:
        endpoint = self._endpoint
        connection = await connect(
            endpoint,
            endpoint.username,
            endpoint.password,
            legacy=self._options.legacy_algorithms,
        )
        try:
            terminal = await open_terminal(connection)
            dialogue = Dialogue(
                terminal,
                quiet_time=self._options.quiet_time,
                max_reply_bytes=endpoint.limits.max_reply_bytes,
            )
            try:
                await dialogue.greet()
            except NotTrusted:
                raise
            except TransportError as error:
                raise Unreachable(f"no command line after log-in: {error}") from None
        except BaseException:
            connection.abort()
            raise
        return _Open(connection, terminal, dialogue)

    @staticmethod
    def _declined_again(declined: NotTrusted) -> NotTrusted:
        return type(declined)(f"{declined}; not tried again with the same password")

    def _rest(self) -> None:
        self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self.abandon)

    def _rest_over(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None


class _Open:
    """The parts of an open session."""

    __slots__ = ("connection", "dialogue", "terminal")

    def __init__(
        self,
        connection: asyncssh.SSHClientConnection,
        terminal: Terminal,
        dialogue: Dialogue,
    ) -> None:
        self.connection = connection
        self.terminal = terminal
        self.dialogue = dialogue
