"""Whether a run kept the laws: at every act, and all of it at the end."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from app.domain.job import JobState, StepState, WaitReason
from app.domain.terms import approved
from app.engine.records import OVER, JobRecord, safe_before
from app.procedures.base import StepContext
from simulation import laws
from simulation.people import LIMIT
from simulation.rehearsal import KEY
from simulation.story import TroubleKind
from transports.mock.faults import FaultKind
from transports.mock.scenario import REHEARSAL_PASSWORD, ROOT_PASSWORD

if TYPE_CHECKING:
    from simulation.world import World

OVERRUN = timedelta(minutes=8)
"""Between the question whether a window is open and the act lies a look, which takes a while; and
the worker asks its own clock, which may be some minutes late."""


def in_time(world: World, job: JobRecord, ctx: StepContext) -> None:
    """Whether people agreed to what is done now, and whether it is the time for it."""
    terms, began = job.terms, job.started_at
    agreed = approved(terms, job.decisions) and began is not None
    early = terms.not_before is not None and began is not None and began < terms.not_before
    world.ledger.hold(laws.AGREED, agreed and not early, f"{ctx.step.key}, begun at {began}")
    if terms.calendar.always or began is None:
        return
    opened = terms.calendar.is_open(began)
    world.ledger.hold(laws.WINDOWS, opened, f"begun at {began}")
    fresh = [replace(s, acted_at=None) if s.key == ctx.step.key else s for s in job.steps]
    stands = ctx.record.attempt == 1 and safe_before(job.plan, tuple(fresh), ctx.record.seq - 1)
    if terms.enforce_window and stands and _punctual(world):
        now = world.database_clock.now()
        good = any(terms.calendar.is_open(at) for at in (now, now - OVERRUN))
        world.ledger.hold(laws.WINDOWS, good, f"{ctx.step.key} at {now}")


def _punctual(world: World) -> bool:
    """Whether clocks keep their pace and peers answer at once."""
    jumps = any(t.kind is TroubleKind.CLOCK_JUMP for t in world.story.troubles)
    slow = any(fault.kind is FaultKind.DELAY for fault in world.story.faults)
    return not (jumps or slow)


def judge(world: World, job: JobRecord, heard: list[str]) -> None:
    """Hold what came of the run, and all that was logged, against the laws."""
    ledger = world.ledger
    timed = job.wait is not None and job.wait.reason is WaitReason.WINDOW
    ends = job.state.ended or (timed and world.seconds() > LIMIT)
    ledger.hold(laws.ENDS, ends, f"{job.state} {job.wait}")
    world.witness.look()
    for rule, times in world.witness.looks.items():
        ledger.checks[f"{laws.FLEET}: no {rule}"] += times
    for violation in world.witness.violations:
        ledger.hold(laws.FLEET, False, str(violation))
    events = world.journal.events_of(job.id)
    numbers = [event.seq for event in events]
    gapless = numbers == list(range(1, len(numbers) + 1)) and job.last_event_seq == len(numbers)
    ledger.hold(laws.EVENTS, gapless, f"{numbers}, last {job.last_event_seq}")
    text = repr(job) + repr(events) + "".join(heard)
    told = [s for s in (KEY, REHEARSAL_PASSWORD, ROOT_PASSWORD) if s in text]
    ledger.hold(laws.SECRETS, not told, f"{len(told)} secrets in events, records or the log")
    deeds = world.deeds.get(job.id, [])
    wrong = laws.out_of_order(job.plan.procedure, deeds, _roles(world, job))
    ledger.hold(laws.ORDER, not wrong, "; ".join(wrong))
    failure = job.failure
    mistakes = {"internal-error", "unknown-step-kind"}
    sound = failure is None or failure.code not in mistakes
    ledger.hold(laws.SOUND, sound, " | ".join(heard[-3:]))
    if world.story.calm:
        fair = job.state is JobState.SUCCEEDED or _people_failed(job)
        ledger.hold(laws.CALM, fair, f"{failure}")
    _judge_end(world, job)


def _judge_end(world: World, job: JobRecord) -> None:
    ledger, failure = world.ledger, job.failure
    members = [member.id for member in world.cluster.members]
    apart = world.witness.disagreements(*members)
    if job.state is JobState.FAILED:
        worded = failure is not None and all((failure.code, failure.message, failure.remedy))
        ledger.hold(laws.WORDS, worded, f"{failure}")
    else:
        ledger.hold(laws.AGREEMENT, not apart, f"{job.state}: {'; '.join(apart)}")
    if job.state is JobState.SUCCEEDED:
        left = [step.key for step in job.steps if step.state not in OVER]
        ledger.hold(laws.TRUTH, not left, f"succeeded without {left}")
        listed = {
            name: [world.fleet.at(a) for a in world.fleet[name].cluster.saved().listed]
            for name in members
        }
        expected = [world.fleet[name] for name in members]
        wrong = [name for name, found in listed.items() if found != expected]
        ledger.hold(laws.TRUTH, not wrong, f"registered {members}, other lists on {wrong}")
    restarted = sum(deed.what == "restart" for deed in world.deeds.get(job.id, ()))
    claimed = sum(
        planned.kind == "restart" and record.state is StepState.DONE
        for planned, record in zip(job.plan.steps, job.steps, strict=True)
    )
    ledger.hold(laws.TRUTH, restarted >= claimed, f"{claimed} restarts said, {restarted} sent")


def _roles(world: World, job: JobRecord) -> dict[str, str]:
    parameters: Mapping[str, Any] = job.plan.parameters
    roles = dict.fromkeys(world.story.members, "member")
    if world.story.members:
        roles[world.story.members[0]] = "primary"
    for name, value in parameters.items():
        if name == "primary_peer_id":
            roles[value] = "primary"
        elif name == "peer_id":
            roles[value] = "new"
    return roles


def _people_failed(job: JobRecord) -> bool:
    """Calls that nobody ended, or a statement of something that simulated people did not do."""
    if job.failure is None or job.current is None:
        return False
    before = job.plan.steps[job.current.seq - 2]
    return job.failure.code == "calls-left" or bool(before.attestation)


@contextlib.contextmanager
def listening() -> Iterator[list[str]]:
    """Everything our own code writes to the log."""
    heard: list[str] = []
    handler = _Ear(heard)
    loggers = [logging.getLogger("app"), logging.getLogger("transports")]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
    try:
        yield heard
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate


class _Ear(logging.Handler):
    def __init__(self, heard: list[str]) -> None:
        super().__init__()
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self._heard.append(record.getMessage())
