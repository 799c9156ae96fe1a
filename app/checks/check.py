"""What a check is to the report: its name, what it cites, and about whom it speaks."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from app.checks import access
from app.domain.finding import Finding
from app.domain.observation import Observation
from app.domain.peer import Peer
from app.domain.procedure import Situation


class Scope(enum.StrEnum):
    """Whether a check is about one peer or about all of them together."""

    PEER = "peer"
    CLUSTER = "cluster"


class Concern(enum.StrEnum):
    """Which peers a check is about."""

    ALL = "all"
    MEMBERS = "members"
    CANDIDATES = "candidates"


STATEMENT_LASTS = timedelta(days=90)
"""A judgement, not from the guide: networks change, and nobody tells this service."""


@dataclass(frozen=True, slots=True)
class Stated:
    """What an operator stated at a gate of one of the cluster's jobs."""

    statement: str
    by: str
    at: datetime
    job_id: str


@dataclass(frozen=True, slots=True)
class Subject:
    """A cluster with its members and the peers that are to join it, and what was observed of them.

    `certificates` are the ends of the certificates pinned for the peers; `lost_since` the moments
    when contact to members was lost, where they are on record; `stated` by gate what operators
    stated last.
    """

    situation: Situation
    candidates: tuple[str, ...] = ()
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    certificates: Mapping[str, datetime] = field(default_factory=dict)
    lost_since: Mapping[str, datetime] = field(default_factory=dict)
    stated: Mapping[str, Stated] = field(default_factory=dict)

    @property
    def members(self) -> tuple[str, ...]:
        """Ids of the members in the order of the peer list."""
        return tuple(peer.id for peer in self.situation.cluster.members)

    @property
    def ids(self) -> tuple[str, ...]:
        """Members, then candidates."""
        return tuple(dict.fromkeys((*self.members, *self.candidates)))

    @property
    def everyone(self) -> list[Observation]:
        """The observations of all of them that answered."""
        return [seen for i in self.ids if (seen := self.observed(i)) is not None]

    @property
    def present_members(self) -> list[Observation]:
        """The observations of the members that answered."""
        return [seen for i in self.members if (seen := self.observed(i)) is not None]

    def observed(self, peer_id: str) -> Observation | None:
        """The peer's observation, or None."""
        return self.situation.observed(peer_id)

    def peer(self, peer_id: str) -> Peer:
        """The registered peer."""
        return self.situation.peers[peer_id]

    def word_for(self, finding: Finding) -> Stated | None:
        """An operator's statement of just this, about just these peers, not too long ago."""
        said = self.stated.get(finding.code)
        if said is None or self.now - said.at > STATEMENT_LASTS:
            return None
        return said if finding.remedy in said.statement else None

    def name(self, peer_id: str) -> str:
        """What people call it."""
        return self.peer(peer_id).name


OnPeer = Callable[[Subject, Observation], Iterable[Finding]]
OnCluster = Callable[[Subject], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """One entry. `needs_all`: peers that do not answer leave it unknown."""

    key: str
    title: str
    cites: tuple[str, ...]
    on_peer: OnPeer | None = None
    on_cluster: OnCluster | None = None
    concern: Concern = Concern.ALL
    needs_all: bool = True
    without_observation: bool = False

    @property
    def scope(self) -> Scope:
        """About one peer, or about all."""
        return Scope.CLUSTER if self.on_peer is None else Scope.PEER

    def concerns(self, subject: Subject, peer_id: str) -> bool:
        """Whether the check is about this peer."""
        match self.concern:
            case Concern.MEMBERS:
                return peer_id in subject.members
            case Concern.CANDIDATES:
                return peer_id not in subject.members
            case _:
                return True

    def applies(self, subject: Subject) -> bool:
        """Whether a check of the cluster has anything to look at."""
        return bool(subject.members if self.concern is Concern.MEMBERS else subject.ids)

    def run_on_peer(self, subject: Subject, peer_id: str) -> Iterable[Finding]:
        """The findings about one peer."""
        if self.without_observation:
            return access.readable(subject.situation.views.get(peer_id), peer_id)
        seen = subject.observed(peer_id)
        return () if self.on_peer is None or seen is None else self.on_peer(subject, seen)

    def run_on_cluster(self, subject: Subject) -> Iterable[Finding]:
        """The findings about all peers together."""
        return () if self.on_cluster is None else self.on_cluster(subject)
