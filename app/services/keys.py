"""API keys: the first one, and who is calling."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.clock import Clock
from app.security.keys import ApiKey, Principal, Scope, digest_of, new_key_text, prefix_of
from app.services.ports import NewId, Store
from app.services.problems import Problem


@dataclass(frozen=True, slots=True)
class KeysService:
    """Makes and recognises API keys."""

    store: Store
    clock: Clock
    new_id: NewId

    async def first_key(self) -> str | None:
        """The first admin key, for the one caller that comes first; None for everybody later.

        The text is not kept anywhere: whoever gets it shows it once.
        """
        async with self.store.transaction() as tx:
            if not await tx.keys.claim_first():
                return None
            prefix, text = new_key_text()
            await tx.keys.add(
                ApiKey(
                    id=self.new_id("key"),
                    prefix=prefix,
                    name="first admin key",
                    digest=digest_of(text),
                    scopes=frozenset({Scope.ADMIN}),
                    created_at=self.clock.now(),
                )
            )
            return text

    async def authenticate(self, presented: str) -> Principal:
        """Who presents this key. Raises Problem `unauthenticated`, whatever is wrong with it."""
        prefix = prefix_of(presented)
        if prefix is not None:
            now = self.clock.now()
            async with self.store.transaction() as tx:
                key = await tx.keys.find(prefix)
                if key is not None and key.proves(presented, now):
                    await tx.keys.used(key.id, now)
                    return Principal(id=key.id, name=key.name, scopes=key.scopes)
        raise Problem("unauthenticated", "the API key is unknown or has expired")
