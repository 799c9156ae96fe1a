"""Subscriptions and their deliveries in PostgreSQL, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    DateTime,
    LargeBinary,
    Text,
    delete,
    func,
    select,
    text,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from app.domain.terms import Label, in_words
from app.services.plan_document import to_json
from app.services.problems import Problem
from app.services.records import Page
from app.services.webhook_records import (
    TEST_TYPE,
    Attempt,
    AuthKind,
    Authorization,
    BodyFormat,
    Delivery,
    DeliveryFilter,
    DeliveryState,
    SigningSecret,
    Subscription,
    SubscriptionState,
)
from app.storage.constraints import flushed, meaning
from app.storage.reach import EVERYTHING, Reach


class WebhookRow(SQLModel, table=True):
    """A subscription; everything but `auth_sealed` may be read by callers."""

    __tablename__ = "webhook"
    id: str = Field(primary_key=True)
    name: str
    url: str
    host: str
    event_types: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    cluster_ids: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    labels: list[dict[str, str]] = Field(sa_column=Column(JSONB, nullable=False))
    format: str
    auth_kind: str
    auth: dict[str, str] = Field(sa_column=Column(JSONB, nullable=False))
    auth_sealed: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))
    ca_bundle: str
    state: str
    state_reason: str
    state_since: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    failing_since: datetime | None = Field(
        default=None, sa_column=Column(DateTime(timezone=True), nullable=True)
    )
    failures: int = 0
    version: int
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    created_by: str


class WebhookSecretRow(SQLModel, table=True):
    """A signing secret; several are good at once while one is being rotated."""

    __tablename__ = "webhook_secret"
    id: str = Field(primary_key=True)
    webhook_id: str
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    fingerprint: str
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    expires_at: datetime | None = Field(
        default=None, sa_column=Column(DateTime(timezone=True), nullable=True)
    )


class SubscriptionRows:
    """Implements `app.services.webhook_records.Subscriptions`."""

    def __init__(self, session: AsyncSession, reach: Reach = EVERYTHING) -> None:
        self._session = session
        self._reach = reach

    async def add(self, subscription: Subscription) -> None:
        """See Subscriptions."""
        self._refuse_beyond(subscription)
        self._session.add(WebhookRow(id=subscription.id, **_values(subscription)))
        await flushed(self._session)
        await self._write_secrets(subscription)

    async def get(self, subscription_id: str, *, lock: bool = False) -> Subscription | None:
        """See Subscriptions."""
        query = select(WebhookRow).where(col(WebhookRow.id) == subscription_id, self._within())
        row = (await self._session.scalars(query.with_for_update() if lock else query)).first()
        return None if row is None else (await self._whole([row]))[0]

    async def page(self, after: str | None, limit: int) -> Page[Subscription]:
        """See Subscriptions."""
        query = select(WebhookRow).where(self._within())
        query = query.order_by(col(WebhookRow.id)).limit(limit + 1)
        if after is not None:
            query = query.where(col(WebhookRow.id) > after)
        rows = (await self._session.scalars(query)).all()
        items = await self._whole(rows[:limit])
        return Page(items, items[-1].id if len(rows) > limit else None)

    async def count(self) -> int:
        """See Subscriptions."""
        return await self._session.scalar(select(func.count()).select_from(WebhookRow)) or 0

    async def replace(self, subscription: Subscription) -> None:
        """See Subscriptions."""
        self._refuse_beyond(subscription)
        try:
            await self._session.execute(
                update(WebhookRow)
                .where(col(WebhookRow.id) == subscription.id)
                .values(**_values(subscription))
            )
        except IntegrityError as error:
            problem = meaning(error)
            if problem is None:
                raise
            raise problem from error
        await self._session.execute(
            delete(WebhookSecretRow).where(col(WebhookSecretRow.webhook_id) == subscription.id)
        )
        await self._write_secrets(subscription)

    async def remove(self, subscription_id: str) -> None:
        """See Subscriptions."""
        await self._session.execute(delete(WebhookRow).where(col(WebhookRow.id) == subscription_id))

    def _refuse_beyond(self, subscription: Subscription) -> None:
        if self._reach.tells_of(subscription.cluster_ids, subscription.labels):
            return
        wrong = []
        if self._reach.labels:
            wrong.append(f"labels: the webhook has {in_words(self._reach.labels)} among its own")
        if self._reach.named is not None:
            wrong.append("clusters: name some of those only")
        raise Problem("forbidden", f"the key is limited to {', and to '.join(wrong)}")

    def _within(self) -> ColumnElement[bool]:
        labels = type_coerce(WebhookRow.labels, JSONB)
        return self._reach.told_of(col(WebhookRow.cluster_ids), labels)

    async def _write_secrets(self, subscription: Subscription) -> None:
        for secret in subscription.secrets:
            self._session.add(
                WebhookSecretRow(
                    id=secret.id,
                    webhook_id=subscription.id,
                    sealed=secret.sealed,
                    fingerprint=secret.fingerprint,
                    created_at=secret.created_at,
                    expires_at=secret.expires_at,
                )
            )
        await self._session.flush()
        self._session.expunge_all()

    async def _whole(self, rows: Sequence[WebhookRow]) -> tuple[Subscription, ...]:
        query = (
            select(WebhookSecretRow)
            .where(col(WebhookSecretRow.webhook_id).in_([row.id for row in rows]))
            .order_by(col(WebhookSecretRow.created_at), col(WebhookSecretRow.id))
        )
        secrets: dict[str, list[SigningSecret]] = {row.id: [] for row in rows}
        for row in await self._session.scalars(query):
            secrets[row.webhook_id].append(
                SigningSecret(row.id, row.sealed, row.fingerprint, row.created_at, row.expires_at)
            )
        read = tuple(_subscription(row, tuple(secrets[row.id])) for row in rows)
        # What is read is a copy; the session must not write an old one back.
        self._session.expunge_all()
        return read


_PAGE = "select * from webhook_delivery where {where} order by number desc limit :limit"
_WHERE = {
    "before": "number < (select b.number from webhook_delivery b where b.id = :before)",
    "undelivered": "state = :undelivered and state <> 'delivered'",
    "delivered": "state = :delivered",
    "type": "type = :type",
    "job": "job_id = :job",
}
"""Conditions of a page. A query has those that are asked for and no others, so that the server
plans it for the index that answers just that."""


class DeliveryRows:
    """Implements `app.services.webhook_records.DeliveryLog`."""

    def __init__(self, session: AsyncSession, reach: Reach = EVERYTHING) -> None:
        self._session = session
        self._reach = reach

    async def get(self, delivery_id: str) -> Delivery | None:
        """See DeliveryLog."""
        rows = await self._rows("select * from webhook_delivery where id = :id", id=delivery_id)
        return read_delivery(rows[0]) if rows else None

    async def attempts(self, delivery_id: str) -> tuple[Attempt, ...]:
        """See DeliveryLog."""
        query = """
            select a.attempt as number, a.at, a.seconds, a.status, a.error from webhook_attempt a
            join webhook_delivery d on d.number = a.delivery where d.id = :id order by a.attempt
        """
        return tuple(Attempt(**row) for row in await self._rows(query, id=delivery_id))

    async def page(
        self, subscription_id: str, wanted: DeliveryFilter, before: str | None, limit: int
    ) -> Page[Delivery]:
        """See DeliveryLog. Ids sort as their numbers do."""
        found = {
            "before": before,
            "undelivered": wanted.state if wanted.state != DeliveryState.DELIVERED else None,
            "delivered": wanted.state if wanted.state == DeliveryState.DELIVERED else None,
            "type": wanted.type,
            "job": wanted.job_id,
        }
        asked = {name: value for name, value in found.items() if value}
        where = " and ".join(["webhook_id = :webhook", *(_WHERE[name] for name in asked)])
        query = _PAGE.format(where=where)
        rows = await self._rows(query, webhook=subscription_id, limit=limit + 1, **asked)
        items = tuple(read_delivery(row) for row in rows[:limit])
        return Page(items, items[-1].id if len(rows) > limit else None)

    async def add_test(self, subscription_id: str, event_id: str) -> Delivery:
        """See DeliveryLog."""
        query = """
            insert into webhook_delivery (webhook_id, event_id, type, at, subject, seq, payload)
            values (:webhook, :event, :type, clock_timestamp(), :event, 1,
                '{"event": {"message": "This is a test."}}')
            returning *
        """
        rows = await self._rows(query, webhook=subscription_id, event=event_id, type=TEST_TYPE)
        return read_delivery(rows[0])

    async def replay(self, delivery_id: str) -> Delivery:
        """See DeliveryLog. One that is being sent just now is sent again afterwards."""
        query = """
            update webhook_delivery set state = 'pending', tries = 0, finished_at = null,
                next_at = clock_timestamp(), queued_at = clock_timestamp()
            where id = :id returning *
        """
        return read_delivery((await self._rows(query, id=delivery_id))[0])

    async def _rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        found = await self._session.execute(text(query), values)
        return [dict(row) for row in found.mappings()]


def read_delivery(row: Mapping[str, Any]) -> Delivery:
    """A delivery from its row."""
    return Delivery(
        id=row["id"],
        webhook_id=row["webhook_id"],
        event_id=row["event_id"],
        type=row["type"],
        at=row["at"],
        cluster_id=row["cluster_id"],
        job_id=row["job_id"],
        seq=row["seq"],
        payload=row["payload"],
        created_at=row["created_at"],
        state=DeliveryState(row["state"]),
        attempts=row["attempts"],
        tries=row["tries"],
        next_at=row["next_at"],
        finished_at=row["finished_at"],
    )


def _values(subscription: Subscription) -> dict[str, Any]:
    return {
        "name": subscription.name,
        "url": subscription.url,
        "host": subscription.host,
        "event_types": list(subscription.event_types),
        "cluster_ids": list(subscription.cluster_ids),
        "labels": to_json(subscription.labels),
        "format": subscription.format.value,
        "auth_kind": subscription.authorization.kind.value,
        "auth": dict(subscription.authorization.public),
        "auth_sealed": subscription.authorization.sealed,
        "ca_bundle": subscription.ca_bundle,
        "state": subscription.state.value,
        "state_reason": subscription.state_reason,
        "state_since": subscription.state_since,
        "failing_since": subscription.failing_since,
        "failures": subscription.failures,
        "version": subscription.version,
        "created_at": subscription.created_at,
        "created_by": subscription.created_by,
    }


def _subscription(row: WebhookRow, secrets: tuple[SigningSecret, ...]) -> Subscription:
    return Subscription(
        id=row.id,
        name=row.name,
        url=row.url,
        host=row.host,
        event_types=tuple(row.event_types),
        cluster_ids=tuple(row.cluster_ids),
        labels=tuple(Label(**document) for document in row.labels),
        format=BodyFormat(row.format),
        authorization=Authorization(AuthKind(row.auth_kind), row.auth, row.auth_sealed),
        ca_bundle=row.ca_bundle,
        secrets=secrets,
        state=SubscriptionState(row.state),
        state_reason=row.state_reason,
        state_since=row.state_since,
        version=row.version,
        created_at=row.created_at,
        created_by=row.created_by,
        failing_since=row.failing_since,
        failures=row.failures,
    )
