"""Who is alive, and what becomes of the jobs of those who are not.

Each worker keeps one connection for itself, holds an advisory lock on it and writes a beat every
second and a half. The kernel closes a killed process's socket and PostgreSQL drops the lock, so a
killed worker is known within a second; a frozen one keeps its lock and is known by its old beat.
Who finds out takes the jobs over at once, as many as it has room for, in one transaction and
without a wake-up: that gives them a new epoch, so whatever the other still does cannot be written
down.

Three traps, each met in an experiment before this was written: right after a restart of the
database nobody has a lock, so nobody is judged for some seconds; a worker may be alive and have
lost a job inside itself, so it also takes over what it owns and does not have; losing wake-ups must
not lose jobs, so a sweeper looks for jobs that are due and have none.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import select
import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from app.engine.errors import EngineError
from app.engine.ports import Wakeups
from app.engine.pulse import Pulse
from app.engine.records import Lease
from app.engine.runner import Runner
from app.storage.database import Connection, Pool, connect
from app.storage.journal import PostgresJournal

log = logging.getLogger(__name__)
LEAST_SHARE = 25
"""A worker takes its share of what dead ones had, or so many; what is left waits for its next look,
a moment later, in case that the others are slower."""
RECONNECT_SECONDS = 0.1
WATCH_SECONDS = 0.25
"""How often a worker looks at the age of its own last good beat."""
_HUNG_UP = getattr(select, "POLLRDHUP", 0)
"""The other end closed the connection, read or not. Where the system cannot tell (macOS), a broken
connection is known when the loop reads it."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Seconds. `stale` < `frozen`: a worker stops acting before others may take its jobs."""

    beat: float = 1.5
    stale: float = 5.0
    """A worker without a good beat for so long does not act, and interrupts what it does."""
    gone: float = 0.4
    """Lock not there for so long, and no beat in between: dead. A living worker whose connection
    broke counts from before that, and so stops acting earlier."""
    frozen: float = 10.0
    """Beat older than this: dead, lock or not."""
    settle: float = 4.0
    """Nobody is judged so soon after the server's start or our own return to it."""
    reap: float = 0.25
    """How often the others are looked at; while one has no lock, each `look_again`."""
    look_again: float = 0.1
    sweep: float = 5.0
    late: float = 3.0
    """A job due for so long without a wake-up gets one; one whose wake-up was fetched and led to
    nothing (its worker died before it claimed the job) after ten times as long."""


