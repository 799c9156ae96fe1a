"""A bulk job: the same procedure on many clusters, in waves, until too many have failed.

A wave begins when every child of the wave before it has ended, and no child begins once as many did
not succeed as the caller allows. A child that did not succeed is one that was refused, failed or
was cancelled: whatever the reason, somebody should look before the same is done to more clusters.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

MOST_CLUSTERS = 500
"""So many clusters at most are in one bulk job."""


class BulkState(enum.StrEnum):
    """Where a bulk job stands."""

    RUNNING = "running"
    STOPPING = "stopping"
    """No child begins any more; those under way go on to their end."""
    SUCCEEDED = "succeeded"
    """Every child did."""
    FAILED = "failed"
    """Some child did not succeed, or was not begun."""
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing will happen any more."""
        return self not in {BulkState.RUNNING, BulkState.STOPPING}


class ChildState(enum.StrEnum):
    """Where a cluster of a bulk job stands."""

    PENDING = "pending"
    """Its turn has not come."""
    STARTED = "started"
    """Its job is there and has not ended: at work, in line, or waiting for people or times."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    """Its start was refused, and no job was made: a finding forbids it, or the cluster is busy."""
    NOT_STARTED = "not_started"
    """It was not begun, because the bulk job was stopped before its turn."""


UNSUCCESSFUL = frozenset({ChildState.FAILED, ChildState.CANCELLED, ChildState.REFUSED})
"""What counts towards the failures that stop a bulk job."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a child or a whole bulk job did not go on, in words for people."""

    code: str
    message: str
    remedy: str = ""
    items: tuple[Mapping[str, Any], ...] = ()
    """What was found, where a start was refused."""


@dataclass(frozen=True, slots=True)
class Child:
    """One cluster of a bulk job. `position` and `wave` count from 1."""

    cluster_id: str
    position: int
    wave: int
    state: ChildState = ChildState.PENDING
    job_id: str | None = None
    plan_id: str | None = None
    trouble: Trouble | None = None
    decided_at: datetime | None = None
    """When its job began, and then when it ended."""


class StopCode(enum.StrEnum):
    """Why no child begins any more."""

    TOO_MANY_FAILURES = "too-many-failures"
    CANCELLED = "cancelled"
    FORBIDDEN = "forbidden"
    """Whoever started it may not run jobs any more."""


@dataclass(frozen=True, slots=True)
class Stop:
    """That no child begins any more, and why."""

    code: StopCode
    message: str
    at: datetime
    by: str = ""
    by_name: str = ""
    cancel_running: bool = False
    """Whether the jobs that are under way are cancelled, each at its next safe point."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many children stand where."""

    by_state: Mapping[ChildState, int] = field(default_factory=dict)

    @classmethod
    def of(cls, children: Sequence[Child]) -> Counts:
        """The counts of these children."""
        return cls(Counter(child.state for child in children))

    def __getitem__(self, state: ChildState) -> int:
        return self.by_state.get(state, 0)

    @property
    def unsuccessful(self) -> int:
        """How many have ended, or never begun to work, without success."""
        return sum(self[state] for state in UNSUCCESSFUL)

    @property
    def total(self) -> int:
        """All children."""
        return sum(self.by_state.values())


def in_waves(cluster_ids: Sequence[str], wave_size: int) -> tuple[Child, ...]:
    """The children of these clusters, in this order."""
    return tuple(
        Child(cluster_id, place + 1, place // wave_size + 1)
        for place, cluster_id in enumerate(cluster_ids)
    )


def next_child(children: Sequence[Child]) -> Child | None:
    """The child whose turn it is; None: none is left, or its wave has to wait."""
    pending = [child for child in children if child.state is ChildState.PENDING]
    if not pending:
        return None
    first = min(pending, key=lambda child: child.position)
    before = (
        child for child in children if child.state is ChildState.STARTED and child.wave < first.wave
    )
    return None if any(before) else first


def end_of(children: Sequence[Child], stop: Stop | None) -> BulkState | None:
    """How a bulk job ends; None: it has not ended."""
    counts = Counts.of(children)
    if counts[ChildState.PENDING] or counts[ChildState.STARTED]:
        return None
    if counts[ChildState.SUCCEEDED] == counts.total:
        return BulkState.SUCCEEDED
    if stop is not None and stop.code is StopCode.CANCELLED:
        return BulkState.CANCELLED
    return BulkState.FAILED
