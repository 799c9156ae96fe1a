"""The fault kinds of the matrix: where each can strike, and how it is made to strike just there.

A clean run tells which calls each step sends to which peer (`Call`). A `Blow` is one fault at one
step: it waits for its call (or its step) and strikes once; lasting ones last until the job has
ended, when whoever reads the failure has mended the cause.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from transports.mock.faults import FaultKind


class Phase(enum.StrEnum):
    """What the step was doing when it called."""

    LOOK = "look"
    GUARD = "guard"
    ACT = "act"
    VERIFY = "verify"


@dataclass(frozen=True)
class Call:
    """One call of a step to a peer: the `number`th of the first time it was in that phase."""

    step: str
    kind: str
    phase: Phase
    number: int
    what: str
    peer: str
    parts: int = 1


class Kind(enum.StrEnum):
    """The columns of the table."""

    DROP_BEFORE = "drop before"
    DROP_WITHIN = "drop within"
    DROP_EVERY = "drop every"
    NO_ANSWER = "no answer"
    DROP_AFTER = "drop after"
    WRONG_ANSWER = "wrong answer"
    IGNORED_WRITE = "ignored write"
    RESTART_SLOW = "restart slow"
    RESTART_HANGS = "restart hangs"
    REPLICATION_STUCK = "replication stuck"
    ALARM_STICKS = "alarm sticks"
    CALL_NEVER_ENDS = "call never ends"
    DISK_FULL = "disk full"
    PEER_LOST = "peer lost"
    PEER_GONE = "peer gone"
    DEATH_BEFORE = "death before act"
    DEATH_WITHIN = "death within act"
    DEATH_AFTER = "death after act"
    CANCEL = "cancelled"


EXCHANGE = {
    Kind.DROP_BEFORE: FaultKind.DROP_BEFORE,
    Kind.DROP_WITHIN: FaultKind.DROP_BEFORE,
    Kind.DROP_EVERY: FaultKind.DROP_BEFORE,
    Kind.NO_ANSWER: FaultKind.DELAY,
    Kind.DROP_AFTER: FaultKind.DROP_AFTER,
    Kind.WRONG_ANSWER: FaultKind.WRONG_ANSWER,
    Kind.IGNORED_WRITE: FaultKind.IGNORED_WRITE,
    Kind.DISK_FULL: FaultKind.DISK_FULL,
}
"""Kinds that strike one call, and the fleet's own word for each. All but one strike it once;
`drop every` strikes it again at every try, until somebody has mended the cause."""

LASTING = {
    Kind.REPLICATION_STUCK: FaultKind.REPLICATION_STUCK,
    Kind.ALARM_STICKS: FaultKind.ALARM_STICKS,
    Kind.CALL_NEVER_ENDS: FaultKind.CALL_NEVER_ENDS,
}
_WATCHES = {
    Kind.REPLICATION_STUCK: ("configuration", "database"),
    Kind.ALARM_STICKS: ("alarm", "if-required"),
    Kind.CALL_NEVER_ENDS: ("call",),
}
"""Words in the kind of a step that such a fault can hold up."""


@dataclass(frozen=True)
class Blow:
    """One fault at one step. `call` is what it waits for; None: the step's own beginning."""

    kind: Kind
    step: str
    peer: str
    call: Call | None = None

    def __str__(self) -> str:
        where = f" ({self.call.phase} {self.call.number}: {self.call.what})" if self.call else ""
        return f"{self.kind} at {self.step}{where} on {self.peer or '-'}"


def blows(calls: Iterable[Call], acts: frozenset[str], steps: Iterable[str]) -> Iterator[Blow]:
    """Everything that can hit each step of a clean run, in its order.

    `acts` are the steps that acted; `steps` are all steps of the plan, gates included.
    """
    by_step: dict[str, list[Call]] = {key: [] for key in steps}
    for call in calls:
        by_step[call.step].append(call)
    for step, found in by_step.items():
        if found:
            yield from _exchanges(step, found)
            yield from _states(step, found)
        if step in acts:
            # An act that calls no device has no place within: a new key is made here.
            within = [Kind.DEATH_WITHIN] if any(c.phase is Phase.ACT for c in found) else []
            for kind in (Kind.DEATH_BEFORE, *within, Kind.DEATH_AFTER):
                yield Blow(kind, step, "")
        yield Blow(Kind.CANCEL, step, "")


def _exchanges(step: str, calls: list[Call]) -> Iterator[Blow]:
    for phase in Phase:
        own = [call for call in calls if call.phase is phase]
        if not own:
            continue
        struck = {0, len(own) - 1} if phase is Phase.ACT else {0}
        for index in sorted(struck):
            call = own[index]
            for kind in (Kind.DROP_BEFORE, Kind.NO_ANSWER, Kind.DROP_AFTER, Kind.WRONG_ANSWER):
                yield Blow(kind, step, call.peer, call)
            if phase is Phase.ACT and index == len(own) - 1:
                yield Blow(Kind.DROP_EVERY, step, call.peer, call)
            if call.what == "write":
                yield Blow(Kind.IGNORED_WRITE, step, call.peer, call)
                if call.parts > 1:
                    yield Blow(Kind.DROP_WITHIN, step, call.peer, call)
            if call.what == "CreateBackup":
                yield Blow(Kind.DISK_FULL, step, call.peer, call)


def _states(step: str, calls: list[Call]) -> Iterator[Blow]:
    peer, kind = next((call.peer for call in calls if call.peer), ""), calls[0].kind
    if not peer:
        return
    if any(call.what in {"RestartSystem", "Boot"} for call in calls):
        yield Blow(Kind.RESTART_SLOW, step, peer)
        yield Blow(Kind.RESTART_HANGS, step, peer)
    for lasting, words in _WATCHES.items():
        if any(word in kind for word in words):
            yield Blow(lasting, step, peer)
    yield Blow(Kind.PEER_LOST, step, peer)
    yield Blow(Kind.PEER_GONE, step, peer)
