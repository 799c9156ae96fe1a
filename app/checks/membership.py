"""Who is in which cluster: peer lists, free fields, zones and the health of an existing cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from app.checks.findings import blocker, unknown, warning
from app.domain.cluster import MAX_PEERS, Cluster
from app.domain.finding import Finding
from app.domain.observation import Observation, View
from app.domain.peer import Peer
from app.domain.procedure import Situation


def no_peers_configured(seen: Observation) -> Iterator[Finding]:
    """Every `Peer x IP address` field is blank (NEW-M-15, NEW-M-16, NEW-04, ADD-X-15, ADD-X-16)."""
    if seen.clustering.peers:
        listed = ", ".join(seen.clustering.addresses)
        yield blocker(
            "peers-configured",
            f"{seen.label} already lists cluster peers ({listed}).",
            "Remove it from its cluster first (guide p.18), or delete the entries on"
            " System > Clustering and save.",
            "NEW-M-15 NEW-M-16 NEW-04 ADD-X-15 ADD-X-16",
            peer_id=seen.peer_id,
            evidence={"peers": listed, "cluster_name": seen.clustering.cluster_name},
        )


def not_listed_elsewhere(
    peer: Peer, views: Mapping[str, View], own_cluster: Iterable[str] = ()
) -> Iterator[Finding]:
    """No other Expressway anywhere lists this address among its peers (NEW-O-01, ADD-X-01)."""
    members = set(own_cluster)
    for other in views.values():
        if not isinstance(other, Observation) or other.peer_id in {peer.id, *members}:
            continue
        if peer.address in other.clustering.addresses:
            yield blocker(
                "listed-elsewhere",
                f"{other.label} lists {peer.address} among its cluster peers.",
                f"Delete {peer.address} on System > Clustering of {other.label} and save.",
                "NEW-O-01 ADD-X-01",
                peer_id=other.peer_id,
                evidence={"peers": ", ".join(other.clustering.addresses)},
            )
    yield unknown(
        "not-listed-elsewhere",
        "Expressways that are not registered here, or did not answer, cannot be looked at.",
        f"No Expressway outside this service lists {peer.address} among its cluster peers.",
        "NEW-O-01 ADD-X-01",
        peer_id=peer.id,
    )


def in_no_other_cluster(
    peer: Peer, cluster: Cluster, memberships: Mapping[str, str]
) -> Iterator[Finding]:
    """The peer is registered in no cluster yet (NEW-04, ADD-X-15)."""
    registered_in = memberships.get(peer.id)
    if registered_in is not None:
        where = "this cluster" if registered_in == cluster.id else f"cluster {registered_in}"
        yield blocker(
            "peer-in-cluster",
            f"{peer.name} is already a member of {where}.",
            "Remove it from that cluster first (guide p.18).",
            "NEW-04 ADD-X-15",
            peer_id=peer.id,
        )


def does_not_exist_yet(cluster: Cluster) -> Iterator[Finding]:
    """The procedure is not for a cluster that already exists (NEW-04)."""
    if cluster.members:
        yield blocker(
            "cluster-exists",
            f"The cluster {cluster.name} already has {len(cluster.members)} member(s).",
            "Use add-peer to add Expressways to it.",
            "NEW-04 NEW-05",
        )


def exists(cluster: Cluster) -> Iterator[Finding]:
    """There is a cluster, even of one, to add to (ADD-01, ADD-02)."""
    if cluster.primary is None:
        yield blocker(
            "cluster-not-created",
            f"The cluster {cluster.name} has no primary yet.",
            "Run create-cluster first.",
            "ADD-01 ADD-02",
        )


def has_room(cluster: Cluster) -> Iterator[Finding]:
    """At most six peers, the primary counted (ADD-04, ADD-M-05)."""
    if len(cluster.members) >= MAX_PEERS:
        yield blocker(
            "cluster-full",
            f"The cluster {cluster.name} already has {MAX_PEERS} peers.",
            "Remove a peer first; a cluster holds at most six.",
            "ADD-04 ADD-M-05",
        )


def key_known(s: Situation, peers: Iterable[Peer]) -> Iterator[Finding]:
    """The service knows the key it would enter (ADD-N-03, ADD-J-15).

    Where it knows none it makes one, which no peer of a cluster that is at work has: entered on
    some of them, it would keep them from authenticating the others.
    """
    if s.cluster.members and not s.pre_shared_key_known:
        for peer in peers:
            if s.can(peer.id, "pre_shared_key"):
                yield blocker(
                    "pre-shared-key-unknown",
                    f"The key of {s.cluster.name} would be entered on {peer.name}, and the service"
                    " does not know it.",
                    "Start rotate-pre-shared-key first: it gives the cluster a key that the"
                    " service keeps.",
                    "ADD-N-03 ADD-J-15 PSI-06",
                )
                return


def room_for(cluster: Cluster, candidates: Sequence[str]) -> Iterator[Finding]:
    """Members and those that are to join are six at most (ADD-04, ADD-M-05)."""
    number = len({*(peer.id for peer in cluster.members), *candidates})
    if number > MAX_PEERS:
        yield blocker(
            "too-many-peers",
            f"{cluster.name} would have {number} peers.",
            f"Leave {number - MAX_PEERS} of them out; a cluster holds at most {MAX_PEERS}.",
            "ADD-04 ADD-M-05",
            evidence={"peers": str(number), "most": str(MAX_PEERS)},
        )


def unregistered_or_silent(peers: Iterable[Peer], views: Mapping[str, View]) -> Iterator[Finding]:
    """Registered Expressways that did not answer may list a peer that is to join (NEW-O-01)."""
    silent = [p for p in peers if not isinstance(views.get(p.id), Observation)]
    if silent:
        names = ", ".join(f"{peer.name} ({peer.address})" for peer in silent)
        yield unknown(
            "not-listed-elsewhere",
            f"The peer lists of {names} cannot be read.",
            f"None of {names} lists the peer that is to join among its cluster peers.",
            "NEW-O-01 ADD-X-01",
        )


def zones_do_not_name(seen: Observation, peers: Iterable[tuple[Peer, str]]) -> Iterator[Finding]:
    """No neighbor or traversal zone names a future peer (NEW-M-17, NEW-M-18, ADD-M-01, ADD-M-02).

    `peers` are peers with their FQDN ("" where unknown): a zone may name either.
    """
    for peer, fqdn in peers:
        names = {peer.address.casefold(), fqdn.casefold()} - {""}
        for zone in seen.zones:
            if names & {address.casefold() for address in zone.addresses}:
                kind = zone.kind or "zone"
                yield blocker(
                    "zone-names-peer",
                    f"Zone {zone.name!r} ({kind}) of {seen.label} names {peer.name}.",
                    f"Delete the address of {peer.name} from zone {zone.name!r}"
                    " (Configuration > Zones > Zones).",
                    "NEW-M-17 ADD-M-01" if kind == "Neighbor" else "NEW-M-18 ADD-M-02",
                    peer_id=seen.peer_id,
                    evidence={"zone": zone.name, "addresses": ", ".join(zone.addresses)},
                )


def members_agree(cluster: Cluster, views: Mapping[str, View]) -> Iterator[Finding]:
    """All members have the registered name, list and primary; databases are Active (ADD-F-06)."""
    addresses = tuple(peer.address for peer in cluster.members)
    primary = cluster.primary
    for member in cluster.members:
        seen = views.get(member.id)
        if not isinstance(seen, Observation):
            continue
        wrong = {
            "cluster name": seen.clustering.cluster_name != cluster.name,
            "peer list": seen.clustering.fields != addresses,
            "configuration master": primary is not None
            and seen.clustering.primary_address != primary.address,
        }
        if any(wrong.values()):
            what = ", ".join(name for name, is_wrong in wrong.items() if is_wrong)
            yield blocker(
                "members-disagree",
                f"{member.name} has a different {what} than registered for {cluster.name}.",
                "Bring System > Clustering of all members into line first: align-clustering writes"
                " the registered settings (guide p.27).",
                "ADD-N-02 ADD-N-04 ADD-N-05 ADD-05",
                peer_id=member.id,
                evidence={
                    "cluster_name": seen.clustering.cluster_name,
                    "peers": ", ".join(field or "(empty)" for field in seen.clustering.fields),
                    "configuration_master": str(seen.clustering.primary_address),
                },
            )
        database = seen.clustering.database_status
        if database is not None and database.casefold() != "active":
            yield blocker(
                "cluster-database-not-active",
                f"The cluster database status of {member.name} is {database}.",
                "Wait five minutes and look again; then see the troubleshooting of guide p.27.",
                "ADD-F-06",
                peer_id=member.id,
                evidence={"database_status": database},
            )


def restart_pending(seen: Observation) -> Iterator[Finding]:
    """An alarm demands a restart; the procedure will do it (PRE-18, NEW-F-02, ADD-X-17)."""
    if seen.restart_required:
        yield warning(
            "restart-required",
            f"{seen.label} has an alarm that demands a restart.",
            "The job restarts it; or restart it now and plan again.",
            "PRE-18 NEW-F-02 ADD-X-17 ADD-X-18",
            peer_id=seen.peer_id,
        )
