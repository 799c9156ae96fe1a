"""Subscriptions to events, and the log of what was sent."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from app.api.v1.schemas.clusters import LabelRead, Labels, asked_labels
from app.api.v1.schemas.words import (
    CLUSTER,
    JOB,
    LINE,
    LINES,
    TIME,
    Asked,
    Id,
    Line,
    NextCursor,
    Told,
    Whole,
)
from app.services.webhook_records import (
    Attempt,
    AuthKind,
    BodyFormat,
    Delivery,
    DeliveryState,
    EventType,
    Subscription,
    SubscriptionState,
)
from app.services.webhooks import SaidAuthorization, SaidSubscription, WithSecret

WEBHOOK = "webhook-06f3k2m8q1v5x7z9b2d4f6h8j0"
DELIVERY = "delivery-0000000000000000000000002a"
URL = "https://hooks.example.com/clusterway"
_SECRET = "whsec_c2VjcmV0IG9mIGFuIGV4YW1wbGUsIHNob3duIG9uY2U="  # noqa: S105 - an example
_AUTH: dict[str, Any] = {"kind": "basic", "username": "clusterway", "secret": "correct horse"}
_BODY: dict[str, Any] = {
    "name": "change desk",
    "url": URL,
    "event_types": ["job.waiting", "job.succeeded", "job.failed"],
    "cluster_ids": [],
    "auth": _AUTH,
}

Url = Annotated[str, StringConstraints(min_length=8, max_length=2000, pattern=r"^[\x21-\x7e]+$")]
Pem = Annotated[str, StringConstraints(max_length=65_536, pattern=LINES)]


class AuthWrite(Asked):
    """How deliveries prove themselves to the receiver, beside their signature."""

    model_config = ConfigDict(json_schema_extra={"examples": [_AUTH]})

    kind: AuthKind = Field(
        default=AuthKind.NONE,
        description="`none`; `header`: a header of your choice; `basic`; "
        "`oauth2_client_credentials`; `sn_hmac`: HMAC-SHA256 of the body for ServiceNow.",
    )
    header: str | None = Field(
        default=None, max_length=100, pattern=LINE, description="Name, for `header`.",
        examples=["x-sn-apikey"],
    )  # fmt: skip
    username: str | None = Field(
        default=None, max_length=200, pattern=LINE, description="For `basic`.",
        examples=["clusterway"],
    )  # fmt: skip
    token_url: Url | None = Field(
        default=None, description="For `oauth2_client_credentials`.",
        examples=["https://id.example.com/oauth_token.do"],
    )  # fmt: skip
    client_id: str | None = Field(
        default=None, max_length=400, pattern=LINE, description="As above.", examples=["c-1"]
    )
    scope: str | None = Field(
        default=None, max_length=1000, pattern=LINE, description="As above; may be left out.",
        examples=["events"],
    )  # fmt: skip
    client_authentication: Literal["basic", "body"] | None = Field(
        default=None,
        description="Where client id and secret go: a Basic header, or the body as ServiceNow "
        "wants it. Left out: `basic`.",
    )
    secret: str | None = Field(
        default=None,
        min_length=4,
        max_length=4096,
        pattern=LINE,
        repr=False,
        description="Header value, password, client secret or shared secret. Never returned.",
        examples=["correct horse"],
        json_schema_extra={"writeOnly": True, "format": "password"},
    )


class WebhookUpdate(Asked):
    """What to change; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"event_types": ["job.failed"]}]})

    name: Line | None = Field(default=None, description="Unique name.", examples=["change desk"])
    url: Url | None = Field(default=None, description="Where to send, https.", examples=[URL])
    event_types: list[EventType] | None = Field(
        default=None, min_length=1, max_length=50, description="What to tell.",
        examples=[["job.failed"]],
    )  # fmt: skip
    cluster_ids: list[Id] | None = Field(
        default=None, max_length=200, description="Of which clusters; empty: all.",
        examples=[[CLUSTER]],
    )  # fmt: skip
    labels: Labels | None = Field(
        default=None,
        description="Of clusters that have all of these labels when it happens; empty: of any.",
    )
    format: BodyFormat | None = Field(
        default=None, description="`standard`, or `cloudevents` (CloudEvents 1.0, structured)."
    )
    auth: AuthWrite | None = Field(default=None, description="Said whole, secret included.")
    ca_bundle: Pem | None = Field(
        default=None,
        description="Certificate authorities (PEM) the receiver's certificate must come from, "
        "in place of the public ones; empty: the public ones. Verification cannot be turned off.",
        examples=[""],
    )


