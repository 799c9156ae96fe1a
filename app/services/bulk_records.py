"""A bulk job with its children, and what is asked of storage for them."""
# ruff: noqa: D102 - a repository's `add`, `get` and `page` say all there is to say

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from app.domain.bulk import BulkState, Child, Counts, Stop
from app.domain.job import JobState, StepFailure, WaitReason
from app.domain.terms import Label
from app.services.records import Page
from app.services.terms import TermsAsked


@dataclass(frozen=True, slots=True)
class Selector:
    """Which clusters: those with all of these labels, and those named by id as well."""

    labels: tuple[Label, ...] = ()
    cluster_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """What the start of every child says beside the procedure's parameters."""

    change: Mapping[str, Any] | None = None
    correlation: Mapping[str, Any] | None = None
    terms: TermsAsked = field(default_factory=TermsAsked)
    queue: bool = False
    """Wait in line where a cluster is busy, instead of counting it as refused."""


@dataclass(frozen=True, slots=True)
class ChildNow:
    """A child, and how its job stands now."""

    child: Child
    cluster_name: str
    job_state: JobState | None = None
    """None: no job was made, or it is no longer kept."""
    job_waits_for: WaitReason | None = None
    job_failure: StepFailure | None = None


@dataclass(frozen=True, slots=True)
class BulkJob:
    """One start request for many clusters, carried out in the name of who made it."""

    id: str
    procedure: str
    parameters: Mapping[str, Any]
    """JSON of the procedure's parameters."""
    selector: Selector
    wave_size: int
    stop_after: int
    """No child begins once so many did not succeed."""
    request: BulkRequest
    owner_id: str
    owner_name: str
    scopes: tuple[str, ...]
    """What the owner held when it was made."""
    clusters: tuple[str, ...] | None
    """What the owner was limited to then; None: nothing."""
    cluster_ids: tuple[str, ...]
    """Its clusters, in the order they are worked on."""
    counts: Counts
    state: BulkState
    stop: Stop | None
    version: int
    created_at: datetime
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BulkFilter:
    """Which bulk jobs to list; empty fields do not filter."""

    state: BulkState | None = None
    procedure: str = ""
    cluster_id: str = ""
    change_number: str | None = None


class BulkJobs(Protocol):
    """All bulk jobs. A writer has locked the bulk job before it touches a child."""

    async def add(self, bulk: BulkJob, children: Sequence[Child], due: datetime) -> None: ...
    async def get(self, bulk_id: str, *, lock: bool = False) -> BulkJob | None: ...
    async def page(self, wanted: BulkFilter, before: str | None, limit: int) -> Page[BulkJob]:
        """Some bulk jobs, newest first."""
        ...

    async def children(self, bulk_id: str) -> Sequence[ChildNow]:
        """Its children by position."""
        ...

    async def take_due(self, owner: str, now: datetime, until: datetime) -> BulkJob | None:
        """One that is due and in nobody's hands; in `owner`'s until then."""
        ...

    async def leave(self, owner: str, bulk_id: str, next_at: datetime) -> None:
        """Leave it to whoever comes first after that time, where it is still in our hands."""
        ...

    async def begin(self, bulk_id: str, child: Child) -> bool:
        """Write down that the child's job is made.

        False, and nothing is written, where the child is not pending any more, or as many children
        as are allowed have ended without success by now. It belongs in the transaction that makes
        the job: both are there or neither is.
        """
        ...

    async def settle(self, bulk_id: str, children: Sequence[Child]) -> None:
        """Write what became of children."""
        ...

    async def stop(self, bulk_id: str, stop: Stop, due: datetime) -> None:
        """Let no child begin any more: those that are pending never will. Due at that time."""
        ...

    async def finish(self, bulk_id: str, state: BulkState, at: datetime) -> None:
        """Write how it ended, and tell the subscriptions that want to know."""
        ...
