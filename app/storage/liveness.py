"""Who is alive, and what becomes of the jobs of those who are not.

Each worker keeps one connection for itself, holds an advisory lock on it and writes a beat each
second. The kernel closes a killed process's socket and PostgreSQL drops the lock, so a killed
worker is known within seconds; a frozen one keeps its lock and is known by its old beat. Either way
its jobs get a new epoch, so whatever it still does cannot be written down.

Three traps, each met in an experiment before this was written: right after a restart of the
database nobody has a lock, so nobody is judged for some seconds; a worker may be alive and have
lost a job inside itself, so it also reclaims what it owns and does not have; losing wake-ups must
not lose jobs, so a sweeper looks for jobs that are due and have none.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from app.engine.errors import EngineError
from app.engine.ports import Wakeups
from app.engine.pulse import Pulse
from app.engine.records import Lease
from app.storage.database import Connection, Pool, connect
from app.storage.journal import PostgresJournal

log = logging.getLogger(__name__)
AT_ONCE = 25
"""How many jobs of a dead worker are taken in one transaction."""
RECONNECT_SECONDS = 0.1
WATCH_SECONDS = 0.25
"""How often a worker looks at the age of its own last good beat."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Seconds. `stale` < `frozen`: a worker stops acting before others may take its jobs."""

    beat: float = 1.0
    stale: float = 5.0
    """A worker without a good beat for so long does not act, and interrupts what it does."""
    killed: float = 1.2
    """Lock gone and beat older than this: dead. A living worker whose connection broke notices at
    once, and does not act either when its last good beat is that old."""
    frozen: float = 10.0
    """Beat older than this: dead, lock or not."""
    settle: float = 4.0
    """Nobody is judged so soon after the server's start or our own return to it."""
    reap: float = 0.2
    sweep: float = 5.0
    late: float = 3.0
    """A job due for so long without a wake-up gets one; one whose wake-up was fetched and led to
    nothing (its worker died before it claimed the job) after ten times as long."""


_BEAT = """
insert into worker (name, lock_key, beat, started_at)
values (%(name)s, %(key)s, clock_timestamp(), clock_timestamp())
on conflict (name) do update set beat = clock_timestamp(), lock_key = excluded.lock_key
"""
_LOST = """
select job.id, job.owner, job.epoch from job left join worker on worker.name = job.owner
where job.owner is not null and job.owner <> %(me)s
    and clock_timestamp() - pg_postmaster_start_time() > make_interval(secs => %(settle)s)
    and (worker.name is null
        or worker.beat < clock_timestamp() - make_interval(secs => %(frozen)s)
        or (worker.beat < clock_timestamp() - make_interval(secs => %(killed)s)
            and not exists (
                select 1 from pg_locks
                where locktype = 'advisory' and granted and objsubid = 1
                    and database = (select oid from pg_database where datname = current_database())
                    and (classid::bigint << 32 | objid::bigint) = worker.lock_key)))
limit 500
"""
_MINE = "select id, owner, epoch from job where owner = %(me)s"
_DUE = """
select job.id from job
where holds and owner is null and wake_at < clock_timestamp() - make_interval(secs => %(late)s)
    and not exists (
        select 1 from procrastinate_jobs as wake
        where wake.queueing_lock = 'job:' || job.id and (wake.status = 'todo'
            or (wake.status = 'doing'
                and job.wake_at > clock_timestamp() - make_interval(secs => %(late)s * 10))))
order by wake_at limit 500
"""
_BEHIND = """
select 1 from job where not holds and state in ('queued', 'waiting', 'cancelling') limit 1
"""
_FORGET_WORKERS = """
delete from worker where beat < clock_timestamp() - interval '1 hour'
    and not exists (select 1 from job where job.owner = worker.name)
"""


