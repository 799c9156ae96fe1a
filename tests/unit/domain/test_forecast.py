"""Forecasts: arithmetic that says what it does not know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from app.domain.forecast import Forecast, InLine, foretold, left, stretches
from app.domain.job import StepRecord, StepState
from app.domain.plan import PlannedStep
from app.domain.window import ALWAYS, Calendar, Window
from tests.support.engine_bench import plan, step

NOW = datetime(2026, 1, 1, tzinfo=UTC)
START = datetime.fromisoformat("2026-01-01T02:00")
NIGHTS = Calendar((Window("n", "UTC", START, START + timedelta(hours=1), "FREQ=DAILY"),))


def minutes(key: str, expected: float, *, stop: bool = True, **more: Any) -> PlannedStep:
    return step(key, expected=60 * expected, safe_after=stop, **more)


def told(*steps: PlannedStep, calendar: Calendar = ALWAYS, **more: Any) -> Forecast:
    asked: dict[str, Any] = {"now": NOW, "pace": 1.0, "enforce": True, **more}
    return foretold(plan(*steps), calendar, **asked)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-01-{text}+00:00")


def test_stretches_are_what_lies_between_two_safe_points() -> None:
    steps = (
        minutes("a", 1, stop=False),
        minutes("b", 2),
        minutes("c", 3),
        minutes("d", 0, stop=False),
    )
    assert stretches(steps) == (180, 180, 0)
    assert stretches(()) == ()


def test_without_windows_a_job_runs_now() -> None:
    assert told(minutes("a", 5), minutes("b", 5)) == Forecast(NOW, NOW + timedelta(minutes=10))


def test_a_rehearsal_is_as_fast_as_its_pace() -> None:
    assert told(minutes("a", 10), pace=10.0).ends_at == NOW + timedelta(minutes=1)


def test_it_starts_when_the_window_opens_and_ends_in_a_later_one() -> None:
    forecast = told(*[minutes(key, 25) for key in "abc"], calendar=NIGHTS)
    assert forecast == Forecast(at("01T02:00"), at("02T02:25"), pauses=1)
    free = told(*[minutes(key, 25) for key in "abc"], calendar=NIGHTS, enforce=False)
    assert free == Forecast(at("01T02:00"), at("01T03:15"))


def test_what_never_fits_never_starts_or_never_ends() -> None:
    assert told(minutes("a", 61), calendar=NIGHTS) == Forecast(None, None)
    assert told(minutes("a", 10), minutes("b", 61), calendar=NIGHTS) == Forecast(
        at("01T02:00"), None
    )


def test_the_jobs_before_it_take_their_time_and_what_they_wait_for_is_said() -> None:
    line = [
        InLine("job-1", 600),
        InLine("job-2", 60, "approval"),
        InLine("job-3", 60, "", at("01T01:00")),
    ]
    forecast = told(minutes("a", 10), line=line)
    assert forecast.starts_at == at("01T01:01")
    assert forecast.behind == ("job-1", "job-2", "job-3")
    assert forecast.unknown == ("job job-2 before it waits for approval",)


def test_people_are_named_and_not_guessed() -> None:
    forecast = told(
        minutes("a", 5, attestation="door"),
        not_before=at("01T05:00"),
        unknown=["1 approval(s) are missing"],
    )
    assert forecast.starts_at == at("01T05:00")
    assert forecast.unknown == (
        "1 approval(s) are missing",
        "step a waits for an operator's word: door",
    )


def test_what_is_over_takes_no_more_time() -> None:
    made = plan(minutes("a", 5), minutes("b", 6))
    records = (StepRecord(1, "a", StepState.DONE), StepRecord(2, "b", StepState.PENDING))
    assert (left(made), left(made, records)) == (660, 360)
