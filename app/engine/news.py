"""Who wants to know that a job has new events, inside one process.

A reader gets a nudge, never data: it reads the rows it has not seen. So a slow reader costs nothing
and misses nothing, and nothing has to be kept for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

WaitForNews = Callable[[float], Awaitable[None]]


class LocalNews:
    """Nudges the readers of a job."""

    def __init__(self) -> None:
        self._readers: dict[str, set[asyncio.Event]] = {}
        self.closing = False
        """The process is about to end: who waits for news should wait no longer."""

    def close(self) -> None:
        """Have every reader stop waiting, now and from now on."""
        self.closing = True
        self.tell_all()

    def tell(self, job_id: str) -> None:
        """Nudge the readers of that job."""
        for reader in self._readers.get(job_id, ()):
            reader.set()

    def tell_all(self) -> None:
        """Nudge everybody: news may have been missed."""
        for job_id in self._readers:
            self.tell(job_id)

    @property
    def readers(self) -> int:
        """How many readers there are."""
        return sum(len(readers) for readers in self._readers.values())

    @asynccontextmanager
    async def watch(self, job_id: str) -> AsyncIterator[WaitForNews]:
        """Gives a function that waits for news, or for that many seconds. May wake too often."""
        nudge = asyncio.Event()
        self._readers.setdefault(job_id, set()).add(nudge)

        async def wait(seconds: float) -> None:
            if self.closing:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await nudge.wait()
            nudge.clear()

        try:
            yield wait
        finally:
            readers = self._readers[job_id]
            readers.discard(nudge)
            if not readers:
                del self._readers[job_id]
