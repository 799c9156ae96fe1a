"""Key-encryption keys: a new one, everything moved to it, and the old one taken away.

Safe beside a running service. A process reads the key file again before it seals and when it meets
a value that none of its keys opens; so both keys are good as long as both are in the file, and one
is retired only when nothing is sealed by it any more. A pass that is interrupted loses nothing: the
next one finds what is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.security.key_file import KeyFile
from app.security.trail import Deed
from app.security.vault import Vault
from app.services.ports import Store
from app.services.problems import Problem
from app.services.sealed_records import Place


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """What a rewrap did, by kind. `left`: what the newest key does not open yet, and why not."""

    moved: Mapping[str, int]
    left: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VaultKeysService:
    """Changes the keys of the vault, on the service's own machine."""

    store: Store
    file: KeyFile
    vault: Vault

    async def counts(self) -> Mapping[str, Mapping[str, int]]:
        """How many values of each kind each key has sealed."""
        async with self.store.transaction() as tx:
            return await tx.sealed.counts()

    async def add(self) -> str:
        """A new key, which seals from now on; its id. Raises VaultError."""
        key_id = self.file.add()
        await self._told("addVaultKey", key=key_id)
        return key_id

    async def rewrap(self) -> Rewrapped:
        """Move everything to the newest key; what the values say and their versions stay."""
        newest = self.vault.keys[-1]
        total: dict[str, int] = {}
        while True:
            moved = {kind: await self._moved(kind, newest) for kind in await self.counts()}
            for kind, count in moved.items():
                total[kind] = total.get(kind, 0) + count
            # Again until nothing is found: a secret may have been written the old way meanwhile.
            if not any(moved.values()):
                break
        left = _other_than(newest, await self.counts())
        if any(total.values()):
            await self._told("rewrapVault", key=newest, moved=total)
        return Rewrapped(total, left)

    async def retire(self, key_id: str) -> None:
        """Take a key out of the file. Raises Problem `illegal-transition`, VaultError."""
        by_kind = {kind: keys.get(key_id, 0) for kind, keys in (await self.counts()).items()}
        if any(by_kind.values()):
            said = ", ".join(f"{count} {kind}" for kind, count in by_kind.items() if count)
            raise Problem(
                "illegal-transition", f"key {key_id} is needed by {said}: run `vault rewrap` first"
            )
        self.file.retire(key_id)
        await self._told("retireVaultKey", key=key_id)

    async def _moved(self, kind: str, newest: str) -> int:
        total = 0
        after: Place | None = None
        while True:
            async with self.store.transaction() as tx:
                batch = await tx.sealed.move(kind, newest, after, self.vault.rewrap)
            total += batch.moved
            after = batch.after
            if after is None:
                return total

    async def _told(self, action: str, **details: Any) -> None:
        async with self.store.transaction() as tx:
            await tx.audit.append(Deed(action, details=details))


def _other_than(
    newest: str, counts: Mapping[str, Mapping[str, int]]
) -> Mapping[str, Mapping[str, int]]:
    others = {
        kind: {key: count for key, count in keys.items() if key != newest}
        for kind, keys in counts.items()
    }
    return {kind: keys for kind, keys in others.items() if keys}
