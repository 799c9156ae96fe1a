"""What services need of the world: storage, the engine's wake-ups, appliances.

Every method of a repository works inside the transaction it was obtained from. Absent rows are
None; what a constraint forbids is raised as a Problem.
"""
# ruff: noqa: D102 - a repository's `add`, `get`, `page` and `remove` say all there is to say

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from app.domain.neighbour import Neighbour
from app.domain.observation import View
from app.domain.settings import PeerSettings
from app.domain.terms import Label, Policy
from app.engine.ports import JobDesk
from app.security.keys import ApiKey
from app.security.trail import Deed, Written
from app.services.audit_records import Broken, Sought
from app.services.bulk_records import BulkJobs
from app.services.records import (
    Backup,
    Credential,
    Once,
    Page,
    PlanEntry,
    PlanFilter,
    RegisteredCluster,
    RegisteredNeighbour,
    RegisteredPeer,
    RegisteredWindow,
    SoftwareImage,
    StoredPlan,
)
from app.services.schedule_records import Schedules
from app.services.sealed_records import SealedValues
from app.services.webhook_records import DeliveryLog, Subscriptions

NewId = Callable[[str], str]
"""A new id for a kind of resource: `new_id("peer")`; ids sort in the order they were made."""

Probe = Callable[[str, int, float], Awaitable[str]]
"""host, port, seconds -> the host key (OpenSSH) or certificate (PEM) presented there."""


class Credentials(Protocol):
    """The vault's rows."""

    async def add(self, credential: Credential) -> None: ...
    async def get(self, credential_id: str, *, lock: bool = False) -> Credential | None: ...
    async def page(self, after: str | None, limit: int) -> Page[Credential]: ...
    async def rotate(self, credential: Credential) -> None: ...
    async def remove(self, credential_id: str) -> None: ...
    async def used_by(self, credential_id: str) -> Sequence[str]:
        """Ids of the peers and clusters that refer to it."""
        ...

    async def shared(self, credential_id: str) -> bool:
        """Whether a peer or cluster that the caller does not reach refers to it."""
        ...

    async def rejected(self, endpoint: str, credential_id: str, version: int) -> bool:
        """Whether that endpoint declined this version of the credential before."""
        ...

    async def mark_rejected(
        self, endpoint: str, credential_id: str, version: int, at: datetime
    ) -> None:
        """Remember that the endpoint declined it; saying so twice changes nothing."""
        ...


class Peers(Protocol):
    """Registered peers."""

    async def add(self, peer: RegisteredPeer) -> None: ...
    async def get(self, peer_id: str, *, lock: bool = False) -> RegisteredPeer | None: ...
    async def all(self) -> Sequence[RegisteredPeer]: ...
    async def page(self, after: str | None, limit: int) -> Page[RegisteredPeer]: ...
    async def replace(self, peer: RegisteredPeer) -> None: ...
    async def remove(self, peer_id: str) -> None: ...


class Clusters(Protocol):
    """Registered clusters and their members."""

    async def add(self, cluster: RegisteredCluster) -> None: ...
    async def get(self, cluster_id: str, *, lock: bool = False) -> RegisteredCluster | None: ...
    async def page(
        self, after: str | None, limit: int, labels: Sequence[Label] = ()
    ) -> Page[RegisteredCluster]:
        """Clusters that have all of these labels."""
        ...

    async def labelled(self, labels: Iterable[Label]) -> frozenset[str]:
        """Ids of the clusters that have all of these labels now.

        Also of those that were deleted, because their jobs stay readable.
        """
        ...

    async def some(self, cluster_ids: Sequence[str]) -> Sequence[RegisteredCluster]:
        """Those of these clusters that are there."""
        ...

    async def describe(
        self, cluster_id: str, labels: Sequence[Label], policy: Policy
    ) -> RegisteredCluster:
        """Write labels and policy anew. Raises LookupError where the cluster is gone."""
        ...

    async def remove(self, cluster_id: str, at: datetime) -> None: ...
    async def memberships(self) -> Mapping[str, str]:
        """Peer id -> cluster id."""
        ...

    async def record_members(
        self, cluster_id: str, members: Sequence[str], primary_id: str | None
    ) -> None: ...
    async def attach_pre_shared_key(self, cluster_id: str, credential_id: str) -> None: ...


