"""The operator of the matrix: what a person does who reads what the job says, and no more.

While a job runs nobody interferes. Where it says that it waits for a peer without end, somebody
comes two hours later and brings the peer back; a peer that is gone for good they give up by
cancelling the job. Where it holds because looking did not settle what an act did, and where it has
ended badly, they do what the remedy asks for: the cause is mended and a quarter of an hour passes
before they go on. They are never quicker than that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.job import WaitReason
from tests.matrix.faults import Kind

if TYPE_CHECKING:
    from tests.matrix.stage import Stage

NOTICES_AFTER = 7200.0
"""Device seconds until somebody sees to a job that waits for a peer without end."""
GOES_ON_AFTER = 900.0
"""Device seconds between mending a cause and going on."""
_LOOKS_EVERY = 300.0


class Operator:
    """Mends what the blow of a stage has broken."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def stand_by(self, job_id: str) -> None:
        """See to the job where it waits for a peer without end; until it has ended."""
        stage, waited = self._stage, 0.0
        while True:
            await stage.fleet.clock.sleep(_LOOKS_EVERY)
            job = await stage.journal.load(job_id)
            if job.state.ended:
                return
            step = job.current
            insists = step is not None and stage.insists(job.plan.steps[step.seq - 1].kind)
            waits = insists and job.wait is not None and job.wait.reason is WaitReason.PEER
            waited = waited + _LOOKS_EVERY if waits else 0.0
            if waited < NOTICES_AFTER:
                continue
            if stage.blow is not None and stage.blow.kind is Kind.PEER_GONE:
                await stage.journal.request_cancel(job_id, by="tester")
            else:
                await self.mend()

    async def settle(self, job_id: str) -> None:
        """See to a job that holds because looking did not settle what an act did."""
        if self._stage.blow is not None and self._stage.blow.kind is Kind.PEER_GONE:
            await self._stage.journal.request_cancel(job_id, by="tester")
            return
        await self.mend()
        await self._stage.journal.retry(job_id, by="tester")

    async def mend(self) -> None:
        """What the failure's remedy asks for: the cause is gone, a lost peer is back.

        A peer that is gone stays gone; a restart that hangs is ended at the plug.
        """
        stage = self._stage
        stage.mended = True
        stage.fleet.faults.clear()
        for stuck in stage.fleet:
            for number in set(stuck.alarms.raised) - set(stuck.alarms._wanted):
                stuck.alarms.clear_now(number)
        if stage.blow is None:
            return
        device = stage.fleet[stage.blow.peer] if stage.blow.peer else None
        if stage.blow.kind is Kind.RESTART_HANGS and device is not None and not device.up:
            device.lose_power()
            device.gain_power()
        stays_off = stage.blow.peer in stage.rehearsed.off
        if stage.blow.kind is Kind.PEER_LOST and device is not None and not stays_off:
            device.gain_power()
        await stage.fleet.clock.sleep(GOES_ON_AFTER)
