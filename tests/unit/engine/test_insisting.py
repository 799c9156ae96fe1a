"""A step that insists waits for a silent peer without end, and ends when people say so."""

from __future__ import annotations

import asyncio

import pytest

from app.domain.job import JobState, StepFailure, WaitReason
from app.engine.records import JobRecord
from app.procedures.base import Handler, StepContext
from tests.support.engine_bench import Bench, Peer, new_job, step
from transports.errors import Garbled, TransportError, Unreachable
from transports.mock.virtual_time import run

WHY = StepFailure("not-told", "It does not know yet.", "Keep it away.", ("CHM-02",))
LIMIT = 600.0
DAYS = 3 * 86400.0


def silent_until(moment: float, error: TransportError, *, insists: bool = True) -> Bench:
    def fault(context: StepContext) -> None:
        if context.step.kind == "tell" and asyncio.get_running_loop().time() < moment:
            raise error

    async def why(context: StepContext) -> StepFailure | None:
        return WHY if insists else None

    peer = Peer(look_fault=fault)
    return Bench(peer, handlers={"tell": Handler("tell", peer.look, peer.act, insists=why)})


async def carried(bench: Bench) -> JobRecord:
    return await bench.run(new_job(step("a", "tell", limit=LIMIT)))


def test_it_goes_on_as_soon_as_the_peer_is_back_however_late() -> None:
    async def story() -> tuple[JobState, float]:
        job = await carried(silent_until(DAYS, Unreachable("no route")))
        return job.state, asyncio.get_running_loop().time() - DAYS

    state, late = run(story())
    assert state is JobState.SUCCEEDED
    assert late <= 65


def test_meanwhile_the_job_waits_for_the_peer_and_says_why() -> None:
    async def story() -> JobRecord:
        bench = silent_until(DAYS, Unreachable("no route"))
        asked = asyncio.create_task(carried(bench))
        await asyncio.sleep(5 * LIMIT)
        job = await bench.journal.load("job-1")
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        return job

    job = run(story())
    assert (job.state, job.owner) == (JobState.WAITING, None)
    assert job.wait is not None
    assert job.wait.reason is WaitReason.PEER
    assert job.wait.note == "It does not know yet. (no route)"


@pytest.mark.parametrize("asked_at", [0.1 * LIMIT, 50 * LIMIT])
def test_a_cancel_gives_the_peer_its_limit_and_then_the_step_fails_in_its_own_words(
    asked_at: float,
) -> None:
    async def story() -> tuple[JobRecord, float]:
        bench = silent_until(DAYS, Unreachable("no route"))
        new = new_job(step("first"), step("a", "tell", limit=LIMIT))

        async def cancel() -> None:
            await asyncio.sleep(asked_at)
            await bench.journal.request_cancel("job-1", by="Ann")

        asking = asyncio.create_task(cancel())
        job = await bench.run(new)
        await asking
        return job, asyncio.get_running_loop().time()

    job, ended = run(story())
    assert (job.state, job.failure) == (JobState.FAILED, WHY)
    assert ended == pytest.approx(max(LIMIT, asked_at), abs=1)


def test_where_it_has_no_reason_to_insist_its_limit_holds() -> None:
    job = run(carried(silent_until(DAYS, Unreachable("no route"), insists=False)))
    assert job.failure is not None
    assert job.failure.code == "peer-unreachable"


def test_it_does_not_insist_on_a_peer_that_answers_nonsense() -> None:
    job = run(carried(silent_until(DAYS, Garbled("no such document"))))
    assert job.failure is not None
    assert job.failure.code == "reply-not-understood"
