"""What follows from skipping a step: a transition like those of app.engine.transitions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from app.domain.job import JobState, StepState
from app.domain.skipping import why_not
from app.engine.errors import IllegalTransition, SkipRefused
from app.engine.records import JOB_QUEUED, STEP_SKIPPED, JobRecord, NewEvent
from app.engine.transitions import Change, going_on, legal_actions, with_step

SKIPPED_BY_OPERATOR = "skipped_by_operator"
"""The outcome of a step that a person set aside; its `note` is their reason."""


@dataclass(frozen=True, slots=True)
class Skip:
    """An operator's wish to set a step aside."""

    step: str
    by: str
    """The principal whose request carried it."""
    reason: str
    settled: bool = False
    """The operator's word that the effect is there, or was brought about by hand."""
    acts: bool = True
    """Whether steps of this kind change something."""


def skipped(job: JobRecord, skip: Skip, now: datetime) -> Change:
    """The job behind the skipped step; one that had failed there has its cluster again.

    Raises IllegalTransition where the job does not stand at that step and waits or has failed, and
    SkipRefused where the rule of app.domain.skipping forbids it.
    """
    legal = legal_actions(job)
    current = job.current
    if "skip" not in legal or current is None or current.key != skip.step:
        raise IllegalTransition(job.id, job.state, f"skip of step {skip.step}", legal)
    forbidden = why_not(job.plan, job.steps, current.seq - 1, acts=skip.acts, settled=skip.settled)
    if forbidden:
        raise SkipRefused(job.id, skip.step, forbidden)
    data = {
        "step": current.key,
        "by": skip.by,
        "reason": skip.reason,
        "settled": skip.settled,
        "state": current.state.value,
        "attempt": current.attempt,
    }
    if current.acted_at is not None:
        data["acted_at"] = current.acted_at.isoformat()
    over = replace(
        current,
        state=StepState.SKIPPED,
        outcome=SKIPPED_BY_OPERATOR,
        note=skip.reason,
        started_at=current.started_at or now,
        finished_at=now,
        failure=None,
    )
    job = replace(
        with_step(job, over),
        state=JobState.QUEUED,
        holds=True,
        wait=None,
        failure=None,
        finished_at=None,
    )
    events = (NewEvent(STEP_SKIPPED, data), NewEvent(JOB_QUEUED, {"why": "skipped"}))
    return going_on(job, now, events)
