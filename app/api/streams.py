"""Event streams whose readers may be slow, and are told why a stream ends before its job does.

A reader costs nothing while it reads: what it has not seen lies in the database, not here. One that
takes nothing for long holds a connection and gets nowhere, so it is dropped. Whoever is dropped, or
meets the end of the service, goes on with `Last-Event-ID` and misses nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator

from starlette.responses import StreamingResponse
from starlette.types import Message, Send

log = logging.getLogger(__name__)

PATIENCE = 30.0
"""Seconds that one message may take to be taken."""
SERVICE_STOPPING = "service-stopping"
READER_TOO_SLOW = "reader-too-slow"


class _TooSlow(Exception):
    """The reader took nothing for too long."""


class EventStream(StreamingResponse):
    """Server-sent events. A reader who takes nothing for `patience` seconds is dropped.

    What was sent before can still be read; then the connection ends without the mark of a complete
    answer, so a reader cannot take the stream for a whole one.
    """

    def __init__(self, messages: AsyncGenerator[str, None], patience: float) -> None:
        super().__init__(
            messages,
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        self._messages = messages
        self._patience = patience

    async def stream_response(self, send: Send) -> None:
        """Send message by message."""

        async def in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(self._patience):
                    await send(message)
            except TimeoutError:
                raise _TooSlow from None

        try:
            await super().stream_response(in_time)
        except _TooSlow:
            log.warning("a reader of events took nothing for %g s and is dropped", self._patience)
        finally:
            await self._messages.aclose()


def end_of_stream(reason: str) -> str:
    """The message that says why a stream ends although its job goes on."""
    return f"event: stream.end\ndata: {json.dumps({'reason': reason})}\n\n"
