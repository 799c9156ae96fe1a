"""Watching in PostgreSQL: whose turn it is, what stands, and what was seen when.

All times are the database's, because the processes that share the work may not agree about theirs.
A turn is checked again in the transaction that writes what it came to.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.services.problems import Problem
from app.services.watch_records import (
    STATE_ACCEPTED,
    ClusterEvent,
    Facts,
    NewClusterEvent,
    Passed,
    Period,
    Standing,
    Turn,
    Watch,
)
from app.storage.audit import note_the_change

_HAS_MEMBERS = "exists (select 1 from cluster_member m where m.cluster_id = c.id)"
_ENROL = f"""
insert into cluster_watch (cluster_id, next_at)
select c.id, clock_timestamp() + random() * make_interval(secs => :default)
from cluster c where c.deleted_at is null and {_HAS_MEMBERS}
    and not exists (select 1 from cluster_watch w where w.cluster_id = c.id)
on conflict do nothing
"""  # noqa: S608 - a constant of this module
_TAKE = f"""
update cluster_watch
set owner = :owner, held_until = clock_timestamp() + make_interval(secs => :hold)
where cluster_id = (
    select w.cluster_id from cluster_watch w join cluster c on c.id = w.cluster_id
    where c.deleted_at is null and {_HAS_MEMBERS}
        and coalesce(w.interval_seconds, :default) > 0 and w.next_at <= statement_timestamp()
        and (w.held_until is null or w.held_until < clock_timestamp())
    order by w.next_at limit 1 for update of w skip locked)
returning *
"""  # noqa: S608 - as above
_END = """
update cluster_watch
set owner = null, held_until = null,
    next_at = clock_timestamp() + make_interval(secs => :next_in),
    last_at = case when :looked then clock_timestamp() else last_at end
where cluster_id = :cluster and owner = :owner and held_until > clock_timestamp()
returning cluster_id
"""
_STAND = """
insert into cluster_standing (cluster_id, key, kind, peer_id, body, first_seen)
values (:cluster, :key, :kind, :peer, cast(:body as jsonb), clock_timestamp())
on conflict (cluster_id, key) do update
set body = excluded.body, kind = excluded.kind, peer_id = excluded.peer_id
"""
_NUMBER = """
update cluster_watch set last_event_seq = last_event_seq + :count where cluster_id = :cluster
returning last_event_seq
"""
_EVENT = """
insert into cluster_event (cluster_id, seq, at, type, data)
values (:cluster, :seq, clock_timestamp(), :type, cast(:data as jsonb))
"""
_GO_ON = """
update cluster_period set last_at = clock_timestamp(), passes = passes + 1
where cluster_id = :cluster
    and seq = (select max(seq) from cluster_period where cluster_id = :cluster)
    and facts = cast(:facts as jsonb) and findings = cast(:findings as jsonb)
    and healthy = :healthy
returning seq
"""
_NEW_PERIOD = """
insert into cluster_period
    (cluster_id, seq, first_at, last_at, passes, healthy, facts, findings)
select :cluster, coalesce(max(seq), 0) + 1, clock_timestamp(), clock_timestamp(), 1, :healthy,
    cast(:facts as jsonb), cast(:findings as jsonb)
from cluster_period where cluster_id = :cluster
"""
_OLD = (
    """
    delete from cluster_period where cluster_id = :cluster
        and last_at < statement_timestamp() - make_interval(secs => :keep)
    """,
    """
    delete from cluster_event where cluster_id = :cluster
        and at < statement_timestamp() - make_interval(secs => :keep)
    """,
)
_INTERVAL = """
insert into cluster_watch (cluster_id, next_at, interval_seconds, version)
select :cluster, clock_timestamp(), cast(:seconds as double precision), 2
where :version = 1
    or exists (select 1 from cluster_watch where cluster_id = :cluster and version = :version)
on conflict (cluster_id) do update
set interval_seconds = excluded.interval_seconds, version = cluster_watch.version + 1,
    next_at = clock_timestamp()
where cluster_watch.version = :version
returning version
"""
_ACCEPT = """
insert into cluster_watch (cluster_id, next_at, accepted, accepted_at, accepted_by)
values (:cluster, clock_timestamp(), cast(:facts as jsonb), clock_timestamp(), :by)
on conflict (cluster_id) do update
set accepted = excluded.accepted, accepted_at = excluded.accepted_at,
    accepted_by = excluded.accepted_by
