"""What a procedure starts from and what it produces (the procedures: app.procedures)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.domain.cluster import Cluster
from app.domain.dns import DnsView
from app.domain.finding import Finding
from app.domain.neighbour import Neighbour
from app.domain.observation import Observation, View
from app.domain.peer import Peer
from app.domain.plan import Impact, Stage


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything a plan may rely on: the registry and what was observed just now.

    `views` holds every peer the procedure named, every member, and every other registered peer that
    answered (the guide asks about "other Expressways anywhere in the organization", NEW-O-01).
    `capabilities` are the names of what the peer's transports can do.
    """

    cluster: Cluster
    peers: Mapping[str, Peer]
    views: Mapping[str, View]
    capabilities: Mapping[str, frozenset[str]]
    memberships: Mapping[str, str] = field(default_factory=dict)
    """Peer id -> id of the cluster it is registered in."""
    dns: DnsView | None = None
    """What the peers' own name servers said; None where they were not asked."""
    round_trips: Mapping[tuple[str, str], float | None] = field(default_factory=dict)
    """(from, to) by peer id -> milliseconds; None where nothing answered; absent: not measured."""
    images: Mapping[str, int] = field(default_factory=dict)
    """Name -> bytes of the software images that lie ready for upgrades."""
    neighbours: tuple[Neighbour, ...] = ()
    """Registered devices whose zones name this cluster."""
    pre_shared_key_known: bool = True
    """Whether the vault holds the cluster's pre-shared key."""

    def observed(self, peer_id: str) -> Observation | None:
        """The peer's observation, or None where it could not be read."""
        view = self.views.get(peer_id)
        return view if isinstance(view, Observation) else None

    def can(self, peer_id: str, capability: str) -> bool:
        """Whether one of the peer's transports has the capability."""
        return capability in self.capabilities.get(peer_id, frozenset())


@dataclass(frozen=True, slots=True)
class Draft:
    """What a procedure makes of a situation; the planning service turns it into a Plan."""

    stages: tuple[Stage, ...]
    findings: tuple[Finding, ...]
    impact: tuple[Impact, ...] = ()
    back_out: tuple[str, ...] = ()
    relies_on: Mapping[str, str] = field(default_factory=dict)
    """Peer id -> digest of the facts the plan relies on."""
