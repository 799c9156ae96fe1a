"""The work of bulk jobs: any number of workers carry them on, one piece at a time.

A worker takes a bulk job for a while, writes down which jobs have ended, and starts the next child
where its turn has come. The child is written down in the very transaction that makes its job, and
only where it is still pending: so however often a worker dies in between, is frozen and comes back,
or finds another at the same bulk job, each cluster gets one job at most, and none is left out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.domain.bulk import (
    UNSUCCESSFUL,
    Child,
    ChildState,
    Counts,
    Stop,
    StopCode,
    Trouble,
    end_of,
    next_child,
)
from app.domain.clock import Clock
from app.domain.job import JobState
from app.engine.records import JobRecord
from app.procedures.base import Procedure
from app.security.acting import Act, acting
from app.security.keys import Limits, Principal, Scope
from app.services.bulk_records import BulkJob, ChildNow
from app.services.jobs import JobsService, StartRequest
from app.services.labels import LimitingLabels
from app.services.mandates import kept_parameters, owner_now
from app.services.plan_document import to_json
from app.services.ports import NewId, Store, Transaction
from app.services.problems import Problem, not_found
from app.services.turns import in_turns

log = logging.getLogger(__name__)

SIDE_BY_SIDE = 4
"""Bulk jobs one process carries on at the same time."""
POLL_SECONDS = 1.0
"""How often a process asks whether a bulk job is due."""
LOOK = timedelta(seconds=2)
"""Between two looks at a bulk job whose children are under way."""
HOLD = timedelta(minutes=3)
"""Who has not come back with a bulk job by then is taken for dead."""
RETRY = timedelta(seconds=30)
"""A passing trouble is tried again after so long."""
MOST_ITEMS = 20
"""So many findings of a refused start are kept."""
_PASSING = frozenset({"storage-unavailable"})
_ENDS = {
    JobState.SUCCEEDED: ChildState.SUCCEEDED,
    JobState.FAILED: ChildState.FAILED,
    JobState.CANCELLED: ChildState.CANCELLED,
}


class _TooLateError(Exception):
    """The child's turn is over: another worker, a cancel or a failure was faster."""


