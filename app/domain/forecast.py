"""When a job that has not begun would run: what is known, and what nobody can know.

Pure arithmetic over plans, states and calendars. A time here is the earliest possible one; whatever
depends on people or on a peer that does not answer is named in `unknown`, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.job import StepRecord, StepState
from app.domain.plan import Plan, PlannedStep
from app.domain.window import Calendar

_OVER = frozenset({StepState.DONE, StepState.SKIPPED})
MOST_OPENINGS = 500
"""A job that would need more openings than that has no end that can be told."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The earliest start and end.

    None: it never starts, or never ends, under these windows. `unknown` says what may make it
    later, in words; where it is empty, the forecast rests on the plans' expected times alone.
    """

    starts_at: datetime | None
    ends_at: datetime | None
    behind: tuple[str, ...] = ()
    """The jobs before it in line, first ones first."""
    unknown: tuple[str, ...] = ()
    pauses: int = 0
    """How often it would stop at a safe point and go on in a later opening."""


@dataclass(frozen=True, slots=True)
class InLine:
    """A job before it: how many seconds it still takes, and what it waits for."""

    job_id: str
    left: float
    waits_for: str = ""
    until: datetime | None = None
    """It goes on by itself then."""


def left(plan: Plan, steps: Sequence[StepRecord] = ()) -> float:
    """Appliance seconds that the steps which are not over are expected to take."""
    over = {step.key for step in steps if step.state in _OVER}
    return sum(step.expected for step in plan.steps if step.key not in over)


def stretches(steps: Iterable[PlannedStep]) -> tuple[float, ...]:
    """Appliance seconds of each group of steps between which a job may stop.

    A group ends with a step behind which it is safe to stop; nothing stops a job inside of one.
    """
    found: list[float] = []
    inside = False
    for step in steps:
        if not inside:
            found.append(0.0)
        found[-1] += step.expected
        inside = not step.safe_after
    return tuple(found)


def foretold(
    plan: Plan,
    calendar: Calendar,
    *,
    now: datetime,
    pace: float,
    enforce: bool,
    not_before: datetime | None = None,
    line: Sequence[InLine] = (),
    unknown: Sequence[str] = (),
) -> Forecast:
    """The forecast of a job of that plan. `enforce`: it goes on inside of openings only."""
    at, doubts = now, list(unknown)
    for other in line:
        at = max(at, other.until or at) + timedelta(seconds=other.left)
        if other.waits_for:
            doubts.append(f"job {other.job_id} before it waits for {other.waits_for}")
    at = max(at, not_before or at)
    doubts += [
        f"step {step.key} waits for an operator's word: {step.attestation}"
        for step in plan.steps
        if step.attestation
    ]
    behind = tuple(other.job_id for other in line)
    groups = [seconds / pace for seconds in stretches(plan.steps)] or [0.0]
    starts: datetime | None = None
    pauses = 0
    for number, seconds in enumerate(groups):
        if enforce or number == 0:
            opening = calendar.room(at, seconds)
            if opening is None or pauses > MOST_OPENINGS:
                return Forecast(starts, None, behind, tuple(doubts), pauses)
            pauses += number > 0 and opening.start > at
            at = max(at, opening.start)
        starts = starts or at
        at += timedelta(seconds=seconds)
    return Forecast(starts, at, behind, tuple(doubts), pauses)