"""


class PostgresWatches:
    """Implements `app.services.watch_records.Watches` over the engine of the resources."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def take_turn(self, owner: str, *, default: float, hold: float) -> Turn | None:
        """See Watches."""
        async with self._transaction() as connection:
            if default > 0:
                await connection.execute(text(_ENROL), {"default": default})
            rows = await _rows(connection, _TAKE, owner=owner, hold=hold, default=default)
            if not rows:
                return None
            watch = _watch(rows[0])
            standing = await _standing(connection, watch.cluster_id)
        return Turn(owner, watch, {entry.key: entry for entry in standing})

    async def finish(self, turn: Turn, passed: Passed, *, next_in: float, keep: float) -> bool:
        """See Watches."""
        cluster = turn.cluster_id
        async with self._transaction() as connection:
            ended = await _rows(
                connection, _END, cluster=cluster, owner=turn.owner, next_in=next_in, looked=True
            )
            if not ended:
                return False
            await _keep_standing(connection, cluster, passed)
            events = list(passed.events)
            if passed.accept is not None:
                await _accept(connection, cluster, passed.facts, passed.accept)
                events.append(NewClusterEvent(STATE_ACCEPTED, {"by": passed.accept}))
            await _add_events(connection, cluster, events)
            await _add_period(connection, cluster, passed)
            for statement in _OLD:
                await connection.execute(text(statement), {"cluster": cluster, "keep": keep})
        return True

    async def give_back(self, turn: Turn, *, next_in: float) -> None:
        """See Watches."""
        async with self._transaction() as connection:
            await _rows(
                connection,
                _END,
                cluster=turn.cluster_id,
                owner=turn.owner,
                next_in=next_in,
                looked=False,
            )

    async def get(self, cluster_id: str) -> Watch:
        """See Watches."""
        async with self._transaction() as connection:
            query = "select * from cluster_watch where cluster_id = :cluster"
            rows = await _rows(connection, query, cluster=cluster_id)
        return _watch(rows[0]) if rows else Watch(cluster_id)

    async def standing(self, cluster_id: str) -> tuple[Standing, ...]:
        """See Watches."""
        async with self._transaction() as connection:
            return await _standing(connection, cluster_id)

    async def set_interval(self, cluster_id: str, seconds: float | None, version: int) -> bool:
        """See Watches."""
        async with self._transaction() as connection:
            rows = await _rows(
                connection, _INTERVAL, cluster=cluster_id, seconds=seconds, version=version
            )
        return bool(rows)

    async def accept(self, cluster_id: str, facts: Facts, by: str) -> None:
        """See Watches."""
        async with self._transaction() as connection:
            await _accept(connection, cluster_id, facts, by)
            await _add_events(connection, cluster_id, [NewClusterEvent(STATE_ACCEPTED, {"by": by})])

    async def events(self, cluster_id: str, after: int, limit: int) -> tuple[ClusterEvent, ...]:
        """See Watches."""
        query = """
            select * from cluster_event where cluster_id = :cluster and seq > :after
            order by seq limit :limit
        """
        async with self._transaction() as connection:
            rows = await _rows(connection, query, cluster=cluster_id, after=after, limit=limit)
        return tuple(ClusterEvent(**row) for row in rows)

    async def history(self, cluster_id: str, before: int, limit: int) -> tuple[Period, ...]:
        """See Watches."""
        query = """
            select seq, first_at, last_at, passes, healthy, facts, findings from cluster_period
            where cluster_id = :cluster and (:before = 0 or seq < :before)
            order by seq desc limit :limit
        """
        async with self._transaction() as connection:
            rows = await _rows(connection, query, cluster=cluster_id, before=before, limit=limit)
        return tuple(Period(**row) for row in rows)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.begin() as connection:
                yield connection
                await note_the_change(connection)
        except (OperationalError, InterfaceError, PoolTimeoutError) as error:
            raise Problem(
                "storage-unavailable", "the database does not answer at the moment"
            ) from error


async def _rows(connection: AsyncConnection, query: str, **values: Any) -> list[dict[str, Any]]:
    found = await connection.execute(text(query), values)
    return [dict(row) for row in found.mappings()]


async def _standing(connection: AsyncConnection, cluster_id: str) -> tuple[Standing, ...]:
    query = """
        select key, kind, peer_id, body, first_seen from cluster_standing
        where cluster_id = :cluster order by first_seen, key
    """
    return tuple(Standing(**row) for row in await _rows(connection, query, cluster=cluster_id))


async def _keep_standing(connection: AsyncConnection, cluster: str, passed: Passed) -> None:
    keys = [entry.key for entry in passed.standing]
    await connection.execute(
        text("delete from cluster_standing where cluster_id = :cluster and key <> all(:keys)"),
        {"cluster": cluster, "keys": keys},
    )
    for entry in passed.standing:
        values = {"key": entry.key, "kind": entry.kind, "peer": entry.peer_id}
        values |= {"cluster": cluster, "body": _json(entry.body)}
        await connection.execute(text(_STAND), values)


async def _add_events(
    connection: AsyncConnection, cluster: str, events: list[NewClusterEvent]
) -> None:
    if not events:
        return
    (numbered,) = await _rows(connection, _NUMBER, cluster=cluster, count=len(events))
    first = numbered["last_event_seq"] - len(events) + 1
    for seq, event in enumerate(events, start=first):
        values = {"cluster": cluster, "seq": seq, "type": event.type, "data": _json(event.data)}
        await connection.execute(text(_EVENT), values)


async def _add_period(connection: AsyncConnection, cluster: str, passed: Passed) -> None:
    values = {
        "cluster": cluster,
        "healthy": passed.healthy,
        "facts": _json(passed.facts),
        "findings": _json(sorted(entry.key for entry in passed.standing)),
    }
    if not await _rows(connection, _GO_ON, **values):
        await connection.execute(text(_NEW_PERIOD), values)


async def _accept(connection: AsyncConnection, cluster: str, facts: Facts, by: str) -> None:
    values = {"cluster": cluster, "facts": _json(facts), "by": by}
    await connection.execute(text(_ACCEPT), values)


def _watch(row: Mapping[str, Any]) -> Watch:
    return Watch(
        cluster_id=row["cluster_id"],
        interval=row["interval_seconds"],
        version=row["version"],
        next_at=row["next_at"],
        last_at=row["last_at"],
        accepted=row["accepted"],
        accepted_at=row["accepted_at"],
        accepted_by=row["accepted_by"],
        last_event_seq=row["last_event_seq"],
    )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
