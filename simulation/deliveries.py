"""Wake-ups that may get lost or come twice, to any worker that lives; and the sweeper behind them.

As with the real queue, nothing here decides who owns a job, and a wake-up may be fetched by a
worker that dies before it claims the job. What is due and has no wake-up is found by sweeping.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING

from simulation import laws
from simulation.rehearsal import WorkerDied
from simulation.story import TroubleKind

if TYPE_CHECKING:
    from simulation.worker import Worker
    from simulation.world import World

SWEEP_AFTER = 3.0
SWEEP_LATER = 30.0


class Deliveries:
    """Implements `app.engine.ports.Wakeups`, but for `run`: timers of the loop do the work."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._due: dict[str, asyncio.TimerHandle] = {}
        self._asked = 0
        self._serving = 0

    async def wake(self, job_id: str, at: float = 0.0) -> None:
        """See Wakeups."""
        self._asked += 1
        earlier = self._due.pop(job_id, None)
        if earlier is not None:
            earlier.cancel()
        strikes = self._world.troubles.at_wake_ups.pop(self._asked, ())
        for kind in strikes:
            self._world.ledger.struck(kind, f"wake-up {self._asked} of {job_id}")
        if TroubleKind.WAKE_UP_LOST in strikes:
            self._sweep_later(job_id, at)
            return
        times = 2 if TroubleKind.WAKE_UP_DOUBLED in strikes else 1
        self._due[job_id] = self._world.later(at, lambda: self._deliver(job_id, times))

    async def abort(self, job_id: str) -> None:
        """See Wakeups; nobody asks for it in a simulation."""

    async def stats(self) -> Mapping[str, int]:
        """See Wakeups."""
        return {"waiting": len(self._due), "running": self._serving}

    async def run(self, concurrency: int) -> None:
        """See Wakeups; deliveries run by themselves."""

    def _deliver(self, job_id: str, times: int = 1) -> None:
        self._due.pop(job_id, None)
        workers = [worker for worker in self._world.workers if worker.serves]
        if not workers:
            self._sweep_later(job_id, 0.0)
        self._world.draw.shuffle(workers)
        for worker in workers[:times]:
            self._world.carry(worker, job_id, worker.runner.advance(job_id))

    async def serve(self, worker: Worker, job_id: str, work: Awaitable[None]) -> None:
        """A worker's work on a job, to its end; what it leaves behind is found as by the real."""
        self._serving += 1
        try:
            await work
        except WorkerDied:
            return
        except asyncio.CancelledError:
            if self._world.over:
                raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it must be in the report
            self._world.ledger.hold(laws.SOUND, False, f"advance raised {error!r}")
        finally:
            self._serving -= 1
            self._sweep_later(job_id, 0.0)
        self._world.later(0.5, lambda: self._world.reap(worker, job_id))

    def _sweep_later(self, job_id: str, at: float) -> None:
        after = self._world.draw.uniform(SWEEP_AFTER, SWEEP_LATER)
        self._world.later(at + after, lambda: self._sweep(job_id))

    def _sweep(self, job_id: str) -> None:
        job = self._world.job(job_id)
        if job.owner is not None or not job.holds or job.wake_at is None or job_id in self._due:
            return
        late = (self._world.database_clock.now() - job.wake_at).total_seconds()
        if late >= 0:
            self._deliver(job_id)
        else:
            self._sweep_later(job_id, min(-late, 600.0))
