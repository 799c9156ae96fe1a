"""Schedules: start requests that are carried out at their times, once per occurrence.

Any number of workers share the work. One takes a due schedule for a while, and starts the job under
an idempotency key made of the schedule and the occurrence. The key commits with the job, so however
often a worker dies in between, and whoever takes over, the occurrence makes one job. An occurrence
that comes later than the schedule's grace is skipped, and so is one that finds the job before it
not ended: both are written down like those that were started.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.domain.clock import Clock
from app.domain.recurrence import RuleRefused
from app.domain.timing import Timing
from app.domain.window import WindowRefused
from app.engine.errors import NoSuchJob
from app.procedures.base import Procedure
from app.security.acting import Act, acting
from app.security.keys import Principal
from app.services.conditions import Expected, remember, replay, tag
from app.services.jobs import JobsService, StartRequest
from app.services.labels import LimitingLabels
from app.services.mandates import kept_parameters, owner_now
from app.services.plan_document import to_json
from app.services.ports import NewId, Store, Transaction
from app.services.problems import Problem, invalid, not_found
from app.services.records import Once, Outcome, Page
from app.services.schedule_records import RunOutcome, Schedule, ScheduleRun, ScheduleState
from app.services.turns import in_turns

log = logging.getLogger(__name__)

SIDE_BY_SIDE = 4
"""Schedules one process carries out at the same time."""
POLL_SECONDS = 5.0
"""How often a process asks whether a schedule is due."""
HOLD = timedelta(minutes=10)
"""Who has not carried out an occurrence by then is taken for dead."""
RETRY = timedelta(seconds=30)
"""An occurrence that met a passing trouble is tried again after so long, within its grace."""
_PASSING = frozenset({"storage-unavailable", "idempotency-in-flight"})


@dataclass(frozen=True, slots=True)
class NewSchedule:
    """What a caller says of a schedule beside the procedure's parameters."""

    name: str
    timing: Callable[[], Timing]
    grace: float
    change: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class SchedulesService:
    """What callers may do with schedules, and the work of carrying them out."""

    store: Store
    jobs: JobsService
    labels: LimitingLabels
    procedures: Mapping[str, Procedure]
    clock: Clock
    new_id: NewId

    async def create(
        self,
        cluster_id: str,
        slug: str,
        parameters: Any,
        said: NewSchedule,
        *,
        by: Principal,
        once: Once | None,
    ) -> Outcome[Schedule]:
        """Keep a start request. Raises Problem `not-found`, `invalid-request`, `name-taken`."""
        now = self.clock.now()
        timing = _sensible(said.timing)
        next_at = timing.next(now)
        if next_at is None:
            raise invalid(
                "/recurrence" if timing.rule else "/start",
                "it is never due from now on, or not within ten years",
                code="never-due",
                remedy="correct the start or the rule",
            )
        made = Schedule(
            id=self.new_id("schedule"),
            name=said.name,
            cluster_id=cluster_id,
            procedure=slug,
            parameters=to_json(parameters),
            timing=timing,
            grace=said.grace,
            change=said.change,
            owner_id=by.id,
            scopes=tuple(sorted(scope.value for scope in by.limits.scopes)),
            clusters=None if by.clusters is None else tuple(sorted(by.clusters)),
            state=ScheduleState.ACTIVE,
            version=1,
            created_at=now,
            next_at=next_at,
        )
        async with self.store.transaction() as tx:
            found = await replay(tx, once, now, tx.schedules.get)
            if found is not None:
                return found
            if await tx.clusters.get(cluster_id) is None:
                raise not_found("cluster", cluster_id)
            await tx.schedules.add(made)
            await remember(tx, once, made.id, now)
        return Outcome(made)

    async def get(self, schedule_id: str) -> Schedule:
        """One schedule. Raises Problem `not-found`."""
        async with self.store.transaction() as tx:
            return await _found(tx, schedule_id)

    async def page(self, cluster_id: str | None, after: str | None, limit: int) -> Page[Schedule]:
        """Some schedules, in the order they were made."""
        async with self.store.transaction() as tx:
            return await tx.schedules.page(cluster_id, after, limit)

    async def change_state(
        self, schedule_id: str, wanted: ScheduleState, expected: Expected
    ) -> Schedule:
        """Pause, go on, or stop for good; what fell due while it was paused is not made up for.

        Raises Problem `not-found`, `precondition-failed`, `schedule-stopped`.
        """
        async with self.store.transaction() as tx:
            found = await _found(tx, schedule_id, lock=True)
            expected.check(tag(schedule_id, found.version))
            if found.state is wanted:
                return found
            if found.state is ScheduleState.STOPPED:
                raise Problem(
                    "schedule-stopped", "the schedule was stopped for good", schedule_id=schedule_id
                )
            active = wanted is ScheduleState.ACTIVE
            next_at = found.timing.next(self.clock.now()) if active else None
            await tx.schedules.set_state(schedule_id, wanted, next_at)
            return await _found(tx, schedule_id)

    async def upcoming(self, schedule_id: str, count: int) -> Sequence[datetime]:
        """The next moments it is due; none where it is paused or stopped."""
        found = await self.get(schedule_id)
        return tuple(itertools.islice(_due(found), count))

    async def runs(
        self, schedule_id: str, before: datetime | None, limit: int
    ) -> Sequence[ScheduleRun]:
        """What became of its occurrences, newest first. Raises Problem `not-found`."""
        async with self.store.transaction() as tx:
            await _found(tx, schedule_id)
            return await tx.schedules.runs(schedule_id, before, limit)

    # -- the work

    async def run(self) -> None:
        """Carry out schedules as they fall due, until cancelled."""
        owner = self.new_id("scheduler")
        await in_turns(
            lambda: self._take(owner),
            lambda due: self._carried_out(owner, due),
            kind="schedule",
            side_by_side=SIDE_BY_SIDE,
            poll_seconds=POLL_SECONDS,
        )

    async def run_once(self, owner: str) -> bool:
        """Carry out one occurrence; False where none is due."""
        due = await self._take(owner)
        if due is None:
            return False
        await self.carry_out(owner, due)
        return True

    async def carry_out(self, owner: str, due: Schedule) -> bool:
        """Start what is due and write down what became of it; False: it is left for later."""
        at = due.next_at
        if at is None:
            raise ValueError(f"schedule {due.id} is not due")
        run = await self._outcome(due, at)
        async with self.store.transaction() as tx:
            if run is not None:
                return await tx.schedules.finish(owner, run, due.timing.next(at))
            await tx.schedules.put_off(owner, due.id, self.clock.now() + RETRY)
            return False

    async def _outcome(self, due: Schedule, at: datetime) -> ScheduleRun | None:
        """What became of the occurrence; None where a passing trouble leaves it open."""
        now = self.clock.now()
        try:
            started = await self._made_before(due, at)
            if started is None and (now - at).total_seconds() > due.grace:
                detail = f"it was due more than {due.grace:g} seconds ago"
                return ScheduleRun(
                    due.id, at, RunOutcome.SKIPPED, now, code="too-late", detail=detail
                )
            if started is None and (busy := await self._unended(due)) is not None:
                detail = f"job {busy} of this schedule has not ended"
                return ScheduleRun(
                    due.id, at, RunOutcome.SKIPPED, now, code="previous-not-ended", detail=detail
                )
            job_id = started or await self._start(due, at)
        except Problem as problem:
            if problem.code in _PASSING:
                log.warning("schedule %s waits: %s", due.id, problem.code)
                return None
            return ScheduleRun(
                due.id, at, RunOutcome.REFUSED, now, code=problem.code, detail=problem.detail
            )
        return ScheduleRun(due.id, at, RunOutcome.STARTED, now, job_id=job_id)

    async def _start(self, due: Schedule, at: datetime) -> str:
        by = await owner_now(
            self.labels, due.owner_id, due.scopes, due.clusters, self.clock.now(),
            asked_for="the schedule",
        )  # fmt: skip
        request = StartRequest(change=due.change, queue=True)
        procedure = self.procedures.get(due.procedure)
        if procedure is None:
            raise not_found("procedure", due.procedure)
        parameters = kept_parameters(procedure, due.parameters)
        # The owner reaches no further from here than in a request of its own.
        with acting(Act(by, request_id=due.id, action="schedule", changing=True)):
            made = await self.jobs.start(
                due.cluster_id, due.procedure, parameters, request, by=by, once=_once(due, at)
            )
        return made.value.id

    async def _made_before(self, due: Schedule, at: datetime) -> str | None:
        """The job that this occurrence has made already, by a worker that died behind it."""
        async with self.store.transaction() as tx:
            found = await replay(tx, _once(due, at), self.clock.now(), _same)
        return None if found is None else found.value

    async def _unended(self, due: Schedule) -> str | None:
        async with self.store.transaction() as tx:
            for run in await tx.schedules.runs(due.id, None, 20):
                if run.job_id is None:
                    continue
                try:
                    job = await tx.jobs.load(run.job_id)
                except NoSuchJob:
                    return None
                return None if job.state.ended else job.id
        return None

    async def _take(self, owner: str) -> Schedule | None:
        now = self.clock.now()
        async with self.store.transaction() as tx:
            return await tx.schedules.take_due(owner, now, now + HOLD)

    async def _carried_out(self, owner: str, due: Schedule) -> None:
        if not await self.carry_out(owner, due):
            log.warning("schedule %s was not carried out now", due.id)


async def _same(resource_id: str) -> str:
    return resource_id


def _once(due: Schedule, at: datetime) -> Once:
    """What makes an occurrence unique, however often it is carried out."""
    return Once(
        principal=due.id,
        method="SCHEDULE",
        path=f"/v1/schedules/{due.id}",
        key=at.isoformat(),
        payload_digest=due.id,
    )


def _due(schedule: Schedule) -> Iterator[datetime]:
    at = schedule.next_at
    while at is not None:
        yield at
        at = schedule.timing.next(at)


def _sensible(make: Callable[[], Timing]) -> Timing:
    try:
        return make()
    except RuleRefused as refused:
        raise invalid("/recurrence", str(refused), remedy=refused.remedy) from None
    except WindowRefused as refused:
        field = "time_zone" if refused.field == "zone" else "start"
        raise invalid(f"/{field}", str(refused), remedy=refused.remedy) from None


async def _found(tx: Transaction, schedule_id: str, *, lock: bool = False) -> Schedule:
    found = await tx.schedules.get(schedule_id, lock=lock)
    if found is None:
        raise not_found("schedule", schedule_id)
    return found
