"""Claims to send, made by hand, and a sender for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from app.domain.clock import Clock
from app.engine.clock import SystemClock
from app.security.addresses import AddressGuard
from app.security.receivers import ReceiverGuard
from app.security.redaction import Redactor
from app.security.vault import Vault
from app.services.webhook_records import (
    AuthKind,
    Authorization,
    BodyFormat,
    Claim,
    Delivery,
    DeliveryState,
    SigningSecret,
    Subscription,
    SubscriptionState,
)
from app.webhooks.authorization import Authorizer
from app.webhooks.payload import Composer
from app.webhooks.sending import Sender, Wire
from app.webhooks.signing import new_secret

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
CORRELATION = {"id": "9d38", "display": "Füße <&> 🙂", "flow_context_id": "f-1", "message": "done"}


@dataclass
class Names:
    """A name server in memory: each question takes the next answer, the last one stays."""

    answers: list[Sequence[str]] = field(default_factory=lambda: [["127.0.0.1"]])
    asked: list[str] = field(default_factory=list)

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not found:
            raise OSError("no address")
        return found


@dataclass
class Desk:
    """Makes claims whose secrets lie in a vault, and senders that open it."""

    vault: Vault = field(default_factory=lambda: Vault({"k1": b"0" * 32}))
    redactor: Redactor = field(default_factory=Redactor)
    names: Names = field(default_factory=Names)
    secrets: list[str] = field(default_factory=lambda: [new_secret()])
    allow_loopback: bool = True

    def sender(self, *, limit: float = 10.0, clock: Clock | None = None) -> Sender:
        guard = ReceiverGuard(AddressGuard((), self.allow_loopback, "WEBHOOK"))
        return Sender(
            wire=Wire(guard, self.names.resolve, limit),
            vault=self.vault,
            redactor=self.redactor,
            composer=Composer(self.redactor, "https://clusterway.example.com"),
            clock=clock or SystemClock(),
            authorizer=Authorizer(),
        )

    def claim(self, url: str, ca_bundle: str = "", **more: Any) -> Claim:
        secrets = tuple(self._secret(place, text, more) for place, text in enumerate(self.secrets))
        kind, public, secret = more.pop("auth", (AuthKind.NONE, {}, ""))
        context = Authorization.context("webhook-1")
        sealed = self.vault.seal(secret.encode(), context) if secret else None
        subscription = Subscription(
            id="webhook-1",
            name="desk",
            url=url,
            host="host:443",
            event_types=("job.succeeded",),
            cluster_ids=(),
            labels=(),
            format=more.pop("format", BodyFormat.STANDARD),
            authorization=Authorization(kind, public, sealed),
            ca_bundle=ca_bundle,
            secrets=secrets,
            state=SubscriptionState.ACTIVE,
            state_reason="",
            state_since=NOW,
            version=1,
            created_at=NOW,
            created_by="key-1",
        )
        return Claim("token", replace(delivery(), **more.pop("delivery", {})), subscription)

    def _secret(self, place: int, text: str, more: dict[str, Any]) -> SigningSecret:
        ends = more.get("ends", {})
        expires = datetime.now(UTC) + timedelta(seconds=ends[place]) if place in ends else None
        made = SigningSecret(f"secret-{place}", b"", "f", NOW, expires)
        return replace(made, sealed=self.vault.seal(text.encode(), made.context))


def delivery(**changes: Any) -> Delivery:
    given = Delivery(
        id="delivery-00000000000000000000000001",
        webhook_id="webhook-1",
        event_id="job-1-12",
        type="job.succeeded",
        at=NOW,
        cluster_id="cluster-1",
        job_id="job-1",
        seq=12,
        payload={
            "procedure": "add-peer",
            "correlation": CORRELATION,
            "change": {"number": "CHG1"},
            "event": {"why": "done"},
        },
        created_at=NOW,
        state=DeliveryState.PENDING,
        attempts=0,
        tries=0,
        next_at=NOW,
        finished_at=None,
    )
    return replace(given, **changes)
