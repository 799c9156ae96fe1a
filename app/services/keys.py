"""API keys: making, limiting, rotating and revoking them, and who is calling.

Nobody makes a key that may more than their own, and nobody sees or changes one: otherwise a key
that is limited to a cluster could rotate the key of an administrator and read the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.domain.clock import Clock
from app.security.keys import (
    ApiKey,
    Limits,
    OlderSecret,
    Principal,
    Scope,
    digest_of,
    new_key_text,
    prefix_of,
)
from app.security.trail import Deed
from app.services.conditions import Expected, tag
from app.services.ports import NewId, Store, Transaction
from app.services.problems import Problem, invalid, not_found
from app.services.records import Page

UNKNOWN = "the API key is unknown or has expired"
"""Said whatever is wrong, so that nobody can find out which keys exist."""
USE_TOLD_EVERY = timedelta(minutes=1)
"""When a key was last used is written down no more often: what only reads then writes nothing."""


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key and its text, which is not kept anywhere: whoever gets it shows it once."""

    key: ApiKey
    text: str


@dataclass(frozen=True, slots=True)
class KeyChange:
    """What a key is to be; None: its name stays, its limits stay."""

    name: str | None = None
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class KeysService:
    """Makes, limits, revokes and recognises API keys."""

    store: Store
    clock: Clock
    new_id: NewId

    async def first_key(self) -> str | None:
        """The first admin key, for the one caller that comes first; None for everybody later."""
        async with self.store.transaction() as tx:
            if not await tx.keys.claim_first():
                return None
            made = self._made("first admin key", Limits(frozenset({Scope.ADMIN})), by="")
            await tx.keys.add(made.key)
            await tx.audit.append(Deed("createKey", objects={"key_id": made.key.id}))
            return made.text

    async def create(self, name: str, limits: Limits, by: Principal) -> MadeKey:
        """A new key. Raises Problem `forbidden`, `name-taken`, `invalid-request`."""
        async with self.store.transaction() as tx:
            _refuse_more(by, limits)
            await self._refuse_unknown(tx, limits)
            made = self._made(name, limits, by=by.id)
            await tx.keys.add(made.key)
            return made

    async def create_here(self, name: str, limits: Limits) -> MadeKey:
        """A new key made on the service's own machine: the way back in for who has none left."""
        async with self.store.transaction() as tx:
            await self._refuse_unknown(tx, limits)
            made = self._made(name, limits, by="")
            await tx.keys.add(made.key)
            await tx.audit.append(Deed("createKey", objects={"key_id": made.key.id}))
            return made

    async def get(self, key_id: str, by: Principal) -> ApiKey:
        """One key. Raises Problem `not-found`, also for one that may more than the caller."""
        async with self.store.transaction() as tx:
            return await self._found(tx, key_id, by)

    async def page(self, after: str | None, limit: int, by: Principal) -> Page[ApiKey]:
        """Some keys that may no more than the caller, in the order they were made."""
        async with self.store.transaction() as tx:
            items: list[ApiKey] = []
            while True:
                found = await tx.keys.page(after, limit)
                items += [key for key in found.items if by.limits.cover(key.limits)]
                after = found.next
                if len(items) > limit:
                    return Page(tuple(items[:limit]), items[limit - 1].id)
                if after is None or len(items) == limit:
                    return Page(tuple(items), after)

    async def all(self) -> Collection[ApiKey]:
        """Every key, for the service's own machine."""
        async with self.store.transaction() as tx:
            return await tx.keys.all()

    async def change(
        self,
        key_id: str,
        change: Callable[[Limits], KeyChange],
        expected: Expected,
        by: Principal,
    ) -> ApiKey:
        """Another name, other limits. Raises Problem as `create`, and `last-admin-key`.

        `change` is told the present limits, under the lock.
        """
        async with self.store.transaction() as tx:
            key = await self._found(tx, key_id, by, lock=True)
            expected.check(tag(key_id, key.version))
            wanted = change(key.limits)
            limits = wanted.limits or key.limits
            _refuse_more(by, limits)
            if wanted.limits is not None:
                await self._refuse_unknown(tx, limits, but=key.limits.clusters or ())
                if not limits.unlimited_admin:
                    await self._refuse_last(tx, key)
            changed = replace(
                key, name=wanted.name or key.name, limits=limits, version=key.version + 1
            )
            await tx.keys.replace(changed)
            return changed

    async def rotate(
        self, key_id: str, keep_old: timedelta, expected: Expected, by: Principal
    ) -> MadeKey:
        """A new text for the same key; the old one stays good for a while, to be replaced in peace.

        A second rotation ends what the first one kept. Raises Problem `not-found`.
        """
        async with self.store.transaction() as tx:
            key = await self._found(tx, key_id, by, lock=True)
            expected.check(tag(key_id, key.version))
            prefix, text = new_key_text()
            older = None
            if keep_old > timedelta(0):
                older = OlderSecret(key.prefix, key.digest, self.clock.now() + keep_old)
            rotated = replace(
                key, prefix=prefix, digest=digest_of(text), older=older, version=key.version + 1
            )
            await tx.keys.replace(rotated)
            return MadeKey(rotated, text)

    async def revoke(self, key_id: str, expected: Expected, by: Principal) -> None:
        """The key is good for nothing from the next request on. Raises Problem `last-admin-key`."""
        async with self.store.transaction() as tx:
            key = await self._found(tx, key_id, by, lock=True)
            expected.check(tag(key_id, key.version))
            await self._refuse_last(tx, key)
            await tx.keys.revoke(key_id, self.clock.now())

    async def revoke_here(self, key_id: str) -> None:
        """Revoke on the service's own machine, also the last admin key. Raises Problem."""
        async with self.store.transaction() as tx:
            if await tx.keys.get(key_id, lock=True) is None:
                raise not_found("key", key_id)
            await tx.keys.revoke(key_id, self.clock.now())
            await tx.audit.append(Deed("revokeKey", objects={"key_id": key_id}))

    async def authenticate(self, presented: str, address: str) -> Principal:
        """Who presents this key. Raises Problem `unauthenticated`, whatever is wrong with it."""
        prefix = prefix_of(presented)
        if prefix is not None:
            now = self.clock.now()
            async with self.store.transaction(beyond_reach=True) as tx:
                key = await tx.keys.find(prefix)
                if key is not None and key.proves(presented, now) and key.welcome_from(address):
                    if key.last_used_at is None or now - key.last_used_at >= USE_TOLD_EVERY:
                        await tx.keys.used(key.id, now)
                    return key.principal
        raise Problem("unauthenticated", UNKNOWN)

    def _made(self, name: str, limits: Limits, *, by: str) -> MadeKey:
        prefix, text = new_key_text()
        key = ApiKey(
            id=self.new_id("key"),
            prefix=prefix,
            name=name,
            digest=digest_of(text),
            limits=limits,
            created_at=self.clock.now(),
            created_by=by,
        )
        return MadeKey(key, text)

    async def _refuse_unknown(
        self, tx: Transaction, limits: Limits, but: Collection[str] = ()
    ) -> None:
        _refuse_past(limits.expires_at, self.clock.now())
        for number, cluster_id in enumerate(sorted(limits.clusters or ())):
            # A cluster that the key names already may have been deleted since.
            if cluster_id not in but and await tx.clusters.get(cluster_id) is None:
                raise invalid(f"/clusters/{number}", "there is no cluster with this id")

    @staticmethod
    async def _found(tx: Transaction, key_id: str, by: Principal, *, lock: bool = False) -> ApiKey:
        key = await tx.keys.get(key_id, lock=lock)
        if key is None or not by.limits.cover(key.limits):
            raise not_found("key", key_id)
        return key

    @staticmethod
    async def _refuse_last(tx: Transaction, key: ApiKey) -> None:
        if not key.limits.unlimited_admin:
            return
        others = [other for other in await tx.keys.all() if other.id != key.id]
        if not any(other.limits.unlimited_admin for other in others):
            raise Problem(
                "last-admin-key",
                "no other key with the scope admin and without limits would be left",
                key_id=key.id,
            )


def _refuse_more(by: Principal, limits: Limits) -> None:
    if not by.limits.cover(limits):
        raise Problem(
            "forbidden",
            "a key cannot give more than it has: scopes, clusters, labels, networks or time",
        )


def _refuse_past(until: datetime | None, now: datetime) -> None:
    if until is not None and until <= now:
        raise invalid("/expires_at", "the time has passed already")
