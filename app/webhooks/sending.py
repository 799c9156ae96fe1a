"""One attempt: addresses checked, body signed, sent, and only the status of the answer read.

The body of an answer is never read: it may be huge, endless or hostile, and nothing of it is
needed. Certificates are always verified, by the name and not by the address connected to.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

import httpx

from app.domain.clock import Clock
from app.security.receivers import ReceiverGuard, ReceiverRefused, Resolve
from app.security.redaction import Redactor
from app.security.vault import Vault, VaultError
from app.services.webhook_records import Claim, Result, Subscription
from app.webhooks.authorization import Authorizer, NoToken
from app.webhooks.payload import CONTENT_TYPES, Composer
from app.webhooks.signing import signed_headers

LIMIT_SECONDS = 20.0
"""One attempt, from the look-up of the name to the status."""
CONNECT_SECONDS = 5.0
MOST_ADDRESSES = 3
"""How many addresses of a name are tried before the attempt counts as failed."""
USER_AGENT = "Clusterway-Webhooks/1"


@dataclass(frozen=True, slots=True)
class Wire:
    """Connections to checked addresses only; nothing of the environment, no redirects."""

    guard: ReceiverGuard
    resolve: Resolve
    limit: float = LIMIT_SECONDS

    @asynccontextmanager
    async def post(
        self, url: str, content: str, headers: Mapping[str, str], ca_bundle: str
    ) -> AsyncIterator[httpx.Response]:
        """The answer, its body unread. Raises ReceiverRefused, OSError, httpx.HTTPError."""
        async with self._answer("POST", url, content, headers, ca_bundle) as response:
            yield response

    @asynccontextmanager
    async def get(
        self, url: str, headers: Mapping[str, str], ca_bundle: str
    ) -> AsyncIterator[httpx.Response]:
        """As `post`, of what somebody publishes."""
        async with self._answer("GET", url, "", headers, ca_bundle) as response:
            yield response

    @asynccontextmanager
    async def _answer(
        self, method: str, url: str, content: str, headers: Mapping[str, str], ca_bundle: str
    ) -> AsyncIterator[httpx.Response]:
        receiver = self.guard.check(url)
        addresses = await self.guard.addresses(receiver, self.resolve)
        async with httpx.AsyncClient(
            verify=_trust(ca_bundle),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(self.limit, connect=CONNECT_SECONDS),
        ) as client:
            extensions = {} if receiver.literal else {"sni_hostname": receiver.host.rstrip(".")}
            requests = [
                client.build_request(
                    method,
                    receiver.at(address),
                    content=content.encode() or None,
                    headers={
                        "Host": receiver.authority,
                        "User-Agent": USER_AGENT,
                        "Accept-Encoding": "identity",
                        **headers,
                    },
                    extensions=extensions,
                )
                for address in addresses[:MOST_ADDRESSES]
            ]
            response = await self._first(client, requests)
            try:
                yield response
            finally:
                await response.aclose()

    @staticmethod
    async def _first(
        client: httpx.AsyncClient, requests: Sequence[httpx.Request]
    ) -> httpx.Response:
        """Send to the first address that takes a connection: before that nothing was sent."""
        for place, request in enumerate(requests, start=1):
            try:
                return await client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if place == len(requests):
                    raise
        raise OSError("the name has no address")


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends claimed deliveries; every failure is a value."""

    wire: Wire
    vault: Vault
    redactor: Redactor
    composer: Composer
    clock: Clock
    authorizer: Authorizer = field(default_factory=Authorizer)

    async def send(self, claim: Claim) -> Result:
        """Send once. Raises only when cancelled."""
        began = time.monotonic()
        status, error, later = None, None, None
        try:
            async with asyncio.timeout(self.wire.limit):
                status, later = await self._send(claim)
            error = _meaning(status)
        except TimeoutError:
            error = "time-out"
        except httpx.TimeoutException:
            error = "time-out"
        except ReceiverRefused:
            error = "address-refused"
        except VaultError:
            error = "secret-unusable"
        except NoToken as refused:
            error = refused.code
        except httpx.ConnectError as failed:
            error = "tls" if _is_tls(failed) else "not-connected"
        except httpx.HTTPError:
            error = "broken-answer"
        except OSError:
            error = "name-not-found"
        return Result(time.monotonic() - began, status, error, later)

    async def _send(self, claim: Claim) -> tuple[int, float | None]:
        about = claim.subscription
        body = self.composer.body(claim.delivery, about.format)
        now = self.clock.now().astimezone(UTC)
        headers = {
            "Content-Type": CONTENT_TYPES[about.format],
            **signed_headers(claim.delivery.event_id, now, body, self._secrets(about, now)),
            **await self.authorizer.headers(about, self._authorization(about), body, self.wire),
        }
        async with self.wire.post(about.url, body, headers, about.ca_bundle) as answer:
            if answer.status_code == 401:
                self.authorizer.forget(about.id)
            return answer.status_code, _retry_after(answer.headers.get("retry-after"), now)

    def _secrets(self, about: Subscription, now: datetime) -> list[str]:
        good = [s for s in about.secrets if s.expires_at is None or s.expires_at > now]
        return [self._opened(secret.sealed, secret.context) for secret in reversed(good)]

    def _authorization(self, about: Subscription) -> str:
        sealed = about.authorization.sealed
        return "" if sealed is None else self._opened(sealed, about.authorization.context(about.id))

    def _opened(self, sealed: bytes, context: str) -> str:
        secret = self.vault.open(sealed, context).decode()
        self.redactor.learn(secret)
        return secret


def trust(ca_bundle: str) -> ssl.SSLContext:
    """Whom to believe: the bundle alone, or the public authorities. Raises ValueError."""
    if not ca_bundle:
        return httpx.create_ssl_context(trust_env=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cadata=ca_bundle)
    except ssl.SSLError:
        raise ValueError("not certificates in PEM") from None
    return context


_trust = lru_cache(maxsize=64)(trust)


def _meaning(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if status == 410:
        return "gone"
    return "redirect" if 300 <= status < 400 else "status"


def _is_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _retry_after(text: str | None, now: datetime) -> float | None:
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (TypeError, ValueError):
        return None
