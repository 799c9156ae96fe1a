"""Waiting for people and times costs nothing, outlives every worker, and no way leads past it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from app.domain.job import JobState, WaitReason
from app.domain.terms import ApprovalState, Terms
from app.engine import clearance as rules
from app.engine.clearance import Kept, Waits
from app.engine.records import JobRecord, Wait
from tests.support.engine_bench import EPOCH, Bench, new_job, step
from tests.support.terms_suite import word
from transports.mock.virtual_time import run

DAY = timedelta(days=1)


def test_a_job_waits_three_days_for_its_approvals_without_a_wake_up() -> None:
    bench = Bench()

    async def story() -> JobRecord:
        parked = await bench.run(new_job(step("a"), terms=Terms(approvals=2, four_eyes=True)))
        assert (parked.state, parked.owner, parked.holds) == (JobState.WAITING, None, True)
        assert await bench.wakeups.stats() == {"waiting": 0, "running": 0}
        await asyncio.sleep(86_400 * 3)
        await bench.journal.decide("job-1", word(parked, "key-2"))
        await bench.wakeups.until_idle()
        assert bench.peer.acts == []
        await bench.journal.decide("job-1", word(parked, "key-3"))
        await bench.wakeups.until_idle()
        return await bench.journal.load("job-1")

    assert run(story()).state is JobState.SUCCEEDED
    assert bench.peer.acts == ["a"]


def test_a_job_that_nobody_approves_ends_by_itself_when_its_time_is_over() -> None:
    bench = Bench()
    terms = Terms(approvals=1, approve_before=EPOCH + 7 * DAY)
    ended = run(bench.run(new_job(step("a"), terms=terms)))
    assert (ended.state, ended.approval) == (JobState.CANCELLED, ApprovalState.EXPIRED)
    assert ended.finished_at is not None
    assert timedelta(0) <= ended.finished_at - EPOCH - 7 * DAY < timedelta(seconds=1)
    assert bench.peer.acts == bench.peer.looks == []


def test_a_worker_that_restarts_while_a_job_waits_changes_nothing() -> None:
    bench = Bench()

    async def story() -> JobRecord:
        terms = Terms(approvals=1, not_before=EPOCH + 2 * DAY)
        parked = await bench.run(new_job(step("a"), terms=terms))
        bench.wakeups.advance = bench.worker("worker-2", dict(bench.runner.handlers)).advance
        await bench.journal.decide("job-1", word(parked))
        scheduled = await bench.journal.load("job-1")
        assert scheduled.wait is not None
        assert scheduled.wait.reason is WaitReason.WINDOW
        bench.wakeups.advance = bench.worker("worker-3", dict(bench.runner.handlers)).advance
        await bench.wakeups.until_idle()
        return await bench.journal.load("job-1")

    job = run(story())
    assert job.state is JobState.SUCCEEDED
    assert job.started_at is not None
    assert job.started_at >= EPOCH + 2 * DAY


def test_a_paused_job_that_is_approved_is_held_and_not_begun() -> None:
    bench = Bench()

    async def story() -> JobRecord:
        parked = await bench.run(new_job(step("a"), terms=Terms(approvals=1)))
        await bench.journal.request_pause("job-1", by="Ann")
        await bench.journal.decide("job-1", word(parked))
        await bench.wakeups.until_idle()
        held = await bench.journal.load("job-1")
        assert held.wait is not None
        assert held.wait.reason is WaitReason.HOLD
        assert bench.peer.acts == []
        await bench.journal.resume("job-1", by="Ann")
        await bench.wakeups.until_idle()
        return await bench.journal.load("job-1")

    assert run(story()).state is JobState.SUCCEEDED


@pytest.fixture
def closed_for_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule as windows will make them: shut from the tenth minute on, open again a day later."""

    def rule(job: JobRecord, now: datetime) -> Kept | None:
        shuts, opens = EPOCH + timedelta(minutes=10), EPOCH + DAY
        return Waits(Wait(WaitReason.WINDOW, "shut"), opens) if shuts <= now < opens else None

    monkeypatch.setattr(rules, "RULES", (*rules.RULES, rule))


@pytest.mark.usefixtures("closed_for_a_day")
def test_a_job_stops_at_the_next_safe_point_and_goes_on_there_when_it_may() -> None:
    bench = Bench()
    seen: list[tuple[str, datetime]] = []

    async def slowly(context: object) -> None:
        seen.append((bench.peer.acts[-1], bench.clock.now()))
        await asyncio.sleep(400)

    async def story() -> JobRecord:
        bench.peer.act_work = slowly
        steps = [step("a", safe_after=True), step("b"), step("c", safe_after=True), step("d")]
        return await bench.run(new_job(*steps))

    job = run(story())
    assert job.state is JobState.SUCCEEDED
    assert [key for key, _ in seen] == ["a", "b", "c", "d"]
    # The window shuts while b is at work: c still runs, because only behind it is a safe point.
    assert seen[2][1] < EPOCH + timedelta(minutes=20)
    assert seen[3][1] >= EPOCH + DAY


@pytest.mark.usefixtures("closed_for_a_day")
def test_a_job_interrupted_behind_an_act_goes_to_its_safe_point_whatever_the_time() -> None:
    bench = Bench()

    async def story() -> JobRecord:
        await bench.journal.create(new_job(step("a"), step("b", safe_after=True), step("c")))
        bench.peer.act_work = lambda _: asyncio.Event().wait()  # type: ignore[assignment,return-value]  # it never returns
        first = asyncio.create_task(bench.runner.advance("job-1"))
        await asyncio.sleep(900)
        await bench.journal.reclaim("job-1")
        bench.peer.act_work = None
        await bench.worker("worker-2", dict(bench.runner.handlers)).advance("job-1")
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        return await bench.journal.load("job-1")

    job = run(story())
    assert (job.state, job.wait and job.wait.reason) == (JobState.WAITING, WaitReason.WINDOW)
    assert [record.state.value for record in job.steps] == ["done", "done", "pending"]


@pytest.mark.usefixtures("closed_for_a_day")
def test_a_cancel_waits_for_no_window() -> None:
    bench = Bench()

    async def story() -> JobRecord:
        async def cancel(context: object) -> None:
            await asyncio.sleep(900)
            await bench.journal.request_cancel("job-1", by="Ann")

        bench.peer.act_work = cancel
        job = await bench.run(new_job(step("a"), step("b", safe_after=True), step("c")))
        assert bench.clock.now() < EPOCH + DAY
        return job

    assert run(story()).state is JobState.CANCELLED
