"""Whether members have the registered clustering settings, and may be brought into line (p.27)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from app.checks.findings import blocker, info
from app.domain.cluster import Cluster
from app.domain.finding import Finding
from app.domain.observation import Observation, View
from app.domain.peer import Peer

MISPLACED = {
    "cluster name": "ALM-01 ALM-02 ALM-03 ALM-04",
    "peer list": "ALM-18 ALM-19 ALM-20",
    "configuration master": "ALM-08",
}


def misplaced(cluster: Cluster, seen: Observation) -> tuple[str, ...]:
    """Which of the registered name, peer list and primary the member does not have."""
    now, primary = seen.clustering, cluster.primary
    addresses = tuple(peer.address for peer in cluster.members)
    wrong = {
        "cluster name": now.cluster_name != cluster.name,
        "peer list": now.addresses != addresses or now.has_holes,
        "configuration master": primary is None or now.primary_address != primary.address,
    }
    return tuple(name for name, is_wrong in wrong.items() if is_wrong)


def differing(cluster: Cluster, views: Mapping[str, View]) -> Iterator[Finding]:
    """What each member has otherwise than registered."""
    for member in cluster.members:
        seen = views.get(member.id)
        if not isinstance(seen, Observation):
            continue
        wrong = misplaced(cluster, seen)
        if wrong:
            yield info(
                "clustering-differs",
                f"{member.name} has another {', '.join(wrong)} than registered for {cluster.name}.",
                "The job brings System > Clustering into line.",
                " ".join(MISPLACED[name] for name in wrong),
                peer_id=member.id,
                evidence={
                    "cluster_name": seen.clustering.cluster_name,
                    "peers": ", ".join(seen.clustering.addresses),
                    "configuration_master": str(seen.clustering.primary_address),
                },
            )


def forced_on_a_non_primary(cluster: Cluster, peer: Peer) -> Iterator[Finding]:
    """The remedy is for a non-primary only (ALM-10, ALM-13)."""
    if peer.id == cluster.primary_id:
        yield blocker(
            "peer-is-primary",
            f"{peer.name} is the primary: a forced update there destroys the configuration of the"
            " cluster.",
            "Run it on the non-primary that has the alarm.",
            "ALM-10 ALM-13",
            peer_id=peer.id,
        )


def same_settings(cluster: Cluster, views: Mapping[str, View], *peers: Peer) -> Iterator[Finding]:
    """These members have the registered clustering settings (ALM-08, ALM-14)."""
    for peer in peers:
        seen = views.get(peer.id)
        if isinstance(seen, Observation) and (wrong := misplaced(cluster, seen)):
            yield blocker(
                "clustering-differs",
                f"{peer.name} has another {', '.join(wrong)} than registered for {cluster.name}.",
                "Run align-clustering first: a forced update does not mend the clustering page.",
                "ALM-08 ALM-14",
                peer_id=peer.id,
            )


def database_fails(seen: Observation) -> Iterator[Finding]:
    """The primary's own database is well (ALM-14, ALM-25)."""
    if any("database failure" in alarm.title.casefold() for alarm in seen.alarms):
        yield blocker(
            "database-failure",
            f"The database of {seen.label} has failed; its configuration cannot be relied on.",
            "See recover-database, with the Cisco support representative.",
            "ALM-14 ALM-25",
            peer_id=seen.peer_id,
        )