class Liveness:
    """One worker's beat, and its part in watching the others. `run` until cancelled."""

    def __init__(
        self,
        *,
        url: str,
        pool: Pool,
        journal: PostgresJournal,
        wakeups: Wakeups,
        name: str,
        running: Callable[[], Collection[str]],
        interrupt: Callable[[], None],
        rules: Rules | None = None,
    ) -> None:
        """`running` names the jobs this process has in hand; `interrupt` stops them."""
        self._url = url
        self._pool = pool
        self._journal = journal
        self._wakeups = wakeups
        self._name = name
        self._running = running
        self._rules = rules or Rules()
        self._pulse = Pulse(self._rules.stale, interrupt)
        self._lock_key = secrets.randbits(62)
        self._beating_since = float("inf")
        self._returned = False
        """Whether the connection broke: then those of others may have, too."""
        self.beating = asyncio.Event()
        """Set behind the first good beat."""

    def check(self) -> None:
        """Raises LeaseLost where the last good beat is too old to act on."""
        self._pulse.check()

    async def run(self) -> None:
        """Beat, reap and sweep until cancelled; the last act is to sign off."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._beat(), name="beat")
                tasks.create_task(self._watch(), name="watch our own beat")
                tasks.create_task(self._each(self._rules.reap, self._reap), name="reap")
                tasks.create_task(self._each(self._rules.sweep, self._sweep), name="sweep")
        finally:
            await asyncio.shield(self._sign_off())

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with await connect(self._url, connect_timeout=3) as connection:
                    await self._take_lock(connection)
                    while True:
                        began = loop.time()
                        async with asyncio.timeout(self._rules.stale):
                            await connection.execute(
                                _BEAT, {"name": self._name, "key": self._lock_key}
                            )
                        self._pulse.beaten(began)
                        since = began if self._returned else float("-inf")
                        self._beating_since = min(self._beating_since, since)
                        self.beating.set()
                        # Listening, not sleeping: a connection that breaks is noticed at once.
                        async for _ in connection.notifies(timeout=self._rules.beat):
                            pass
            except (psycopg.Error, TimeoutError, OSError) as error:
                log.warning("the beat was interrupted: %s", type(error).__name__)
            self._pulse.doubt(self._rules.killed)
            self._returned = True
            self._beating_since = float("inf")
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _take_lock(self, connection: Connection) -> None:
        """Take our lock. Our own broken connection may hold it still; then take another."""
        for _ in range(3):
            query = "select pg_try_advisory_lock(%s) as taken"
            row = await (await connection.execute(query, [self._lock_key])).fetchone()
            if row is not None and row["taken"]:
                return
            self._lock_key = secrets.randbits(62)

    async def _watch(self) -> None:
        await self.beating.wait()
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if self._pulse.watch():
                log.warning("no good beat for too long: acts are interrupted")

    async def _each(self, seconds: float, work: Callable[[], Any]) -> None:
        await self.beating.wait()
        while True:
            try:
                await work()
            except (psycopg.Error, EngineError) as error:
                log.warning("%s failed: %s", work.__name__, type(error).__name__)
            await asyncio.sleep(seconds)

    async def _reap(self) -> None:
        mine = await self._rows(_MINE, me=self._name)
        lost = [row for row in mine if row["id"] not in self._running()]
        settled = asyncio.get_running_loop().time() - self._beating_since
        if settled > self._rules.settle:
            rules = self._rules
            lost += await self._rows(
                _LOST,
                me=self._name,
                settle=rules.settle,
                frozen=rules.frozen,
                killed=rules.killed,
            )
        leases = [Lease(row["id"], row["owner"], row["epoch"]) for row in lost]
        for start in range(0, len(leases), AT_ONCE):
            for job_id in await self._reclaim(leases[start : start + AT_ONCE]):
                log.warning("job %s was taken from a worker that is gone", job_id)

    async def _reclaim(self, leases: Sequence[Lease]) -> Sequence[str]:
        """Take these jobs, all at once; one by one where a single one stands in the way."""
        leases = [w for w in leases if w.owner != self._name or w.job_id not in self._running()]
        try:
            return await self._journal.reclaim_all(leases)
        except EngineError as error:
            log.warning("%d jobs were not reclaimed at once: %s", len(leases), error)
        taken = []
        for lease in leases:
            if await self._journal.reclaim(lease.job_id, lease) is not None:
                taken.append(lease.job_id)  # noqa: PERF401 - what was taken before an error counts
        return taken

    async def _sweep(self) -> None:
        for row in await self._rows(_DUE, late=self._rules.late):
            log.warning("job %s was due and had no wake-up", row["id"])
            await self._wakeups.wake(row["id"])
        if await self._rows(_BEHIND):
            async with self._journal.desk() as desk:
                await desk.promote()
        await self._rows(_FORGET_WORKERS)

    async def _sign_off(self) -> None:
        try:
            async with asyncio.timeout(2.0):
                await self._rows("delete from worker where name = %(me)s", me=self._name)
        except (psycopg.Error, TimeoutError):
            log.warning("the worker could not sign off; its row ages away")

    async def _rows(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(statement.encode(), values)
            return await cursor.fetchall() if cursor.description else []
