"""A job as the engine keeps it, and the small things said between runner and journal.

All frozen: a journal hands out copies, a runner hands back what should be written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.domain.job import (
    Attestation,
    JobState,
    StepFailure,
    StepRecord,
    StepState,
    WaitReason,
)
from app.domain.plan import Plan
from app.domain.terms import ApprovalState, Decision, Terms, Verdict, approved

JOB_QUEUED = "job.queued"
JOB_STARTED = "job.started"
JOB_WAITING = "job.waiting"
JOB_CANCELLING = "job.cancelling"
JOB_SUCCEEDED = "job.succeeded"
JOB_FAILED = "job.failed"
JOB_CANCELLED = "job.cancelled"
JOB_PAUSING = "job.pausing"
STEP_STARTED = "job.step.started"
STEP_PROGRESS = "job.step.progress"
STEP_FINISHED = "job.step.finished"
STEP_ATTESTED = "job.step.attested"
STEP_SKIPPED = "job.step.skipped"
APPROVAL_REQUESTED = "approval.requested"
APPROVAL_GIVEN = "approval.given"
APPROVAL_REJECTED = "approval.rejected"
APPROVAL_EXPIRED = "approval.expired"

UNENDED = frozenset(state for state in JobState if not state.ended)
"""States of jobs that may still act."""
OVER = frozenset({StepState.DONE, StepState.SKIPPED})
"""Step states behind which the job goes on."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What a job waits for, at which step, in one line for people."""

    reason: WaitReason
    note: str = ""
    step: str = ""
    since: datetime | None = field(default=None, compare=False)
    """Since when it waits for this at this step, whoever had the job meanwhile. A journal sets it
    where a runner, which knows of tries in between, does not."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be written; the journal gives it its number and time."""

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write one job: good while owner and epoch are still those in the journal."""

    job_id: str
    owner: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Flags:
    """What people have asked of a job since; every write brings them back."""

    cancel: bool = False
    pause: bool = False


@dataclass(frozen=True, slots=True)
class NewJob:
    """What a job is made of.

    `peers` are held beside those that steps of the plan name. `details` is the caller's JSON
    (correlation, change record): kept and returned, never read here. `terms` is what must hold
    before it begins and while it goes on (app.engine.clearance).
    """

    id: str
    plan: Plan
    requested_by: str
    peers: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    attestations: tuple[Attestation, ...] = ()
    views: Mapping[str, Any] = field(default_factory=dict)
    """What the peers said of themselves before, by peer id, as JSON: kept as evidence."""
    terms: Terms = field(default_factory=Terms)


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as the journal has it.

    `holds`: it has its cluster and peers; a job queued behind another has not yet. `wake_at`: when
    a worker may take it up; None while a worker has it, or while only a person can move it.
    """

    id: str
    plan: Plan
    state: JobState
    steps: tuple[StepRecord, ...]
    peers: tuple[str, ...]
    requested_by: str
    created_at: datetime
    details: Mapping[str, Any] = field(default_factory=dict)
    wait: Wait | None = None
    wake_at: datetime | None = None
    holds: bool = False
    owner: str | None = None
    epoch: int = 0
    cancel_requested: bool = False
    pause_requested: bool = False
    failure: StepFailure | None = None
    attestations: Mapping[str, Attestation] = field(default_factory=dict)
    terms: Terms = field(default_factory=Terms)
    decisions: tuple[Decision, ...] = ()
    """What approvers said, in the order they said it."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    last_event_seq: int = 0
    late: float | None = field(default=None, compare=False)
    """Seconds from `wake_at` to the claim, in the record that the claim gives back. Not kept."""

    @property
    def cluster_id(self) -> str:
        """The cluster this job changes."""
        return self.plan.cluster_id

    @property
    def lease(self) -> Lease:
        """The lease of the worker that has it."""
        return Lease(self.id, self.owner or "", self.epoch)

    @property
    def flags(self) -> Flags:
        """What people have asked of it."""
        return Flags(self.cancel_requested, self.pause_requested)

    @property
    def approval(self) -> ApprovalState | None:
        """Where the request for its approval stands; None where nobody has to approve it."""
        if not self.terms.approvals:
            return None
        if any(decision.verdict is Verdict.REJECTED for decision in self.decisions):
            return ApprovalState.REJECTED
        if approved(self.terms, self.decisions):
            return ApprovalState.APPROVED
        if not self.state.ended:
            return ApprovalState.PENDING
        if self.failure is not None and self.failure.code == "approval-expired":
            return ApprovalState.EXPIRED
        return ApprovalState.WITHDRAWN

    @property
    def current(self) -> StepRecord | None:
        """The first step that is not over; None behind the last."""
        return next((step for step in self.steps if step.state not in OVER), None)

    @property
    def unsettled(self) -> bool:
        """Whether it waits for an operator because looking did not settle what an act did."""
        return (
            self.state is JobState.WAITING
            and self.wait is not None
            and self.wait.reason is WaitReason.HOLD
            and self.current is not None
            and self.current.state is StepState.UNKNOWN
        )

    @property
    def safe_point(self) -> bool:
        """Whether the job could stop here and leave a consistent cluster.

        So it is before the first act, and where every act since the last `safe_after` step was
        unnecessary; never behind an act whose step is not over.
        """
        index = next((i for i, s in enumerate(self.steps) if s.state not in OVER), len(self.steps))
        return safe_before(self.plan, self.steps, index)


def safe_before(plan: Plan, steps: tuple[StepRecord, ...], index: int) -> bool:
    """Whether stopping before step `index` leaves a consistent cluster (see `safe_point`)."""
    if index < len(steps) and steps[index].acted_at is not None:
        return False
    for planned, record in zip(reversed(plan.steps[:index]), reversed(steps[:index]), strict=True):
        if planned.safe_after:
            return True
        if record.acted_at is not None:
            return False
    return True


@dataclass(frozen=True, slots=True)
class Leave:
    """How a runner gives a job back.

    `state` is QUEUED (go on soon), WAITING, or an end. `wake_in` are seconds until it should be
    taken up again; None waits for a person. `flags` are those the runner knew: what came since
    makes the journal wake the job at once.
    """

    state: JobState
    wait: Wait | None = None
    wake_in: float | None = None
    failure: StepFailure | None = None
    step: StepRecord | None = None
    events: tuple[NewEvent, ...] = ()
    flags: Flags = field(default_factory=Flags)
    why: str = ""


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list; empty fields do not filter."""

    states: frozenset[JobState] = frozenset()
    cluster_id: str = ""
    procedure: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Jobs whose `details` contain all of this."""
    approval: ApprovalState | None = None
    asked_for_approval: bool = False
    """Only jobs that somebody has or had to approve."""
    clusters: frozenset[str] | None = None
    """Only jobs of these clusters; None: of all."""


@dataclass(frozen=True, slots=True)
class Page:
    """Jobs, newest first, and the cursor of the next page, None on the last."""

    items: tuple[JobRecord, ...]
    next_cursor: str | None


def failure_data(failure: StepFailure | None) -> Mapping[str, Any] | None:
    """A failure as JSON."""
    if failure is None:
        return None
    return {
        "code": failure.code,
        "message": failure.message,
        "remedy": failure.remedy,
        "requirements": list(failure.requirements),
    }
