"""Subscriptions, jobs and dispatchers over one real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from psycopg.types.json import Jsonb
from sqlalchemy.ext.asyncio import AsyncEngine

from app.engine.records import JobRecord, NewEvent
from app.services.webhook_records import Claim, EventType, Result, Subscription
from app.storage.database import connect, resource_engine
from app.storage.desk import ConnectionDesk
from app.storage.outbox import PostgresOutbox
from app.storage.store import PostgresStore
from app.webhooks.dispatcher import Dispatcher
from tests.support.claims import CORRELATION, Desk
from tests.support.engine_bench import new_job, step
from tests.support.journals import Place, postgres_place


@dataclass
class Notebook:
    """Implements `Sends`: answers from a script, and writes down what it was given."""

    statuses: dict[str, list[int]] = field(default_factory=dict)
    sent: list[Claim] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, claim: Claim) -> Result:
        self.sent.append(claim)
        self.more.set()
        script = self.statuses.get(claim.subscription.id, [])
        status = script[0] if len(script) == 1 else script.pop(0) if script else 204
        error = None if status < 300 else "gone" if status == 410 else "status"
        return Result(0.1, status, error)

    @property
    def events(self) -> list[str]:
        return [claim.delivery.event_id for claim in self.sent]


@dataclass
class Stage:
    """What the tests of the outbox stand on."""

    url: str
    engine: AsyncEngine
    place: Place
    store: PostgresStore
    desk: Desk = field(default_factory=Desk)

    @property
    def outbox(self) -> PostgresOutbox:
        return PostgresOutbox(self.engine)

    def dispatcher(self, sender: Any) -> Dispatcher:
        return Dispatcher(self.outbox, sender, keep=30 * 86_400.0)

    async def subscribe(
        self, name: str = "webhook-1", url: str = "https://a.example.com/", **changes: Any
    ) -> Subscription:
        made = self.desk.claim(url, changes.pop("ca_bundle", "")).subscription
        secrets = tuple(self._of(name, s) for s in made.secrets)
        changes = {"event_types": tuple(EventType), "host": url.split("/")[2], **changes}
        subscription = replace(made, id=name, name=name, secrets=secrets, **changes)
        async with self.store.transaction() as tx:
            await tx.subscriptions.add(subscription)
        return subscription

    def _of(self, name: str, secret: Any) -> Any:
        named = replace(secret, id=f"secret-of-{name}")
        return replace(
            named, sealed=self.desk.vault.seal(self.desk.secrets[0].encode(), named.context)
        )

    async def job(self, number: int = 1) -> JobRecord:
        """A job that was taken up, so it has told `job.started` as its event 2."""
        new = new_job(
            step("a", peer_id=f"peer-{number}"),
            job_id=f"job-{number}",
            cluster=f"cluster-{number}",
            details={"correlation": CORRELATION},
        )
        await self.place.create(new)
        return await self.place.claim(new.id)

    async def label(self, number: int, labels: dict[str, str]) -> None:
        """The cluster of that job, before the job, with labels."""
        found = [{"name": name, "value": value} for name, value in labels.items()]
        await self.rows(
            "insert into cluster (id, name, version, created_at, labels)"
            " values (%s, %s, 1, now(), %s)",
            f"cluster-{number}", f"cluster-{number}.example.com", Jsonb(found),
        )  # fmt: skip

    async def tell(self, job: JobRecord, *types: str) -> None:
        """Have the engine's own statement write events of these types."""
        events = [NewEvent(kind, {"n": place}) for place, kind in enumerate(types)]
        await self.place.journal.record(job.lease, job.steps[0], events)

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        async with await connect(self.url) as connection:
            cursor = await connection.execute(query.encode(), values)
            return await cursor.fetchall() if cursor.description else []

    async def deliveries(self, webhook_id: str = "webhook-1") -> list[dict[str, Any]]:
        return await self.rows(
            "select * from webhook_delivery where webhook_id = %s order by number", webhook_id
        )

    async def pass_by(self, seconds: float) -> None:
        """Let time go by for everything the outbox knows of."""
        await self.rows(
            "update webhook_delivery set next_at = next_at - make_interval(secs => %s),"
            " held_until = held_until - make_interval(secs => %s),"
            " queued_at = queued_at - make_interval(secs => %s),"
            " finished_at = finished_at - make_interval(secs => %s)",
            *[seconds] * 4,
        )
        await self.rows(
            "update webhook set failing_since = failing_since - make_interval(secs => %s)", seconds
        )

    async def dispatch(self, sender: Any) -> int:
        """Send everything that is due; how many."""
        dispatcher, sent = self.dispatcher(sender), 0
        while await dispatcher.once() is not None:
            sent += 1
        return sent


@pytest.fixture
async def stage(database_url: str) -> AsyncIterator[Stage]:
    async with opened(database_url) as found:
        yield found


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Stage]:
    async def nobody(*_: Any) -> None: ...

    engine = resource_engine(url)
    async with postgres_place(url) as place:
        store = PostgresStore(engine, lambda connection: ConnectionDesk(connection, nobody))
        yield Stage(url, engine, place, store)
    await engine.dispose()


def types(rows: Sequence[dict[str, Any]]) -> list[str]:
    return [row["type"] for row in rows]
