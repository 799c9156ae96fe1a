"""What is kept of a job as evidence, as storage and services hand it to each other."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


class Moment(enum.StrEnum):
    """When a job's peers were observed."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class TranscriptRow:
    """An entry as it is kept. `hash` covers the entry before it and this `body`."""

    seq: int
    body: Mapping[str, Any]
    hash: str


@dataclass(frozen=True, slots=True)
class JobObservation:
    """What one peer said of itself when a job began or ended, as JSON; or why it said nothing.

    `late`: taken when the job had ended already and may have let its cluster go.
    """

    job_id: str
    moment: Moment
    peer_id: str
    observed_at: datetime
    view: Mapping[str, Any]
    late: bool = False


class EvidenceStore(Protocol):
    """Where evidence is kept. Raises EngineError where the database is away."""

    async def observe(self, observations: Sequence[JobObservation]) -> None:
        """Keep these; a later look of the same moment takes the place of an earlier one."""
        ...

    async def observations(self, job_id: str) -> tuple[JobObservation, ...]:
        """All of a job, those before it first."""
        ...

    async def unobserved(self, age: float, limit: int) -> tuple[str, ...]:
        """Jobs that ended longer ago than `age` seconds and lack their last look, oldest first."""
        ...


class TranscriptReader(Protocol):
    """Reads transcripts."""

    async def page(self, job_id: str, after: int, limit: int) -> tuple[TranscriptRow, ...]:
        """Entries behind a number, in order."""
        ...
