"""A schedule, what became of its occurrences, and what is asked of storage for them."""
# ruff: noqa: D102 - a repository's `add`, `get` and `page` say all there is to say

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from app.domain.timing import Timing
from app.services.records import Page


class ScheduleState(enum.StrEnum):
    """Where a schedule stands."""

    ACTIVE = "active"
    PAUSED = "paused"
    STOPPED = "stopped"
    """For good; it stays readable."""


class RunOutcome(enum.StrEnum):
    """What became of one occurrence."""

    STARTED = "started"
    SKIPPED = "skipped"
    """It came too late, or the job before had not ended."""
    REFUSED = "refused"
    """The start was refused as any start might be; `code` is the problem's."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A start request that is carried out at its times, in the name of who made it."""

    id: str
    name: str
    cluster_id: str
    procedure: str
    parameters: Mapping[str, Any]
    """JSON of the procedure's parameters. They name credentials by id and hold no secret."""
    timing: Timing
    grace: float
    """Seconds an occurrence may be late and still be carried out."""
    change: Mapping[str, Any] | None
    owner_id: str
    scopes: tuple[str, ...]
    """What the owner held when the schedule was made."""
    clusters: tuple[str, ...] | None
    """What the owner was limited to then; None: nothing."""
    state: ScheduleState
    version: int
    created_at: datetime
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class ScheduleRun:
    """What became of one occurrence; there is one for each at most."""

    schedule_id: str
    at: datetime
    outcome: RunOutcome
    decided_at: datetime
    job_id: str | None = None
    code: str = ""
    detail: str = ""


class Schedules(Protocol):
    """All schedules."""

    async def add(self, schedule: Schedule) -> None: ...
    async def get(self, schedule_id: str, *, lock: bool = False) -> Schedule | None: ...
    async def page(
        self, cluster_id: str | None, after: str | None, limit: int
    ) -> Page[Schedule]: ...
    async def set_state(
        self, schedule_id: str, state: ScheduleState, next_at: datetime | None
    ) -> None:
        """Change the state and when it is due; one more version."""
        ...

    async def take_due(self, owner: str, now: datetime, until: datetime) -> Schedule | None:
        """An active schedule that is due and in nobody's hands; in `owner`'s until then."""
        ...

    async def finish(self, owner: str, run: ScheduleRun, next_at: datetime | None) -> bool:
        """Write what became of the occurrence and when the next one is.

        False, and nothing is written, where another process has it by now.
        """
        ...

    async def put_off(self, owner: str, schedule_id: str, until: datetime) -> None:
        """Leave it to whoever comes first after that time, where it is still in our hands."""
        ...

    async def runs(
        self, schedule_id: str, before: datetime | None, limit: int
    ) -> Sequence[ScheduleRun]:
        """What became of its occurrences, newest first."""
        ...
