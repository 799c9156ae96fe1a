"""Resources as services and storage hand them to each other.

Domain objects with what the registry adds: a row version, times, access paths.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from app.domain.cluster import Cluster
from app.domain.neighbour import Neighbour
from app.domain.peer import Peer
from app.domain.plan import Plan, PlanState
from app.domain.terms import Label, Policy
from app.domain.window import Window

T = TypeVar("T")


class CredentialKind(enum.StrEnum):
    """What a secret is for."""

    PASSWORD = "password"  # noqa: S105 - the name of a kind, not a password
    PRE_SHARED_KEY = "pre_shared_key"


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret in the vault. Everything but `sealed` may be shown."""

    id: str
    name: str
    kind: CredentialKind
    username: str
    sealed: bytes = field(repr=False)
    fingerprint: str
    version: int
    created_at: datetime
    rotated_at: datetime

    @staticmethod
    def context(credential_id: str) -> str:
        """What the sealed value is bound to."""
        return f"credential:{credential_id}"


class TrustKind(enum.StrEnum):
    """What proves an endpoint's identity."""

    HOST_KEY = "host_key"
    CERTIFICATE = "certificate"
    CA_BUNDLE = "ca_bundle"


@dataclass(frozen=True, slots=True)
class TrustAnchor:
    """`value` is OpenSSH public key text or PEM. Public, so it may be shown."""

    kind: TrustKind
    value: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class PeerEndpoint:
    """One access path to a peer."""

    transport: str
    host: str
    port: int
    credential_id: str
    trust: TrustAnchor | None
    options: Mapping[str, str] = field(default_factory=dict)
    root_credential_id: str | None = None

    @property
    def key(self) -> str:
        """What a rejected credential is remembered for: `ssh 192.0.2.11 22`."""
        return f"{self.transport} {self.host} {self.port}"


@dataclass(frozen=True, slots=True)
class RegisteredPeer:
    """A peer and how it is reached. `cluster_id`: the cluster it is registered in, if any."""

    peer: Peer
    endpoints: tuple[PeerEndpoint, ...]
    version: int
    created_at: datetime
    cluster_id: str | None = None


@dataclass(frozen=True, slots=True)
class RegisteredCluster:
    """A cluster as registered."""

    cluster: Cluster
    pre_shared_key_id: str | None
    version: int
    created_at: datetime
    labels: tuple[Label, ...] = ()
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class RegisteredNeighbour:
    """A neighbour as registered."""

    neighbour: Neighbour
    version: int
    created_at: datetime


class WindowKind(enum.StrEnum):
    """What a window is for."""

    WINDOW = "window"
    """Opens for the clusters whose policy names it."""
    BLACKOUT = "blackout"
    """Closes every cluster while it lasts: a change freeze."""


@dataclass(frozen=True, slots=True)
class RegisteredWindow:
    """A window as registered."""

    id: str
    kind: WindowKind
    window: Window
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A plan with the facts it was made from, by peer: what a later difference is told from."""

    plan: Plan
    observations: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """A plan as a list shows it, without its steps."""

    id: str
    cluster_id: str
    procedure: str
    digest: str
    state: PlanState
    created_at: datetime
    expires_at: datetime
    requested_by: str


@dataclass(frozen=True, slots=True)
class PlanFilter:
    """Which plans; None is any."""

    cluster_id: str | None = None
    procedure: str | None = None
    state: PlanState | None = None


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished backup of a job; its bytes are read piece by piece."""

    id: str
    job_id: str
    peer_id: str
    step_key: str
    file_name: str
    size: int
    sha256: str
    created_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SoftwareImage:
    """A software image in the image folder; `size` in bytes."""

    name: str
    size: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Once:
    """An `Idempotency-Key` with what it stands for: who sent what to where."""

    principal: str
    method: str
    path: str
    key: str
    payload_digest: str


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items and where the next ones begin; None: these were the last."""

    items: tuple[T, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What a creation led to. `replayed`: an earlier request with the same key had made it."""

    value: T
    replayed: bool = False
