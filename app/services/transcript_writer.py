"""Writes transcript entries behind the jobs' backs: all jobs of a process in one write at a time.

While one write is under way entries gather, and go with the next: the busier a worker, the fewer
transactions it takes for an entry. Where the database is away they wait in memory, up to a bound;
beyond it the newest are left out, and an entry says how many.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from app.engine.errors import EngineError
from app.services.transcript import Entry

log = logging.getLogger(__name__)
AT_ONCE = 500
"""Entries of one write."""
MOST_WAITING = 32 * 1024 * 1024
"""Characters that may wait for a database that is away."""
PAUSE = 0.5
"""Seconds between two tries to write."""
LEFT_OUT = "left-out"
"""The outcome of an entry that stands for those there was no room for."""


class TranscriptRows(Protocol):
    """Where entries are kept."""

    async def append(self, entries: Sequence[Entry]) -> None:
        """Add entries in their order, each once, however often this is asked.

        Entries of jobs that are gone are dropped. Raises EngineError: it may be asked again.
        """
        ...


class TranscriptWriter:
    """Implements `app.services.transcript.TranscriptSink`. `run` until cancelled."""

    def __init__(self, rows: TranscriptRows, most_waiting: int = MOST_WAITING) -> None:
        self._rows = rows
        self._most = most_waiting
        self._waiting: deque[Entry] = deque()
        self._size = 0
        self._taken = 0
        self._written = 0
        self._left_out: dict[str, int] = {}
        self._news = asyncio.Event()
        self._progress = asyncio.Condition()

    def put(self, entry: Entry) -> int:
        """See TranscriptSink."""
        if self._size + len(entry.text) > self._most:
            self._left_out[entry.job_id] = self._left_out.get(entry.job_id, 0) + 1
            return self._taken
        left_out = self._left_out.pop(entry.job_id, 0)
        if left_out:
            self._take(_mark(entry, left_out))
        self._take(entry)
        self._news.set()
        return self._taken

    async def settled(self, ticket: int, seconds: float) -> bool:
        """See TranscriptSink."""
        if self._written >= ticket:
            return True
        try:
            async with asyncio.timeout(seconds), self._progress:
                await self._progress.wait_for(lambda: self._written >= ticket)
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Write what comes until cancelled; what is left then is written once more, if it can."""
        try:
            while True:
                await self._news.wait()
                await self._write_some()
        finally:
            if self._waiting:
                await asyncio.wait({asyncio.ensure_future(self._write_the_rest())}, timeout=2.0)

    def _take(self, entry: Entry) -> None:
        self._waiting.append(entry)
        self._size += len(entry.text)
        self._taken += 1

    async def _write_some(self) -> None:
        batch = [self._waiting[n] for n in range(min(AT_ONCE, len(self._waiting)))]
        if not batch:
            self._news.clear()
            return
        try:
            await self._rows.append(batch)
        except EngineError as error:
            log.warning("%d transcript entries wait: %s", len(self._waiting), error)
            await asyncio.sleep(PAUSE)
            return
        for entry in batch:
            self._waiting.popleft()
            self._size -= len(entry.text)
        self._written += len(batch)
        async with self._progress:
            self._progress.notify_all()

    async def _write_the_rest(self) -> None:
        while self._waiting:
            await self._write_some()


def _mark(entry: Entry, left_out: int) -> Entry:
    """Stands before `entry` for those that were left out, under the number of the last of them."""
    text = f"[{left_out} entries were left out here: the database did not take them]"
    return replace(
        entry,
        number=entry.number - 1,
        text=text,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        size=len(text),
        outcome=LEFT_OUT,
        duration_ms=None,
    )
