"""A whole engine without a database: the journal's second implementation, and a wake-up queue.

Shipped, because rehearsals run on it, and passes the same tests as the journal on PostgreSQL. One
event loop, no awaits between reading and writing, so every call is one transaction.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from app.domain.clock import Clock
from app.domain.job import Attestation, Event, JobState, StepRecord
from app.domain.terms import Decision
from app.engine import transitions
from app.engine.deciding import decided
from app.engine.errors import ClusterBusy, Held, LeaseLost, NoSuchJob, PeerBusy
from app.engine.news import LocalNews
from app.engine.ports import Wakeups
from app.engine.records import (
    UNENDED,
    Flags,
    JobFilter,
    JobRecord,
    Lease,
    Leave,
    NewEvent,
    NewJob,
    Page,
    Wait,
)
from app.engine.skipping import Skip, skipped
from app.engine.transitions import Change

log = logging.getLogger(__name__)


class MemoryJournal:
    """Jobs in a dictionary. Implements Journal and JobDesk."""

    def __init__(self, clock: Clock, wakeups: Wakeups, news: LocalNews | None = None) -> None:
        self._clock = clock
        self._news = news or LocalNews()
        self._wakeups = wakeups
        self._jobs: dict[str, JobRecord] = {}
        self._events: dict[str, list[Event]] = {}

    @property
    def jobs(self) -> Mapping[str, JobRecord]:
        """All jobs by id, as they are now."""
        return self._jobs

    def events_of(self, job_id: str) -> Sequence[Event]:
        """All events of a job, as they are now."""
        return self._events[job_id]

    async def create(self, new: NewJob, *, queue: bool = False) -> JobRecord:
        """See JobDesk."""
        draft = transitions.new_job(new, holds=True, now=self._clock.now())
        held = self._held(draft.job)
        if held is not None:
            if not queue:
                raise held
            draft = transitions.new_job(new, holds=False, now=self._clock.now())
        if new.id in self._jobs:
            raise ValueError(f"there is a job {new.id} already")
        return await self._apply(draft)

    async def load(self, job_id: str) -> JobRecord:
        """See Journal."""
        return self._job(job_id)

    async def list_jobs(
        self, wanted: JobFilter, *, cursor: str | None = None, limit: int = 50
    ) -> Page:
        """See JobDesk."""
        before = None if cursor is None else read_cursor(cursor)
        found = sorted(
            (job for job in self._jobs.values() if _matches(job, wanted)),
            key=lambda job: job.id,
            reverse=True,
        )
        found = [job for job in found if before is None or job.id < before]
        more = len(found) > limit
        return Page(tuple(found[:limit]), write_cursor(found[limit - 1].id) if more else None)

    async def unended(self, cluster_id: str) -> str | None:
        """See JobDesk."""
        page = await self.list_jobs(JobFilter(UNENDED, cluster_id), limit=1)
        return page.items[0].id if page.items else None

    async def holder_of(self, peer_id: str) -> str | None:
        """See JobDesk."""
        holders = (job.id for job in self._jobs.values() if job.holds and peer_id in job.peers)
        return next(holders, None)

    async def demand(self, lease: Lease) -> None:
        """See JobDesk."""
        self._owned(lease)

    async def events(self, job_id: str, *, after: int = 0, limit: int = 1000) -> tuple[Event, ...]:
        """See JobDesk."""
        self._job(job_id)
        return tuple(self._events[job_id][after : after + limit])

    async def claim(self, job_id: str, owner: str) -> JobRecord | None:
        """See Journal."""
        job = self._job(job_id)
        now = self._clock.now()
        if not transitions.may_claim(job, now):
            if job.owner is None and job.wake_at is not None and job.wake_at > now:
                # The clock was set back meanwhile; in a database the sweeper would see it.
                await self._wakeups.wake(job_id, (job.wake_at - now).total_seconds())
            return None
        job = await self._apply(transitions.claimed(job, owner, now))
        return job if job.owner == owner else None

    async def record(
        self,
        lease: Lease,
        step: StepRecord,
        events: Sequence[NewEvent] = (),
        wait: Wait | None = None,
    ) -> Flags:
        """See Journal."""
        job = self._owned(lease)
        state = JobState.RUNNING if wait is None else JobState.WAITING
        changed = replace(
            transitions.with_step(job, step),
            state=job.state if job.state is JobState.CANCELLING else state,
            wait=transitions.lasting(job.wait, wait, self._clock.now()),
        )
        return (await self._apply(Change(changed, tuple(events)))).flags

    async def leave(self, lease: Lease, leave: Leave) -> JobRecord:
        """See Journal."""
        return await self._apply(transitions.left(self._owned(lease), leave, self._clock.now()))

    async def take_over(self, leases: Sequence[Lease], owner: str) -> Sequence[JobRecord]:
        """See Journal."""
        lost = [job for lease in leases if (job := self._job(lease.job_id)).lease == lease]
        now = self._clock.now()
        return [
            await self._apply(transitions.taken_over(job, owner, now)) for job in lost if job.owner
        ]

    async def attest(self, job_id: str, attestation: Attestation) -> JobRecord:
        """See JobDesk."""
        job = self._job(job_id)
        return await self._apply(transitions.attested(job, attestation, self._clock.now()))

    async def decide(self, job_id: str, decision: Decision) -> JobRecord:
        """See JobDesk."""
        job = self._job(job_id)
        return await self._apply(decided(job, decision, self._clock.now()))

    async def request_cancel(self, job_id: str, *, by: str, reason: str = "") -> JobRecord:
        """See JobDesk."""
        job = self._job(job_id)
        return await self._apply(transitions.cancel_requested(job, by, reason, self._clock.now()))

    async def request_pause(self, job_id: str, *, by: str) -> JobRecord:
        """See JobDesk."""
        return await self._apply(transitions.pause_requested(self._job(job_id), by))

    async def resume(self, job_id: str, *, by: str) -> JobRecord:
        """See JobDesk."""
        return await self._apply(transitions.resumed(self._job(job_id), by, self._clock.now()))

    async def retry(self, job_id: str, *, by: str) -> JobRecord:
        """See JobDesk."""
        job = self._job(job_id)
        change = transitions.retried(job, by, self._clock.now())
        held = self._held(job)
        if held is not None:
            raise held
        return await self._apply(change)

    async def skip(self, job_id: str, skip: Skip) -> JobRecord:
        """See JobDesk."""
        job = self._job(job_id)
        change = skipped(job, skip, self._clock.now())
        held = self._held(job)
        if held is not None:
            raise held
        return await self._apply(change)

    async def reclaim(self, job_id: str) -> JobRecord:
        """Take the job from its worker, as a reaper does when the worker is gone."""
        job = self._job(job_id)
        if job.owner is None:
            return job
        return await self._apply(transitions.reclaimed(job, self._clock.now()))

    def _job(self, job_id: str) -> JobRecord:
        if job_id not in self._jobs:
            raise NoSuchJob(job_id)
        return self._jobs[job_id]

    def _owned(self, lease: Lease) -> JobRecord:
        job = self._job(lease.job_id)
        if (job.owner, job.epoch) != (lease.owner, lease.epoch):
            raise LeaseLost(f"job {lease.job_id} is no longer ours")
        return job

    def _held(self, job: JobRecord) -> Held | None:
        for other in self._jobs.values():
            if other.id == job.id or not other.holds:
                continue
            if other.cluster_id == job.cluster_id:
                return ClusterBusy(other.id)
            for peer in job.peers:
                if peer in other.peers:
                    return PeerBusy(peer, other.id)
        return None

    async def _apply(self, change: Change) -> JobRecord:
        job, events = change.job, self._events.setdefault(change.job.id, [])
        freed = job.id in self._jobs and self._jobs[job.id].holds and not job.holds
        for event in change.events:
            events.append(
                Event(job.id, len(events) + 1, self._clock.now(), event.type, dict(event.data))
            )
        job = replace(job, last_event_seq=len(events))
        self._jobs[job.id] = job
        self._news.tell(job.id)
        turns = self._promote() if freed else []
        for woken in [*([job] if change.wake else []), *turns]:
            if woken.wake_at is not None:
                seconds = (woken.wake_at - self._clock.now()).total_seconds()
                await self._wakeups.wake(woken.id, max(0.0, seconds))
        return job

    def _promote(self) -> list[JobRecord]:
        turns = []
        waiting = [j for j in self._jobs.values() if not j.holds and not j.state.ended]
        for job in sorted(waiting, key=lambda j: (j.created_at, j.id)):
            if self._held(job) is None:
                change = transitions.promoted(job, self._clock.now())
                events = self._events[job.id]
                for event in change.events:
                    at = self._clock.now()
                    events.append(Event(job.id, len(events) + 1, at, event.type, event.data))
                self._jobs[job.id] = replace(change.job, last_event_seq=len(events))
                turns.append(self._jobs[job.id])
        return turns


class MemoryWakeups:
    """Wake-ups as timers of the running loop. `advance` is set once, before `run`."""

    def __init__(self) -> None:
        self.advance: Callable[[str], Awaitable[None]] | None = None
        self._due: dict[str, float] = {}
        self._news = asyncio.Event()
        self._running: dict[str, asyncio.Task[None]] = {}

    async def wake(self, job_id: str, at: float = 0.0) -> None:
        """See Wakeups."""
        self._due[job_id] = asyncio.get_running_loop().time() + at
        self._news.set()

    async def abort(self, job_id: str) -> None:
        """See Wakeups."""
        task = self._running.get(job_id)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def stats(self) -> Mapping[str, int]:
        """See Wakeups."""
        return {"waiting": len(self._due), "running": len(self._running)}

    async def run(self, concurrency: int) -> None:
        """See Wakeups."""
        try:
            while True:
                await self._serve(concurrency)
        finally:
            tasks = list(self._running.values())
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def until_idle(self) -> None:
        """Serve until no wake-up is left and nothing runs: every job has ended or waits for people.

        For tests and rehearsals, under virtual time as a rule.
        """
        while self._due or self._running:
            await self._serve(concurrency=1000)

    async def _serve(self, concurrency: int) -> None:
        loop = asyncio.get_running_loop()
        self._news.clear()
        for job_id, due in sorted(self._due.items(), key=lambda item: item[1]):
            if due <= loop.time() and job_id not in self._running:
                if len(self._running) >= concurrency:
                    break
                del self._due[job_id]
                task = asyncio.create_task(self._advance(job_id), name=f"advance {job_id}")
                self._running[job_id] = task
        if not self._due and not self._running:
            await self._news.wait()
            return
        later = [due for job_id, due in self._due.items() if job_id not in self._running]
        pause = max(0.0, min(later) - loop.time()) if later else None
        if later and len(self._running) >= concurrency:
            pause = None
        try:
            async with asyncio.timeout(pause):
                await self._news.wait()
        except TimeoutError:
            return

    async def _advance(self, job_id: str) -> None:
        try:
            if self.advance is None:
                raise RuntimeError("advance is not set")
            await self.advance(job_id)
        except Exception as error:  # noqa: BLE001 - one job's trouble must not end the queue
            log.error(  # noqa: TRY400 - a message could hold a secret
                "advance of %s failed: %s", job_id, type(error).__name__
            )
        finally:
            self._running.pop(job_id, None)
            self._news.set()


def write_cursor(job_id: str) -> str:
    """An opaque place in a list of jobs."""
    return base64.urlsafe_b64encode(job_id.encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> str:
    """The place again. Raises ValueError on a cursor that is not ours."""
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
    except (ValueError, UnicodeDecodeError):
        raise ValueError("not a cursor of this list") from None


def _matches(job: JobRecord, wanted: JobFilter) -> bool:
    return (
        (not wanted.states or job.state in wanted.states)
        and (not wanted.cluster_id or job.cluster_id == wanted.cluster_id)
        and (wanted.clusters is None or job.cluster_id in wanted.clusters)
        and (not wanted.procedure or job.plan.procedure == wanted.procedure)
        and _contains(job.details, wanted.details)
        and (wanted.approval is None or job.approval is wanted.approval)
        and (job.approval is not None or not wanted.asked_for_approval)
    )


def _contains(have: object, wanted: object) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(have, Mapping) and all(
            key in have and _contains(have[key], value) for key, value in wanted.items()
        )
    return have == wanted
