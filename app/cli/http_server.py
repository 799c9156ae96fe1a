"""uvicorn's HTTP/1.1, which does not wait for ever.

uvicorn bounds how long a connection may idle between requests, but not how long a request may take
to arrive. Here the head of a request has a time; the body has one of its own (app.api.bodies).
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 15.0
LARGEST_HEAD = 32 * 1024
"""Bytes of request line and headers together; more is answered 400 by h11."""
KEEP_ALIVE_SECONDS = 15


class PunctualProtocol(H11Protocol):
    """Closes a connection whose request's head does not arrive in time."""

    head_seconds = HEAD_SECONDS
    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A new connection has as long as a request."""
        super().connection_made(transport)
        self._arm()

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            # A trickle does not buy more time: the clock that runs goes on.
            self._arm()
        else:
            self._disarm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Gone."""
        self._disarm()
        super().connection_lost(exc)

    def _arm(self) -> None:
        if self._head is None:
            self._head = self.loop.call_later(self.head_seconds, self._give_up)

    def _disarm(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _give_up(self) -> None:
        self._head = None
        if self.conn.their_state is h11.IDLE:
            self.transport.close()
