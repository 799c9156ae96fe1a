"""Credentials and idempotency keys in PostgreSQL."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.security.acting import note
from app.services.records import Credential, CredentialKind, Once, Page
from app.storage.constraints import flushed
from app.storage.peers import uses
from app.storage.reach import EVERYTHING, Reach
from app.storage.tables import (
    ClusterRow,
    CredentialRow,
    IdempotencyRow,
    PeerRow,
    RejectedCredentialRow,
)


class CredentialRows:
    """Implements `app.services.ports.Credentials`."""

    def __init__(self, session: AsyncSession, reach: Reach = EVERYTHING) -> None:
        self._session = session
        self._reach = reach

    async def add(self, credential: Credential) -> None:
        """Insert. Raises Problem `name-taken`."""
        self._session.add(
            CredentialRow(
                id=credential.id,
                name=credential.name,
                kind=credential.kind.value,
                username=credential.username,
                sealed=credential.sealed,
                fingerprint=credential.fingerprint,
                version=credential.version,
                created_at=credential.created_at,
                rotated_at=credential.rotated_at,
                created_by=self._reach.holder,
            )
        )
        note(credential_id=credential.id)
        await flushed(self._session)

    async def get(self, credential_id: str, *, lock: bool = False) -> Credential | None:
        """One credential; with `lock` nobody else changes it before this transaction ends."""
        query = select(CredentialRow).where(
            col(CredentialRow.id) == credential_id, self._reach.credential()
        )
        row = (await self._session.scalars(query.with_for_update() if lock else query)).first()
        return None if row is None else _credential(row)

    async def page(self, after: str | None, limit: int) -> Page[Credential]:
        """Some credentials behind an id."""
        query = select(CredentialRow).where(self._reach.credential())
        query = query.order_by(col(CredentialRow.id)).limit(limit + 1)
        if after is not None:
            query = query.where(col(CredentialRow.id) > after)
        rows = (await self._session.scalars(query)).all()
        items = tuple(_credential(row) for row in rows[:limit])
        return Page(items, items[-1].id if len(rows) > limit else None)

    async def rotate(self, credential: Credential) -> None:
        """Write the new secret, its fingerprint, version and time."""
        await self._session.execute(
            update(CredentialRow)
            .where(col(CredentialRow.id) == credential.id)
            .values(
                sealed=credential.sealed,
                fingerprint=credential.fingerprint,
                version=credential.version,
                rotated_at=credential.rotated_at,
            )
        )

    async def remove(self, credential_id: str) -> None:
        """Delete; what was remembered about it goes with it."""
        await self._session.execute(
            delete(CredentialRow).where(col(CredentialRow.id) == credential_id)
        )

    async def used_by(self, credential_id: str) -> Sequence[str]:
        """Ids of the peers and clusters that refer to it."""
        peers = (await self._session.scalars(uses(credential_id))).all()
        clusters = await self._session.scalars(
            select(ClusterRow).where(col(ClusterRow.pre_shared_key_id) == credential_id)
        )
        return [*peers, *(row.id for row in clusters)]

    async def shared(self, credential_id: str) -> bool:
        """Whether a peer or cluster that the caller does not reach refers to it."""
        if not self._reach.limited:
            return False
        within = select(PeerRow.id).where(self._reach.peer())  # type: ignore[call-overload]  # SQLModel types columns as their values
        strangers = uses(credential_id).where(col(PeerRow.id).not_in(within))
        if (await self._session.scalars(strangers.limit(1))).first() is not None:
            return True
        clusters = select(ClusterRow).where(
            col(ClusterRow.pre_shared_key_id) == credential_id,
            ~self._reach.cluster(col(ClusterRow.id)),
        )
        return (await self._session.scalars(clusters.limit(1))).first() is not None

    async def rejected(self, endpoint: str, credential_id: str, version: int) -> bool:
        """Whether that endpoint declined this version before."""
        found = await self._session.get(RejectedCredentialRow, (endpoint, credential_id, version))
        return found is not None

    async def mark_rejected(
        self, endpoint: str, credential_id: str, version: int, at: datetime
    ) -> None:
        """Remember it; saying so twice changes nothing."""
        await self._session.execute(
            insert(RejectedCredentialRow)
            .values(
                endpoint=endpoint,
                credential_id=credential_id,
                credential_version=version,
                rejected_at=at,
            )
            .on_conflict_do_nothing()
        )


class RememberedRows:
    """Implements `app.services.ports.Remembered`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def claim(self, once: Once) -> bool:
        """Take the key by an advisory lock that ends with the transaction, however it ends."""
        words = "\n".join((once.principal, once.method, once.path, once.key))
        number = int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big", signed=True)
        taken = await self._session.execute(select(func.pg_try_advisory_xact_lock(number)))
        return bool(taken.scalar_one())

    async def find(self, once: Once, not_before: datetime) -> tuple[str, str] | None:
        """(payload digest, resource id); an entry that is too old is removed."""
        place = (once.principal, once.method, once.path, once.key)
        row = await self._session.get(IdempotencyRow, place)
        if row is None:
            return None
        if row.created_at < not_before:
            await self._session.delete(row)
            await self._session.flush()
            return None
        return row.payload_digest, row.resource_id

    async def add(self, once: Once, resource_id: str, at: datetime) -> None:
        """Write down what the key led to."""
        self._session.add(
            IdempotencyRow(
                principal=once.principal,
                method=once.method,
                path=once.path,
                key=once.key,
                payload_digest=once.payload_digest,
                resource_id=resource_id,
                created_at=at,
            )
        )
        await self._session.flush()


def _credential(row: CredentialRow) -> Credential:
    return Credential(
        id=row.id,
        name=row.name,
        kind=CredentialKind(row.kind),
        username=row.username,
        sealed=row.sealed,
        fingerprint=row.fingerprint,
        version=row.version,
        created_at=row.created_at,
        rotated_at=row.rotated_at,
    )