_BEAT = """
insert into worker (name, lock_key, beat, started_at)
values (%(name)s, %(key)s, clock_timestamp(), clock_timestamp())
on conflict (name) do update set beat = clock_timestamp(), lock_key = excluded.lock_key
"""
_ABSENT = """
select owner.name, worker.beat,
    coalesce(worker.beat < clock_timestamp() - make_interval(secs => %(frozen)s), true) as certain
from (select distinct owner as name from job where owner <> %(me)s) as owner
left join worker on worker.name = owner.name
where clock_timestamp() - pg_postmaster_start_time() > make_interval(secs => %(settle)s)
    and (worker.name is null
        or worker.beat < clock_timestamp() - make_interval(secs => %(frozen)s)
        or not exists (
            select 1 from pg_locks
            where locktype = 'advisory' and granted and objsubid = 1
                and database = (select oid from pg_database where datname = current_database())
                and (classid::bigint << 32 | objid::bigint) = worker.lock_key))
"""
_THEIRS = "select id, owner, epoch from job where owner = any(%(names)s) limit %(limit)s"
_LIVING = """
select name from worker
where beat > clock_timestamp() - make_interval(secs => %(frozen)s) and name <> all(%(names)s)
order by name
"""
_MINE = "select id, owner, epoch from job where owner = %(me)s"
_DUE = """
select job.id from job
where owner is null and wake_at < statement_timestamp() - make_interval(secs => %(late)s)
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
        runner: Runner,
        rules: Rules | None = None,
    ) -> None:
        """`runner` has this worker's jobs, and goes on with those that it takes over."""
        self._url = url
        self._pool = pool
        self._journal = journal
        self._wakeups = wakeups
        self._name = runner.owner
        self._runner = runner
        self._rules = rules or Rules()
        self._pulse = Pulse(
            self._rules.stale, runner.interrupt, gone=self._rules.gone, cut=self._cut
        )
        self._connection: Connection | None = None
        self._unreadable: set[str] = set()
        """Jobs of others whose rows this worker could not make sense of; told once."""
        self._absent: dict[str, tuple[object, float]] = {}
        """Workers without a lock: their beat then, and since when, on the loop's clock."""
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
                tasks.create_task(self._each(self._reap), name="reap")
                tasks.create_task(self._each(self._sweep), name="sweep")
        finally:
            await asyncio.shield(self._sign_off())

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with await connect(self._url, connect_timeout=3) as connection:
                    await self._take_lock(connection)
                    self._pulse.watch()
                    self._connection = connection
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
            self._connection = None
            self._returned = True
            self._beating_since = float("inf")
            await asyncio.sleep(RECONNECT_SECONDS)

    def _cut(self) -> bool:
        """Whether the connection that shows that we live is broken, as far as the kernel knows."""
        if self._connection is None or self._connection.closed:
            return True
        poll = select.poll()
        poll.register(self._connection.pgconn.socket, _HUNG_UP)
        return bool(poll.poll(0))

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

    async def _each(self, work: Callable[[], Awaitable[float]]) -> None:
        await self.beating.wait()
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            try:
                pause = await work()
            except (psycopg.Error, EngineError) as error:
                log.warning("%s failed: %s", work.__name__, type(error).__name__)
                pause = self._rules.reap

    async def _reap(self) -> float:
        running = self._runner.running
        lost = [row for row in await self._rows(_MINE, me=self._name) if row["id"] not in running]
        dead = await self._dead()
        if dead and self._runner.room:
            lost += await self._share(dead)
        await self._take_over([Lease(row["id"], row["owner"], row["epoch"]) for row in lost])
        return self._rules.look_again if self._absent else self._rules.reap

    async def _share(self, dead: list[str]) -> list[dict[str, Any]]:
        """What of the dead ones' jobs this worker takes now; every survivor begins with others."""
        theirs = await self._rows(_THEIRS, names=dead, limit=self._runner.room)
        theirs = [row for row in theirs if row["id"] not in self._unreadable]
        living = await self._rows(_LIVING, names=dead, frozen=self._rules.frozen)
        names = [row["name"] for row in living] or [self._name]
        ours = names.index(self._name) if self._name in names else 0
        theirs.sort(key=lambda row: zlib.crc32(row["id"].encode()) % len(names) != ours)
        return theirs[: max(LEAST_SHARE, -(-len(theirs) // len(names)))]

    async def _dead(self) -> list[str]:
        """Workers that have jobs and are gone."""
        rules, now = self._rules, asyncio.get_running_loop().time()
        if now - self._beating_since <= rules.settle:
            return []
        absent = await self._rows(_ABSENT, me=self._name, settle=rules.settle, frozen=rules.frozen)
        # A beat between two looks means that it was back between them: it counts anew.
        since = {
            row["name"]: seen
            if (seen := self._absent.get(row["name"])) and seen[0] == row["beat"]
            else (row["beat"], now)
            for row in absent
        }
        self._absent = since
        return [
            row["name"]
            for row in absent
            if row["certain"] or now - since[row["name"]][1] >= rules.gone
        ]

    async def _take_over(self, leases: Sequence[Lease]) -> None:
        """Take these jobs in one transaction; one by one where a single one stands in the way."""
        leases = [
            lease
            for lease in leases[: self._runner.room]
            if lease.owner != self._name or lease.job_id not in self._runner.running
        ]
        if not leases:
            return
        try:
            taken = await self._journal.take_over(leases, self._name)
        except (psycopg.Error, EngineError):
            raise
        except Exception as error:  # noqa: BLE001 - one unreadable job must not hold up the others
            log.error(  # noqa: TRY400 - a message could hold a secret
                "%d jobs were not taken over at once: %s", len(leases), type(error).__name__
            )
            if len(leases) == 1:
                self._unreadable.add(leases[0].job_id)
            else:
                for lease in leases:
                    await self._take_over([lease])
            return
        for job in taken:
            self._runner.take_up(job)
        if taken:
            log.warning("%d jobs were taken from a worker that is gone", len(taken))

    async def _sweep(self) -> float:
        for row in await self._rows(_DUE, late=self._rules.late):
            if row["id"] in self._runner.running:  # its claim waits for its turn here
                continue
            log.warning("job %s was due and had no wake-up", row["id"])
            await self._wakeups.wake(row["id"])
        if await self._rows(_BEHIND):
            async with self._journal.desk() as desk:
                await desk.promote()
        await self._rows(_FORGET_WORKERS)
        return self._rules.sweep

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
