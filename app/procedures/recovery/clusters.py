"""The two clusters that peers are compared with: the one registered, and the one a job aimed at."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.domain.cluster import Cluster
from app.domain.observation import Observation
from app.domain.plan import Plan


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
            "peer list": (_listed(now.fields), _listed(self.addresses)),
            "primary": (now.primary_address or "", self.primary or ""),
        }
        return tuple(
            f"{what} is {is_ or 'empty'}; should be {should or 'empty'}"
            for what, (is_, should) in wanted.items()
            if is_ != should
        )


def _listed(fields: tuple[str, ...]) -> str:
    return ", ".join(field or "(empty)" for field in fields)


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
