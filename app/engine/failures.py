"""What a failed exchange means for a step, in words a person at night can use.

Transports' messages carry no secrets (transports.errors), so they may be shown. Messages of other
exceptions may carry anything: of those only the type and the place in our code are told, and only
to the log.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence

from app.domain.job import StepFailure
from app.domain.plan import PlannedStep
from transports.errors import (
    AuthenticationFailed,
    Banned,
    Busy,
    Garbled,
    IdentityChanged,
    InvalidRequest,
    NotSent,
    NotSupported,
    NotTrusted,
    OutcomeUnknown,
    Refused,
    TransportError,
)

_RULES: tuple[tuple[type[TransportError], str, str], ...] = (
    (
        AuthenticationFailed,
        "authentication-failed",
        (
            "Correct the peer's credential, then retry the job. It was not tried twice: the "
            "peer bans addresses that fail to log in."
        ),
    ),
    (
        IdentityChanged,
        "identity-changed",
        (
            "Find out why the peer shows another key or certificate. Pin the new one only when the "
            "change is known to be right, then retry the job."
        ),
    ),
    (
        Banned,
        "peer-banned-us",
        (
            "Wait until the peer lifts its block of this service's address, or lift it there, then "
            "retry the job."
        ),
    ),
    (NotTrusted, "not-trusted", "Correct the peer's credential or trust, then retry the job."),
    (
        Busy,
        "peer-busy",
        "The peer asked to come back later all the time. Free sessions on it, then retry the job.",
    ),
    (
        NotSent,
        "peer-unreachable",
        (
            "Check that the peer is up and that its address can be reached from here, then retry "
            "the job."
        ),
    ),
    (
        OutcomeUnknown,
        "peer-not-answering",
        (
            "Check the peer's state and the network to it, then retry the job: it looks before "
            "it acts again."
        ),
    ),
    (
        NotSupported,
        "not-supported",
        "Give the peer a transport that can do this, or take the step by hand, then retry the job.",
    ),
    (Refused, "peer-refused", "Read the peer's own words, mend the cause, then retry the job."),
    (
        Garbled,
        "reply-not-understood",
        "Look at the peer; its answer did not follow its protocol. Retry the job when it is well.",
    ),
    (
        InvalidRequest,
        "invalid-request",
        "A value cannot be written on this transport; change it and make a new plan.",
    ),
)


def of_transport(error: TransportError, step: PlannedStep) -> StepFailure:
    """The failure of a step whose exchange with a peer went wrong."""
    code, remedy = next(
        ((code, remedy) for kind, code, remedy in _RULES if isinstance(error, kind)),
        ("transport-error", "Look at the peer, then retry the job."),
    )
    said = str(error) or type(error).__name__
    message = f"{step.title}: {said}"
    return StepFailure(code, message, remedy, step.requirements)


def too_late(step: PlannedStep, *, acted: bool, note: str) -> StepFailure:
    """The failure of a step whose effect did not show within its limit."""
    seen = f" Last seen: {note}." if note else ""
    if acted:
        message = f"{step.title}: done on the peer, but not in effect after {step.limit:g} s.{seen}"
        return StepFailure(
            "not-verified",
            message,
            "Look at the peer. Retry the job when the effect is there or the cause is mended; it "
            "looks before it acts again.",
            step.requirements,
        )
    return StepFailure(
        "still-waiting",
        f"{step.title}: not so after {step.limit:g} s.{seen}",
        "Find out what holds it up on the peer, then retry the job.",
        step.requirements,
    )


def too_often(step: PlannedStep, attempts: int, note: str) -> StepFailure:
    """What an operator is told of a step that was interrupted and whose effect never showed."""
    seen = f" Last seen: {note}." if note else ""
    times = "once" if attempts == 1 else f"{attempts} times"
    return StepFailure(
        "outcome-unknown",
        f"{step.title}: interrupted {times}, and its effect never showed.{seen}",
        "Look at the peer and at the network to it, then retry the job: it looks before it acts "
        "again. Or settle it by hand and skip the step, or cancel the job.",
        step.requirements,
    )


def unseen(error: TransportError, step: PlannedStep) -> StepFailure:
    """What an operator is told of a step that was sent and can no longer be looked at."""
    found = of_transport(error, step)
    said = str(error) or type(error).__name__
    return StepFailure(
        "outcome-unknown",
        f"{step.title}: it was sent, and what came of it cannot be seen ({found.code}): {said}.",
        f"{found.remedy} Or settle the step by hand and skip it, or cancel the job.",
        step.requirements,
    )


def unknown_kind(step: PlannedStep) -> StepFailure:
    """The failure of a step that this version of the service does not know."""
    return StepFailure(
        "unknown-step-kind",
        f"{step.title}: this version of the service has no step of the kind {step.kind!r}.",
        "Run the job with the version that made the plan, or make a new plan.",
        step.requirements,
    )


def drifted(then: str, now: str) -> StepFailure:
    """The failure of a job whose cluster another job has changed since its plan was made."""
    return StepFailure(
        "plan-drifted",
        f"The cluster has changed since the plan was made: {then}; now: {now}. Nothing was done.",
        "Read a new plan of the procedure and start a new job.",
    )


def drifted_facts(differences: Sequence[str]) -> StepFailure:
    """The failure of a job whose peers are not as its plan found them, when its turn comes."""
    told = "; ".join(differences)
    return StepFailure(
        "plan-drifted",
        f"What the plan relies on has changed while the job waited: {told}. Nothing was done.",
        "Read a new plan of the procedure and start a new job.",
    )


def internal(step: PlannedStep | None) -> StepFailure:
    """The failure of a step in which our own code went wrong; the log has the place."""
    where = step.title if step is not None else "the job"
    return StepFailure(
        "internal-error",
        f"{where}: the service made a mistake; its log has the place.",
        "Look at the peers before retrying the job, and report the log entry.",
        step.requirements if step is not None else (),
    )


def place(error: BaseException) -> str:
    """Type and places of an exception, without its message and values."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return type(error).__name__ + "".join(
        f" < {frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}"
        for frame in reversed(frames)
    )
