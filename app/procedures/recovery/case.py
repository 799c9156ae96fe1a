"""All that the search for ways out knows of an ended job, and the questions it asks of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.domain.cluster import Cluster
from app.domain.job import JobState, StepRecord, StepState
from app.domain.observation import View
from app.domain.plan import Plan
from app.procedures.recovery.clusters import Clustered
from app.procedures.recovery.standing import PeerStanding, Standing

_OVER = frozenset({StepState.DONE, StepState.SKIPPED})


@dataclass(frozen=True, slots=True)
class Ended:
    """What is asked about: an ended job."""

    job_id: str
    state: JobState
    plan: Plan
    steps: tuple[StepRecord, ...]

    @property
    def over(self) -> frozenset[str]:
        """The keys of the steps that are done or were not needed."""
        return frozenset(record.key for record in self.steps if record.state in _OVER)

    def touched(self, peer_id: str) -> bool:
        """Whether a step of the job acted on the peer."""
        acted = {record.key for record in self.steps if record.acted_at is not None}
        return any(step.key in acted and step.peer_id == peer_id for step in self.plan.steps)


@dataclass(frozen=True, slots=True)
class Case:
    """An ended job, the cluster as registered now and as aimed at, and what the peers say now."""

    job: Ended
    cluster: Cluster
    before: Clustered
    aimed: Clustered
    peers: tuple[PeerStanding, ...]
    standing: Standing
    views: Mapping[str, View]

    @property
    def missing(self) -> tuple[PeerStanding, ...]:
        """The peers that do not answer."""
        return tuple(peer for peer in self.peers if not peer.reached)

    @property
    def recorded(self) -> bool:
        """Whether the job has recorded a change of members already."""
        recording = [s.key for s in self.job.plan.steps if s.kind.startswith("record-")]
        return not self.job.over.isdisjoint(recording)

    @property
    def members(self) -> tuple[PeerStanding, ...]:
        """The registered members that answer."""
        return tuple(peer for peer in self.peers if peer.reached and self.is_member(peer))

    @property
    def gone(self) -> tuple[PeerStanding, ...]:
        """The registered members that do not answer."""
        return tuple(peer for peer in self.missing if self.is_member(peer))

    def is_member(self, peer: PeerStanding) -> bool:
        """Whether the peer is a member as registered now."""
        return peer.peer_id in self.before.members

    @property
    def needed(self) -> set[str]:
        """The peers that steps still to be done talk to."""
        over = self.job.over
        needed: set[str] = set()
        for step in self.job.plan.steps:
            if step.key in over or step.kind == "out-of-service":
                continue
            own = {step.peer_id} if step.peer_id else set()
            if step.kind.startswith("restart"):
                own |= set(self.before.members)
            words = ("heard",) if "heard" in step.params else ("members", "former")
            for word in (*words, "others", "answering", "after"):
                own |= {peer for peer in step.params.get(word, ()) if isinstance(peer, str)}
            needed |= own - set(step.params.get("out_of_service", ()))
        return needed
