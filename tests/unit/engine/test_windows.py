"""Jobs and their windows in virtual time: when they begin, where they stop, when they go on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.domain.job import JobState, StepState, WaitReason
from app.domain.plan import PlannedStep
from app.domain.terms import Terms
from app.domain.window import Calendar, Window
from app.engine.clock import LoopClock
from app.engine.records import JobRecord
from app.procedures.base import StepContext
from tests.support.engine_bench import EPOCH, Bench, Peer, new_job, step
from transports.mock.virtual_time import run

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def nightly(hours: float = 1.0) -> Calendar:
    """Open from 02:00 UTC of every day on; the benches begin on 1 January at midnight."""
    start = datetime(2026, 1, 1, 2)  # noqa: DTZ001 - wall time
    return Calendar((Window("w", "UTC", start, start + timedelta(hours=hours), "FREQ=DAILY"),))


def enforced(calendar: Calendar | None = None, **more: Any) -> Terms:
    return Terms(enforce_window=True, calendar=calendar or nightly(), **more)


class TimedBench(Bench):
    """Writes down when each act happens; an act takes as long as its step is expected to."""

    def __init__(self, slow: float = 1.0) -> None:
        self.acted: dict[str, datetime] = {}
        self.slow = slow
        super().__init__(Peer(act_work=self.work))

    async def work(self, context: StepContext) -> None:
        self.acted[context.step.key] = self.clock.now()
        await asyncio.sleep(context.step.expected * self.slow)

    def when(self) -> dict[str, str]:
        return {key: f"{at:%d %H:%M}" for key, at in self.acted.items()}


def minutes(key: str, expected: float, *, stop: bool = True) -> PlannedStep:
    return step(key, expected=60 * expected, limit=60 * expected * 4, safe_after=stop)


def carry(bench: Bench, terms: Terms, *steps: PlannedStep) -> JobRecord:
    return run(bench.run(new_job(*steps, terms=terms)))


def test_a_job_begins_when_its_window_opens_and_holds_nothing_until_then() -> None:
    bench = TimedBench()

    async def story() -> None:
        made = await bench.journal.create(new_job(minutes("a", 5), terms=enforced()))
        assert made.state is JobState.WAITING
        assert made.wait is not None
        assert (made.wait.reason, made.wake_at) == (WaitReason.WINDOW, EPOCH + 2 * HOUR)
        assert "2026-01-01 02:00:00 UTC to 2026-01-01 03:00:00 UTC" in made.wait.note
        assert await bench.journal.claim("job-1", "hasty") is None
        assert await bench.wakeups.stats() == {"waiting": 1, "running": 0}
        await bench.wakeups.until_idle()
        assert (await bench.journal.load("job-1")).state is JobState.SUCCEEDED

    run(story())
    assert bench.when() == {"a": "01 02:00"}


def test_it_stops_at_a_safe_point_when_the_window_ends_and_goes_on_in_the_next() -> None:
    bench = TimedBench()
    steps = [minutes(key, 25) for key in "abcde"]
    job = carry(bench, enforced(), *steps)
    assert job.state is JobState.SUCCEEDED
    # Two of 25 minutes fit into an hour, a third does not.
    assert bench.when() == {
        "a": "01 02:00", "b": "01 02:25", "c": "02 02:00", "d": "02 02:25", "e": "03 02:00",
    }  # fmt: skip
    waits = [e for e in bench.journal.events_of("job-1") if e.type == "job.waiting"]
    assert [e.data["reason"] for e in waits] == ["window"] * 3
    assert bench.peer.acts == list("abcde")


def test_steps_that_belong_together_are_never_parted_by_the_end_of_a_window() -> None:
    bench = TimedBench()
    steps = [
        minutes("a", 20),
        minutes("b", 20, stop=False),
        minutes("c", 20, stop=False),
        minutes("d", 15),
    ]
    job = carry(bench, enforced(), *steps)
    assert job.state is JobState.SUCCEEDED
    # b, c and d need 55 minutes without a stop: 40 are left behind a, so they wait for the next.
    assert bench.when() == {"a": "01 02:00", "b": "02 02:00", "c": "02 02:20", "d": "02 02:40"}


def test_what_takes_longer_than_expected_goes_on_to_its_safe_point() -> None:
    bench = TimedBench(slow=2.0)
    steps = [minutes("a", 20, stop=False), minutes("b", 20), minutes("c", 20)]
    job = carry(bench, enforced(), *steps)
    assert job.state is JobState.SUCCEEDED
    # b begins inside the window and ends behind it: stopping behind a would leave things half done.
    assert bench.when() == {"a": "01 02:00", "b": "01 02:40", "c": "02 02:00"}


def test_a_stretch_that_fits_into_no_window_is_never_begun() -> None:
    bench = TimedBench()
    job = carry(bench, enforced(), minutes("a", 20), minutes("b", 61))
    assert job.state is JobState.CANCELLED
    assert job.failure is not None
    assert job.failure.code == "window-never-opens"
    assert "1 of 2 steps are done" in job.failure.message
    assert bench.when() == {"a": "01 02:00"}
    assert not job.holds


def test_a_window_that_never_opens_again_ends_the_job_at_once() -> None:
    past = Calendar((), (), (None, EPOCH - HOUR))
    bench = TimedBench()
    job = carry(bench, enforced(past), minutes("a", 20))
    assert job.state is JobState.CANCELLED
    assert job.failure is not None
    assert (job.failure.code, bench.acted) == ("window-never-opens", {})
    assert "Nothing was done" in job.failure.message


def test_without_enforcement_only_the_beginning_waits_for_the_window() -> None:
    bench = TimedBench()
    terms = replace(enforced(), enforce_window=False)
    job = carry(bench, terms, *[minutes(key, 25) for key in "abc"])
    assert job.state is JobState.SUCCEEDED
    assert bench.when() == {"a": "01 02:00", "b": "01 02:25", "c": "01 02:50"}


def test_the_scheduled_start_comes_before_the_window() -> None:
    bench = TimedBench()
    terms = enforced(not_before=EPOCH + 2 * HOUR + timedelta(minutes=50))
    job = carry(bench, terms, minutes("a", 25))
    assert job.state is JobState.SUCCEEDED
    assert bench.when() == {"a": "02 02:00"}


def test_a_fast_rehearsal_compares_its_own_seconds_with_the_window() -> None:
    bench = TimedBench(slow=0.1)
    job = carry(bench, enforced(pace=10.0), minutes("a", 300), minutes("b", 310))
    assert job.state is JobState.SUCCEEDED
    assert bench.when() == {"a": "01 02:00", "b": "02 02:00"}


def test_a_step_that_polls_at_a_safe_point_gives_way_and_begins_its_limit_anew() -> None:
    """It waits for calls to end, has not acted, and its limit is shorter than the night."""
    bench = TimedBench()
    polls = replace(step("calls", "wait", expected=60, poll=120, limit=7000), safe_after=True)

    async def story() -> JobRecord:
        await bench.journal.create(new_job(polls, terms=enforced()))
        serving = asyncio.create_task(bench.wakeups.until_idle())
        await asyncio.sleep(4 * 3600)
        waiting = await bench.journal.load("job-1")
        assert waiting.wait is not None
        assert (waiting.wait.reason, waiting.steps[0].state) == (
            WaitReason.WINDOW,
            StepState.PENDING,
        )
        assert waiting.wake_at == EPOCH + DAY + 2 * HOUR
        await asyncio.sleep(22.2 * 3600)
        bench.peer.done.add("calls")
        await serving
        return await bench.journal.load("job-1")

    job = run(story())
    assert job.state is JobState.SUCCEEDED, job.failure


def test_another_worker_goes_on_where_the_first_died_while_the_job_waited() -> None:
    bench = TimedBench()

    async def story() -> JobRecord:
        await bench.journal.create(new_job(*[minutes(key, 40) for key in "ab"], terms=enforced()))
        serving = asyncio.create_task(bench.wakeups.until_idle())
        await asyncio.sleep(5 * 3600)
        bench.runner.drain()
        second = bench.worker("worker-2", dict(bench.runner.handlers))
        bench.wakeups.advance = second.advance
        assert (await bench.journal.load("job-1")).owner is None
        await serving
        return await bench.journal.load("job-1")

    job = run(story())
    assert job.state is JobState.SUCCEEDED
    assert bench.when() == {"a": "01 02:00", "b": "02 02:00"}
    assert bench.peer.acts == ["a", "b"]


class JumpingClock(LoopClock):
    """A time of day that somebody sets while jobs wait."""

    jump = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.jump


@pytest.mark.parametrize(
    ("jump", "expected"),
    [
        # Forward, past the end of the window: the wake-up finds it closed and waits for the next.
        (timedelta(hours=3), "02 02:00"),
        # Back: the wake-up comes long before the window by the new time, and waits again.
        (timedelta(hours=-3), "01 02:00"),
        (timedelta(days=40), "10 02:00"),
    ],
)
def test_a_clock_that_is_set_leads_no_job_out_of_its_window(jump: timedelta, expected: str) -> None:
    bench = TimedBench()
    clock = JumpingClock(1.0, EPOCH)
    bench.clock = clock
    bench.journal._clock = clock
    bench.runner.clock = clock

    async def story() -> JobRecord:
        await bench.journal.create(new_job(minutes("a", 25), terms=enforced()))
        serving = asyncio.create_task(bench.wakeups.until_idle())
        await asyncio.sleep(3600)
        clock.jump = jump
        await serving
        return await bench.journal.load("job-1")

    job = run(story())
    assert job.state is JobState.SUCCEEDED
    assert bench.when()["a"][2:] == expected[2:]
    assert nightly().is_open(bench.acted["a"])


def test_a_cancel_does_not_wait_for_the_window() -> None:
    bench = TimedBench()

    async def story() -> JobRecord:
        await bench.journal.create(new_job(minutes("a", 25), terms=enforced()))
        return await bench.journal.request_cancel("job-1", by="ann")

    job = run(story())
    assert (job.state, job.holds) == (JobState.CANCELLED, False)


def test_resume_leads_past_no_window() -> None:
    bench = TimedBench()

    async def story() -> JobRecord:
        await bench.journal.create(new_job(minutes("a", 25), terms=enforced()))
        await bench.journal.request_pause("job-1", by="ann")
        resumed = await bench.journal.resume("job-1", by="ann")
        assert resumed.wait is not None
        assert resumed.wait.reason is WaitReason.WINDOW
        assert await bench.journal.claim("job-1", "w") is None
        await bench.wakeups.until_idle()
        return await bench.journal.load("job-1")

    assert run(story()).state is JobState.SUCCEEDED
    assert bench.when() == {"a": "01 02:00"}
