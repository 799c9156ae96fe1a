"""The outbox in PostgreSQL: which delivery is due, who sends it, and what came of it.

All times are the database's. A claim is a token and a time; who takes too long loses it, and
what it would have written is not written. Deliveries are made by triggers (alembic 0007), never
here, but for the news that a subscription was disabled.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.services.problems import Problem
from app.services.webhook_records import TEST_TYPE, Claim, EventType, Result, Verdict
from app.storage.webhooks import SubscriptionRows, read_delivery

GIVE_UP_AFTER = 5 * 86_400.0
"""A subscription whose every attempt failed for that many seconds is disabled ..."""
LEAST_FAILURES = 10
"""... once that many have failed."""
TOO_OLD = 7 * 86_400.0
"""A delivery that could not be sent for that many seconds is given up."""
_SWEEP = 1000
"""Rows one sweep touches at most, so that it never holds anybody up."""

_CLAIM = """
update webhook_delivery set owner = :token,
    held_until = clock_timestamp() + make_interval(secs => :hold)
where number = (
    select d.number from webhook_delivery d join webhook w on w.id = d.webhook_id
    where d.state = 'pending' and d.next_at <= statement_timestamp()
        and (d.held_until is null or d.held_until < clock_timestamp())
        and (w.state = 'active' or d.type = :test) and w.host <> all(:busy)
        and not exists (
            select 1 from webhook_delivery e
            where e.webhook_id = d.webhook_id and e.subject = d.subject and e.seq < d.seq
                and e.state = 'pending' and e.tries = 0)
    order by d.next_at, d.number limit 1 for update of d skip locked)
returning *
"""
"""An event waits until the earlier ones of its job were tried once; none waits for a retry."""
_FINISH = """
update webhook_delivery set owner = null, held_until = null, attempts = attempts + 1,
    tries = case when next_at > :known then tries else tries + 1 end,
    state = case when next_at > :known then state else :state end,
    next_at = case when next_at > :known then next_at
        else clock_timestamp() + make_interval(secs => :next_in) end,
    finished_at = case when next_at > :known or :state = 'pending' then null
        else clock_timestamp() end
where id = :id and owner = :token and held_until > clock_timestamp()
returning number, attempts
"""
"""A replay that came meanwhile moved `next_at`: then the attempt is logged and it stays due."""
_ATTEMPT = """
insert into webhook_attempt (delivery, attempt, at, seconds, status, error)
values (:number, :attempt, clock_timestamp() - make_interval(secs => :seconds), :seconds, :status,
    :error)
"""
_SUCCEEDED = """
update webhook set failures = 0, failing_since = null
where id = :id and failing_since is not null
"""
_FAILED = """
update webhook set failures = failures + 1,
    failing_since = coalesce(failing_since, clock_timestamp())
where id = :id
"""
_DISABLE = """
update webhook set state = 'disabled', state_since = clock_timestamp(), version = version + 1,
    state_reason = case when :gone then 'gone' else 'failing' end
where id = :id and state <> 'disabled' and (:gone or (failures >= :least
    and failing_since < clock_timestamp() - make_interval(secs => :give_up)))
returning id, name, version, state_reason
"""
_TELL = """
insert into webhook_delivery (webhook_id, event_id, type, at, subject, seq, payload)
select w.id, :about || '-' || :version, :type, clock_timestamp(), :about, :version,
    jsonb_build_object('event', jsonb_build_object('webhook_id', cast(:about as text),
        'name', cast(:name as text), 'reason', cast(:reason as text)))
from webhook w
where w.id <> :about and w.state <> 'disabled' and :type = any(w.event_types)
    and cardinality(w.cluster_ids) = 0 and w.labels = '[]'
