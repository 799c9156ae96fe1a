"""Webhooks: who is told of what, and the log of what they were told.

A subscription's signing secret is made here and shown exactly once; what the receiver asks for
beside it (a header, a password, a client secret) goes into the vault and never comes out. Whoever
subscribes must be allowed to read what they will be told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from app.domain.clock import Clock
from app.domain.terms import Label
from app.security.keys import Principal, Scope
from app.security.receivers import Receiver, ReceiverGuard, ReceiverRefused
from app.security.redaction import Redactor
from app.security.vault import Vault
from app.services.conditions import Expected, earlier, remember, replay, tag
from app.services.ports import NewId, Store, Transaction
from app.services.problems import Item, Problem, invalid, not_found
from app.services.records import Once, Outcome, Page
from app.services.webhook_records import (
    Attempt,
    AuthKind,
    Authorization,
    BodyFormat,
    Delivery,
    DeliveryFilter,
    EventType,
    SigningSecret,
    Subscription,
    SubscriptionState,
)

MOST_SUBSCRIPTIONS = 200
"""Every event is compared with each of them."""
MOST_SECRETS = 5
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_RESERVED = re.compile(r"(?i)(host|content-.*|transfer-encoding|connection|webhook-.*|user-agent|"
                       r"accept.*|te|trailer|upgrade|expect|keep-alive|proxy-.*)")  # fmt: skip
_NEEDS: Mapping[AuthKind, tuple[str, ...]] = {
    AuthKind.NONE: (),
    AuthKind.HEADER: ("header",),
    AuthKind.BASIC: ("username",),
    AuthKind.OAUTH2: ("token_url", "client_id"),
    AuthKind.SN_HMAC: (),
}
_MAY: Mapping[AuthKind, tuple[str, ...]] = {AuthKind.OAUTH2: ("scope", "client_authentication")}


@dataclass(frozen=True, slots=True)
class SaidAuthorization:
    """What a caller says of the receiver's own authentication."""

    kind: AuthKind = AuthKind.NONE
    public: Mapping[str, str] = field(default_factory=dict)
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class SaidSubscription:
    """What a caller says; None leaves a field as it is (or at its default, when creating)."""

    name: str | None = None
    url: str | None = None
    event_types: tuple[str, ...] | None = None
    cluster_ids: tuple[str, ...] | None = None
    labels: tuple[Label, ...] | None = None
    format: BodyFormat | None = None
    authorization: SaidAuthorization | None = None
    ca_bundle: str | None = None


