"""Both journals behind one face, for the tests they share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import psycopg

from app.domain.job import Event
from app.engine.clock import SystemClock
from app.engine.memory import MemoryJournal, MemoryWakeups
from app.engine.ports import JobDesk, Journal, Wakeups
from app.engine.records import JobRecord, Lease, NewJob
from app.services.plan_document import to_json
from app.storage.database import plain_url
from app.storage.engine import open_engine


class FullJournal(Journal, JobDesk, Protocol):
    """Journal and desk in one, as both implementations are."""

    async def reclaim(self, job_id: str) -> JobRecord | None: ...


@dataclass
class Place:
    """A journal with what a test needs beside it."""

    journal: FullJournal
    wakeups: Wakeups
    url: str = ""
    known: set[str] = field(default_factory=set)

    async def create(self, new: NewJob, *, queue: bool = False) -> JobRecord:
        """Create a job, its cluster and plan registered first where the journal wants that."""
        if self.url:
            await register(self.url, new)
        return await self.journal.create(new, queue=queue)

    async def claim(self, job_id: str = "job-1", owner: str = "w") -> JobRecord:
        job = await self.journal.claim(job_id, owner)
        assert job is not None
        return job

    async def types(self, job_id: str = "job-1") -> list[str]:
        return [event.type for event in await self.events(job_id)]

    async def events(self, job_id: str = "job-1") -> tuple[Event, ...]:
        return await self.journal.events(job_id)


def stale(lease: Lease) -> Lease:
    return Lease(lease.job_id, lease.owner, lease.epoch - 1)


async def register(url: str, new: NewJob) -> None:
    """The rows a job refers to."""
    now = datetime.now(UTC)
    async with await psycopg.AsyncConnection.connect(plain_url(url)) as connection:
        await connection.execute(
            "insert into cluster (id, name, version, created_at) values (%s, %s, 1, %s) "
            "on conflict do nothing",
            [new.plan.cluster_id, f"{new.plan.cluster_id}.example.com", now],
        )
        await connection.execute(
            "insert into plan (id, cluster_id, procedure, digest, body, observations, created_at, "
            "expires_at) values (%s, %s, %s, %s, %s, '{}', %s, %s) on conflict do nothing",
            [
                new.plan.id,
                new.plan.cluster_id,
                new.plan.procedure,
                new.plan.digest,
                psycopg.types.json.Jsonb(to_json(new.plan)),
                now,
                now,
            ],
        )


@asynccontextmanager
async def memory_place() -> AsyncIterator[Place]:
    wakeups = MemoryWakeups()
    yield Place(MemoryJournal(SystemClock(), wakeups), wakeups)


@asynccontextmanager
async def postgres_place(url: str) -> AsyncIterator[Place]:
    async with open_engine(url) as engine:
        yield Place(engine.journal, engine.queue, url)
    await asyncio.sleep(0)
