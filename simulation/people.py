"""What simulated people do: they decide, interfere, state what they see, mend and try again."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING

from app.domain.job import Attestation, JobState, WaitReason
from app.domain.plan import Plan
from app.engine.errors import EngineError
from app.engine.records import JobRecord
from simulation import laws
from simulation.story import Trouble, TroubleKind
from simulation.waiting import Word
from transports.mock.expressway import Power

if TYPE_CHECKING:
    from simulation.world import World

LIMIT = 2 * 86400.0
"""Seconds within which a job must have ended or wait for people."""
NOTICED_AFTER = 3 * 3600.0
"""Seconds until people see to a job that waits for a peer without end."""
RARELY_ASKED = {WaitReason.APPROVAL, WaitReason.WINDOW}
"""Waits that take hours: what becomes of them is looked at by the minute."""
RETRIES = 2
INTERFERENCES = frozenset({TroubleKind.PAUSED, TroubleKind.CANCELLED})


class People:
    """Those around the jobs of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def set_going(self, job_id: str) -> None:
        """Have them say and do at their time what the story has them do."""
        world = self._world
        for word in world.story.waits.words:
            world.later(word.after, partial(self._begin_to_say, word, job_id))
        for trouble in world.story.troubles:
            if trouble.kind in INTERFERENCES:
                world.later(trouble.at, partial(self._begin_to_interfere, trouble, job_id))

    def _begin_to_say(self, word: Word, job_id: str) -> None:
        self._world.spawn(self._say(word, job_id))

    def _begin_to_interfere(self, trouble: Trouble, job_id: str) -> None:
        self._world.spawn(self._interfere(trouble, job_id))

    async def to_the_end(self, job_id: str, plan: Plan) -> JobRecord:
        """See to the job until it ends, or nobody can do more for it."""
        world = self._world
        retries, waited = 0, 0.0
        while True:
            await asyncio.sleep(5)
            job = world.job(job_id)
            while job.wait is not None and job.wait.reason in RARELY_ASKED:
                await asyncio.sleep(60)
                job = world.job(job_id)
                if world.seconds() > LIMIT:
                    return job
            for_a_peer = job.wait is not None and job.wait.reason is WaitReason.PEER
            waited = waited + 5 if for_a_peer else 0.0
            if waited >= NOTICED_AFTER:
                waited = 0.0
                await self._mend()
            asked = job.wait is not None and job.wait.reason is WaitReason.ATTESTATION
            if asked and not job.state.ended and world.draw.random() < 0.2:
                await self._attest(job, plan)
            if job.unsettled and retries >= RETRIES:
                with contextlib.suppress(EngineError):
                    await world.journal.request_cancel(job_id, by="Ann", reason="given up")
            stuck = job.state is JobState.FAILED or job.unsettled
            if stuck and retries < RETRIES and not world.story.calm:
                retries += 1
                await self._mend()
                with contextlib.suppress(EngineError):
                    await world.journal.retry(job_id, by="Ann")
                continue
            if job.state.ended:
                return job
            if world.seconds() > LIMIT:
                world.ledger.hold(laws.ENDS, False, f"{job_id} is {job.state} at {job.current}")
                return job

    async def _attest(self, job: JobRecord, plan: Plan) -> None:
        world = self._world
        wanted = job.current
        gate = plan.steps[wanted.seq - 1].attestation if wanted else ""
        made = Attestation(gate, "Ann", "seen it", "tester", world.database_clock.now())
        with contextlib.suppress(EngineError):
            await world.journal.attest(job.id, made)

    async def _mend(self) -> None:
        """People set everything right before they retry."""
        world = self._world
        world.fleet.faults.clear()
        world.fleet.mend_all()
        for device in world.fleet:
            if device.power in {Power.RESTARTING, Power.OFF}:
                device.lose_power()
                device.gain_power()
        await asyncio.sleep(1800)

    async def _say(self, word: Word, job_id: str) -> None:
        world = self._world
        decision = word.decision(world.job(job_id).plan.digest, world.database_clock.now())
        with contextlib.suppress(EngineError):
            await world.journal.decide(job_id, decision)
            world.ledger.trace.append(f"{word.by} {word.verdict.value}")

    async def _interfere(self, trouble: Trouble, job_id: str) -> None:
        world = self._world
        try:
            if trouble.kind is TroubleKind.CANCELLED:
                await world.journal.request_cancel(job_id, by="Ann", reason="a simulated wish")
            else:
                await world.journal.request_pause(job_id, by="Ann")
            world.ledger.struck(trouble.kind, job_id)
            if trouble.kind is TroubleKind.PAUSED:
                await asyncio.sleep(trouble.lasts)
                await world.journal.resume(job_id, by="Ann")
        except EngineError:
            return