class WebhookCreate(WebhookUpdate):
    """A new subscription."""

    model_config = ConfigDict(json_schema_extra={"examples": [_BODY]})

    name: Line = Field(description="Unique name.", examples=["change desk"])
    url: Url = Field(description="Where to send, https.", examples=[URL])


class AuthRead(Told):
    """The authorization without its secret."""

    kind: AuthKind = Field(description="Which one.")
    header: str | None = Field(default=None, description="Name of the header.")
    username: str | None = Field(default=None, description="User name.")
    token_url: str | None = Field(default=None, description="Where tokens come from.")
    client_id: str | None = Field(default=None, description="Client id.")
    scope: str | None = Field(default=None, description="Scope asked for.")
    client_authentication: str | None = Field(default=None, description="`basic` or `body`.")


class SigningSecretRead(Told):
    """A signing secret without itself."""

    id: str = Field(description="Its id.", examples=["secret-06f3k2m8q1v5x7z9b2d4f6h8j0"])
    fingerprint: str = Field(description="Recognises it.", examples=["9f2c41d07be3a865"])
    created_at: datetime = Field(description="When it was made.", examples=[TIME])
    expires_at: datetime | None = Field(description="Until when it signs; null: no end is set.")


class WebhookRead(Told):
    """A subscription without its secrets."""

    id: str = Field(description="The subscription.", examples=[WEBHOOK])
    name: str = Field(description="Its name.", examples=["change desk"])
    url: str = Field(description="Where it sends.", examples=[URL])
    event_types: list[str] = Field(description="What it tells.", examples=[["job.failed"]])
    cluster_ids: list[str] = Field(description="Of which clusters; empty: all.", examples=[[]])
    labels: list[LabelRead] = Field(description="Of clusters with all of these.", examples=[[]])
    format: BodyFormat = Field(description="What bodies look like.")
    auth: AuthRead = Field(description="How it proves itself beside the signature.")
    ca_bundle: str = Field(description="Its own certificate authorities.", examples=[""])
    secrets: list[SigningSecretRead] = Field(description="What signs, oldest first.")
    state: SubscriptionState = Field(
        description="`active`; `paused`: events are collected and wait; `disabled`: nothing is "
        "collected."
    )
    state_reason: str = Field(
        description="Why it is disabled: `gone` (410) or `failing` (for days).", examples=[""]
    )
    state_since: datetime = Field(description="Since when.", examples=[TIME])
    failing_since: datetime | None = Field(description="Since when every attempt failed.")
    failures: int = Field(description="Failed attempts since the last success.", examples=[0])
    version: int = Field(description="Row version.")
    created_at: datetime = Field(description="When it was made.", examples=[TIME])
    created_by: str = Field(description="By which key.", examples=["key-1"])


class WebhookWithSecret(WebhookRead):
    """A subscription and, this one time, its new signing secret."""

    secret: str | None = Field(
        description="Shown only now: `whsec_` and base64. Null where the request was a repetition.",
        examples=[_SECRET],
    )


class WebhookList(Told):
    """A page of subscriptions."""

    items: list[WebhookRead] = Field(description="In the order they were created.")
    next_cursor: NextCursor = None


