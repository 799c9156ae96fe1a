"""Which state of a job may follow which, and what is written down when it does.

Pure functions from a job to the changed job and its events. Both journals lock a job, call one of
these and write the result, so they cannot differ in what a cancel, a retry or a take-over means.
Nothing here knows of tables or time; `now` is passed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from app.domain.job import (
    Attestation,
    JobState,
    StepRecord,
    StepState,
    WaitReason,
)
from app.domain.terms import ApprovalState
from app.engine.clearance import Never, clearance
from app.engine.errors import IllegalTransition, NoSuchGate
from app.engine.records import (
    APPROVAL_EXPIRED,
    APPROVAL_REQUESTED,
    JOB_CANCELLED,
    JOB_CANCELLING,
    JOB_FAILED,
    JOB_PAUSING,
    JOB_QUEUED,
    JOB_STARTED,
    JOB_SUCCEEDED,
    JOB_WAITING,
    STEP_ATTESTED,
    JobRecord,
    Leave,
    NewEvent,
    NewJob,
    Wait,
    failure_data,
)

CLAIM_EARLY = timedelta(seconds=1)
"""A wake-up may come this much before its time: two machines' clocks are never quite one."""
MORE_ATTEMPTS = 3
_END_EVENTS = {
    JobState.SUCCEEDED: JOB_SUCCEEDED,
    JobState.FAILED: JOB_FAILED,
    JobState.CANCELLED: JOB_CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Change:
    """A changed job, the events to append, and whether workers should be told of its wake_at."""

    job: JobRecord
    events: tuple[NewEvent, ...] = ()
    wake: bool = False


def legal_actions(job: JobRecord) -> tuple[str, ...]:
    """What people may do with the job as it stands."""
    match job.state:
        case JobState.QUEUED | JobState.RUNNING:
            return ("cancel", "resume") if job.pause_requested else ("cancel", "pause")
        case JobState.WAITING:
            actions = ["cancel", "pause"]
            if job.wait is not None and job.wait.reason is WaitReason.ATTESTATION:
                actions.append("attest")
            if job.pause_requested or (job.wait is not None and job.wait.reason is WaitReason.HOLD):
                actions.append("resume")
            if job.approval is ApprovalState.PENDING:
                actions += ["approve", "reject"]
            if job.unsettled:
                actions.append("retry")
            if job.owner is None and job.wait is not None and job.wait.step:
                actions.append("skip")
            return tuple(actions)
        case JobState.CANCELLING:
            return ("cancel",)
        case JobState.FAILED:
            return ("retry", "rerun") if job.current is None else ("retry", "skip", "rerun")
        case _:
            return ("rerun",)


def new_job(new: NewJob, *, holds: bool, now: datetime) -> Change:
    """A job at its beginning; without `holds` it stands in line behind another."""
    named = dict.fromkeys([s.peer_id for s in new.plan.steps if s.peer_id] + list(new.peers))
    job = JobRecord(
        id=new.id,
        plan=new.plan,
        state=JobState.QUEUED,
        steps=tuple(
            StepRecord(seq, step.key, StepState.PENDING)
            for seq, step in enumerate(new.plan.steps, start=1)
        ),
        peers=tuple(named),
        requested_by=new.requested_by,
        created_at=now,
        details=new.details,
        holds=holds,
        attestations={a.gate: a for a in new.attestations},
        terms=new.terms,
    )
    why = "created" if holds else "behind-another-job"
    events = [NewEvent(JOB_QUEUED, {"why": why, "procedure": new.plan.procedure})]
    events += [_attested(attestation) for attestation in new.attestations]
    if new.terms.approvals:
        events.append(_approval_requested(job))
    return going_on(job, now, tuple(events))


def going_on(
    job: JobRecord, now: datetime, events: tuple[NewEvent, ...] = (), queued: NewEvent | None = None
) -> Change:
    """A job in nobody's hands: queued, with the event `queued`, or kept by its terms.

    A job in line is woken by nothing but the end of the time it should have been approved in.
    """
    kept = clearance(job, now)
    if isinstance(kept, Never):
        leave = Leave(
            JobState.CANCELLED,
            failure=kept.failure,
            events=(*events, *_expired(job, kept)),
            why=kept.failure.code,
        )
        return _ended(job, leave, now)
    if kept is None:
        wake_at = now if job.holds else None
        changed = replace(job, state=JobState.QUEUED, wait=None, wake_at=wake_at)
        told = events if queued is None else (*events, queued)
        return Change(changed, told, wake=wake_at is not None)
    job = _given_way(job)
    timed = job.holds or kept.wait.reason is WaitReason.APPROVAL
    wake_at = kept.wake_at if timed else None
    wait = lasting(job.wait, kept.wait, now)
    changed = replace(job, state=JobState.WAITING, wait=wait, wake_at=wake_at)
    if not _same_wait(job.wait, kept.wait):
        events = (*events, _waiting(kept.wait, kept.wake_at))
    return Change(changed, events, wake=wake_at is not None)


def _given_way(job: JobRecord) -> JobRecord:
    """A step that was looked at and has not acted begins its limit anew when the job goes on."""
    current = job.current
    if current is None or current.started_at is None or current.acted_at is not None:
        return job
    return with_step(job, replace(current, state=StepState.PENDING, started_at=None))


def promoted(job: JobRecord, now: datetime) -> Change:
    """A job whose turn has come: it has its cluster and peers now."""
    event = NewEvent(JOB_QUEUED, {"why": "its-turn-has-come"})
    if job.state is JobState.CANCELLING:
        return Change(replace(job, holds=True, wake_at=now), (event,), wake=True)
    return going_on(replace(job, holds=True), now, (event,))


def may_claim(job: JobRecord, now: datetime) -> bool:
    """Whether a worker may take the job up now."""
    return (
        (job.holds or job.approval is ApprovalState.PENDING)
        and job.owner is None
        and not job.state.ended
        and job.wake_at is not None
        and job.wake_at <= now + CLAIM_EARLY
    )


def claimed(job: JobRecord, owner: str, now: datetime) -> Change:
    """The job in a worker's hands, or kept by its terms and in nobody's.

    While it polls a peer it goes on counting as waiting.
    """
    if not job.holds or clearance(job, now) is not None:
        return going_on(job, now)
    starts = job.state in {JobState.QUEUED, JobState.WAITING} and _polled_for(job) is None
    changed = replace(
        job,
        owner=owner,
        epoch=job.epoch + 1,
        wake_at=None,
        late=None if job.wake_at is None else max(0.0, (now - job.wake_at).total_seconds()),
        state=JobState.RUNNING if starts else job.state,
        wait=None if starts else job.wait,
        started_at=job.started_at or now,
    )
    events = (NewEvent(JOB_STARTED, {"resumed": job.started_at is not None}),) if starts else ()
    return Change(changed, events)


def with_step(job: JobRecord, step: StepRecord | None) -> JobRecord:
    """The job with that step's record in place of the old one."""
    if step is None:
        return job
    return replace(job, steps=tuple(step if s.key == step.key else s for s in job.steps))


def left(job: JobRecord, leave: Leave, now: datetime) -> Change:
    """The job as its worker gives it back."""
    job = replace(with_step(job, leave.step), owner=None)
    if leave.state.ended:
        return _ended(job, leave, now)
    asked_since = (job.cancel_requested and not leave.flags.cancel) or (
        job.pause_requested and not leave.flags.pause
    )
    state = JobState.CANCELLING if job.cancel_requested else leave.state
    if leave.state is JobState.QUEUED or _resumed_meanwhile(job, leave):
        handed_on = _handed_on(job, now, leave.why or "resumed")
        # That it is being cancelled was told when that was asked for.
        told = () if job.cancel_requested else handed_on.events
        return replace(handed_on, events=(*leave.events, *told))
    wait = lasting(job.wait, leave.wait, now)
    wake_at = None if leave.wake_in is None else now + timedelta(seconds=leave.wake_in)
    if asked_since or _attested_meanwhile(job, wait):
        wake_at = now
        if state is JobState.WAITING and wait is not None and wait.reason is WaitReason.ATTESTATION:
            changed = replace(job, state=JobState.QUEUED, wait=None, wake_at=now)
            queued = NewEvent(JOB_QUEUED, {"why": "attested"})
            return Change(changed, (*leave.events, queued), wake=True)
    paused = wait is not None and wait.reason is WaitReason.HOLD
    changed = replace(
        job,
        state=state,
        wait=wait,
        wake_at=wake_at,
        pause_requested=job.pause_requested and not paused,
    )
    events = leave.events
    if wait is not None and not _same_wait(job.wait, wait):
        events = (*events, _waiting(wait, wake_at))
    return Change(changed, events, wake=wake_at is not None)


def _ended(job: JobRecord, leave: Leave, now: datetime) -> Change:
    changed = replace(
        job,
        state=leave.state,
        wait=None,
        wake_at=None,
        holds=False,
        failure=leave.failure,
        finished_at=now,
        pause_requested=False,
    )
    data: dict[str, Any] = {"why": leave.why} if leave.why else {}
    if leave.failure is not None:
        data |= {"failure": failure_data(leave.failure), "step": leave.step and leave.step.key}
    return Change(changed, (*leave.events, NewEvent(_END_EVENTS[leave.state], data)))


def reclaimed(job: JobRecord, now: datetime, why: str = "worker-lost") -> Change:
    """The job of a worker that is gone: fenced off by a new epoch, and queued again."""
    return _handed_on(replace(job, owner=None, epoch=job.epoch + 1), now, why)


def _handed_on(job: JobRecord, now: datetime, why: str) -> Change:
    """A job that a worker had and the next may have at once.

    One that waited for a silent peer waits on: that its worker changed does not make the peer
    answer, and since when it is silent stays to be seen.
    """
    if job.cancel_requested:
        state, event, wait = JobState.CANCELLING, NewEvent(JOB_CANCELLING, {"why": why}), None
    elif (wait := _polled_for(job)) is not None:
        waiting = waiting_event(wait)
        state, event = JobState.WAITING, replace(waiting, data={**waiting.data, "why": why})
    else:
        state, event, wait = JobState.QUEUED, NewEvent(JOB_QUEUED, {"why": why}), None
    return Change(replace(job, state=state, wait=wait, wake_at=now), (event,), wake=True)


def _polled_for(job: JobRecord) -> Wait | None:
    """What a job waits for that goes on asking a peer by itself."""
    wait = job.wait if job.state is JobState.WAITING else None
    return wait if wait is not None and wait.reason is WaitReason.PEER else None


def taken_over(job: JobRecord, owner: str, now: datetime) -> Change:
    """The job of a worker that is gone, straight into the hands of another."""
    freed = reclaimed(job, now)
    again = claimed(freed.job, owner, now)
    # It waited for nobody's claim: how long its worker was gone is not a delay of the queue.
    return Change(replace(again.job, late=None), (*freed.events, *again.events))


def cancel_requested(job: JobRecord, by: str, reason: str, now: datetime) -> Change:
    """The job after somebody asked to stop it; one that never acted and is idle stops at once."""
    if job.state is JobState.CANCELLING:
        return Change(job)
    _demand(job, "cancel")
    data = {"by": by, "reason": reason}
    asked = replace(job, cancel_requested=True, state=JobState.CANCELLING)
    event = NewEvent(JOB_CANCELLING, data)
    if job.owner is not None:
        return Change(asked, (event,))
    if job.safe_point:
        leave = Leave(JobState.CANCELLED, events=(event,), why="nothing was under way")
        return _ended(asked, leave, now)
    return Change(replace(asked, wake_at=now), (event,), wake=True)


def pause_requested(job: JobRecord, by: str) -> Change:
    """The job after somebody asked it to wait at the next safe point."""
    if job.pause_requested and not job.state.ended:
        return Change(job)
    _demand(job, "pause")
    return Change(replace(job, pause_requested=True), (NewEvent(JOB_PAUSING, {"by": by}),))


def resumed(job: JobRecord, by: str, now: datetime) -> Change:
    """The job after somebody let it go on."""
    _demand(job, "resume")
    job = replace(job, pause_requested=False)
    if job.wait is None or job.wait.reason is not WaitReason.HOLD:
        return Change(job)
    return going_on(job, now, (NewEvent(JOB_QUEUED, {"why": "resumed", "by": by}),))


def attested(job: JobRecord, attestation: Attestation, now: datetime) -> Change:
    """The job with an operator's statement; it goes on where it waited for that."""
    gates = tuple(step.attestation for step in job.plan.steps if step.attestation)
    if attestation.gate not in gates:
        raise NoSuchGate(job.id, attestation.gate, gates)
    if job.state.ended or attestation.gate in job.attestations:
        raise IllegalTransition(job.id, job.state, "attest", legal_actions(job))
    job = replace(job, attestations={**job.attestations, attestation.gate: attestation})
    events = (_attested(attestation),)
    current = job.current
    waited = (
        job.owner is None
        and job.wait is not None
        and job.wait.reason is WaitReason.ATTESTATION
        and current is not None
        and job.plan.steps[current.seq - 1].attestation == attestation.gate
    )
    if not waited:
        return Change(job, events)
    if job.state is JobState.CANCELLING:
        return Change(replace(job, wait=None, wake_at=now), events, wake=True)
    queued = NewEvent(JOB_QUEUED, {"why": "attested"})
    changed = replace(job, state=JobState.QUEUED, wait=None, wake_at=now)
    return Change(changed, (*events, queued), wake=True)


def retried(job: JobRecord, by: str, now: datetime) -> Change:
    """A failed or unsettled job, queued again at its step; what that step saw and did is kept."""
    _demand(job, "retry")
    steps = tuple(
        replace(
            step,
            state=StepState.PENDING,
            started_at=None,
            finished_at=None,
            failure=None,
            act_returned=False,
            attempts_allowed=step.attempt + MORE_ATTEMPTS,
        )
        if step is job.current
        else step
        for step in job.steps
    )
    changed = replace(
        job,
        steps=steps,
        state=JobState.QUEUED,
        holds=True,
        wait=None,
        failure=None,
        finished_at=None,
        cancel_requested=False,
        pause_requested=False,
    )
    return going_on(changed, now, (NewEvent(JOB_QUEUED, {"why": "retry", "by": by}),))


def _demand(job: JobRecord, action: str) -> None:
    legal = legal_actions(job)
    if action not in legal:
        raise IllegalTransition(job.id, job.state, action, legal)


def lasting(old: Wait | None, new: Wait | None, now: datetime) -> Wait | None:
    """What a job waits for from `now` on; since when, where it waited for the same before."""
    if new is None:
        return None
    before = old.since if old is not None and _same_wait(old, new) else None
    return replace(new, since=new.since or before or now)


def _same_wait(old: Wait | None, new: Wait) -> bool:
    return old is not None and (old.reason, old.step) == (new.reason, new.step)


def _attested_meanwhile(job: JobRecord, wait: Wait | None) -> bool:
    if wait is None or wait.reason is not WaitReason.ATTESTATION or job.current is None:
        return False
    return job.plan.steps[job.current.seq - 1].attestation in job.attestations


def _resumed_meanwhile(job: JobRecord, leave: Leave) -> bool:
    """Whether the worker stops for a pause that has been taken back since it last heard of it."""
    paused = leave.wait is not None and leave.wait.reason is WaitReason.HOLD and leave.flags.pause
    unsettled = job.current is not None and job.current.state is StepState.UNKNOWN
    return paused and not unsettled and not job.pause_requested


def _waiting(wait: Wait, wake_at: datetime | None) -> NewEvent:
    data: dict[str, Any] = {"reason": wait.reason.value, "note": wait.note, "step": wait.step}
    if wake_at is not None:
        data["until"] = wake_at.isoformat()
    return NewEvent(JOB_WAITING, data)


def waiting_event(wait: Wait) -> NewEvent:
    """The event that says that a job waits."""
    return _waiting(wait, None)


def _approval_requested(job: JobRecord) -> NewEvent:
    terms = job.terms
    data: dict[str, Any] = {
        "approvals": terms.approvals,
        "four_eyes": terms.four_eyes,
        "requested_by": job.requested_by,
        "plan_digest": job.plan.digest,
    }
    if terms.approve_before is not None:
        data["approve_before"] = terms.approve_before.isoformat()
    return NewEvent(APPROVAL_REQUESTED, data)


def _expired(job: JobRecord, never: Never) -> tuple[NewEvent, ...]:
    if never.failure.code != "approval-expired":
        return ()
    data = {"given": len(job.decisions), "approvals": job.terms.approvals}
    return (NewEvent(APPROVAL_EXPIRED, data),)


def _attested(attestation: Attestation) -> NewEvent:
    data: Mapping[str, Any] = {
        "gate": attestation.gate,
        "by": attestation.by,
        "reason": attestation.reason,
        "recorded_for": attestation.recorded_for,
    }
    return NewEvent(STEP_ATTESTED, data)
