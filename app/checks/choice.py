"""Whether the peers a caller chose for an everyday procedure are members of the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from app.checks.findings import blocker
from app.domain.cluster import Cluster
from app.domain.finding import Finding


def chosen_members(
    cluster: Cluster, peer_ids: Iterable[str], requirement: str
) -> Iterator[Finding]:
    """Every chosen peer is a member; a cluster without members has nothing to choose from."""
    members = {member.id for member in cluster.members}
    if not members:
        yield blocker(
            "cluster-not-created",
            f"The cluster {cluster.name} has no members yet.",
            "Run create-cluster first.",
            requirement,
        )
        return
    for peer_id in peer_ids:
        if peer_id not in members:
            yield blocker(
                "not-a-member",
                f"The peer is no member of {cluster.name}.",
                "Choose members of this cluster; `GET /v1/clusters/{cluster_id}` lists them.",
                requirement,
                peer_id=peer_id,
            )


def somebody_serves(
    cluster: Cluster, in_maintenance: Sequence[str], chosen: Sequence[str], requirement: str
) -> Iterator[Finding]:
    """At least one member goes on taking calls while the chosen ones do not (UPG-M-10).

    `in_maintenance` are the ids of members that are in maintenance mode already.
    """
    away = {*in_maintenance, *chosen}
    if len(cluster.members) > 1 and all(member.id in away for member in cluster.members):
        yield blocker(
            "nobody-serves",
            f"No member of {cluster.name} would be left to take calls.",
            "Leave at least one member out, or switch maintenance mode off on one of the others.",
            requirement,
        )