@dataclass(frozen=True, slots=True)
class BulkWork:
    """Carries bulk jobs on."""

    store: Store
    jobs: JobsService
    labels: LimitingLabels
    procedures: Mapping[str, Procedure]
    clock: Clock
    new_id: NewId

    async def run(self) -> None:
        """Carry bulk jobs on as they fall due, until cancelled."""
        owner = self.new_id("bulk-worker")
        await in_turns(
            lambda: self._take(owner),
            lambda due: self.carry_on(owner, due),
            kind="bulk job",
            side_by_side=SIDE_BY_SIDE,
            poll_seconds=POLL_SECONDS,
        )

    async def run_once(self, owner: str) -> bool:
        """Carry one piece of one bulk job out; False where none is due."""
        due = await self._take(owner)
        if due is None:
            return False
        await self.carry_on(owner, due)
        return True

    async def carry_on(self, owner: str, due: BulkJob) -> None:
        """Settle what has ended, start those whose turn it is, and say when to look again."""
        again = RETRY
        try:
            again = await self._carried_on(due)
        except asyncio.CancelledError:
            again = timedelta()
            raise
        finally:
            # Also where this process is about to end: another one goes on at once.
            async with self.store.transaction() as tx:
                await tx.bulk_jobs.leave(owner, due.id, self.clock.now() + again)

    async def _carried_on(self, due: BulkJob) -> timedelta:
        """When to look again."""
        await self._cancelled_children(due.id)
        until = self.clock.now() + HOLD / 3
        while self.clock.now() < until:
            child = await self._settled(due.id)
            if child is None:
                return LOOK
            if not await self._begun(due, child):
                return RETRY
        return timedelta()

    async def _settled(self, bulk_id: str) -> Child | None:
        """Write down what has come of the children; the child whose turn it is now, if any."""
        now = self.clock.now()
        async with self.store.transaction() as tx:
            bulk = await tx.bulk_jobs.get(bulk_id, lock=True)
            if bulk is None or bulk.state.ended:
                return None
            children, over = _as_jobs_are(await tx.bulk_jobs.children(bulk_id), now)
            if over:
                await tx.bulk_jobs.settle(bulk_id, over)
            counts, stop = Counts.of(children), bulk.stop
            if stop is None and counts.unsuccessful >= bulk.stop_after:
                stop = _too_many(counts, now)
                await tx.bulk_jobs.stop(bulk_id, stop, now)
                children = [_never(child) for child in children]
            end = end_of(children, stop)
            if end is not None:
                await tx.bulk_jobs.finish(bulk_id, end, now)
                return None
            return next_child(children)

    async def _begun(self, bulk: BulkJob, child: Child) -> bool:
        """Start the child's job, or write down why not; False: a passing trouble forbids both."""
        try:
            by = await self._owner(bulk)
        except Problem as problem:
            if problem.code in _PASSING:
                raise
            await self._stop(bulk.id, StopCode.FORBIDDEN, problem.detail)
            return True
        try:
            await self._start(bulk, child, by)
        except _TooLateError:
            log.info("bulk job %s: the turn of %s is over", bulk.id, child.cluster_id)
        except Problem as problem:
            if problem.code in _PASSING:
                log.warning("bulk job %s waits: %s", bulk.id, problem.code)
                return False
            await self._refused(bulk.id, child, problem)
        except Exception:
            # One cluster that cannot be planned must not hold up all others: it is told as the
            # start of a single job would be told, and the log has the fault.
            log.exception("bulk job %s: cluster %s was not started", bulk.id, child.cluster_id)
            fault = Problem("internal-error", "the start met a fault of the service's own")
            await self._refused(bulk.id, child, fault)
        return True

    async def _start(self, bulk: BulkJob, child: Child, by: Principal) -> None:
        procedure = self.procedures.get(bulk.procedure)
        if procedure is None:
            raise not_found("procedure", bulk.procedure)
        asked = bulk.request
        request = StartRequest(
            change=asked.change,
            correlation=asked.correlation,
            queue=asked.queue,
            terms=asked.terms,
            bulk_job_id=bulk.id,
        )

        async def written(tx: Transaction, job: JobRecord) -> None:
            begun = replace(
                child,
                state=ChildState.STARTED,
                job_id=job.id,
                plan_id=job.plan.id,
                decided_at=self.clock.now(),
            )
            if not await tx.bulk_jobs.begin(bulk.id, begun):
                raise _TooLateError

        # The owner reaches no further from here than in a request of its own.
        with acting(self._act(bulk.id, by, "startBulkChild")):
            await self.jobs.start(
                child.cluster_id,
                bulk.procedure,
                kept_parameters(procedure, bulk.parameters),
                request,
                by=by,
                once=None,
                also=written,
            )

    async def _owner(self, bulk: BulkJob) -> Principal:
        """In whose name the children start. Raises Problem `forbidden` where it may no longer."""
        if bulk.owner_id.startswith("jwt:"):
            # A token is good for minutes and was good when it asked: like a job, what it has begun
            # goes on when it expires.
            return Principal(
                id=bulk.owner_id,
                name=bulk.owner_name,
                limits=Limits(
                    scopes=frozenset(Scope(scope) for scope in bulk.scopes),
                    clusters=None if bulk.clusters is None else frozenset(bulk.clusters),
                ),
            )
        return await owner_now(
            self.labels, bulk.owner_id, bulk.scopes, bulk.clusters, self.clock.now(),
            asked_for="the bulk job",
        )  # fmt: skip

    async def _refused(self, bulk_id: str, child: Child, problem: Problem) -> None:
        items = tuple(to_json(item) for item in problem.errors[:MOST_ITEMS])
        remedy = next((item.remedy for item in problem.errors if item.remedy), "")
        told = replace(
            child,
            state=ChildState.REFUSED,
            trouble=Trouble(problem.code, problem.detail, remedy, items),
            decided_at=self.clock.now(),
        )
        async with self.store.transaction() as tx:
            bulk = await tx.bulk_jobs.get(bulk_id, lock=True)
            present = {
                one.child.cluster_id: one.child for one in await tx.bulk_jobs.children(bulk_id)
            }
            # Where the answer to a commit got lost, the job may be there all the same.
            if bulk is not None and present[child.cluster_id].state is ChildState.PENDING:
                await tx.bulk_jobs.settle(bulk_id, [told])

    async def _stop(self, bulk_id: str, code: StopCode, message: str) -> None:
        now = self.clock.now()
        async with self.store.transaction() as tx:
            bulk = await tx.bulk_jobs.get(bulk_id, lock=True)
            if bulk is not None and bulk.stop is None:
                await tx.bulk_jobs.stop(bulk_id, Stop(code, message, now), now)

    async def _cancelled_children(self, bulk_id: str) -> None:
        """Ask the jobs under way to stop at their next safe point, where somebody wants that."""
        async with self.store.transaction() as tx:
            bulk = await tx.bulk_jobs.get(bulk_id)
            if bulk is None or bulk.stop is None or not bulk.stop.cancel_running:
                return
            children = await tx.bulk_jobs.children(bulk_id)
        stop = bulk.stop
        limits = Limits(frozenset({Scope.JOBS_CANCEL}), frozenset(bulk.cluster_ids))
        by = Principal(stop.by, stop.by_name, limits)
        for one in children:
            job_id, state = one.child.job_id, one.job_state
            if job_id is None or state is None or state.ended or state is JobState.CANCELLING:
                continue
            with acting(self._act(bulk_id, by, "cancelBulkChild", job_id=job_id)):
                try:
                    await self.jobs.cancel(job_id, stop.message, by, None)
                except Problem as problem:
                    # It has ended since we looked.
                    if problem.code != "illegal-transition":
                        raise

    @staticmethod
    def _act(bulk_id: str, by: Principal, action: str, **objects: str) -> Act:
        return Act(
            by,
            request_id=bulk_id,
            action=action,
            objects={"bulk_job_id": bulk_id, **objects},
            changing=True,
        )

    async def _take(self, owner: str) -> BulkJob | None:
        now = self.clock.now()
        async with self.store.transaction() as tx:
            return await tx.bulk_jobs.take_due(owner, now, now + HOLD)


