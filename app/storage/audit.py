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
_PAGE = "select * from audit where {where} order by seq desc limit :limit"
_PAGE_WITHIN_REACH = """
select * from (
    (select * from audit where {where} and actor = :holder order by seq desc limit :limit)
    union all
    (select about.* from unnest(cast(:clusters as text[])) as within (cluster), lateral (
        select * from audit
        where {where} and objects ->> 'cluster_id' = within.cluster and actor <> :holder
        order by seq desc limit :limit) as about)
) as reached order by seq desc limit :limit
"""
"""The newest of the caller's own deeds, and of those about each of its clusters: with one condition
for all of them the server would read the trail from its end until enough were found."""
_WHERE = {
    "before": "seq < :before",
    "actor": "actor = :actor",
    "action": "action = :action",
    "done": "outcome = :done",
    "refused": "outcome = :refused and outcome <> 'done'",
    "object": "jsonb_path_query_array(objects, '$.*') @> jsonb_build_array(cast(:object as text))",
    "since": """
        at >= :since and seq > coalesce((select seq from audit
            where at < :since - interval '1 day' order by at desc, seq desc limit 1), 0)
    """,
    "until": """
        at < :until and seq < coalesce((select seq from audit
            where at >= :until + interval '1 day' order by at, seq limit 1), 9223372036854775807)
    """,
}
"""Conditions of a page. A query has those that are asked for and no others, so that the server
plans it for the index that answers just that.

Rows are in the order of their numbers, and of their times as far as the server's clock was never
set back; by more than a day it never is. So a row near a time tells where to begin to look.
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
        asked = _asked(sought, before)
        statement = _PAGE
        where = " and ".join(_WHERE[name] for name in asked) or "true"
        if self._reach.clusters is not None:
            statement = _PAGE_WITHIN_REACH
            asked |= {"holder": self._reach.holder, "clusters": sorted(self._reach.clusters)}
        statement = statement.format(where=where)
        rows = await self._run(text(statement), {**asked, "limit": limit + 1})
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


def _asked(sought: Sought, before: int | None) -> dict[str, Any]:
    """What the conditions of a page are asked with, by their names."""
    done = sought.outcome == "done"
    found = {
        "before": before,
        "actor": sought.actor,
        "action": sought.action,
        "done": sought.outcome if done else None,
        "refused": None if done else sought.outcome,
        "object": sought.object_id,
        "since": sought.since,
        "until": sought.until,
    }
    return {name: value for name, value in found.items() if value is not None}


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
