"""The audit trail in PostgreSQL: appended in the transaction of the change it tells of.

The row of `audit_head` is locked from a transaction's last statement to its commit, so the order of
the chain is the order of the commits, and a change that is undone leaves no row. Nothing else is
locked after it, so it cannot be part of a deadlock.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from app.security.acting import now_acting
from app.security.trail import Deed, Written, hash_of
from app.services.audit_records import Broken, Sought
from app.services.records import Page
from app.storage.reach import EVERYTHING, Reach

_HEAD = "select seq, hash, clock_timestamp() as at from audit_head for update"
_INSERT = """
insert into audit (seq, at, actor, actor_name, address, request_id, action, outcome, objects,
    details, before_hash, hash)
values (:seq, :at, :actor, :actor_name, :address, :request_id, :action, :outcome,
    cast(:objects as jsonb), cast(:details as jsonb), :before_hash, :hash)
"""
_PAGE = """
select * from audit
where (cast(:before as bigint) is null or seq < :before)
    and (cast(:actor as text) is null or actor = :actor)
    and (cast(:action as text) is null or action = :action)
    and (cast(:outcome as text) is null or outcome = :outcome)
    and (cast(:object as text) is null or exists (
        select 1 from jsonb_each_text(objects) o where o.value = :object))
    and (cast(:since as timestamptz) is null or at >= :since)
    and (cast(:until as timestamptz) is null or at < :until)
    and (cast(:clusters as text[]) is null or actor = :holder
        or objects ->> 'cluster_id' = any(cast(:clusters as text[])))
order by seq desc limit :limit
"""
_CHAIN = "select * from audit where seq > :after order by seq limit :limit"
_PIECE = 1000


class AuditRows:
    """Implements `app.services.ports.AuditTrail`."""

    def __init__(self, executes: AsyncSession | AsyncConnection, reach: Reach = EVERYTHING) -> None:
        self._run = executes.execute
        self._reach = reach

    async def append(self, deed: Deed) -> None:
        """Write it down; to be the last statement of its transaction."""
        head = (await self._run(text(_HEAD))).mappings().one()
        seq, before = head["seq"] + 1, head["hash"]
        made = hash_of(seq, head["at"], deed, before)
        await self._run(
            text(_INSERT),
            {
                "seq": seq,
                "at": head["at"],
                "actor": deed.actor,
                "actor_name": deed.actor_name,
                "address": deed.address,
                "request_id": deed.request_id,
                "action": deed.action,
                "outcome": deed.outcome,
                "objects": json.dumps(dict(deed.objects)),
                "details": json.dumps(dict(deed.details)),
                "before_hash": before,
                "hash": made,
            },
        )
        await self._run(
            text("update audit_head set seq = :seq, hash = :hash"), {"seq": seq, "hash": made}
        )

    async def page(self, sought: Sought, before: int | None, limit: int) -> Page[Written]:
        """Some rows, newest first."""
        rows = await self._run(
            text(_PAGE),
            {
                "before": before,
                "actor": sought.actor,
                "action": sought.action,
                "outcome": sought.outcome,
                "object": sought.object_id,
                "since": sought.since,
                "until": sought.until,
                "clusters": None if self._reach.clusters is None else sorted(self._reach.clusters),
                "holder": self._reach.holder,
                "limit": limit + 1,
            },
        )
        found = [_written(dict(row)) for row in rows.mappings()]
        more = len(found) > limit
        return Page(tuple(found[:limit]), str(found[limit - 1].seq) if more else None)

    async def verify(self) -> tuple[int, str] | Broken:
        """Number and hash of the last row where the chain is whole; else where it breaks."""
        last, before = 0, ""
        async for row in self._chain():
            if row.seq != last + 1:
                return Broken(last + 1, "the row is missing")
            if row.before_hash != before:
                return Broken(row.seq, "it does not hang on the row before it")
            if hash_of(row.seq, row.at, row.deed, before) != row.hash:
                return Broken(row.seq, "its content is not what was written")
            last, before = row.seq, row.hash
        head = (await self._run(text("select seq, hash from audit_head"))).mappings().one()
        if (head["seq"], head["hash"]) != (last, before):
            return Broken(last + 1, f"rows up to {head['seq']} were written and are missing")
        return last, before

    async def hash_at(self, seq: int) -> str | None:
        """The hash of one row, None where there is none."""
        found = await self._run(text("select hash from audit where seq = :seq"), {"seq": seq})
        row = found.first()
        return None if row is None else str(row[0])

    async def _chain(self) -> AsyncIterator[Written]:
        after = 0
        while True:
            rows = await self._run(text(_CHAIN), {"after": after, "limit": _PIECE})
            found = [_written(dict(row)) for row in rows.mappings()]
            for row in found:
                yield row
            if len(found) < _PIECE:
                return
            after = found[-1].seq


async def note_the_change(executes: AsyncSession | AsyncConnection) -> None:
    """Where a caller's request changed something in this transaction, write that down.

    To be called last in every transaction that a request may have. PostgreSQL gives a transaction
    a number when it writes for the first time, so what only read leaves no row.
    """
    act = now_acting()
    if act is None or not act.changing or not act.action:
        return
    written = await executes.execute(text("select pg_current_xact_id_if_assigned() is not null"))
    if written.scalar_one():
        await AuditRows(executes).append(act.deed("done"))
        act.noted = True


def _written(row: Mapping[str, Any]) -> Written:
    return Written(
        seq=row["seq"],
        at=row["at"],
        deed=Deed(
            action=row["action"],
            outcome=row["outcome"],
            actor=row["actor"],
            actor_name=row["actor_name"],
            address=row["address"],
            request_id=row["request_id"],
            objects=row["objects"],
            details=row["details"],
        ),
        before_hash=row["before_hash"],
        hash=row["hash"],
    )
