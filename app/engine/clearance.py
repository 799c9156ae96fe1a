"""Whether a job may go on at a given time, and if not, what it waits for: the one place.

Asked when a job is made, when its turn comes, when people decide, resume or retry, when a worker
takes it up, and at every safe point between its steps. So no way leads past an approval, a
scheduled start or a window, and a job waits for each of them as a row with a time in it: no thread,
no connection.

Only a job that stands at a safe point is ever kept from going on. One that was interrupted behind
an act goes to its next safe point first, and so does one that is being cancelled: stopping in
between would leave the cluster neither as it was nor as it should be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from app.domain.forecast import stretches
from app.domain.job import StepFailure, WaitReason
from app.domain.terms import Verdict, approved
from app.engine.records import OVER, JobRecord, Wait


@dataclass(frozen=True, slots=True)
class Waits:
    """The job may not go on now."""

    wait: Wait
    wake_at: datetime | None = None
    """When to ask again; None: when somebody acts."""


@dataclass(frozen=True, slots=True)
class Never:
    """The job may not go on any more: it ends where it stands, at a safe point."""

    failure: StepFailure


Kept = Waits | Never
Rule = Callable[[JobRecord, datetime], Kept | None]


def clearance(job: JobRecord, now: datetime) -> Kept | None:
    """None where the job may go on at that time, else what keeps it."""
    if job.state.ended or job.cancel_requested or not job.safe_point:
        return None
    return next((kept for rule in RULES if (kept := rule(job, now)) is not None), None)


def _approval(job: JobRecord, now: datetime) -> Kept | None:
    terms = job.terms
    if approved(terms, job.decisions):
        return None
    refused = next((d for d in job.decisions if d.verdict is Verdict.REJECTED), None)
    if refused is not None:
        return Never(
            StepFailure(
                "approval-rejected",
                f"Rejected by {refused.by}: {refused.reason} Nothing was done.",
                "Settle what was objected to, then plan anew and start a new job.",
            )
        )
    given = len(job.decisions)
    if terms.approve_before is not None and now >= terms.approve_before:
        return Never(
            StepFailure(
                "approval-expired",
                f"Not approved by {terms.approve_before:%Y-%m-%d %H:%M:%S %Z}: {given} of "
                f"{terms.approvals} approvals were given. Nothing was done.",
                "Plan anew, start a new job, and have it approved in time.",
            )
        )
    note = f"{given} of {terms.approvals} approvals given"
    return Waits(Wait(WaitReason.APPROVAL, note), terms.approve_before)


def _scheduled_start(job: JobRecord, now: datetime) -> Kept | None:
    at = job.terms.not_before
    if at is None or now >= at:
        return None
    return Waits(Wait(WaitReason.WINDOW, f"starts at {at:%Y-%m-%d %H:%M:%S %Z}"), at)


def _window(job: JobRecord, now: datetime) -> Kept | None:
    """Kept until a window is open for as long as the job will not be able to stop.

    Without `enforce_window` only a job that has not begun is kept.
    """
    terms = job.terms
    if terms.calendar.always or (job.started_at is not None and not terms.enforce_window):
        return None
    opening = terms.calendar.room(now, uninterrupted(job))
    if opening is None:
        return Never(_no_window(job))
    if opening.start <= now:
        return None
    ends = "" if opening.end is None else f" to {opening.end:%Y-%m-%d %H:%M:%S %Z}"
    note = f"the window is open from {opening.start:%Y-%m-%d %H:%M:%S %Z}{ends}"
    return Waits(Wait(WaitReason.WINDOW, note), opening.start)


def uninterrupted(job: JobRecord) -> float:
    """Seconds the job is expected to take from where it stands to its next safe point."""
    current = job.current
    if current is None:
        return 0.0
    return stretches(job.plan.steps[current.seq - 1 :])[0] / job.terms.pace


def _no_window(job: JobRecord) -> StepFailure:
    done = sum(step.state in OVER for step in job.steps)
    where = f"{done} of {len(job.steps)} steps are done" if done else "Nothing was done"
    return StepFailure(
        "window-never-opens",
        f"No window stays open for the {uninterrupted(job):.0f} seconds that the job must go on "
        f"without a stop, now or within ten years. {where}; the cluster is at a safe point.",
        "Give the cluster a longer or later window, or correct the change window; then plan anew.",
    )


RULES: tuple[Rule, ...] = (_approval, _scheduled_start, _window)
"""In the order they are told: what needs people first."""