on conflict (webhook_id, event_id) do nothing
"""
_SWEEPS = (
    """
    update webhook_delivery set state = 'failed', finished_at = clock_timestamp(), owner = null,
        held_until = null
    where number in (select number from webhook_delivery where state = 'pending'
        and queued_at < statement_timestamp() - make_interval(secs => :too_old)
        and (held_until is null or held_until < clock_timestamp())
        limit :most for update skip locked)
    """,
    """
    delete from webhook_delivery where number in (select number from webhook_delivery
        where state <> 'pending'
            and finished_at < statement_timestamp() - make_interval(secs => :keep)
        limit :most for update skip locked)
    """,
    """
    with recursive known (id) as (
        select min(webhook_id) from webhook_delivery
        union all
        select (select min(d.webhook_id) from webhook_delivery d where d.webhook_id > known.id)
        from known where known.id is not null)
    delete from webhook_delivery where number in (select d.number from webhook_delivery d
        where d.webhook_id in (select id from known where id is not null
            except select id from webhook)
        limit :most for update of d skip locked)
    """,
)


class PostgresOutbox:
    """Implements `app.services.webhook_records.Outbox` over the engine of the resources."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def claim(self, token: str, *, hold: float, busy: Sequence[str]) -> Claim | None:
        """See Outbox."""
        async with self._transaction() as session:
            rows = await _rows(
                session, _CLAIM, token=token, hold=hold, busy=list(busy), test=TEST_TYPE
            )
            if not rows:
                return None
            delivery = read_delivery(rows[0])
            subscription = await SubscriptionRows(session).get(delivery.webhook_id)
        if subscription is None:
            return None
        return Claim(token, delivery, subscription)

    async def finish(self, claim: Claim, result: Result, verdict: Verdict) -> bool:
        """See Outbox."""
        async with self._transaction() as session:
            ended = await _rows(
                session,
                _FINISH,
                id=claim.delivery.id,
                token=claim.token,
                known=claim.delivery.next_at,
                state=verdict.state.value,
                next_in=verdict.next_in,
            )
            if not ended:
                return False
            await session.execute(
                text(_ATTEMPT),
                {
                    "number": ended[0]["number"],
                    "attempt": ended[0]["attempts"],
                    "seconds": result.seconds,
                    "status": result.status,
                    "error": result.error,
                },
            )
            await self._judge(session, claim, result)
        return True

    async def sweep(self, *, keep: float) -> int:
        """See Outbox."""
        touched = 0
        values = {"too_old": TOO_OLD, "keep": keep, "most": _SWEEP}
        for statement in _SWEEPS:
            async with self._transaction() as session:
                used = {name: value for name, value in values.items() if f":{name}" in statement}
                found = await session.execute(text(f"{statement} returning number"), used)
                touched += len(found.all())
        return touched

    async def _judge(self, session: AsyncSession, claim: Claim, result: Result) -> None:
        """Count for the subscription what happened, and disable it where that is due."""
        about = claim.subscription.id
        if claim.delivery.type == TEST_TYPE:
            return
        if result.error is None:
            await session.execute(text(_SUCCEEDED), {"id": about})
            return
        await session.execute(text(_FAILED), {"id": about})
        disabled = await _rows(
            session,
            _DISABLE,
            id=about,
            gone=result.gone,
            least=LEAST_FAILURES,
            give_up=GIVE_UP_AFTER,
        )
        for row in disabled:
            await session.execute(
                text(_TELL),
                {
                    "about": row["id"],
                    "name": row["name"],
                    "version": row["version"],
                    "reason": row["state_reason"],
                    "type": EventType.WEBHOOK_DISABLED.value,
                },
            )

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncSession]:
        try:
            async with AsyncSession(self._engine) as session, session.begin():
                yield session
        except (OperationalError, InterfaceError, PoolTimeoutError) as error:
            raise Problem(
                "storage-unavailable", "the database does not answer at the moment"
            ) from error


async def _rows(session: AsyncSession, query: str, **values: Any) -> list[dict[str, Any]]:
    found = await session.execute(text(query), values)
    return [dict(row) for row in found.mappings()]
