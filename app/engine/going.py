"""What one `advance` carries along from step to step: the lease, the clock, the flags.

Also the one place that decides whether to stop here: because the process drains, the time slice is
over, or somebody asked for a cancel or a pause, or the job's terms keep it (app.engine.clearance),
and this is a safe point.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from app.domain.clock import Clock
from app.domain.job import JobState, StepRecord, WaitReason
from app.engine.clearance import Never, clearance
from app.engine.ports import Journal, LeaseCheck
from app.engine.records import Flags, JobRecord, Leave, NewEvent, Wait, safe_before
from app.engine.transitions import waiting_event


@dataclass(frozen=True, slots=True)
class Pacing:
    """Seconds of our own time, not of appliances.

    Waits up to `inline` are slept through; longer ones give the job back. `slice` bounds one
    `advance`, so that engine jobs stay short. Progress is written at most each `progress`; flags
    are asked for at least each `flags` while a step polls. No step's limit is shorter than
    `least_limit`: a rehearsal's appliances run faster than the machine that drives them.
    """

    inline: float = 5.0
    slice: float = 600.0
    progress: float = 1.0
    flags: float = 3.0
    least_limit: float = 0.0


@dataclass
class Going:
    """One `advance` under way."""

    journal: Journal
    job: JobRecord
    clock: Clock
    pacing: Pacing
    lease_check: LeaseCheck
    draining: asyncio.Event
    slice_ends: float
    records: list[StepRecord]
    flags: Flags
    wait: Wait | None
    written_at: float = field(default=float("-inf"))

    def stop(self, index: int) -> Leave | None:
        """How to leave before step `index` or between its looks; None: go on."""
        if self.draining.is_set():
            return Leave(JobState.QUEUED, why="draining", flags=self.flags)
        if asyncio.get_running_loop().time() >= self.slice_ends:
            return Leave(JobState.QUEUED, why="time-slice", flags=self.flags)
        if not safe_before(self.job.plan, tuple(self.records), index):
            return None
        if self.flags.cancel:
            return Leave(JobState.CANCELLED, flags=self.flags)
        if self.flags.pause:
            wait = Wait(WaitReason.HOLD, "paused", self.records[index].key)
            return Leave(JobState.WAITING, wait=wait, flags=self.flags)
        now = self.clock.now()
        kept = clearance(replace(self.job, steps=tuple(self.records)), now)
        if kept is None:
            return None
        if isinstance(kept, Never):
            return Leave(JobState.CANCELLED, failure=kept.failure, flags=self.flags)
        wake_in = None if kept.wake_at is None else (kept.wake_at - now).total_seconds()
        return Leave(JobState.WAITING, wait=kept.wait, wake_in=wake_in, flags=self.flags)

    async def write(
        self, index: int, record: StepRecord, events: Sequence[NewEvent], wait: Wait | None
    ) -> None:
        """Write the step durably; the job counts as waiting where `wait` is given."""
        if wait is not None and (
            self.wait is None or (wait.reason, wait.step) != (self.wait.reason, self.wait.step)
        ):
            events = (*events, waiting_event(wait))
        self.flags = await self.journal.record(self.job.lease, record, events, wait)
        self.records[index] = record
        self.wait = wait
        self.written_at = asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait appliance seconds, or less where the process begins to drain."""
        waits = {
            asyncio.ensure_future(self.clock.sleep(seconds)),
            asyncio.ensure_future(self.draining.wait()),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
