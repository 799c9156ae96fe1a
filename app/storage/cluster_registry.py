"""What the steps of one job read and record of the registry (app.procedures.base.Registry)."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from app.domain.clock import Clock
from app.domain.cluster import Cluster
from app.domain.peer import Peer
from app.engine.records import Lease
from app.security.redaction import Redactor
from app.security.vault import Vault
from app.services.ports import NewId, Store, Transaction
from app.services.records import Credential, CredentialKind

KEY_BYTES = 32
"""Random bytes of a pre-shared key; in URL-safe base64, so no character needs escaping anywhere."""


async def _nobody(_: str) -> None:
    """Nobody keeps sessions to peers."""


@dataclass(frozen=True, slots=True)
class ClusterRegistry:
    """The registry as the job of one cluster sees it. Every call is its own transaction.

    What writes raises LeaseLost, and writes nothing, where `lease` is no longer good.
    """

    cluster_id: str
    lease: Lease
    store: Store
    vault: Vault
    redactor: Redactor
    clock: Clock
    new_id: NewId
    moved: Callable[[str], Awaitable[None]] = _nobody
    """Told the id of a peer whose address has just been recorded anew."""

    async def cluster(self) -> Cluster:
        """The cluster as registered now. Raises LookupError where it is gone."""
        async with self.store.transaction() as tx:
            registered = await tx.clusters.get(self.cluster_id)
        if registered is None:
            raise LookupError(f"cluster {self.cluster_id} is not registered")
        return registered.cluster

    async def peer(self, peer_id: str) -> Peer:
        """A registered peer. Raises LookupError where it is gone."""
        async with self.store.transaction() as tx:
            registered = await tx.peers.get(peer_id)
        if registered is None:
            raise LookupError(f"peer {peer_id} is not registered")
        return registered.peer

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[Transaction]:
        async with self.store.transaction() as tx:
            await tx.jobs.demand(self.lease)
            yield tx

    async def pre_shared_key(self) -> str:
        """The cluster's pre-shared key; made, sealed and attached where there is none yet."""
        async with self._writing() as tx:
            # The lock keeps two steps from making two keys.
            registered = await tx.clusters.get(self.cluster_id, lock=True)
            if registered is None:
                raise LookupError(f"cluster {self.cluster_id} is not registered")
            if registered.pre_shared_key_id is not None:
                credential = await tx.credentials.get(registered.pre_shared_key_id)
                if credential is None:
                    raise LookupError("the cluster's pre-shared key is not in the vault")
                context = Credential.context(credential.id)
                key = self.vault.open(credential.sealed, context).decode()
                self.redactor.learn(key)
                return key
            return await self._new_key(
                tx, f"pre-shared key of {registered.cluster.name} ({self.cluster_id})"
            )

    async def pre_shared_key_id(self) -> str | None:
        """The credential that holds the key. Raises LookupError where the cluster is gone."""
        async with self.store.transaction() as tx:
            registered = await tx.clusters.get(self.cluster_id)
        if registered is None:
            raise LookupError(f"cluster {self.cluster_id} is not registered")
        return registered.pre_shared_key_id

    async def renew_pre_shared_key(self, instead_of: str | None) -> None:
        """A new key in a credential of its own, unless the key is no longer `instead_of`."""
        async with self._writing() as tx:
            registered = await tx.clusters.get(self.cluster_id, lock=True)
            if registered is None:
                raise LookupError(f"cluster {self.cluster_id} is not registered")
            if registered.pre_shared_key_id == instead_of:
                name = f"pre-shared key of {registered.cluster.name} ({self.cluster_id})"
                since = self.clock.now().isoformat(timespec="milliseconds")
                await self._new_key(tx, f"{name} since {since}")

    async def _new_key(self, tx: Transaction, name: str) -> str:
        key = secrets.token_urlsafe(KEY_BYTES)
        self.redactor.learn(key)
        now = self.clock.now()
        credential_id = self.new_id("credential")
        await tx.credentials.add(
            Credential(
                id=credential_id,
                name=name,
                kind=CredentialKind.PRE_SHARED_KEY,
                username="",
                sealed=self.vault.seal(key.encode(), Credential.context(credential_id)),
                fingerprint=self.vault.fingerprint(key.encode()),
                version=1,
                created_at=now,
                rotated_at=now,
            )
        )
        await tx.clusters.attach_pre_shared_key(self.cluster_id, credential_id)
        return key

    async def record_members(self, members: tuple[str, ...], primary_id: str | None) -> None:
        """Record who is in the cluster, in the order of the peer list."""
        async with self._writing() as tx:
            await tx.clusters.record_members(self.cluster_id, members, primary_id)

    async def record_address(self, peer_id: str, address: str) -> None:
        """Record a peer's new address, and lead its endpoints there.

        Endpoints at another host than the old address (a jump host, a name) stay as they are.
        Raises LookupError where the peer is gone.
        """
        async with self._writing() as tx:
            registered = await tx.peers.get(peer_id, lock=True)
            if registered is None:
                raise LookupError(f"peer {peer_id} is not registered")
            old = registered.peer.address
            await tx.peers.replace(
                replace(
                    registered,
                    peer=replace(registered.peer, address=address),
                    endpoints=tuple(
                        replace(path, host=address) if path.host == old else path
                        for path in registered.endpoints
                    ),
                    version=registered.version + 1,
                )
            )
        await self.moved(peer_id)
