"""What watching keeps of a cluster, and what it asks of storage.

A turn is the right of one process to watch one cluster for a while: a row that names its owner and
the time until which it holds, both by the database's clock. Who takes too long loses its turn, and
what it would have written is not written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

Facts = Mapping[str, Mapping[str, str]]
"""Peer id -> fact -> text."""

FINDING_RAISED = "cluster.finding.raised"
FINDING_CHANGED = "cluster.finding.changed"
FINDING_CLEARED = "cluster.finding.cleared"
ALARM_RAISED = "cluster.alarm.raised"
ALARM_CLEARED = "cluster.alarm.cleared"
STATE_ACCEPTED = "cluster.state.accepted"


@dataclass(frozen=True, slots=True)
class Standing:
    """Something that is wrong and was told of. `body` is JSON: the finding, or the alarm.

    `kind` is `finding`, `alarm`, or `silence` for a finding about a peer that could not be read.
    """

    key: str
    kind: str
    peer_id: str | None
    body: Mapping[str, Any]
    first_seen: datetime | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """How a cluster is watched. `interval` in seconds: None is the service's, 0 is not at all."""

    cluster_id: str
    interval: float | None = None
    version: int = 1
    next_at: datetime | None = None
    last_at: datetime | None = None
    accepted: Facts | None = None
    accepted_at: datetime | None = None
    accepted_by: str = ""
    last_event_seq: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """One process' right to watch one cluster now."""

    owner: str
    watch: Watch
    standing: Mapping[str, Standing] = field(default_factory=dict)

    @property
    def cluster_id(self) -> str:
        """The cluster."""
        return self.watch.cluster_id


@dataclass(frozen=True, slots=True)
class NewClusterEvent:
    """An event to be written; storage gives it its number and time."""

    type: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ClusterEvent:
    """A numbered row of a cluster: append-only, `seq` from 1 without gaps."""

    cluster_id: str
    seq: int
    at: datetime
    type: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Passed:
    """What one look came to. `accept`: what was seen becomes the accepted state, and by whom."""

    standing: Sequence[Standing]
    events: Sequence[NewClusterEvent]
    facts: Facts
    healthy: bool
    accept: str | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """A time in which every look saw the same facts and findings."""

    seq: int
    first_at: datetime
    last_at: datetime
    passes: int
    healthy: bool
    facts: Facts
    findings: Sequence[str]
    """Keys of what stood."""


class Watches(Protocol):
    """The watching of all clusters. Each call is a transaction of its own."""

    async def take_turn(self, owner: str, *, default: float, hold: float) -> Turn | None:
        """A cluster that is due, for `hold` seconds; None where none is. `default` interval: s."""
        ...

    async def finish(self, turn: Turn, passed: Passed, *, next_in: float, keep: float) -> bool:
        """Write what a look came to, and give the turn back; False where the turn was lost.

        Then nothing is written. History and events older than `keep` seconds go.
        """
        ...

    async def give_back(self, turn: Turn, *, next_in: float) -> None:
        """End a turn in which nothing was seen."""
        ...

    async def get(self, cluster_id: str) -> Watch:
        """How the cluster is watched; the defaults where nobody looked yet."""
        ...

    async def standing(self, cluster_id: str) -> tuple[Standing, ...]:
        """What stands, oldest first."""
        ...

    async def set_interval(self, cluster_id: str, seconds: float | None, version: int) -> bool:
        """Change the interval; False where the version is not the present one."""
        ...

    async def accept(self, cluster_id: str, facts: Facts, by: str) -> None:
        """Make these facts the accepted state."""
        ...

    async def events(self, cluster_id: str, after: int, limit: int) -> tuple[ClusterEvent, ...]:
        """Events behind a number, in order."""
        ...

    async def history(self, cluster_id: str, before: int, limit: int) -> tuple[Period, ...]:
        """Periods with a number less than `before` (0: all), newest first."""
        ...