class Plans(Protocol):
    """Plans as they were promised."""

    async def add(self, plan: StoredPlan) -> None: ...
    async def get(self, plan_id: str) -> StoredPlan | None: ...
    async def latest(self, cluster_id: str, procedure: str, digest: str) -> StoredPlan | None: ...
    async def page(
        self, wanted: PlanFilter, now: datetime, before: str | None, limit: int
    ) -> Page[PlanEntry]:
        """Some plans, newest first, behind an id; their states as they are `now`."""
        ...


class ApiKeys(Protocol):
    """API keys by their public prefix."""

    async def add(self, key: ApiKey) -> None: ...
    async def find(self, prefix: str) -> ApiKey | None:
        """The key of that prefix, present or before its rotation."""
        ...

    async def get(self, key_id: str, *, lock: bool = False) -> ApiKey | None:
        """One key; with `lock` nobody else changes any key before the transaction ends."""
        ...

    async def page(self, after: str | None, limit: int) -> Page[ApiKey]: ...
    async def all(self) -> Sequence[ApiKey]: ...
    async def replace(self, key: ApiKey) -> None: ...
    async def revoke(self, key_id: str, at: datetime) -> None: ...
    async def used(self, key_id: str, at: datetime) -> None:
        """Write down when the key was last used, to the minute."""
        ...

    async def claim_first(self) -> bool:
        """True for exactly one caller ever: the one that may hand out the first key."""
        ...


class AuditTrail(Protocol):
    """Who did what to what: append-only, each row hanging on the one before it."""

    async def append(self, deed: Deed) -> None:
        """Write it down; to be the last statement of its transaction."""
        ...

    async def page(self, sought: Sought, before: int | None, limit: int) -> Page[Written]:
        """Some rows, newest first; `next` is the number of the last one."""
        ...

    async def verify(self) -> tuple[int, str] | Broken:
        """Number and hash of the last row where the chain is whole; else where it breaks."""
        ...

    async def hash_at(self, seq: int) -> str | None:
        """The hash of one row, None where there is none."""
        ...


class Remembered(Protocol):
    """What idempotency keys led to."""

    async def claim(self, once: Once) -> bool:
        """Take the key until the transaction ends; False where another request has it."""
        ...

    async def find(self, once: Once, not_before: datetime) -> tuple[str, str] | None:
        """(payload digest, resource id) of an earlier request; older ones are forgotten."""
        ...

    async def add(self, once: Once, resource_id: str, at: datetime) -> None: ...


class Backups(Protocol):
    """Finished backups of jobs; half-written ones are not among them."""

    async def of_job(self, job_id: str) -> Sequence[Backup]: ...

    def read(self, backup_id: str) -> AsyncIterator[bytes]:
        """The plain bytes, piece by piece, outside any transaction of the caller."""
        ...


class Neighbours(Protocol):
    """Devices whose zones name a cluster."""

    async def add(self, neighbour: RegisteredNeighbour) -> None: ...
    async def get(self, neighbour_id: str, *, lock: bool = False) -> RegisteredNeighbour | None: ...
    async def of_cluster(self, cluster_id: str) -> Sequence[Neighbour]: ...
    async def page(
        self, cluster_id: str, after: str | None, limit: int
    ) -> Page[RegisteredNeighbour]: ...
    async def replace(self, neighbour: RegisteredNeighbour) -> None:
        """Write what callers say of it, and the version. Raises Problem `name-taken`."""
        ...

    async def lose_peer(self, peer_id: str) -> None:
        """Those that name this Expressway name none from now on, which is a change of each."""
        ...

    async def remove(self, neighbour_id: str) -> None: ...


