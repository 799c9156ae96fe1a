"""The engine on PostgreSQL, put together: journal, wake-ups, news, and a worker's life.

An API process opens it to start and watch jobs; a worker process also calls `work`. One process may
do both.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from app.domain.clock import Clock
from app.engine.going import Pacing
from app.engine.onlooker import NobodyLooks, Onlooker
from app.engine.ports import Equip, Handlers
from app.engine.procrastinate_queue import ProcrastinateQueue
from app.engine.runner import Runner
from app.storage.database import Pool, journal_pool, plain_url
from app.storage.desk import ConnectionDesk
from app.storage.event_news import EventNews
from app.storage.journal import PostgresJournal
from app.storage.liveness import Liveness, Rules

GRACEFUL_SECONDS = 5.0
"""A worker that is asked to end waits so long for its jobs to reach a point where they can be given
back; then it interrupts them."""


@dataclass(frozen=True)
class PostgresEngine:
    """What a process has of the engine; made by `open_engine`."""

    url: str
    pool: Pool
    queue: ProcrastinateQueue
    journal: PostgresJournal
    news: EventNews

    def desk_on(self, connection: AsyncConnection[Any]) -> ConnectionDesk:
        """A desk whose writes belong to the transaction open on that connection."""
        return ConnectionDesk(connection, self.queue.enqueue)

    async def work(
        self,
        *,
        handlers: Handlers,
        equip: Equip,
        clock: Clock,
        drain: asyncio.Event,
        concurrency: int = 1000,
        name: str = "",
        rules: Rules | None = None,
        pacing: Pacing | None = None,
        onlooker: Onlooker | None = None,
    ) -> None:
        """Carry out jobs until `drain` is set; then give them back and return, within 8 seconds."""
        runner = Runner(
            journal=self.journal,
            handlers=handlers,
            equip=equip,
            clock=clock,
            owner=name or worker_name(),
            pacing=pacing or Pacing(),
            concurrency=concurrency,
            onlooker=onlooker or NobodyLooks(),
        )
        liveness = Liveness(
            url=self.url,
            pool=self.pool,
            journal=self.journal,
            wakeups=self.queue,
            runner=runner,
            rules=rules,
        )
        runner.lease_check = liveness.check
        runner.onlooker.at_work(liveness.check)
        self.queue.advance = runner.advance
        alive = asyncio.create_task(liveness.run(), name="liveness")
        serving: asyncio.Task[None] | None = None
        draining = asyncio.create_task(drain.wait(), name="drain")
        try:
            first = asyncio.create_task(liveness.beating.wait())
            await asyncio.wait({first, alive, draining}, return_when=asyncio.FIRST_COMPLETED)
            first.cancel()
            if not drain.is_set():
                serving = asyncio.create_task(self.queue.run(concurrency), name="wake-ups")
                await asyncio.wait({serving, alive, draining}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            draining.cancel()
            runner.onlooker.at_work(None)
            runner.drain()
            await asyncio.gather(_ended(serving), runner.finish(GRACEFUL_SECONDS))
            await _ended(alive)


@asynccontextmanager
async def open_engine(url: str) -> AsyncIterator[PostgresEngine]:
    """Connections for one process; `url` is the database's, its schema is there."""
    plain = plain_url(url)
    async with (
        journal_pool(plain) as pool,
        ProcrastinateQueue(plain, graceful=GRACEFUL_SECONDS) as queue,
    ):
        news = EventNews(plain, pool)
        journal = PostgresJournal(pool, queue.enqueue, news.wrote)
        telling = asyncio.create_task(news.run(), name="event news")
        try:
            yield PostgresEngine(plain, pool, queue, journal, news)
        finally:
            await _ended(telling)


def worker_name() -> str:
    """A name no other worker has had: machine, process, and a random end."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


async def _ended(task: asyncio.Task[None] | None) -> None:
    """Cancel a task and wait for its end; its own failure is raised, its cancellation is not."""
    if task is None:
        return
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
