"""After a job that did not succeed: where the cluster stands now, and which ways lead out.

A pure decision over the plan, what its steps have come to, the registry and what the peers say
now. It never guesses what the job did: the peers' own answers are compared with the cluster as it
was registered before the job and with the cluster the job aimed at. The ways are ready requests in
order of preference; whether one of them is blocked just now only its own plan can tell, so whoever
shows them plans each one.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.domain.cluster import Cluster
from app.domain.job import JobState, StepRecord, StepState
from app.domain.observation import Observation, View
from app.domain.peer import Peer
from app.domain.plan import Plan

_OVER = frozenset({StepState.DONE, StepState.SKIPPED})


class Standing(enum.StrEnum):
    """Where a peer, or the whole cluster, stands."""

    BEFORE = "as_before"
    """As registered before the job."""
    AIMED = "as_aimed"
    """As the job wanted it."""
    BETWEEN = "in_between"
    UNKNOWN = "unknown"
    """No peer could be read."""


class Direction(enum.StrEnum):
    """Where a way leads."""

    FORWARD = "forward"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class Request:
    """A request ready to be sent to this service."""

    method: str
    path: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WayOut:
    """One way to a consistent cluster. `procedure` is "" for a retry of the job itself."""

    direction: Direction
    procedure: str
    title: str
    reason: str
    requirements: tuple[str, ...]
    request: Request


@dataclass(frozen=True, slots=True)
class PeerStanding:
    """One peer against the two clusters: what differs, and what the job left switched."""

    peer_id: str
    name: str
    reached: bool
    standing: Standing
    differs_from_before: tuple[str, ...] = ()
    differs_from_aimed: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a person needs at night: the state, peer by peer, and the ways out, best first."""

    standing: Standing
    summary: str
    peers: tuple[PeerStanding, ...]
    ways: tuple[WayOut, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """What is asked about: an ended job."""

    job_id: str
    state: JobState
    plan: Plan
    steps: tuple[StepRecord, ...]


@dataclass(frozen=True, slots=True)
class Clustered:
    """A cluster as its members show it; no addresses: the peer is on its own."""

    name: str = ""
    addresses: tuple[str, ...] = ()
    primary: str | None = None
    members: tuple[str, ...] = field(default=(), compare=False)

    def differences(self, seen: Observation) -> tuple[str, ...]:
        """How the peer's own answer differs, in words."""
        now = seen.clustering
        if not self.addresses:
            listed = ", ".join(now.addresses)
            return (f"lists the peers {listed}; should list none",) if listed else ()
        wanted = {
            "cluster name": (now.cluster_name, self.name),
            "peer list": (", ".join(now.addresses), ", ".join(self.addresses)),
            "primary": (now.primary_address or "", self.primary or ""),
        }
        return tuple(
            f"{what} is {is_ or 'empty'}; should be {should or 'empty'}"
            for what, (is_, should) in wanted.items()
            if is_ != should
        )


ALONE = Clustered()


def registered(cluster: Cluster) -> Clustered:
    """The cluster as the registry has it."""
    primary = cluster.primary
    return Clustered(
        cluster.name,
        tuple(peer.address for peer in cluster.members),
        None if primary is None else primary.address,
        tuple(peer.id for peer in cluster.members),
    )


def aimed_at(plan: Plan, before: Clustered) -> Clustered:
    """The cluster the plan wanted to record; the one before, where it records none."""
    for step in reversed(plan.steps):
        if step.kind == "record-members":
            wanted = step.params
            return Clustered(
                str(wanted.get("cluster_name", before.name)),
                tuple(wanted.get("addresses", ())),
                wanted.get("primary_address"),
                tuple(wanted["members"]),
            )
        if step.kind == "record-disbanded":
            return Clustered(before.name)
    return before


def recover(
    job: Ended,
    cluster: Cluster,
    peers: Mapping[str, Peer],
    views: Mapping[str, View],
    slugs: Collection[str],
) -> Recovery:
    """Where the cluster stands after `job`, and the ways out; `slugs` are procedures on offer.

    `cluster` is the registry now; `views` are fresh and hold every peer of `involved`.
    """
    before = registered(cluster)
    aimed = aimed_at(job.plan, before)
    standings = tuple(
        _peer(peers[peer_id], views.get(peer_id), before, aimed, _touched(job, peer_id))
        for peer_id in involved(job.plan, cluster)
        if peer_id in peers
    )
    standing = _together(standings)
    case = _Case(job, cluster, before, aimed, standings, standing, views)
    ways = tuple(
        way for find in _WAYS for way in find(case) if not way.procedure or way.procedure in slugs
    )
    return Recovery(standing, _summary(case), standings, _without_repeats(ways))


def involved(plan: Plan, cluster: Cluster) -> tuple[str, ...]:
    """The peers to look at: members first, then whoever a step of the plan names."""
    members = [peer.id for peer in cluster.members]
    named = [step.peer_id for step in plan.steps if step.peer_id is not None]
    aimed = [
        peer_id
        for step in plan.steps
        if step.kind == "record-members"
        for peer_id in step.params["members"]
    ]
    return tuple(dict.fromkeys([*members, *named, *aimed]))


@dataclass(frozen=True, slots=True)
class _Case:
    job: Ended
    cluster: Cluster
    before: Clustered
    aimed: Clustered
    peers: tuple[PeerStanding, ...]
    standing: Standing
    views: Mapping[str, View]

    @property
    def missing(self) -> tuple[PeerStanding, ...]:
        return tuple(peer for peer in self.peers if not peer.reached)

    @property
    def recorded(self) -> bool:
        """Whether the job has recorded a change of members already."""
        over = {record.key for record in self.job.steps if record.state in _OVER}
        return any(s.key in over for s in self.job.plan.steps if s.kind.startswith("record-"))

    def member(self, peer: PeerStanding) -> bool:
        return peer.peer_id in self.before.members

    @property
    def needed(self) -> set[str]:
        """The peers that steps still to be done talk to."""
        over = {record.key for record in self.job.steps if record.state in _OVER}
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

    def path(self, slug: str) -> str:
        return f"/v1/clusters/{self.job.plan.cluster_id}/procedures/{slug}"

    def procedure(  # noqa: PLR0917 - private, and named like the fields it fills
        self,
        direction: Direction,
        slug: str,
        title: str,
        reason: str,
        requirements: str,
        body: Mapping[str, Any] | None = None,
    ) -> WayOut:
        request = Request("POST", self.path(slug), dict(body or {}))
        return WayOut(direction, slug, title, reason, tuple(requirements.split()), request)


def _touched(job: Ended, peer_id: str) -> bool:
    acted = {record.key for record in job.steps if record.acted_at is not None}
    return any(step.key in acted and step.peer_id == peer_id for step in job.plan.steps)


def _peer(
    peer: Peer, view: View | None, before: Clustered, aimed: Clustered, touched: bool
) -> PeerStanding:
    if not isinstance(view, Observation):
        return PeerStanding(peer.id, peer.name, reached=False, standing=Standing.UNKNOWN)
    was = before if peer.id in before.members else ALONE
    wanted = aimed if peer.id in aimed.members else ALONE
    from_before, from_aimed = was.differences(view), wanted.differences(view)
    standing = Standing.BETWEEN
    if not from_before:
        standing = Standing.BEFORE
    elif not from_aimed:
        standing = Standing.AIMED
    left: list[str] = []
    if touched and view.maintenance_mode:
        left.append("maintenance mode is On")
    if view.restart_required:
        left.append("an alarm demands a restart")
    return PeerStanding(
        peer.id,
        peer.name,
        reached=True,
        standing=standing,
        differs_from_before=from_before,
        differs_from_aimed=from_aimed,
        left_over=tuple(left),
    )


def _together(peers: Sequence[PeerStanding]) -> Standing:
    reached = [peer for peer in peers if peer.reached]
    if not reached:
        return Standing.UNKNOWN
    if not any(peer.differs_from_before for peer in reached):
        return Standing.BEFORE
    if not any(peer.differs_from_aimed for peer in reached):
        return Standing.AIMED
    return Standing.BETWEEN


def _summary(case: _Case) -> str:
    said = {
        Standing.BEFORE: "The peers that answer are clustered as before the job.",
        Standing.AIMED: "The peers that answer are clustered as the job wanted it.",
        Standing.BETWEEN: "The peers are between the cluster before the job and the one wanted.",
        Standing.UNKNOWN: "No peer of the job could be read.",
    }[case.standing]
    if case.missing and case.standing is not Standing.UNKNOWN:
        said += f" Not reached: {', '.join(peer.name for peer in case.missing)}."
    left = [f"{peer.name}: {what}" for peer in case.peers for what in peer.left_over]
    return f"{said} Left over: {'; '.join(left)}." if left else said


def _retry(case: _Case) -> Iterator[WayOut]:
    """Go on with the job itself, where it failed and everybody it needs answers."""
    if case.job.state is JobState.FAILED and not case.needed & {p.peer_id for p in case.missing}:
        yield _retry_way(
            case, "Every peer the job still needs answers; a step looks before it acts again."
        )


def _retry_later(case: _Case) -> Iterator[WayOut]:
    if case.job.state is JobState.FAILED and case.needed & {p.peer_id for p in case.missing}:
        names = ", ".join(peer.name for peer in case.missing)
        yield _retry_way(case, f"Once {names} answers again: the job goes on where it stopped.")


def _retry_way(case: _Case, reason: str) -> WayOut:
    step = next((r.key for r in case.job.steps if r.state not in _OVER), "")
    cites = next((s.requirements for s in case.job.plan.steps if s.key == step), ())
    request = Request("POST", f"/v1/jobs/{case.job.job_id}/retry", {})
    title = f"Retry the job at {step}" if step else "Retry the job"
    return WayOut(Direction.FORWARD, "", title, reason, cites, request)


def _dead_member(case: _Case) -> Iterator[WayOut]:
    """Members are gone: the cluster without them, under another primary where it was the primary.

    All of them at once: while one is still listed the others cannot agree.
    """
    gone = [peer for peer in case.missing if case.member(peer)]
    there = [peer for peer in case.peers if peer.reached and case.member(peer)]
    if not gone or not there:
        return
    names = ", ".join(peer.name for peer in gone)
    body: dict[str, Any] = {"peer_ids": [peer.peer_id for peer in gone]}
    title = f"Remove {names} from the cluster"
    if case.cluster.primary_id in body["peer_ids"]:
        body["new_primary_peer_id"] = there[0].peer_id
        title = f"Make {there[0].name} the primary and remove {names} from the cluster"
    yield case.procedure(
        Direction.BACK,
        "remove-dead-peer",
        title,
        f"{names} does not answer; if that is for good, the cluster can do without it.",
        "RMD-01 RMD-08",
        body,
    )


def _align(case: _Case) -> Iterator[WayOut]:
    """Members differ from the registry: bring their clustering pages back to it."""
    wrong = [p for p in case.peers if p.reached and case.member(p) and p.differs_from_before]
    if not wrong:
        return
    names = ", ".join(peer.name for peer in wrong)
    gone = [peer.peer_id for peer in case.missing if case.member(peer)]
    there = [peer.peer_id for peer in case.peers if peer.reached and case.member(peer)]
    body: dict[str, Any] = {"out_of_service_peer_ids": gone} if gone else {}
    if case.cluster.primary_id in gone:
        body["new_primary_peer_id"] = there[0]
    if any(_keyless(case.views.get(peer.peer_id)) for peer in case.peers if case.member(peer)):
        body["enter_pre_shared_key"] = True
    yield case.procedure(
        Direction.BACK,
        "align-clustering",
        f"Bring System > Clustering of {names} back to the registered cluster"
        + (", without who does not answer" if gone else ""),
        "; ".join(f"{peer.name}: {what}" for peer in wrong for what in peer.differs_from_before),
        "ALM-19 ALM-20",
        body,
    )


def _keyless(view: View | None) -> bool:
    return isinstance(view, Observation) and view.clustering.pre_shared_key_set is False


def _half_added(case: _Case) -> Iterator[WayOut]:
    """A peer that is no member lists the cluster's peers: take the cluster out of it again."""
    for peer in case.peers:
        if peer.reached and not case.member(peer) and peer.differs_from_before:
            yield case.procedure(
                Direction.BACK,
                "recover-removed-peer",
                f"Bring {peer.name} back to a stand-alone Expressway",
                f"{peer.name} is no member and {peer.differs_from_before[0]}.",
                "RMD-R-01",
                {"peer_id": peer.peer_id},
            )


def _maintenance(case: _Case) -> Iterator[WayOut]:
    for peer in case.peers:
        if any("maintenance mode" in what for what in peer.left_over):
            yield case.procedure(
                Direction.BACK,
                "maintenance-mode",
                f"Set maintenance mode of {peer.name} to Off",
                f"{peer.name} takes no new calls.",
                "NEW-F-04",
                {"peer_ids": [peer.peer_id], "enabled": False},
            )


def _again(case: _Case) -> Iterator[WayOut]:
    """The same procedure once more, planned from what is so now."""
    if case.standing is Standing.BEFORE and not case.recorded:
        plan = case.job.plan
        yield case.procedure(
            Direction.FORWARD,
            plan.procedure,
            "Plan and run the same procedure again",
            "The cluster is as before the job; a new plan starts from what is so now.",
            "",
            plan.parameters,
        )


def _rest(case: _Case) -> Iterator[WayOut]:
    """A composite was left between its parts: bring in who was to be a member in the end."""
    if case.standing is not Standing.BEFORE or not case.recorded:
        return
    for peer in case.peers:
        if peer.reached and peer.peer_id in case.aimed.members and not case.member(peer):
            yield case.procedure(
                Direction.FORWARD,
                "add-peer",
                f"Add {peer.name}, the part of the job that is still to be done",
                f"{peer.name} is to be a member and is not one yet.",
                "ADD-01",
                {"peer_id": peer.peer_id},
            )


_WAYS: tuple[Callable[[_Case], Iterator[WayOut]], ...] = (
    _retry,
    _align,
    _dead_member,
    _half_added,
    _maintenance,
    _again,
    _rest,
    _retry_later,
)


def _without_repeats(ways: Sequence[WayOut]) -> tuple[WayOut, ...]:
    seen: dict[str, WayOut] = {}
    for way in ways:
        seen.setdefault(f"{way.request.path} {sorted(way.request.body.items())!r}", way)
    return tuple(seen.values())
