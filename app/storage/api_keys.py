"""API keys in PostgreSQL. A revoked key stays as a row, so that its id keeps its name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.domain.terms import Label
from app.security.acting import note
from app.security.keys import ApiKey, Limits, OlderSecret, Scope
from app.services.records import Page
from app.storage.constraints import flushed
from app.storage.tables import ApiKeyRow, SettingRow

FIRST_KEY = "first_key"
"""The setting that says that the first API key was handed out."""
KEYS_LOCK = 0x636C7703
"""Who is the last admin is decided by one transaction at a time."""
_A_MINUTE = timedelta(minutes=1)


class ApiKeyRows:
    """Implements `app.services.ports.ApiKeys`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, key: ApiKey) -> None:
        """Insert. Raises Problem `name-taken`."""
        self._session.add(
            ApiKeyRow(
                id=key.id,
                prefix=key.prefix,
                name=key.name,
                digest=key.digest,
                created_at=key.created_at,
                created_by=key.created_by,
                version=key.version,
                expires_at=key.limits.expires_at,
                **_limits_columns(key.limits),
            )
        )
        note(key_id=key.id)
        await flushed(self._session)

    async def find(self, prefix: str) -> ApiKey | None:
        """The key of that prefix, present or before its rotation."""
        query = select(ApiKeyRow).where(
            or_(col(ApiKeyRow.prefix) == prefix, col(ApiKeyRow.older_prefix) == prefix),
            col(ApiKeyRow.revoked_at).is_(None),
        )
        row = (await self._session.scalars(query)).first()
        return None if row is None else _key(row)

    async def get(self, key_id: str, *, lock: bool = False) -> ApiKey | None:
        """One key; with `lock` nobody else changes any key before this transaction ends."""
        if lock:
            await self._session.execute(select(func.pg_advisory_xact_lock(KEYS_LOCK)))
        query = select(ApiKeyRow).where(
            col(ApiKeyRow.id) == key_id, col(ApiKeyRow.revoked_at).is_(None)
        )
        row = (await self._session.scalars(query)).first()
        return None if row is None else _key(row)

    async def page(self, after: str | None, limit: int) -> Page[ApiKey]:
        """Some keys behind an id."""
        query = select(ApiKeyRow).where(col(ApiKeyRow.revoked_at).is_(None))
        if after is not None:
            query = query.where(col(ApiKeyRow.id) > after)
        rows = (
            await self._session.scalars(query.order_by(col(ApiKeyRow.id)).limit(limit + 1))
        ).all()
        items = tuple(_key(row) for row in rows[:limit])
        return Page(items, items[-1].id if len(rows) > limit else None)

    async def all(self) -> Sequence[ApiKey]:
        """Every key that is not revoked."""
        query = select(ApiKeyRow).where(col(ApiKeyRow.revoked_at).is_(None))
        return [_key(row) for row in await self._session.scalars(query.order_by(col(ApiKeyRow.id)))]

    async def replace(self, key: ApiKey) -> None:
        """Write everything but the id and who made it. Raises Problem `name-taken`."""
        older = key.older
        row = await self._session.get(ApiKeyRow, key.id)
        if row is None:
            raise LookupError(f"there is no key {key.id}")
        values = {
            "prefix": key.prefix,
            "name": key.name,
            "digest": key.digest,
            "version": key.version,
            "expires_at": key.limits.expires_at,
            "older_prefix": None if older is None else older.prefix,
            "older_digest": None if older is None else older.digest,
            "older_until": None if older is None else older.until,
            **_limits_columns(key.limits),
        }
        for name, value in values.items():
            setattr(row, name, value)
        await flushed(self._session)

    async def revoke(self, key_id: str, at: datetime) -> None:
        """The key is good for nothing from now on."""
        await self._session.execute(
            update(ApiKeyRow)
            .where(col(ApiKeyRow.id) == key_id)
            .values(revoked_at=at, older_prefix=None, older_digest=None, older_until=None)
        )

    async def used(self, key_id: str, at: datetime) -> None:
        """Write down when the key was last used; at most once a minute, to spare the disk."""
        last = col(ApiKeyRow.last_used_at)
        await self._session.execute(
            update(ApiKeyRow)
            .where(col(ApiKeyRow.id) == key_id, or_(last.is_(None), last < at - _A_MINUTE))
            .values(last_used_at=at)
        )

    async def claim_first(self) -> bool:
        """True for exactly one transaction that commits."""
        claimed = await self._session.execute(
            insert(SettingRow)
            .values(name=FIRST_KEY, value="handed out")
            .on_conflict_do_nothing()
            .returning(col(SettingRow.name))
        )
        return claimed.first() is not None


def _limits_columns(limits: Limits) -> dict[str, Any]:
    return {
        "scopes": sorted(scope.value for scope in limits.scopes),
        "clusters": None if limits.clusters is None else sorted(limits.clusters),
        "labels": {label.name: label.value for label in limits.labels} or None,
        "networks": [str(network) for network in limits.networks],
    }


def _key(row: ApiKeyRow) -> ApiKey:
    older = None
    if row.older_prefix and row.older_digest and row.older_until:
        older = OlderSecret(row.older_prefix, row.older_digest, row.older_until)
    return ApiKey(
        id=row.id,
        prefix=row.prefix,
        name=row.name,
        digest=row.digest,
        limits=Limits(
            scopes=frozenset(Scope(scope) for scope in row.scopes),
            clusters=None if row.clusters is None else frozenset(row.clusters),
            labels=frozenset(Label(*item) for item in (row.labels or {}).items()),
            networks=tuple(ip_network(network) for network in row.networks),
            expires_at=row.expires_at,
        ),
        created_at=row.created_at,
        created_by=row.created_by,
        version=row.version,
        last_used_at=row.last_used_at,
        older=older,
    )
