"""What is kept of a job as evidence, as storage and services hand it to each other."""

from __future__ import annotations

import enum
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from app.domain.job import Event
from app.security.signing import SigningKey


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
class ChainedEvent:
    """An event with its hash, and the text of the row that was hashed."""

    event: Event
    hashed: str
    hash: str

    @classmethod
    def read(cls, job_id: str, told: Mapping[str, Any]) -> ChainedEvent:
        """The event as a document tells it."""
        at = datetime.fromisoformat(told["at"])
        event = Event(job_id, told["seq"], at, told["type"], told["data"])
        return cls(event, told["hashed"], told["hash"])


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


@dataclass(frozen=True, slots=True)
class Sealed:
    """The kept document of a job that ended, compressed, and where its events ended then."""

    job_id: str
    made_at: datetime
    digest: str
    key_id: str
    event_seq: int
    event_hash: str
    document: bytes = field(repr=False)
    pruned: bool = False
    """Whether rows it was made from are gone."""

    @property
    def sections(self) -> Mapping[str, Any]:
        """What is in it."""
        document: Mapping[str, Any] = json.loads(zlib.decompress(self.document))
        sections: Mapping[str, Any] = document["sections"]
        return sections


@dataclass(frozen=True, slots=True)
class RetentionHold:
    """Nothing of this job is pruned, whatever its age."""

    job_id: str
    reason: str
    held_by: str
    """The principal that put it."""
    held_at: datetime


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

    async def events(self, job_id: str, after: int, limit: int) -> list[ChainedEvent]:
        """Events behind a number with their hashes, in order."""
        ...

    async def sealed(self, job_id: str) -> Sealed | None:
        """The kept document."""
        ...

    async def unsealed(self, age: float, limit: int) -> tuple[str, ...]:
        """Jobs that ended longer ago than `age` seconds and are not sealed as they are now."""
        ...

    async def keep(self, sealed: Sealed) -> None:
        """Keep a document, in place of an earlier one of the job."""
        ...

    async def keys(self) -> tuple[SigningKey, ...]:
        """All signing keys, oldest first."""
        ...

    async def first_key(self, key: SigningKey) -> tuple[SigningKey, ...]:
        """Keep this key unless there is one already; all keys."""
        ...

    async def add_key(self, key: SigningKey) -> None:
        """Keep one more key."""
        ...


class TranscriptReader(Protocol):
    """Reads transcripts."""

    async def page(self, job_id: str, after: int, limit: int) -> tuple[TranscriptRow, ...]:
        """Entries behind a number, in order."""
        ...
