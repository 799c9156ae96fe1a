"""Whether Expressways that are clustered already are one cluster, by their own answers.

One member was asked and named its cluster, its peers and its primary; the others either say the
same or this says in what they differ. Nothing here knows a registered cluster: there is none yet.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.checks.findings import blocker, warning
from app.checks.naming import is_fqdn
from app.domain.cluster import MAX_PEERS
from app.domain.finding import Finding
from app.domain.observation import Observation, View
from app.domain.peer import Peer

ALIGN = "align-clustering"
AGREEMENT = "ADD-N-02 ADD-N-04 ADD-N-05 ADD-05"


def is_clustered(asked: Observation, peer: Peer) -> Iterator[Finding]:
    """The member that was asked names a whole cluster, itself in it (ADD-04, ADD-M-05)."""
    page = asked.clustering
    shown = {"cluster_name": page.cluster_name, "peers": ", ".join(page.addresses)}
    if not page.peers:
        yield blocker(
            "not-clustered",
            f"{asked.label} lists no cluster peers.",
            "Declare a cluster (POST /v1/clusters) and start create-cluster on this peer.",
            "ADD-05",
            peer_id=peer.id,
        )
        return
    if len(page.peers) > MAX_PEERS:
        yield blocker(
            "too-many-peers",
            f"{asked.label} lists {len(page.peers)} peers; a cluster holds at most {MAX_PEERS}.",
            "Correct the list on System > Clustering of every member.",
            "ADD-04 ADD-M-05",
            peer_id=peer.id,
            evidence=shown,
        )
    if len(set(page.addresses)) < len(page.addresses):
        yield blocker(
            "peer-listed-twice",
            f"{asked.label} lists an address twice.",
            "Correct the list on System > Clustering of every member.",
            "ADD-N-05",
            peer_id=peer.id,
            evidence=shown,
        )
    if peer.address not in page.addresses:
        yield blocker(
            "peer-not-in-its-own-list",
            f"The list of {asked.label} does not name {peer.address}, its registered address.",
            "Register the peer with the LAN 1 address that its cluster knows it by.",
            "NEW-M-39",
            peer_id=peer.id,
            evidence=shown,
        )
    if page.primary_address is None:
        yield blocker(
            "primary-unknown",
            f"The configuration master of {asked.label} is a field without an address.",
            "Correct Configuration master on System > Clustering of every member.",
            "ADD-N-04",
            peer_id=peer.id,
            evidence={**shown, "configuration_master": str(page.primary_index)},
        )
    if not is_fqdn(page.cluster_name):
        yield blocker(
            "cluster-name-unfit",
            f"The cluster name of {asked.label} is no fully qualified domain name.",
            "Enter the FQDN of the cluster's SRV records on System > Clustering of every member.",
            "ADD-N-02",
            peer_id=peer.id,
            evidence=shown,
        )


def at_its_address(seen: Observation, peer: Peer) -> Iterator[Finding]:
    """The appliance that answered has the LAN 1 address it is registered with (NEW-M-39)."""
    if seen.address != peer.address:
        yield blocker(
            "another-appliance-answers",
            f"At the endpoints of {peer.name} ({peer.address}) an Expressway answers whose LAN 1"
            f" address is {seen.address or 'not told'}.",
            "Correct the address or the endpoints of the peer (PATCH /v1/peers/{peer_id}).",
            "NEW-M-39",
            peer_id=peer.id,
            evidence={"registered": peer.address, "told": seen.address},
        )


def elsewhere(asked: Peer, peer: Peer, view: View) -> Iterator[Finding]:
    """A listed peer knows nothing of the cluster: recording it would take it from another one."""
    if isinstance(view, Observation) and asked.address not in view.clustering.addresses:
        yield blocker(
            "member-elsewhere",
            f"{peer.name} ({peer.address}) is listed, and its own list does not name"
            f" {asked.address}.",
            f"Take {peer.address} out of the list on System > Clustering of the others, or put its"
            " own list right; then import again.",
            AGREEMENT,
            peer_id=peer.id,
            evidence={
                "cluster_name": view.clustering.cluster_name,
                "peers": ", ".join(view.clustering.addresses),
            },
        )


def key_unknown(name: str) -> Finding:
    """What it means that nobody has told the service the cluster's pre-shared key."""
    return warning(
        "pre-shared-key-unknown",
        f"The service does not know the pre-shared key of {name}, and no peer tells it. Until it"
        " does, nothing is planned that enters the key: adding, replacing or moving a peer.",
        "Start rotate-pre-shared-key: it gives the cluster a key that the service keeps.",
        "ADD-N-03 ADD-J-15",
    )


def in_line(asked: Observation, peer: Peer, view: View) -> Iterator[Finding]:
    """A listed member answers, and says the same of the cluster as the one that was asked."""
    if not isinstance(view, Observation):
        yield blocker(
            "member-silent",
            f"{peer.name} ({peer.address}) is listed and could not be read: {view.detail}",
            f"{view.remedy}. A member that is gone for good: import with `despite_differences`,"
            " then start remove-dead-peer.",
            "ADD-05",
            peer_id=peer.id,
            evidence={"reason": view.code},
        )
        return
    said, wanted = _said(view), _said(asked)
    differing = [what for what, value in wanted.items() if said[what] != value]
    if differing:
        yield blocker(
            "member-disagrees",
            f"{peer.name} has another {', '.join(differing)} than {asked.label}.",
            "Correct System > Clustering of the one that is wrong, then import again; or import"
            f" with `despite_differences` by a member that is right, then start {ALIGN}.",
            AGREEMENT,
            peer_id=peer.id,
            evidence={
                what: f"{value or '(none)'} / {said[what] or '(none)'}"
                for what, value in wanted.items()
                if what in differing
            },
        )


def _said(seen: Observation) -> dict[str, str]:
    page = seen.clustering
    return {
        "cluster name": page.cluster_name,
        "peer list": ", ".join(page.addresses),
        "configuration master": page.primary_address or "",
    }
