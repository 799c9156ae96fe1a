"""Whether a peer may leave its cluster, and who must be the primary meanwhile (guide p.18-26)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from app.checks import access, membership, naming
from app.checks.findings import blocker
from app.domain.cluster import Cluster
from app.domain.finding import Finding, Severity
from app.domain.observation import Observation
from app.domain.peer import Peer
from app.domain.procedure import Situation


def under(requirements: str, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings as these requirements of the guide demand them."""
    return tuple(replace(f, requirements=tuple(requirements.split())) for f in findings)


def is_member(cluster: Cluster, peer: Peer, requirements: str) -> Iterator[Finding]:
    """Only a member can leave, or become the primary."""
    if peer.id not in {member.id for member in cluster.members}:
        yield blocker(
            "not-a-member",
            f"{peer.name} is no member of {cluster.name}.",
            "Choose a member of this cluster; `GET /v1/clusters/{cluster_id}` lists them.",
            requirements,
            peer_id=peer.id,
        )


def is_not_primary(cluster: Cluster, peer: Peer, requirements: str) -> Iterator[Finding]:
    """A peer that leaves is not the primary (RML-07, RMD-08, CIP-02, REP-02)."""
    if peer.id == cluster.primary_id:
        yield blocker(
            "peer-is-primary",
            f"{peer.name} is the primary of {cluster.name}.",
            "Make another peer the primary first: run change-primary, or name it in"
            " `new_primary_peer_id` and this job does it first (guide p.24).",
            requirements,
            peer_id=peer.id,
        )


def answers(s: Situation, peer: Peer, remedy: str, requirements: str) -> Iterator[Finding]:
    """The peer answers; `remedy` says which procedure is for one that does not."""
    for finding in access.readable(s.views.get(peer.id), peer.id):
        yield replace(
            finding,
            remedy=f"{finding.remedy} {remedy}",
            requirements=tuple(requirements.split()),
        )


def version_covered(seen: Observation, requirements: str) -> tuple[Finding, ...]:
    """The X8.2 steps fit; from X8.11 on leaving a cluster would wipe the peer (device facts 10)."""
    return under(requirements, access.version_applies(seen))


def agree(s: Situation, requirements: str, *, leaving: Collection[str] = ()) -> Iterator[Finding]:
    """The members that stay have the registered name, list and primary.

    A cluster database that is not Active does not forbid a removal, which may be its cure
    (guide p.27-28); it is a warning here.
    """
    for finding in membership.members_agree(s.cluster, s.views):
        if finding.peer_id in leaving:
            continue
        weaker = finding.code == "cluster-database-not-active"
        severity = Severity.WARNING if weaker else finding.severity
        yield replace(finding, severity=severity, requirements=tuple(requirements.split()))


def own_cluster_name(
    s: Situation, peer: Peer, given: str, requirements: str, *, taken: Collection[str] = ()
) -> Iterator[Finding]:
    """A removed peer takes a cluster name of its own, ideally its FQDN (RML-10, RML-11)."""
    name = name_after(s, peer, given)
    others = {s.cluster.name.casefold(), *(other.casefold() for other in taken)}
    if not naming.is_fqdn(name):
        problem = f"{name!r} cannot be the cluster name of {peer.name} on its own: it is no FQDN."
    elif name.casefold() in others:
        problem = f"The cluster name {name!r} for {peer.name} is in use already."
    else:
        return
    yield blocker(
        "own-cluster-name-invalid",
        problem,
        "Give the FQDN of the SRV records that address this one Expressway, or set its System host"
        " name and Domain name on System > DNS (guide p.18, Appendix 4).",
        requirements,
        peer_id=peer.id,
    )


def name_after(s: Situation, peer: Peer, given: str = "") -> str:
    """The cluster name the peer takes when it has left: the given one, else its FQDN."""
    seen = s.observed(peer.id)
    return given or (seen.dns.fqdn if seen else "")
