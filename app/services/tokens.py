"""Callers who come with a token of another issuer: its keys kept for a while, the token checked.

Keys are fetched rarely whatever callers send: at most one fetch per issuer and interval, shared by
all who wait for it. Without keys nobody is let in, and nobody is told that their token is wrong.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

import structlog

from app.security.keys import Principal
from app.security.tokens import (
    Issuer,
    KeySetUnusable,
    PublicKey,
    Said,
    TokenRefused,
    key_for,
    looks_like_a_token,
    principal_of,
    read_key_set,
    said_by,
)
from app.services.problems import Problem

Fetch = Callable[[Issuer], Awaitable[bytes]]
"""The issuer's JWK set as it is published. Raises KeySetUnusable."""
Authenticate = Callable[[str, str], Awaitable[Principal]]
Reached = Callable[[Principal], Awaitable[Principal]]
"""The caller with the clusters that have the labels of their limits now."""

log = structlog.get_logger(__name__)


class KeySet:
    """The public keys of one issuer."""

    def __init__(
        self, issuer: Issuer, fetch: Fetch, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.issuer = issuer
        self._fetch = fetch
        self._clock = clock
        self._keys: tuple[PublicKey, ...] = ()
        self._good_until = self._fresh_until = self._not_before = float("-inf")
        self._loading: asyncio.Task[None] | None = None

    async def find(self, said: Said) -> PublicKey | None:
        """The key a token was signed with. Raises Problem `token-keys-unavailable`."""
        found = self._found(said)
        if found is None or self._clock() >= self._fresh_until:
            self._begin()
        if found is None and self._loading is not None:
            # Shared: that one who waits goes away ends the fetch for nobody.
            await asyncio.shield(self._loading)
            found = self._found(said)
        if self._clock() >= self._good_until:
            raise Problem(
                "token-keys-unavailable",
                f"the keys of the issuer {self.issuer.alias} cannot be fetched at the moment",
            )
        return found

    def _found(self, said: Said) -> PublicKey | None:
        return key_for(said, self._keys) if self._clock() < self._good_until else None

    def _begin(self) -> None:
        if self._loading is None and self._clock() >= self._not_before:
            self._not_before = self._clock() + self.issuer.refetch_seconds
            self._loading = asyncio.create_task(self._load())

    async def _load(self) -> None:
        try:
            began = self._clock()
            keys = read_key_set(await self._fetch(self.issuer))
            self._keys = keys
            self._fresh_until = began + self.issuer.keys_seconds / 2
            self._good_until = began + self.issuer.keys_seconds
        except KeySetUnusable as unusable:
            log.warning("issuer's keys unusable", issuer=self.issuer.alias, reason=str(unusable))
        finally:
            self._loading = None


class Callers:
    """Recognises callers by API key or, where issuers are set, by their tokens."""

    def __init__(
        self, by_key: Authenticate, reached: Reached, issuers: Iterable[Issuer], fetch: Fetch
    ) -> None:
        self._by_key = by_key
        self._reached = reached
        self._sets = {issuer.issuer: KeySet(issuer, fetch) for issuer in issuers}

    async def authenticate(self, presented: str, address: str) -> Principal:
        """Who that is and what they reach now.

        Raises Problem `unauthenticated`, `token-keys-unavailable`.
        """
        return await self._reached(await self._recognised(presented, address))

    async def _recognised(self, presented: str, address: str) -> Principal:
        if not self._sets or not looks_like_a_token(presented):
            return await self._by_key(presented, address)
        try:
            said = said_by(presented)
            keys = self._sets.get(said.issuer)
            if keys is None:
                raise TokenRefused("its issuer is not known here")
            if said.algorithm not in keys.issuer.algorithms:
                raise TokenRefused("its algorithm is not accepted")
            key = await keys.find(said)
            if key is None:
                raise TokenRefused("the issuer has published no key that it is signed with")
            return principal_of(presented, said, key, keys.issuer)
        except TokenRefused as refused:
            raise Problem("unauthenticated", f"the token is not accepted: {refused}") from None