class SecretRotate(Asked):
    """How to rotate."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"overlap_seconds": 86400}]})

    overlap_seconds: Whole = Field(
        default=86_400,
        ge=0,
        le=30 * 86_400,
        description="How long older secrets go on signing beside the new one; 0: they end now.",
        examples=[86_400],
    )


class DeliveryRead(Told):
    """One event on its way to one subscription."""

    id: str = Field(description="The delivery.", examples=[DELIVERY])
    webhook_id: str = Field(description="The subscription.", examples=[WEBHOOK])
    event_id: str = Field(
        description="Sent as `webhook-id`, always the same.", examples=[f"{JOB}-4"]
    )
    type: str = Field(description="What it tells.", examples=["job.succeeded"])
    cluster_id: str | None = Field(description="About which cluster.", examples=[CLUSTER])
    job_id: str | None = Field(description="About which job.", examples=[JOB])
    seq: int = Field(description="Number of the event.", examples=[4])
    state: DeliveryState = Field(description="`pending`, `delivered` or `failed`.")
    attempts: int = Field(description="How often it was sent.", examples=[1])
    next_attempt_at: datetime | None = Field(description="When it is sent next.")
    created_at: datetime = Field(description="When the event was written.", examples=[TIME])
    finished_at: datetime | None = Field(description="When it was taken or given up.")


class AttemptRead(Told):
    """One time a delivery was sent. The body of the answer is never read."""

    number: int = Field(description="From 1.", examples=[1])
    at: datetime = Field(description="When it began.", examples=[TIME])
    seconds: float = Field(description="How long it took.", examples=[0.12])
    status: int | None = Field(description="The receiver's HTTP status; null: none came.")
    error: str | None = Field(
        description="Null where it was taken; else `status`, `redirect`, `gone`, `time-out`, "
        "`not-connected`, `name-not-found`, `tls`, `address-refused`, `broken-answer`, "
        "`token-refused`, `token-unreadable` or `secret-unusable`."
    )


class DeliveryDetail(DeliveryRead):
    """A delivery with every attempt."""

    tried: list[AttemptRead] = Field(description="Every attempt, oldest first.")


class DeliveryList(Told):
    """A page of deliveries."""

    items: list[DeliveryRead] = Field(description="Newest first.")
    next_cursor: NextCursor = None


def said(body: WebhookUpdate) -> SaidSubscription:
    """What the caller asks for."""
    auth = None
    if body.auth is not None:
        given = body.auth.model_dump(exclude_none=True, mode="json")
        auth = SaidAuthorization(
            kind=AuthKind(given.pop("kind", "none")), secret=given.pop("secret", ""), public=given
        )
    return SaidSubscription(
        name=body.name,
        url=body.url,
        event_types=None if body.event_types is None else tuple(t.value for t in body.event_types),
        cluster_ids=None if body.cluster_ids is None else tuple(body.cluster_ids),
        labels=None if body.labels is None else asked_labels(body.labels),
        format=body.format,
        authorization=auth,
        ca_bundle=body.ca_bundle,
    )


def webhook_read(found: Subscription) -> WebhookRead:
    """What a reader may see."""
    return WebhookRead(**_fields(found))


def with_secret(made: WithSecret) -> WebhookWithSecret:
    """What whoever made it sees once."""
    return WebhookWithSecret(**_fields(made.subscription), secret=made.secret)


def delivery_read(found: Delivery) -> DeliveryRead:
    """As a reader sees it."""
    return DeliveryRead(**_delivery(found))


def delivery_detail(found: Delivery, tried: tuple[Attempt, ...]) -> DeliveryDetail:
    """As a reader sees it, with its attempts."""
    attempts = [AttemptRead.model_validate(attempt) for attempt in tried]
    return DeliveryDetail(**_delivery(found), tried=attempts)


def _fields(found: Subscription) -> dict[str, Any]:
    return {
        "id": found.id,
        "name": found.name,
        "url": found.url,
        "event_types": list(found.event_types),
        "cluster_ids": list(found.cluster_ids),
        "labels": [LabelRead.model_validate(label) for label in found.labels],
        "format": found.format,
        "auth": AuthRead(kind=found.authorization.kind, **found.authorization.public),
        "ca_bundle": found.ca_bundle,
        "secrets": [SigningSecretRead.model_validate(secret) for secret in found.secrets],
        "state": found.state,
        "state_reason": found.state_reason,
        "state_since": found.state_since,
        "failing_since": found.failing_since,
        "failures": found.failures,
        "version": found.version,
        "created_at": found.created_at,
        "created_by": found.created_by,
    }


def _delivery(found: Delivery) -> dict[str, Any]:
    pending = found.state is DeliveryState.PENDING
    return {
        "id": found.id,
        "webhook_id": found.webhook_id,
        "event_id": found.event_id,
        "type": found.type,
        "cluster_id": found.cluster_id,
        "job_id": found.job_id,
        "seq": found.seq,
        "state": found.state,
        "attempts": found.attempts,
        "next_attempt_at": found.next_at if pending else None,
        "created_at": found.created_at,
        "finished_at": found.finished_at,
    }
