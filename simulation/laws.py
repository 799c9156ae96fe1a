"""What must hold in every run, and the ledger of how often it was looked at and where it broke.

The witness (transports.mock.witness) holds the rules about appliances; here are those about jobs:
nothing is done twice without a look, nothing without the lease, nothing is written past the fence,
nothing secret is told, the guide's order is kept, and every job ends or waits for people.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

FLEET = "the fleet's safety rules"
LOOK_FIRST = "no act without a look since the last one"
READ_BACK = "an act counts only when it was looked at afterwards"
LEASE = "nothing is begun without the lease"
FENCE = "nothing is written past the fence"
ONE_JOB = "one job per cluster"
ORDER = "steps run in the plan's order, acts in the guide's"
ENDS = "every job ends or waits for people"
EVENTS = "events are numbered without gaps"
SECRETS = "no secret is told"
AGREED = "nothing is done before people agreed and its time has come"
WINDOWS = "a job begins, and under enforcement goes on, in its windows only"
GIVEN_BACK = "a worker that is asked to end leaves no job behind"
CALM = "a job that nothing disturbs succeeds"
AGREEMENT = "members agree at the end, or the job says what is wrong"
TRUTH = "what a job says is done is done"
WORDS = "a failure has a code, a message and a remedy"
SOUND = "the engine makes no mistake of its own"


@dataclass(frozen=True, slots=True)
class Breach:
    """One broken law."""

    law: str
    seen: str

    def __str__(self) -> str:
        return f"{self.law}: {self.seen}"


@dataclass
class Ledger:
    """The record of one run."""

    breaches: list[Breach] = field(default_factory=list)
    checks: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)
    """Everything that was done to a peer or went wrong, in order: equal for equal seeds."""
    _looked: set[tuple[str, str]] = field(default_factory=set)

    def hold(self, law: str, good: bool, seen: str) -> None:
        """Look at a law once."""
        self.checks[law] += 1
        if not good:
            self.breaches.append(Breach(law, seen))
            self.trace.append(f"BREACH {law}: {seen}")

    def struck(self, trouble: str, where: str) -> None:
        """A trouble came about."""
        self.troubles[trouble] += 1
        self.trace.append(f"trouble {trouble} {where}")

    def looked(self, job_id: str, step: str) -> None:
        """A step's look came back."""
        self._looked.add((job_id, step))

    def acts(self, job_id: str, step: str) -> None:
        """A step is about to act."""
        seen = (job_id, step)
        self.hold(LOOK_FIRST, seen in self._looked, f"{job_id} {step}")
        self._looked.discard(seen)

    def done(self, job_id: str, step: str) -> None:
        """A step that acted is written down as done."""
        self.hold(READ_BACK, (job_id, step) in self._looked, f"{job_id} {step}")


@dataclass(frozen=True, slots=True)
class Deed:
    """One act of a job upon a peer, as the peer sees it."""

    peer: str
    what: str


@dataclass(frozen=True, slots=True)
class Precedence:
    """Of one procedure: nothing that matches `later` happens before something matched `earlier`.

    Patterns are matched against `role: deed`, the role being `new` for the peer the job names,
    `primary` for the cluster's primary (which `create-cluster` names) and `member` for the others.
    """

    slug: str
    earlier: str
    later: str
    requirement: str


GUIDE_ORDER = (
    Precedence("create-cluster", "primary: CreateBackup", "primary: .*Maintenance", "NEW-M-02"),
    Precedence("create-cluster", "primary: .*Mode=On", "primary: write .*Peer 1 A", "NEW-M-26"),
    Precedence("create-cluster", "primary: SetPreSharedKey", "primary: restart", "NEW-M-36"),
    Precedence("create-cluster", "primary: write .*Peer 1 A", "primary: restart", "NEW-M-44"),
    Precedence("create-cluster", "primary: restart", "primary: .*Maintenance Mode=Off", "NEW-F-04"),
    Precedence("add-peer", "new: CreateBackup", "new: DefaultValuesSet", "ADD-X-02"),
    Precedence("add-peer", "new: .*Maintenance Mode=On", "primary: write .*Peer", "ADD-X-20"),
    Precedence("add-peer", "primary: write .*Peer", "member: write .*Peer", "ADD-N-01"),
    Precedence("add-peer", "primary: write .*Peer", "new: DefaultValuesSet", "ADD-J-01"),
    Precedence("add-peer", "new: DefaultValuesSet", "new: write .*Peer", "ADD-J-13"),
    Precedence("add-peer", "new: SetPreSharedKey", "new: restart", "ADD-J-15"),
    Precedence("add-peer", "new: write .*Peer", "new: .*Maintenance Mode=Off", "ADD-X-21"),
)  # fmt: skip


def out_of_order(slug: str, deeds: Sequence[Deed], roles: dict[str, str]) -> list[str]:
    """Where deeds of a job broke the guide's order; restarts before the list are alarms' own."""
    lines = [f"{roles.get(deed.peer, 'other')}: {deed.what}" for deed in deeds]
    found = []
    for rule in GUIDE_ORDER:
        if rule.slug != slug:
            continue
        for line in lines:
            if re.match(rule.earlier, line):
                break
            if re.match(rule.later, line):
                found.append(f"{line} before {rule.earlier} ({rule.requirement})")
                break
    return found
