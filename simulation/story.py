"""What one run is about, drawn from its seed before anything happens: fleet, change and troubles.

A story is plain data and can be printed; playing it is `simulation.world`. What cannot be known
beforehand (which parameters make a plan, how long an operator takes) is drawn while it is played,
from the same seed.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulation.rehearsal import CLUSTER, KEY
from simulation.waiting import NOTHING_ASKED, Waits, draw_waits
from transports.mock.faults import Fault, FaultKind


class TroubleKind(enum.StrEnum):
    """What happens to workers, database, network and peers, beside the faults of devices."""

    WORKER_KILLED = "worker killed"
    """At its `at`-th crossing of the place `target`: before or behind a call to the world."""
    WORKER_FROZEN = "worker frozen"
    """At such a crossing, for `lasts` seconds."""
    LEASE_TAKEN = "lease taken from a living worker"
    """At such a crossing: wrongly taken for dead, it goes on while others have its jobs."""
    JOURNAL_SILENT = "journal did not answer"
    """At the `at`-th write: not written, or (`lasts` above 0) written and not confirmed."""
    WAKE_UP_LOST = "wake-up lost"
    WAKE_UP_DOUBLED = "wake-up delivered twice"
    CLOCK_JUMP = "clock jump"
    """`at` seconds into the job, by `lasts` seconds, forward or back; of `target`."""
    LINK_CUT = "link cut"
    """`at` seconds into the job, for `lasts` seconds; `target` and another, or the service."""
    POWER_LOST = "power lost"
    PAUSED = "paused by people"
    CANCELLED = "cancelled by people"
    WORKER_ENDS = "worker asked to end"
    """At a crossing, as when it is killed: it gives its jobs back first."""
    ALL_RESTARTED = "every worker restarted"
    """`at` seconds into the job: all are killed, and nobody is there for `lasts` seconds."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One of them; what `at`, `lasts` and `target` mean depends on the kind."""

    kind: TroubleKind
    at: float
    lasts: float = 0.0
    target: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """A run, before it is played. `members` of the fleet are in a healthy cluster already."""

    seed: int
    scenario: Mapping[str, Any]
    members: tuple[str, ...]
    slugs: tuple[str, ...]
    """Procedures in the order in which they are tried until one makes a plan."""
    faults: tuple[Fault, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    clocks: tuple[float, ...] = ()
    """By how many seconds the clocks of the workers are ahead, in turn; none: all agree."""
    attested: bool = True
    """Operators' statements come with the request, not later."""
    waits: Waits = NOTHING_ASKED
    """What is asked of the job beside its plan."""

    @property
    def calm(self) -> bool:
        """Nothing goes wrong and nobody interferes: such a job has to succeed."""
        troubled = self.faults or self.troubles or any(self.clocks) or self.waits != NOTHING_ASKED
        return not troubled

    def __str__(self) -> str:
        lines = [f"seed {self.seed}: fleet of {len(self.scenario['expressways'])}"]
        lines += [f"  in the cluster: {', '.join(self.members) or 'none'}"]
        lines += [
            f"  {fault.kind} {fault.peer} {fault.matching!r} {fault}" for fault in self.faults
        ]
        lines += [f"  clocks of workers ahead by {self.clocks}"] if any(self.clocks) else []
        lines += [f"  {t.kind} at {t.at:g} for {t.lasts:g} {t.target}" for t in self.troubles]
        return "\n".join([*lines, *filter(None, [str(self.waits)])])


CALM_SHARE = 0.1
ENDINGS = (TroubleKind.WORKER_ENDS, TroubleKind.ALL_RESTARTED)
_CLOCK_ERRORS = (0.0, 0.0, 0.0, 0.0, 2.0, -2.0, 135.0, -135.0)
"""Seconds; of machines whose time nobody keeps."""
_OCCASIONS = (
    "", "", "", "", "xStatus", "xConfiguration", "Alternates", "DefaultValuesSet",
    "DefaultLinksAdd", "web clustering", "web restart", "web backup", "Maintenance", "DNS",
    "Uptime",
)  # fmt: skip
_DEVICE_FAULTS = (
    FaultKind.DROP_BEFORE,
    FaultKind.DROP_BEFORE,
    FaultKind.DROP_AFTER,
    FaultKind.DROP_AFTER,
    FaultKind.DROP_AT_BYTE,
    FaultKind.DELAY,
    FaultKind.WRONG_ANSWER,
    FaultKind.IGNORED_WRITE,
    FaultKind.RESTART_HANGS,
    FaultKind.REPLICATION_STUCK,
    FaultKind.CALL_NEVER_ENDS,
    FaultKind.BAN,
    FaultKind.DISK_FULL,
)
_CROSSINGS = (30, 100, 300)
"""Jobs have between twenty and some hundred crossings; a trouble beyond the last cannot strike."""
_JOB_SECONDS = (30.0, 300.0, 1500.0)
_WRITES = (10, 70)
PLACES = ("behind journal record", "before a write", "behind a write", "RestartSystem", "registry")
"""Crossings at which more can go wrong than at others."""


def draw_story(seed: int, slugs: Sequence[str]) -> Story:
    """The story of a seed; `slugs` are the procedures there are."""
    draw = random.Random(f"story/{seed}")  # noqa: S311 - repeatable on purpose
    size = draw.choice((1, 2, 2, 3, 3, 3, 3, 4))
    names = [f"exp{n}" for n in range(1, size + 1)]
    members = tuple(names[: draw.choice((0, *range(1, size + 1), max(1, size - 1)))])
    order = list(slugs)
    draw.shuffle(order)
    devices = [_device(draw, n, name) for n, name in enumerate(names, start=1)]
    scenario: dict[str, Any] = {"expressways": devices}
    if members:
        scenario["clusters"] = [{"name": CLUSTER, "key": KEY, "members": list(members)}]
    calm = draw.random() < CALM_SHARE
    return Story(
        seed=seed,
        scenario=scenario,
        members=members,
        slugs=tuple(order),
        faults=() if calm else _faults(draw, names),
        troubles=() if calm else (*_troubles(draw, names), *_endings(seed)),
        clocks=() if calm else _clocks(seed),
        attested=draw.random() < 0.7,
        waits=NOTHING_ASKED if calm else draw_waits(seed),
    )


def _clocks(seed: int) -> tuple[float, ...]:
    draw = random.Random(f"clocks/{seed}")  # noqa: S311 - repeatable on purpose
    return tuple(draw.choice(_CLOCK_ERRORS) for _ in range(4))


def _endings(seed: int) -> tuple[Trouble, ...]:
    """Workers that end or start anew; drawn apart, as `simulation.waiting`."""
    draw = random.Random(f"endings/{seed}")  # noqa: S311 - repeatable on purpose
    kinds = draw.choice(
        (
            (),
            (TroubleKind.WORKER_ENDS,),
            (TroubleKind.WORKER_ENDS, TroubleKind.WORKER_ENDS),
            (TroubleKind.ALL_RESTARTED,),
            (TroubleKind.ALL_RESTARTED, TroubleKind.ALL_RESTARTED, TroubleKind.WORKER_ENDS),
        )
    )
    return tuple(_trouble(draw, kind, ()) for kind in kinds)


def _device(draw: random.Random, number: int, name: str) -> dict[str, Any]:
    device: dict[str, Any] = {"name": name, "address": f"192.0.2.{10 + number}"}
    if draw.random() < 0.3:
        device["calls"] = [draw.randint(10, 900) for _ in range(draw.randint(1, 3))]
    if draw.random() < 0.2:
        device["accounts"] = ["alice", "bob"][: draw.randint(1, 2)]
    if draw.random() < 0.2:
        device["zones"] = [{"name": "to-cucm", "peers": ["192.0.2.200"]}]
    return device


def _faults(draw: random.Random, names: Sequence[str]) -> tuple[Fault, ...]:
    return tuple(
        Fault(
            draw.choice(_DEVICE_FAULTS),
            draw.choice(["*", *names]),
            matching=draw.choice(_OCCASIONS),
            occurrence=draw.randint(1, draw.choice((3, 12))),
            times=draw.choice((1, 1, 1, 2, 5)),
            value=float(draw.choice((0, 5, 45, 200, 400))),
        )
        for _ in range(draw.choice((0, 1, 1, 2, 3, 5)))
    )


def _troubles(draw: random.Random, names: Sequence[str]) -> tuple[Trouble, ...]:
    """One to five troubles, so that a run has one at least."""
    kinds = list(TroubleKind)[: -len(ENDINGS)]
    weights = [6, 7, 3, 3, 2, 3, 2, 3, 2, 1, 1]
    chosen = draw.choices(kinds, weights, k=draw.choice((1, 1, 2, 2, 3, 5)))
    return tuple(_trouble(draw, kind, names) for kind in chosen)


def _trouble(draw: random.Random, kind: TroubleKind, names: Sequence[str]) -> Trouble:
    moment = draw.uniform(0, draw.choice(_JOB_SECONDS))
    crossing = float(draw.randint(1, draw.choice(_CROSSINGS)))
    match kind:
        case (
            TroubleKind.WORKER_KILLED
            | TroubleKind.LEASE_TAKEN
            | TroubleKind.WORKER_FROZEN
            | TroubleKind.WORKER_ENDS
        ):
            place = draw.choice(("", "", *PLACES))
            number = crossing if not place else float(draw.randint(1, draw.choice((2, 10))))
            return Trouble(kind, number, draw.choice((1.0, 8.0, 12.0, 60.0, 400.0, 3000.0)), place)
        case TroubleKind.JOURNAL_SILENT:
            return Trouble(
                kind, float(draw.randint(1, draw.choice(_WRITES))), float(draw.choice((0, 1)))
            )
        case TroubleKind.WAKE_UP_LOST | TroubleKind.WAKE_UP_DOUBLED:
            return Trouble(kind, float(draw.randint(1, draw.choice((3, 60)))))
        case TroubleKind.CLOCK_JUMP:
            by = draw.choice((-7200.0, -90.0, -5.0, 5.0, 90.0, 7200.0))
            return Trouble(kind, moment, by, draw.choice(("worker-1", "worker-2", "database")))
        case TroubleKind.LINK_CUT:
            lasts = draw.choice((2.0, 30.0, 200.0, 900.0))
            return Trouble(kind, moment, lasts, draw.choice(list(names)))
        case TroubleKind.POWER_LOST:
            lasts = draw.choice((10.0, 120.0, 900.0))
            return Trouble(kind, moment, lasts, draw.choice(list(names)))
        case TroubleKind.ALL_RESTARTED:
            return Trouble(kind, moment, draw.choice((0.5, 5.0, 60.0, 900.0)))
        case TroubleKind.PAUSED:
            return Trouble(kind, moment, draw.uniform(1, 900))
        case TroubleKind.CANCELLED:
            return Trouble(kind, moment)