@dataclass(frozen=True, slots=True)
class WithSecret:
    """A subscription and, this one time, its new signing secret."""

    subscription: Subscription
    secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class WebhooksService:
    """What callers may do with subscriptions and deliveries."""

    store: Store
    vault: Vault
    redactor: Redactor
    guard: ReceiverGuard
    clock: Clock
    new_id: NewId
    new_secret: Callable[[], str]
    check_ca_bundle: Callable[[str], object]
    """Raises ValueError where the text is no certificates."""

    async def create(
        self, said: SaidSubscription, by: Principal, once: Once | None
    ) -> Outcome[WithSecret]:
        """Subscribe. Raises Problem `name-taken`, `invalid-request`, `forbidden`."""
        now = self.clock.now()
        subscription_id = self.new_id("webhook")
        made, secret = self._secret(now)
        blank = Subscription(
            id=subscription_id,
            name="",
            url="",
            host="",
            event_types=tuple(EventType),
            cluster_ids=(),
            labels=(),
            format=BodyFormat.STANDARD,
            authorization=Authorization(),
            ca_bundle="",
            secrets=(made,),
            state=SubscriptionState.ACTIVE,
            state_reason="",
            state_since=now,
            version=1,
            created_at=now,
            created_by=by.id,
        )
        async with self.store.transaction() as tx:
            found = await replay(tx, once, now, tx.subscriptions.get)
            if found is not None:
                return Outcome(WithSecret(found.value, None), replayed=True)
            subscription = await self._with(tx, blank, said, by)
            if await tx.subscriptions.count() >= MOST_SUBSCRIPTIONS:
                raise Problem(
                    "too-many-webhooks", f"there are {MOST_SUBSCRIPTIONS} subscriptions already"
                )
            await tx.subscriptions.add(subscription)
            await remember(tx, once, subscription_id, now)
        return Outcome(WithSecret(subscription, secret))

    async def get(self, subscription_id: str) -> Subscription:
        """One subscription. Raises Problem `not-found`."""
        async with self.store.transaction() as tx:
            return await _found(tx, subscription_id)

    async def page(self, after: str | None, limit: int) -> Page[Subscription]:
        """Some, in the order they were made."""
        async with self.store.transaction() as tx:
            return await tx.subscriptions.page(after, limit)

    async def update(
        self, subscription_id: str, said: SaidSubscription, by: Principal, expected: Expected
    ) -> Subscription:
        """Change what is named. Raises Problem as `create`, `not-found`, `precondition-failed`."""
        async with self.store.transaction() as tx:
            subscription = await _found(tx, subscription_id, lock=True)
            expected.check(tag(subscription_id, subscription.version))
            changed = await self._with(tx, subscription, said, by)
            changed = replace(changed, version=subscription.version + 1)
            await tx.subscriptions.replace(changed)
            return changed

    async def pause(self, subscription_id: str) -> Subscription:
        """Go on collecting and send nothing. A disabled one stays disabled."""
        async with self.store.transaction() as tx:
            subscription = await _found(tx, subscription_id, lock=True)
            if subscription.state is SubscriptionState.DISABLED:
                raise _disabled(subscription_id)
            return await self._in_state(tx, subscription, SubscriptionState.PAUSED)

    async def enable(self, subscription_id: str) -> Subscription:
        """Send again: what was collected goes out, and failures are counted anew."""
        async with self.store.transaction() as tx:
            subscription = await _found(tx, subscription_id, lock=True)
            return await self._in_state(tx, subscription, SubscriptionState.ACTIVE)

    async def rotate(
        self, subscription_id: str, overlap: timedelta, once: Once | None
    ) -> Outcome[WithSecret]:
        """A new signing secret; the older ones sign too until `overlap` is over."""
        now = self.clock.now()
        made, secret = self._secret(now)
        async with self.store.transaction() as tx:
            if await earlier(tx, once, now) is not None:
                subscription = await _found(tx, subscription_id)
                return Outcome(WithSecret(subscription, None), replayed=True)
            subscription = await _found(tx, subscription_id, lock=True)
            end = now + overlap
            older = tuple(
                replace(s, expires_at=end if s.expires_at is None else min(end, s.expires_at))
                for s in subscription.secrets
                if s.expires_at is None or s.expires_at > now
            )
            older = tuple(s for s in older if s.expires_at is None or s.expires_at > now)
            if len(older) >= MOST_SECRETS:
                raise Problem(
                    "webhook-secrets-full",
                    f"{len(older)} signing secrets are good already",
                    webhook_id=subscription_id,
                )
            changed = replace(
                subscription, secrets=(*older, made), version=subscription.version + 1
            )
            await tx.subscriptions.replace(changed)
            await remember(tx, once, subscription_id, now)
            return Outcome(WithSecret(changed, secret))

    async def delete(self, subscription_id: str, expected: Expected) -> None:
        """Forget it, its secrets and what was still to be sent."""
        async with self.store.transaction() as tx:
            subscription = await _found(tx, subscription_id, lock=True)
            expected.check(tag(subscription_id, subscription.version))
            await tx.subscriptions.remove(subscription_id)

    async def test(self, subscription_id: str, once: Once | None) -> Outcome[Delivery]:
        """Send a test, also while paused or disabled; once, whatever comes of it."""
        now = self.clock.now()
        async with self.store.transaction() as tx:
            found = await replay(tx, once, now, tx.deliveries.get)
            if found is not None:
                return found
            await _found(tx, subscription_id)
            delivery = await tx.deliveries.add_test(subscription_id, self.new_id("test"))
            await remember(tx, once, delivery.id, now)
            return Outcome(delivery)

    async def deliveries(
        self, subscription_id: str, wanted: DeliveryFilter, before: str | None, limit: int
    ) -> Page[Delivery]:
        """The log, newest first. Raises Problem `not-found`."""
        async with self.store.transaction() as tx:
            await _found(tx, subscription_id)
            return await tx.deliveries.page(subscription_id, wanted, before, limit)

    async def delivery(
        self, subscription_id: str, delivery_id: str
    ) -> tuple[Delivery, Sequence[Attempt]]:
        """One delivery and every attempt. Raises Problem `not-found`."""
        async with self.store.transaction() as tx:
            await _found(tx, subscription_id)
            found = await self._delivery(tx, subscription_id, delivery_id)
            return found, await tx.deliveries.attempts(delivery_id)

    async def replay(
        self, subscription_id: str, delivery_id: str, once: Once | None
    ) -> Outcome[Delivery]:
        """Send it again, under the same `webhook-id`. Raises Problem `webhook-disabled`."""
        now = self.clock.now()
        async with self.store.transaction() as tx:
            found = await replay(tx, once, now, tx.deliveries.get)
            if found is not None:
                return found
            subscription = await _found(tx, subscription_id)
            await self._delivery(tx, subscription_id, delivery_id)
            if subscription.state is SubscriptionState.DISABLED:
                raise _disabled(subscription_id)
            again = await tx.deliveries.replay(delivery_id)
            await remember(tx, once, delivery_id, now)
            return Outcome(again)

    # -- the parts

    async def _with(
        self, tx: Transaction, before: Subscription, said: SaidSubscription, by: Principal
    ) -> Subscription:
        """The subscription as the caller wants it, checked."""
        after = replace(
            before,
            name=before.name if said.name is None else said.name,
            event_types=_or(said.event_types, before.event_types),
            cluster_ids=_or(said.cluster_ids, before.cluster_ids),
            labels=before.labels if said.labels is None else said.labels,
            format=said.format or before.format,
        )
        if said.url is not None:
            receiver = self._receiver("/url", said.url)
            after = replace(after, url=said.url, host=f"{receiver.host}:{receiver.port}")
        if said.ca_bundle is not None:
            self._demand_certificates(said.ca_bundle)
            after = replace(after, ca_bundle=said.ca_bundle)
        if said.authorization is not None:
            sealed = self._sealed(before, said.authorization)
            after = replace(after, authorization=sealed)
        elif (
            said.url is not None
            and before.authorization.sealed is not None
            and (after.host != before.host)
        ):
            # Else a secret that was given for one host could be sent to another.
            raise invalid("/auth", "another host needs its authorization said anew")
        _demand_reading(by, after.event_types)
        for place, cluster_id in enumerate(after.cluster_ids):
            if cluster_id not in before.cluster_ids and await tx.clusters.get(cluster_id) is None:
                raise invalid(f"/cluster_ids/{place}", "there is no cluster with this id")
        return after

    def _receiver(self, pointer: str, url: str) -> Receiver:
        try:
            return self.guard.check(url)
        except ReceiverRefused as refused:
            raise invalid(pointer, f"the URL {refused}", code="address-refused") from None

    def _demand_certificates(self, ca_bundle: str) -> None:
        try:
            self.check_ca_bundle(ca_bundle)
        except ValueError:
            raise invalid("/ca_bundle", "these are not certificates in PEM") from None

    def _sealed(self, before: Subscription, said: SaidAuthorization) -> Authorization:
        needs = _NEEDS[said.kind]
        allowed = {*needs, *_MAY.get(said.kind, ())}
        wrong = [
            Item("missing", "is needed", f"/auth/{n}") for n in needs if not said.public.get(n)
        ]
        wrong += [
            Item("unexpected", f"does not belong to {said.kind.value}", f"/auth/{name}")
            for name in said.public
            if name not in allowed
        ]
        kept = before.authorization.kind is said.kind and before.authorization.sealed is not None
        if said.kind is AuthKind.NONE and said.secret:
            wrong.append(Item("unexpected", "does not belong to none", "/auth/secret"))
        if said.kind is not AuthKind.NONE and not said.secret:
            why = "is needed again: it is write-only" if kept else "is needed"
            wrong.append(Item("missing", why, "/auth/secret"))
        header = said.public.get("header")
        if header and (not _HEADER.fullmatch(header) or _RESERVED.fullmatch(header)):
            wrong.append(Item("invalid-value", "is no header that may be set", "/auth/header"))
        if ":" in said.public.get("username", ""):
            wrong.append(Item("invalid-value", "holds a colon", "/auth/username"))
        if not said.secret.isascii() and said.kind is AuthKind.HEADER:
            wrong.append(Item("invalid-value", "is not ASCII", "/auth/secret"))
        if wrong:
            raise Problem(
                "invalid-request",
                "the authorization is not complete or not acceptable",
                errors=wrong,
            )
        if said.public.get("token_url"):
            self._receiver("/auth/token_url", said.public["token_url"])
        if said.kind is AuthKind.NONE:
            return Authorization()
        self.redactor.learn(said.secret)
        sealed = self.vault.seal(said.secret.encode(), Authorization.context(before.id))
        return Authorization(said.kind, dict(said.public), sealed)

    def _secret(self, now: datetime) -> tuple[SigningSecret, str]:
        secret = self.new_secret()
        self.redactor.learn(secret)
        made = SigningSecret(
            self.new_id("secret"), b"", self.vault.fingerprint(secret.encode()), now
        )
        return replace(made, sealed=self.vault.seal(secret.encode(), made.context)), secret

    async def _in_state(
        self, tx: Transaction, subscription: Subscription, state: SubscriptionState
    ) -> Subscription:
        if subscription.state is state:
            return subscription
        changed = replace(
            subscription,
            state=state,
            state_reason="",
            state_since=self.clock.now(),
            failing_since=None,
            failures=0,
            version=subscription.version + 1,
        )
        await tx.subscriptions.replace(changed)
        return changed

    @staticmethod
    async def _delivery(tx: Transaction, subscription_id: str, delivery_id: str) -> Delivery:
        found = await tx.deliveries.get(delivery_id)
        if found is None or found.webhook_id != subscription_id:
            raise not_found("delivery", delivery_id)
        return found


def _or(said: tuple[str, ...] | None, before: tuple[str, ...]) -> tuple[str, ...]:
    return before if said is None else tuple(dict.fromkeys(said))


def _demand_reading(by: Principal, event_types: Sequence[str]) -> None:
    for prefix, scope in (
        (("job.", "approval.", "bulk."), Scope.JOBS_READ),
        (("cluster.",), Scope.CLUSTERS_READ),
    ):
        if any(kind.startswith(prefix) for kind in event_types) and not by.may(scope):
            raise Problem(
                "forbidden",
                f"whoever is told of {prefix[0]}* events must hold {scope.value}",
                scope=scope.value,
            )


async def _found(tx: Transaction, subscription_id: str, *, lock: bool = False) -> Subscription:
    found = await tx.subscriptions.get(subscription_id, lock=lock)
    if found is None:
        raise not_found("webhook", subscription_id)
    return found


def _disabled(subscription_id: str) -> Problem:
    return Problem("webhook-disabled", "the subscription is disabled", webhook_id=subscription_id)
