"""Watching: every cluster is looked at now and then, and what is new becomes an event, once.

Any number of processes share the work: each takes a turn for one cluster at a time, and a turn is a
row in the database (app.services.watch_records). The times of looks are jittered, so that a
thousand clusters are not looked at in the same second.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass, field

from app.domain.job import JobState
from app.domain.observation import NotObserved
from app.engine.records import JobFilter
from app.services.clusters import ClustersService
from app.services.conditions import Expected, tag
from app.services.diagnosis import Diagnosed, DiagnosisService
from app.services.ports import NewId, Store
from app.services.problems import Problem
from app.services.watch_news import drift, lasting_facts, news
from app.services.watch_records import (
    ClusterEvent,
    Facts,
    Passed,
    Period,
    Standing,
    Turn,
    Watch,
    Watches,
)

log = logging.getLogger(__name__)

SIDE_BY_SIDE = 4
"""Clusters one process looks at at the same time."""
POLL_SECONDS = 5.0
"""How often a process asks whether a cluster is due."""
JITTER = 0.1
"""By how much of the interval a look may come sooner or later."""
HOLD_SECONDS = 60.0
"""A turn lasts this much longer than the observation of a peer may take."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: the default interval (0: off), how long to keep history, the limit of one look."""

    interval: float
    keep: float
    observation_limit: float


@dataclass(frozen=True, slots=True)
class Watched:
    """How a cluster is watched and what stands, for a reader."""

    watch: Watch
    interval: float
    standing: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class WatchingService:
    """Looks at clusters by turns, and lets callers read and steer that."""

    store: Store
    watches: Watches
    clusters: ClustersService
    diagnosis: DiagnosisService
    new_id: NewId
    pace: Pace
    _draw: random.Random = field(default_factory=random.Random)

    # -- what callers ask

    async def get(self, cluster_id: str) -> Watched:
        """How the cluster is watched. Raises Problem `not-found`."""
        await self.clusters.get(cluster_id)
        watch = await self.watches.get(cluster_id)
        return Watched(watch, self._interval(watch), await self.watches.standing(cluster_id))

    async def set_interval(
        self, cluster_id: str, seconds: float | None, expected: Expected
    ) -> Watched:
        """Watch at this interval; 0 not at all, None at the service's. The next look is soon."""
        watched = await self.get(cluster_id)
        expected.check(tag(cluster_id, watched.watch.version))
        if not await self.watches.set_interval(cluster_id, seconds, watched.watch.version):
            raise Problem("precondition-failed", "the watching has changed since you read it")
        return await self.get(cluster_id)

    async def accept(self, cluster_id: str, by: str) -> Watched:
        """Observe now and make what is seen the accepted state.

        Raises Problem `not-found`, and `peer-not-observed` where a member cannot be read.
        """
        found = await self.diagnosis.diagnose(cluster_id)
        silent = [view for view in found.views.values() if isinstance(view, NotObserved)]
        if silent:
            raise Problem(
                "peer-not-observed",
                f"{len(silent)} member(s) could not be read; nothing was accepted",
                cluster_id=cluster_id,
                peer_id=silent[0].peer_id,
            )
        await self.watches.accept(cluster_id, lasting_facts(found), by)
        return await self.get(cluster_id)

    async def events(self, cluster_id: str, after: int, limit: int) -> tuple[ClusterEvent, ...]:
        """Events behind a number, in order. Raises Problem `not-found`."""
        await self.clusters.get(cluster_id)
        return await self.watches.events(cluster_id, after, limit)

    async def history(self, cluster_id: str, before: int, limit: int) -> tuple[Period, ...]:
        """Periods in which nothing changed, newest first. Raises Problem `not-found`."""
        await self.clusters.get(cluster_id)
        return await self.watches.history(cluster_id, before, limit)

    # -- the work

    async def run(self) -> None:
        """Look at clusters as they come due, until cancelled."""
        owner = self.new_id("watcher")
        places = asyncio.Semaphore(SIDE_BY_SIDE)
        async with asyncio.TaskGroup() as looks:
            while True:
                await places.acquire()
                turn = await self._next(owner)
                if turn is None:
                    places.release()
                    await asyncio.sleep(POLL_SECONDS)
                else:
                    look = looks.create_task(self._look(turn), name=f"watch {turn.cluster_id}")
                    look.add_done_callback(lambda _: places.release())

    async def look_once(self, owner: str) -> str | None:
        """Take one turn and see it to its end; the cluster, or None where none is due."""
        turn = await self._take(owner)
        if turn is None:
            return None
        await self.look(turn)
        return turn.cluster_id

    async def look(self, turn: Turn) -> bool:
        """Observe the cluster and write down what is new; False where the turn was lost."""
        found = await self.diagnosis.diagnose(turn.cluster_id)
        now = lasting_facts(found)
        accept = await self._acceptable(turn.watch, found, now)
        idle = found.diagnosis.running is None
        accepted = turn.watch.accepted if accept is None and idle else None
        told = news(turn.standing, found, tuple(drift(accepted or {}, now)))
        passed = Passed(
            standing=told.standing,
            events=told.events,
            facts=now,
            healthy=found.diagnosis.healthy,
            accept=accept,
        )
        return await self.watches.finish(
            turn, passed, next_in=self._next_in(turn.watch), keep=self.pace.keep
        )

    async def _acceptable(self, watch: Watch, found: Diagnosed, now: Facts) -> str | None:
        """Who says that what is seen is as it should be: nobody, the first look, or a job.

        A healthy cluster is accepted when it is first seen, and after each job that succeeded.
        """
        members = {peer.id for peer in found.cluster.members}
        if now.keys() != members or not members or found.diagnosis.running is not None:
            return None
        if watch.accepted_at is None:
            return "first look" if found.diagnosis.healthy else None
        async with self.store.transaction() as tx:
            wanted = JobFilter(frozenset({JobState.SUCCEEDED}), found.cluster.id)
            ended = (await tx.jobs.list_jobs(wanted, limit=5)).items
        later = [j for j in ended if j.finished_at and j.finished_at > watch.accepted_at]
        return f"job {later[0].id}" if later else None

    async def _next(self, owner: str) -> Turn | None:
        try:
            return await self._take(owner)
        except Problem as problem:
            log.warning("watching waits: %s", problem.code)
        except Exception:
            # As below: jobs go on without watching.
            log.exception("watching waits")
        return None

    async def _take(self, owner: str) -> Turn | None:
        hold = self.pace.observation_limit + HOLD_SECONDS
        return await self.watches.take_turn(owner, default=self.pace.interval, hold=hold)

    async def _look(self, turn: Turn) -> None:
        try:
            if not await self.look(turn):
                log.warning("the turn to watch %s was lost", turn.cluster_id)
        except Problem as problem:
            log.warning("cluster %s was not looked at: %s", turn.cluster_id, problem.code)
            await self._give_back(turn)
        except Exception:
            # A fault of watching must not take the jobs of this process down with it.
            log.exception("cluster %s was not looked at", turn.cluster_id)
            await self._give_back(turn)

    async def _give_back(self, turn: Turn) -> None:
        try:
            await self.watches.give_back(turn, next_in=self._next_in(turn.watch))
        except Problem:
            log.warning("the turn to watch %s runs out by itself", turn.cluster_id)

    def _interval(self, watch: Watch) -> float:
        return self.pace.interval if watch.interval is None else watch.interval

    def _next_in(self, watch: Watch) -> float:
        return self._interval(watch) * self._draw.uniform(1 - JITTER, 1 + JITTER)
