"""News of job events between processes, by LISTEN and NOTIFY.

A commit that carries a NOTIFY takes a lock of the whole server, so the hot statements carry none:
what they wrote is told every 50 ms in one NOTIFY. Each process listens on one connection and fans
out in memory. News may get lost (a connection breaks, a process dies): readers look again by
themselves after some seconds, so news only make them faster.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager

import psycopg

from app.engine.news import LocalNews, WaitForNews
from app.storage.database import Pool, connect
from app.storage.desk import CHANNEL, payloads

log = logging.getLogger(__name__)
GATHER_SECONDS = 0.05


class EventNews:
    """Implements `app.services.ports.EventFeed`; `run` listens and tells until cancelled."""

    def __init__(self, url: str, pool: Pool) -> None:
        self._url = url
        self._pool = pool
        self._local = LocalNews()
        self._written: dict[str, int] = {}
        self._any_written = asyncio.Event()

    def watch(self, job_id: str) -> AbstractAsyncContextManager[WaitForNews]:
        """Gives a function that waits for news, or for that many seconds."""
        return self._local.watch(job_id)

    @property
    def closing(self) -> bool:
        """Whether the process is about to end."""
        return self._local.closing

    def close(self) -> None:
        """Have every reader stop waiting: the process is about to end."""
        self._local.close()

    def wrote(self, job_id: str, seq: int) -> None:
        """Have everybody told soon; this process at once."""
        self._local.tell(job_id)
        self._written[job_id] = seq
        self._any_written.set()

    async def run(self) -> None:
        """Listen and tell until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(), name="listen for events")
            tasks.create_task(self._tell(), name="tell of events")

    async def _tell(self) -> None:
        while True:
            await self._any_written.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._any_written.clear()
            written, self._written = self._written, {}
            try:
                async with self._pool.connection() as connection:
                    for payload in payloads(written.items()):
                        await connection.execute("select pg_notify(%s, %s)", [CHANNEL, payload])
            except psycopg.Error as error:
                log.warning("events were not told of: %s", type(error).__name__)

    async def _listen(self) -> None:
        while True:
            try:
                async with await connect(self._url) as connection:
                    await connection.execute(b"listen " + CHANNEL.encode())
                    self._local.tell_all()
                    async for notification in connection.notifies():
                        for job_id in told_of(notification.payload):
                            self._local.tell(job_id)
            except psycopg.Error as error:
                log.warning("listening for events was interrupted: %s", type(error).__name__)
            await asyncio.sleep(0.5)


def told_of(payload: str) -> list[str]:
    """The jobs of a payload."""
    return [item.rpartition(":")[0] for item in payload.split(",")]
