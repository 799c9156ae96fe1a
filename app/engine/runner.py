"""Carries a job as far as it goes, then gives it back.

`advance` is short by design: it ends when the job ends, when the next look is more than a few
seconds away, when people are waited for, when its time slice is over or the process drains. All
that is known lies in the journal, so the next `advance`, in this process or another, goes on there.
How one step runs: app.engine.stepping.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from app.domain.clock import Clock
from app.domain.job import JobState, WaitReason
from app.engine import failures
from app.engine.errors import EngineError, LeaseLost
from app.engine.going import Going, Pacing
from app.engine.guarded import guarded
from app.engine.onlooker import NobodyLooks, Onlooker
from app.engine.ports import Equip, Handlers, Journal, LeaseCheck, Tools
from app.engine.records import OVER, JobRecord, Lease, Leave, Wait
from app.engine.stepping import StepRun
from transports.errors import NotSent

log = logging.getLogger(__name__)
HAND_BACK_SECONDS = 2.0
"""How long an interrupted job tries to be given back; after that the reaper finds it."""

COMPARED_AGAIN_SECONDS = 30.0
"""Between two tries to compare a silent peer with what the plan relies on."""


def always_fresh() -> None:
    """The lease check of an engine whose journal lives in its own process."""


@dataclass
class Runner:
    """One worker's hands.

    `owner` is its name in the journal, `running` are the jobs it has, `concurrency` is how many
    jobs it goes on with of those that others left behind.
    """

    journal: Journal
    handlers: Handlers
    equip: Equip
    clock: Clock
    owner: str
    lease_check: LeaseCheck = always_fresh
    pacing: Pacing = field(default_factory=Pacing)
    concurrency: int = 1000
    onlooker: Onlooker = field(default_factory=NobodyLooks)
    running: dict[str, asyncio.Task[Any]] = field(default_factory=dict)
    _draining: asyncio.Event = field(default_factory=asyncio.Event)
    _giving_back: set[asyncio.Task[None]] = field(default_factory=set)

    def drain(self) -> None:
        """Give every job back at its next poll or step boundary, and start none."""
        self._draining.set()

    def interrupt(self) -> None:
        """Stop whatever is under way: this worker can no longer show that it is alive.

        What was sent to a peer and not answered is settled by looking, by whoever comes next.
        """
        for task in tuple(self.running.values()):
            task.cancel()

    @property
    def room(self) -> int:
        """How many more jobs this worker would take up now."""
        return 0 if self._draining.is_set() else max(0, self.concurrency - len(self.running))

    async def advance(self, job_id: str) -> None:
        """Take the job as far as it goes. Does nothing where it is not to be taken up.

        Trouble with the journal is logged and leaves the job to the reaper: what was last written
        is not known, and only a new look can tell.
        """
        if self._draining.is_set() or job_id in self.running:
            return
        await self._have(job_id, lambda: self.journal.claim(job_id, self.owner))

    def take_up(self, job: JobRecord) -> asyncio.Task[None]:
        """Go on with a job that the journal has given to this worker already."""

        async def given() -> JobRecord:
            return job

        self.onlooker.taken_over(job)
        task = asyncio.create_task(self._have(job.id, given), name=f"go on with {job.id}")
        self.running[job.id] = task
        # A task that is interrupted before its first step never comes to its own end.
        task.add_done_callback(lambda done: self._let_go(job.id, done))
        return task

    async def finish(self, seconds: float) -> None:
        """After `drain`: wait for every job to be given back; interrupt what takes longer."""
        if self.running:
            await asyncio.wait(self.running.values(), timeout=seconds)
        if self.running:
            self.interrupt()
            await asyncio.wait(self.running.values(), timeout=HAND_BACK_SECONDS + 0.5)
        if self._giving_back:
            await asyncio.wait(tuple(self._giving_back), timeout=HAND_BACK_SECONDS + 0.5)

    async def _have(self, job_id: str, claim: Callable[[], Awaitable[JobRecord | None]]) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a job is carried in a task")
        self.running[job_id] = task
        try:
            job = await claim()
            if job is not None:
                with self.onlooker.carrying(job):
                    await self._carry(job)
        except LeaseLost:
            log.warning("job %s has another owner now; stopped", job_id)
        except EngineError as error:
            log.warning("job %s: %s; left to the reaper", job_id, error)
        except Exception as error:  # noqa: BLE001 - left to the reaper too, whatever it is
            log.error(  # noqa: TRY400 - a message could hold a secret
                "job %s: %s; left to the reaper", job_id, failures.place(error)
            )
        finally:
            self._let_go(job_id, task)

    def _let_go(self, job_id: str, task: asyncio.Task[Any]) -> None:
        # A job taken over while its claim was under way is in another task's hands by now.
        if self.running.get(job_id) is task:
            del self.running[job_id]

    async def _carry(self, job: JobRecord) -> None:
        try:
            async with self.equip(job) as tools:
                leave = await self._steps(job, guarded(tools, self.lease_check))
                if leave.state.ended and not self._draining.is_set():
                    self.lease_check()
                    await tools.ending(job)
        except EngineError:
            raise
        except asyncio.CancelledError:
            await self._hand_back(job.lease)
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the job must not hang on it
            log.error(  # noqa: TRY400 - a message could hold a secret
                "job %s: %s", job.id, failures.place(error)
            )
            failure = failures.internal(None)
            leave = Leave(JobState.FAILED, failure=failure)
        await self.journal.leave(job.lease, leave)
        self.onlooker.left(job, leave)

    async def _hand_back(self, lease: Lease) -> None:
        """Queue the job again although this task is being cancelled; bounded in time.

        It may be cancelled once more meanwhile, by whoever else ends this process: what is under
        way then goes on in a task of its own, and `finish` waits for it.
        """
        giving = asyncio.create_task(self._give_back(lease), name=f"give back {lease.job_id}")
        self._giving_back.add(giving)
        giving.add_done_callback(self._giving_back.discard)
        await asyncio.wait({giving})

    async def _give_back(self, lease: Lease) -> None:
        leave = Leave(JobState.QUEUED, why="interrupted")
        try:
            async with asyncio.timeout(HAND_BACK_SECONDS):
                await self.journal.leave(lease, leave)
        except Exception as error:  # noqa: BLE001 - whatever it is, the reaper finds the job
            log.warning("job %s was not handed back: %s", lease.job_id, type(error).__name__)

    async def _steps(self, job: JobRecord, tools: Tools) -> Leave:
        going = Going(
            journal=self.journal,
            job=job,
            clock=self.clock,
            pacing=self.pacing,
            lease_check=self.lease_check,
            draining=self._draining,
            slice_ends=asyncio.get_running_loop().time() + self.pacing.slice,
            records=list(job.steps),
            flags=job.flags,
            wait=job.wait,
        )
        if not _begun(job):
            leave = going.stop(0) or await self._drifted(job, tools)
            if leave is not None:
                return leave
        for index, record in enumerate(job.steps):
            if record.state in OVER:
                continue
            leave = going.stop(index)
            if leave is None:
                planned = job.plan.steps[index]
                handler = self.handlers.get(planned.kind)
                with self.onlooker.stepping(job, planned) as standing:
                    leave = await StepRun(going, index, handler, tools).run()
                    standing(going.records[index])
            if leave is not None:
                return leave
        return Leave(JobState.SUCCEEDED)

    async def _drifted(self, job: JobRecord, tools: Tools) -> Leave | None:
        """How to leave a job that must not begin: it waited while its cluster or peers changed.

        Only now does the job hold its cluster, so no other job changes it behind this look.
        """
        then = job.plan.fingerprint.get(job.cluster_id)
        if then is not None:
            now = (await tools.registry.cluster()).membership
            if now != then:
                return Leave(JobState.FAILED, failure=failures.drifted(then, now))
        try:
            failure = await tools.drift(job)
        except NotSent as error:
            wait = Wait(WaitReason.PEER, f"cannot be compared with the plan: {error}")
            again = COMPARED_AGAIN_SECONDS
            return Leave(JobState.WAITING, wait=wait, wake_in=again, flags=job.flags)
        return None if failure is None else Leave(JobState.FAILED, failure=failure)


def _begun(job: JobRecord) -> bool:
    return any(step.started_at is not None or step.state in OVER for step in job.steps)
