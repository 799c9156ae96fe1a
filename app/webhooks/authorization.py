"""How a delivery proves itself beside its signature, by what the receiver asks for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote_plus, urlencode

import httpx

from app.services.webhook_records import AuthKind, Subscription
from app.webhooks.bounded import TooLong, read_at_most

SERVICENOW_HEADER = "x-sn-hmac-signature-256"
"""The header that ServiceNow's plug-in for HMAC authentication names in its documentation."""
_LONGEST_ANSWER = 65_536
_EARLY = 30.0
"""Seconds before its end at which a token is not used any more."""


class NoToken(Exception):
    """The token server gave no token; `code` says why, and nothing of its answer."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Posting(Protocol):
    """See app.webhooks.sending.Wire."""

    def post(
        self, url: str, content: str, headers: Mapping[str, str], ca_bundle: str
    ) -> AbstractAsyncContextManager[httpx.Response]:
        """The answer, its body unread."""


@dataclass(slots=True)
class Authorizer:
    """Makes the headers of an authorization, and keeps tokens until shortly before their end."""

    _tokens: dict[str, tuple[int, float, str]] = field(default_factory=dict)

    async def headers(
        self, about: Subscription, secret: str, body: str, wire: Posting
    ) -> dict[str, str]:
        """The headers to add. Raises NoToken, and what the wire raises."""
        public = about.authorization.public
        match about.authorization.kind:
            case AuthKind.NONE:
                return {}
            case AuthKind.HEADER:
                return {public["header"]: secret}
            case AuthKind.BASIC:
                return {"Authorization": _basic(public["username"], secret)}
            case AuthKind.SN_HMAC:
                digest = hmac.new(secret.encode(), body.encode(), hashlib.sha256).digest()
                return {SERVICENOW_HEADER: base64.b64encode(digest).decode()}
            case AuthKind.OAUTH2:
                return {"Authorization": f"Bearer {await self._token(about, secret, wire)}"}

    def forget(self, subscription_id: str) -> None:
        """Ask for a new token next time: the receiver declined this one."""
        self._tokens.pop(subscription_id, None)

    async def _token(self, about: Subscription, secret: str, wire: Posting) -> str:
        version, end, token = self._tokens.get(about.id, (0, 0.0, ""))
        if version == about.version and time.monotonic() < end:
            return token
        public = about.authorization.public
        asked = {"grant_type": "client_credentials"}
        if public.get("scope"):
            asked["scope"] = public["scope"]
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        if public.get("client_authentication") == "body":
            asked |= {"client_id": public["client_id"], "client_secret": secret}
        else:
            # RFC 6749, 2.3.1: both parts are form-encoded before they are joined.
            headers["Authorization"] = _basic(quote_plus(public["client_id"]), quote_plus(secret))
        async with wire.post(
            public["token_url"], urlencode(asked), headers, about.ca_bundle
        ) as answer:
            if answer.status_code != 200:
                raise NoToken("token-refused")
            try:
                told = await read_at_most(_LONGEST_ANSWER, answer.aiter_raw())
            except TooLong:
                raise NoToken("token-unreadable") from None
            token, seconds = _read(told)
        self._tokens[about.id] = (about.version, time.monotonic() + seconds - _EARLY, token)
        return token


def _basic(name: str, secret: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{secret}'.encode()).decode()}"


def _read(answer: bytes) -> tuple[str, float]:
    """Token and how many seconds it is good for. Raises NoToken."""
    try:
        told = json.loads(answer)
        token, kind = told["access_token"], told.get("token_type", "bearer")
        seconds = float(told.get("expires_in", 0))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise NoToken("token-unreadable") from None
    fits = isinstance(token, str) and 0 < len(token) <= 16_384 and token.isascii()
    if not fits or not token.isprintable() or str(kind).lower() != "bearer":
        raise NoToken("token-unreadable")
    return token, min(max(seconds, 0.0), 86_400.0)
