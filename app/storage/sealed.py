"""Everything that the vault has sealed, wherever it lies: counted by key, and moved to another one.

A sealed value says itself which key-encryption key it needs, so what is still to be moved is asked
of the rows and noted nowhere: whoever is interrupted begins again and finds what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    LargeBinary,
    case,
    column,
    func,
    literal,
    select,
    table,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.security.signing import key_context
from app.security.vault import VaultError
from app.services.records import Credential
from app.services.sealed_records import Moved, Place
from app.services.webhook_records import Authorization, SigningSecret
from app.storage.backups import place


class _Column:
    """Where values of one kind lie, how its rows are told apart, and what each is bound to."""

    def __init__(
        self, name: str, sealed: str, key: str, context: Callable[..., str], batch: int = 100
    ) -> None:
        self.sealed: ColumnClause[Any] = column(sealed, LargeBinary)
        self.key: list[ColumnClause[Any]] = [column(part) for part in key.split()]
        self.table = table(name, self.sealed, *self.key)
        self.context = context
        self.batch = batch

    @property
    def key_id(self) -> ColumnElement[bytes]:
        """The id in the head of a sealed value; empty where the value is none."""
        # Of a large value only its beginning is fetched: a key id has 32 bytes at most.
        head = func.substring(self.sealed, 1, 34)
        named = func.substring(head, 3, func.get_byte(head, 1), type_=LargeBinary)
        return case((func.octet_length(self.sealed) > 2, named), else_=literal(b"", LargeBinary))


_COLUMNS: Mapping[str, _Column] = {
    "credentials": _Column("credential", "sealed", "id", Credential.context),
    "webhook secrets": _Column("webhook_secret", "sealed", "id", SigningSecret.context_of),
    "webhook authorizations": _Column("webhook", "auth_sealed", "id", Authorization.context),
    "evidence keys": _Column("evidence_key", "sealed", "id", key_context),
    "backup pieces": _Column("backup_chunk", "sealed", "backup_id seq", place, batch=16),
}


class SealedRows:
    """Implements `app.services.sealed_records.SealedValues`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def counts(self) -> Mapping[str, Mapping[str, int]]:
        """See SealedValues."""
        return {kind: await self._counted(where) for kind, where in _COLUMNS.items()}

    async def move(
        self, kind: str, newest: str, after: Place | None, rewrap: Callable[[bytes, str], bytes]
    ) -> Moved:
        """See SealedValues."""
        where = _COLUMNS[kind]
        query = (
            select(*where.key, where.sealed)
            .where(where.sealed.is_not(None), where.key_id != newest.encode())
            .order_by(*where.key)
            .limit(where.batch)
            .with_for_update()
        )
        if after is not None:
            query = query.where(tuple_(*where.key) > tuple_(*after))
        rows = (await self._session.execute(query)).all()
        moved = stuck = 0
        for *key, sealed in rows:
            try:
                again = rewrap(bytes(sealed), where.context(*key))
            except VaultError:
                stuck += 1
                continue
            same = [name == value for name, value in zip(where.key, key, strict=True)]
            await self._session.execute(
                update(where.table).where(*same).values({where.sealed: again})
            )
            moved += 1
        last = tuple(rows[-1][:-1]) if len(rows) == where.batch else None
        return Moved(moved, stuck, last)

    async def _counted(self, where: _Column) -> Mapping[str, int]:
        named = select(where.key_id.label("key")).where(where.sealed.is_not(None)).subquery()
        query = select(named.c.key, func.count()).group_by(named.c.key)
        found = await self._session.execute(query)
        return {bytes(key).decode("ascii", "replace"): count for key, count in found}