class Windows(Protocol):
    """Windows and change freezes."""

    async def add(self, window: RegisteredWindow) -> None: ...
    async def get(self, window_id: str, *, lock: bool = False) -> RegisteredWindow | None: ...
    async def page(self, after: str | None, limit: int) -> Page[RegisteredWindow]: ...
    async def replace(self, window: RegisteredWindow) -> None: ...
    async def remove(self, window_id: str) -> None: ...
    async def named(self, window_ids: Sequence[str]) -> Sequence[RegisteredWindow]:
        """Those of the ids that exist; none of them is deleted until the transaction ends."""
        ...

    async def freezes(self) -> Sequence[RegisteredWindow]:
        """All windows that close every cluster."""
        ...

    async def used_by(self, window_id: str) -> Sequence[str]:
        """Ids of the clusters whose policy names it and of unended jobs that run in it."""
        ...


class Images(Protocol):
    """The software images that lie ready for upgrades."""

    async def all(self) -> Sequence[SoftwareImage]: ...
    async def sizes(self) -> Mapping[str, int]:
        """Name -> bytes."""
        ...


class Transaction(Protocol):
    """All repositories over one database transaction."""

    @property
    def credentials(self) -> Credentials: ...
    @property
    def peers(self) -> Peers: ...
    @property
    def clusters(self) -> Clusters: ...
    @property
    def neighbours(self) -> Neighbours: ...
    @property
    def windows(self) -> Windows: ...
    @property
    def schedules(self) -> Schedules: ...
    @property
    def bulk_jobs(self) -> BulkJobs: ...
    @property
    def plans(self) -> Plans: ...
    @property
    def keys(self) -> ApiKeys: ...
    @property
    def audit(self) -> AuditTrail: ...
    @property
    def remembered(self) -> Remembered: ...
    @property
    def subscriptions(self) -> Subscriptions: ...
    @property
    def deliveries(self) -> DeliveryLog: ...
    @property
    def sealed(self) -> SealedValues: ...
    @property
    def jobs(self) -> JobDesk:
        """What people do with jobs; creating one wakes the engine when this transaction commits."""
        ...


class Store(Protocol):
    """Where everything is kept."""

    def transaction(
        self, *, beyond_reach: bool = False
    ) -> AbstractAsyncContextManager[Transaction]:
        """One unit of work: committed when the block ends well, else undone whole.

        What a caller's request changed in it is written to the audit trail with it.

        Whoever acts (app.security.acting) finds only what their key reaches, as if there were
        nothing else. `beyond_reach` is for what the service must know whoever asks: what is around
        a cluster when a plan is made, and how a peer is reached that was found within reach. Such a
        transaction is the service's own, and tells the audit trail only what it is told to.
        """
        ...

    async def ready(self) -> bool:
        """Whether the database answers and has the schema this code expects."""
        ...


class EventFeed(Protocol):
    """Tells a reader that a job may have new events. May wake too often, never too seldom."""

    def watch(self, job_id: str) -> AbstractAsyncContextManager[Callable[[float], Awaitable[None]]]:
        """Gives a function that waits for news, or for that many seconds."""
        ...

    @property
    def closing(self) -> bool:
        """The process is about to end: nobody should wait for news any longer."""
        ...


class Appliances(Protocol):
    """Registered peers as the service reaches them."""

    async def observe(self, peer_id: str) -> View:
        """What the peer says of itself now; why not, as a value. Raises only when cancelled."""
        ...

    async def settings(self, peer_id: str, name: str) -> PeerSettings | None:
        """The peer's whole configuration now; None where it cannot be read."""
        ...

    async def capabilities(self, peer_id: str) -> frozenset[str]:
        """What the peer's transports can do together; nothing is connected for this."""
        ...

    async def round_trips(
        self, peer_id: str, addresses: Sequence[str]
    ) -> Mapping[str, float | None]:
        """Milliseconds from the peer to each address; None where nothing answered.

        What could not be measured is missing. Asked only of peers that have the capability.
        """
        ...