def _as_jobs_are(found: Sequence[ChildNow], now: datetime) -> tuple[list[Child], Sequence[Child]]:
    """The children as their jobs are now, and those of them that have ended since."""
    children = [_as_its_job(one, now) for one in found]
    over = [
        child
        for child, before in zip(children, found, strict=True)
        if child.state is not before.child.state
    ]
    return children, over


def _as_its_job(one: ChildNow, now: datetime) -> Child:
    if one.child.state is not ChildState.STARTED:
        return one.child
    if one.job_state is None:
        gone = Trouble("job-gone", "its job is no longer kept", "Look at the cluster.")
        return replace(one.child, state=ChildState.FAILED, trouble=gone, decided_at=now)
    if not one.job_state.ended:
        return one.child
    failure = one.job_failure
    trouble = None
    if failure is not None:
        trouble = Trouble(failure.code, failure.message, failure.remedy)
    return replace(one.child, state=_ENDS[one.job_state], trouble=trouble, decided_at=now)


def _never(child: Child) -> Child:
    pending = child.state is ChildState.PENDING
    return replace(child, state=ChildState.NOT_STARTED) if pending else child


def _too_many(counts: Counts, now: datetime) -> Stop:
    told = ", ".join(
        f"{counts[state]} {state.value}" for state in sorted(UNSUCCESSFUL) if counts[state]
    )
    return Stop(
        StopCode.TOO_MANY_FAILURES,
        f"{counts.unsuccessful} did not succeed ({told}): no further cluster is begun",
        now,
    )
