"""A job that comes to its first step asks whether the world is still as its plan found it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from app.domain.job import JobState, StepFailure, StepState, WaitReason
from app.domain.terms import Terms
from app.engine import failures
from app.engine.records import JobRecord
from tests.support.engine_bench import EPOCH, Bench, new_job, step
from transports.errors import Unreachable
from transports.mock.virtual_time import run


class World:
    """Answers what it is told to, and counts how often it is asked."""

    def __init__(self, *answers: StepFailure | Unreachable | None) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def drift(self, job: JobRecord) -> StepFailure | None:
        self.asked += 1
        answer = self._answers.pop(0)
        if isinstance(answer, Unreachable):
            raise answer
        return answer


def test_a_job_whose_world_has_changed_ends_with_the_differences_and_nothing_done() -> None:
    world = World(failures.drifted_facts(["peer-1: system_name is not what it was"]))
    bench = Bench(drift=world.drift)
    job = run(bench.run(new_job(step("a"))))
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert job.failure.code == "plan-drifted"
    assert "peer-1: system_name" in job.failure.message
    assert (bench.peer.looks, bench.peer.acts) == ([], [])
    assert [s.state for s in job.steps] == [StepState.PENDING]
    assert not job.holds


def test_a_peer_that_cannot_be_compared_is_waited_for_and_nothing_is_done_meanwhile() -> None:
    world = World(Unreachable("exp1: no route"), Unreachable("exp1: no route"), None)
    bench = Bench(drift=world.drift)

    async def story() -> tuple[JobRecord, JobRecord]:
        await bench.journal.create(new_job(step("a")))
        await bench.runner.advance("job-1")
        waiting = await bench.journal.load("job-1")
        assert bench.peer.acts == []
        await bench.wakeups.until_idle()
        return waiting, await bench.journal.load("job-1")

    waiting, job = run(story())
    assert (waiting.state, waiting.owner) == (JobState.WAITING, None)
    assert waiting.wait is not None
    assert waiting.wait.reason is WaitReason.PEER
    assert "no route" in waiting.wait.note
    assert waiting.wake_at is not None
    assert (job.state, world.asked) == (JobState.SUCCEEDED, 3)
    types = [event.type for event in bench.journal.events_of("job-1")]
    assert types.count("job.waiting") == 1


def test_a_job_that_waits_for_its_peer_before_it_began_ends_at_once_when_cancelled() -> None:
    world = World(Unreachable("exp1: no route"))
    bench = Bench(drift=world.drift)

    async def story() -> JobRecord:
        await bench.journal.create(new_job(step("a")))
        await bench.runner.advance("job-1")
        return await bench.journal.request_cancel("job-1", by="Ann")

    assert run(story()).state is JobState.CANCELLED


def test_a_job_is_compared_when_its_time_has_come_and_not_while_it_waits_for_it() -> None:
    world = World(None)
    bench = Bench(drift=world.drift)
    terms = Terms(not_before=EPOCH + timedelta(days=2))

    async def story() -> JobRecord:
        await bench.journal.create(new_job(step("a"), terms=terms))
        await bench.runner.advance("job-1")
        await asyncio.sleep(86_400)
        assert world.asked == 0
        await bench.wakeups.until_idle()
        return await bench.journal.load("job-1")

    assert (run(story()).state, world.asked) == (JobState.SUCCEEDED, 1)


def test_a_job_that_has_begun_is_not_compared_again() -> None:
    world = World(None)
    bench = Bench(drift=world.drift)

    async def story() -> JobRecord:
        await bench.journal.create(new_job(step("a", "wait", poll=120, limit=3600), step("b")))
        await bench.runner.advance("job-1")
        bench.peer.done.add("a")
        await bench.wakeups.until_idle()
        return await bench.journal.load("job-1")

    assert (run(story()).state, world.asked) == (JobState.SUCCEEDED, 1)
