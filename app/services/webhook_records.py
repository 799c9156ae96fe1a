"""Subscriptions and deliveries as services, storage and dispatcher hand them to each other.

A subscription says who wants to be told of what, and how. A delivery is one event on its way to one
subscription: there is one for each pair, however often it is sent.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from app.domain.terms import Label
from app.services.records import Page


class EventType(enum.StrEnum):
    """Everything a subscription can be told of."""

    JOB_STARTED = "job.started"
    JOB_WAITING = "job.waiting"
    STEP_STARTED = "job.step.started"
    STEP_FINISHED = "job.step.finished"
    JOB_SUCCEEDED = "job.succeeded"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    APPROVAL_REQUESTED = "approval.requested"
    BULK_FINISHED = "bulk.finished"
    ALARM_RAISED = "cluster.alarm.raised"
    ALARM_CLEARED = "cluster.alarm.cleared"
    FINDING_RAISED = "cluster.finding.raised"
    FINDING_CHANGED = "cluster.finding.changed"
    FINDING_CLEARED = "cluster.finding.cleared"
    WEBHOOK_DISABLED = "webhook.disabled"


TEST_TYPE = "webhook.test"
"""What the test button sends; nobody subscribes to it."""


class SubscriptionState(enum.StrEnum):
    """Whether a subscription collects events and whether they are sent."""

    ACTIVE = "active"
    PAUSED = "paused"
    """Events are collected and wait."""
    DISABLED = "disabled"
    """Nothing is collected: the receiver said 410, or failed for days."""


class BodyFormat(enum.StrEnum):
    """What the body looks like."""

    STANDARD = "standard"
    CLOUDEVENTS = "cloudevents"


class AuthKind(enum.StrEnum):
    """How a delivery proves itself to the receiver, beside its signature."""

    NONE = "none"
    HEADER = "header"
    BASIC = "basic"
    OAUTH2 = "oauth2_client_credentials"
    SN_HMAC = "sn_hmac"


@dataclass(frozen=True, slots=True)
class Authorization:
    """`public` may be shown (header name, user name, token URL); the secret is sealed."""

    kind: AuthKind = AuthKind.NONE
    public: Mapping[str, str] = field(default_factory=dict)
    sealed: bytes | None = field(default=None, repr=False)

    @staticmethod
    def context(subscription_id: str) -> str:
        """What the sealed value is bound to."""
        return f"webhook-auth:{subscription_id}"


@dataclass(frozen=True, slots=True)
class SigningSecret:
    """One of the secrets that sign; without `expires_at` it is the newest."""

    id: str
    sealed: bytes = field(repr=False)
    fingerprint: str
    created_at: datetime
    expires_at: datetime | None = None

    @property
    def context(self) -> str:
        """What the sealed value is bound to."""
        return self.context_of(self.id)

    @staticmethod
    def context_of(secret_id: str) -> str:
        """What the sealed value of the secret with that id is bound to."""
        return f"webhook-secret:{secret_id}"


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who is told of what, where and how. `secrets`: oldest first, expired ones included."""

    id: str
    name: str
    url: str
    host: str
    """`host:port` as deliveries are counted by."""
    event_types: tuple[str, ...]
    cluster_ids: tuple[str, ...]
    """Empty: all clusters."""
    labels: tuple[Label, ...]
    """Of clusters that have all of these at the time of the event; empty: whatever they have."""
    format: BodyFormat
    authorization: Authorization
    ca_bundle: str
    """PEM; empty: the public certificate authorities."""
    secrets: tuple[SigningSecret, ...]
    state: SubscriptionState
    state_reason: str
    state_since: datetime
    version: int
    created_at: datetime
    created_by: str
    failing_since: datetime | None = None
    failures: int = 0
    """Failed attempts since the last success."""


class DeliveryState(enum.StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """All attempts of the schedule failed, or it became too old."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one subscription. `event_id` is sent as `webhook-id`, each time the same."""

    id: str
    webhook_id: str
    event_id: str
    type: str
    at: datetime
    cluster_id: str | None
    job_id: str | None
    seq: int
    payload: Mapping[str, Any]
    created_at: datetime
    state: DeliveryState
    attempts: int
    tries: int
    """Attempts of the present schedule; a replay starts it anew."""
    next_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One time a delivery was sent. Of the receiver's answer only the status is kept."""

    number: int
    at: datetime
    seconds: float
    status: int | None
    error: str | None
    """A class of error, such as `time-out`; None where the receiver took it."""


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries to list; empty fields do not filter."""

    state: str = ""
    type: str = ""
    job_id: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right of one process to send one delivery now; `token` is new each time."""

    token: str
    delivery: Delivery
    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Result:
    """What one attempt came to. `retry_after`: seconds the receiver asks to be left alone."""

    seconds: float
    status: int | None = None
    error: str | None = None
    retry_after: float | None = None

    @property
    def gone(self) -> bool:
        """Whether the receiver wants nothing any more."""
        return self.status == 410


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from a result. `next_in`: seconds until the next attempt."""

    state: DeliveryState
    next_in: float | None = None


class Subscriptions(Protocol):
    """Subscriptions and their secrets, inside a transaction."""

    async def add(self, subscription: Subscription) -> None:
        """Insert. Raises Problem `name-taken`."""
        ...

    async def get(self, subscription_id: str, *, lock: bool = False) -> Subscription | None:
        """One subscription with its secrets."""
        ...

    async def page(self, after: str | None, limit: int) -> Page[Subscription]:
        """Some, in the order they were made."""
        ...

    async def count(self) -> int:
        """How many there are."""
        ...

    async def replace(self, subscription: Subscription) -> None:
        """Write everything of it, secrets included. Raises Problem `name-taken`."""
        ...

    async def remove(self, subscription_id: str) -> None:
        """Delete it with its secrets; its deliveries are swept away."""
        ...


class DeliveryLog(Protocol):
    """Deliveries as people read and repeat them, inside a transaction."""

    async def get(self, delivery_id: str) -> Delivery | None:
        """One delivery."""
        ...

    async def attempts(self, delivery_id: str) -> Sequence[Attempt]:
        """Its attempts in order."""
        ...

    async def page(
        self, subscription_id: str, wanted: DeliveryFilter, before: str | None, limit: int
    ) -> Page[Delivery]:
        """Newest first."""
        ...

    async def add_test(self, subscription_id: str, event_id: str) -> Delivery:
        """A test, due at once."""
        ...

    async def replay(self, delivery_id: str) -> Delivery:
        """Have it sent again at once, its schedule begun anew."""
        ...


class Outbox(Protocol):
    """What the dispatcher asks of storage. Each call is a transaction of its own."""

    async def claim(self, token: str, *, hold: float, busy: Sequence[str]) -> Claim | None:
        """A delivery that is due, for `hold` seconds, to none of the busy hosts."""
        ...

    async def finish(self, claim: Claim, result: Result, verdict: Verdict) -> bool:
        """Write an attempt and what follows; False where the claim was lost: nothing is written.

        A receiver that is gone, or has failed for days, disables its subscription here, and those
        who want to know are told.
        """
        ...

    async def sweep(self, *, keep: float) -> int:
        """Give up what is too old; forget what ended `keep` seconds ago; how many rows."""
        ...
