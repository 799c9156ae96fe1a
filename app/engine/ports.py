"""What the engine asks of its surroundings.

`Journal` is the truth about jobs: whatever it has confirmed survives a crash of everything else.
`Wakeups` only makes workers look at jobs sooner; losing a wake-up delays a job and never loses it,
because the sweeper finds every job that should have one. `Equip` lends a runner what steps use.
Two journals and two wake-up queues exist: in memory (app.engine.memory) and on PostgreSQL
(app.storage.journal, app.engine.procrastinate_queue).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from app.appliance.appliance import Appliance
from app.domain.job import Attestation, Event, StepFailure, StepRecord
from app.domain.terms import Decision
from app.engine.records import (
    Flags,
    JobFilter,
    JobRecord,
    Lease,
    Leave,
    NewEvent,
    NewJob,
    Page,
    Wait,
)
from app.engine.skipping import Skip
from app.procedures.base import (
    BackupStore,
    Handler,
    NameLookups,
    NoImages,
    NoNames,
    Registry,
    SoftwareImages,
)


class Journal(Protocol):
    """The durable record of jobs, steps and events. Each call is one transaction."""

    async def claim(self, job_id: str, owner: str) -> JobRecord | None:
        """Take the job up as `owner`; None where it is not to be taken up now."""

    async def record(
        self,
        lease: Lease,
        step: StepRecord,
        events: Sequence[NewEvent] = (),
        wait: Wait | None = None,
    ) -> Flags:
        """Write a step and events; with `wait` the job counts as waiting, without as running.

        Raises LeaseLost, and writes nothing, where the lease is no longer good.
        """

    async def leave(self, lease: Lease, leave: Leave) -> JobRecord:
        """Give the job back; an end frees its cluster and starts the next in line.

        Raises LeaseLost, and writes nothing, where the lease is no longer good.
        """

    async def take_over(self, leases: Sequence[Lease], owner: str) -> Sequence[JobRecord]:
        """Give jobs of workers that are gone to `owner`, each under a new epoch.

        Gives back those it got: their lease was as given still, and nobody else was at them.
        """

    async def load(self, job_id: str) -> JobRecord:
        """The job. Raises NoSuchJob."""


class JobDesk(Protocol):
    """What people do with jobs. The services' side of the same journal."""

    async def create(self, new: NewJob, *, queue: bool = False) -> JobRecord:
        """A new job with its steps, first event and wake-up.

        Raises ClusterBusy or PeerBusy unless `queue`, which puts it behind the other.
        """

    async def load(self, job_id: str) -> JobRecord:
        """The job. Raises NoSuchJob."""

    async def list_jobs(
        self, wanted: JobFilter, *, cursor: str | None = None, limit: int = 50
    ) -> Page:
        """Jobs, newest first. Raises ValueError on a cursor that is not ours."""

    async def unended(self, cluster_id: str) -> str | None:
        """A job of that cluster that has not ended, in line or at work; None where none is."""

    async def holder_of(self, peer_id: str) -> str | None:
        """The job that holds that peer; nobody else takes it until the transaction ends."""

    async def demand(self, lease: Lease) -> None:
        """Keep the lease good until the transaction ends, for a write beside the journal.

        Raises LeaseLost where it is no longer good.
        """

    async def events(self, job_id: str, *, after: int = 0, limit: int = 1000) -> tuple[Event, ...]:
        """Events with a number greater than `after`, in order. Raises NoSuchJob."""

    async def attest(self, job_id: str, attestation: Attestation) -> JobRecord:
        """Record an operator's statement; a job that waits for it goes on.

        Raises NoSuchGate, and IllegalTransition where the job has ended or the statement is made.
        """

    async def request_cancel(self, job_id: str, *, by: str, reason: str = "") -> JobRecord:
        """Stop at the next safe point. Asking twice is asking once. Raises IllegalTransition."""

    async def request_pause(self, job_id: str, *, by: str) -> JobRecord:
        """Wait at the next safe point, cluster held. Raises IllegalTransition."""

    async def resume(self, job_id: str, *, by: str) -> JobRecord:
        """End a hold. What the job's terms ask for stays. Raises IllegalTransition."""

    async def decide(self, job_id: str, decision: Decision) -> JobRecord:
        """Record what an approver says; the job goes on, waits for more of them, or ends.

        Raises DecisionRefused where it does not count.
        """

    async def retry(self, job_id: str, *, by: str) -> JobRecord:
        """Try a failed or unsettled job again from its step. Raises IllegalTransition, Held."""

    async def skip(self, job_id: str, skip: Skip) -> JobRecord:
        """Set aside the step it stands at. Raises IllegalTransition, SkipRefused, Held."""


class Wakeups(Protocol):
    """The queue behind the engine, in four calls."""

    async def wake(self, job_id: str, at: float = 0.0) -> None:
        """Have a worker call `advance` in `at` seconds, instead of any wake-up still to come."""

    async def abort(self, job_id: str) -> None:
        """Interrupt an `advance` of that job where one is under way; the job stays to be done."""

    async def run(self, concurrency: int) -> None:
        """Serve wake-ups until cancelled."""

    async def stats(self) -> Mapping[str, int]:
        """How many wake-ups wait (`waiting`) and are being served (`running`)."""


async def _nothing(job: JobRecord) -> None:
    """Nothing is to be done at the end."""


async def _as_planned(_: JobRecord) -> StepFailure | None:
    """Nobody looks whether the world is still as the plan found it."""
    return None


@dataclass(frozen=True, slots=True)
class Tools:
    """What the steps of one job use."""

    appliances: Callable[[str], Awaitable[Appliance]]
    """By peer id; keeps one session per peer."""
    registry: Registry
    backups: BackupStore
    images: SoftwareImages = field(default_factory=NoImages)
    names: NameLookups = field(default_factory=NoNames)
    ending: Callable[[JobRecord], Awaitable[None]] = _nothing
    """Called once where the job is about to end, while it still holds its peers. Bounds its own
    time and raises nothing but EngineError."""
    drift: Callable[[JobRecord], Awaitable[StepFailure | None]] = _as_planned
    """Asked before the first step of a job, while it holds its peers: why it must not begin, since
    what its plan relies on has changed; None: nothing has. Raises NotSent where it cannot tell yet,
    and EngineError."""


Equip = Callable[[JobRecord], AbstractAsyncContextManager[Tools]]
"""Lends tools while a worker has the job; leaving closes every session."""

Handlers = Mapping[str, Handler]
"""Step handlers by kind."""

LeaseCheck = Callable[[], None]
"""Raises LeaseLost where this worker's last good beat is too old to act on."""


class Seal(Protocol):
    """Encrypts what lies in the database; the context binds a piece to its place."""

    def seal(self, plain: bytes, context: str) -> bytes:
        """Encrypted and authenticated."""

    def open(self, sealed: bytes, context: str) -> bytes:
        """The plain bytes. Raises where the piece or the context is not the sealed one."""
