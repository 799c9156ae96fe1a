"""Causes on System > Clustering: names, lists and primaries that are not the same everywhere.

What is right is what the registry says, as long as one peer agrees with it; where all peers agree
with each other and not with the registry, it is the registry that should be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.checks.diagnosis.suspect import DISAGREEING, Mend, Suspect, job_changes
from app.checks.diagnosis.symptoms import Case
from app.checks.findings import blocker
from app.domain.observation import Observation
from app.domain.peer import Peer

Member = tuple[Peer, Observation]


@dataclass(frozen=True, slots=True)
class Agreed:
    """The clustering settings that all members should have."""

    name: str
    addresses: tuple[str, ...]
    primary: str | None

    @classmethod
    def of(cls, seen: Observation) -> Agreed:
        """What a peer has."""
        own = seen.clustering
        return cls(own.cluster_name, own.addresses, own.primary_address)


def clustering_settings(case: Case) -> Iterator[Suspect]:
    """Everything that is wrong on System > Clustering, the list first."""
    right = Agreed(
        case.cluster.name,
        tuple(peer.address for peer in case.cluster.members),
        case.cluster.primary.address if case.cluster.primary else None,
    )
    members = case.observed
    if _all_differ_alike(members, right):
        yield _registry_differs(members, right, job_changes(case))
        return
    yield from _lists(case, members, right)
    yield from _names(case, members, right)
    yield from _primaries(case, members, right)


def _all_differ_alike(members: tuple[Member, ...], right: Agreed) -> bool:
    """Whether the members are one cluster, only another one than is registered."""
    have = {Agreed.of(seen) for _, seen in members}
    if len(have) != 1 or have == {right}:
        return False
    (theirs,) = have
    inside = all(peer.address in theirs.addresses for peer, _ in members)
    return inside and bool(theirs.name) and theirs.primary is not None


def _registry_differs(members: tuple[Member, ...], right: Agreed, by_job: str) -> Suspect:
    theirs = Agreed.of(members[0][1])
    return Suspect(
        blocker(
            "registry-differs",
            "All peers agree with each other, and not with what is registered here.",
            "See whether the cluster was changed by hand. Where the peers are right, correct the"
            " registered cluster; where they are not, align them with the registry.",
            "ALM-02 ALM-20",
            evidence={
                "peers": f"{theirs.name}: {', '.join(theirs.addresses)}; primary {theirs.primary}",
                "registered": f"{right.name}: {', '.join(right.addresses)}; primary"
                f" {right.primary}",
            },
        ),
        DISAGREEING,
        mends=(Mend("align-clustering", {}, "the registry is right and the peers are not"),),
        by_job=by_job,
    )


def _lists(case: Case, members: tuple[Member, ...], right: Agreed) -> Iterator[Suspect]:
    for peer, seen in members:
        found = seen.clustering.addresses
        if not found:
            yield _suspect(
                case,
                peer,
                "peer-not-joined",
                f"{peer.name} is registered as a member and lists no peers: it stands alone.",
                f"Give {peer.name} the list, name and key of the cluster; it then takes the"
                " primary's configuration. Or take it out of the list, and add it again later.",
                "ALM-20 ADD-M-08",
                {"peers": "none", "registered": ", ".join(right.addresses)},
                mend=Mend("align-clustering", {"enter_pre_shared_key": True}),
            )
        elif len(set(found)) < len(found):
            twice = sorted({address for address in found if found.count(address) > 1})
            yield _suspect(
                case,
                peer,
                "peer-listed-twice",
                f"{peer.name} lists {', '.join(twice)} more than once.",
                "Name every peer once on System > Clustering.",
                "ALM-19 ALM-20",
                {"peers": ", ".join(found)},
            )
        elif not set(_own_addresses(seen)) & set(found):
            yield _suspect(
                case,
                peer,
                "peer-misses-itself",
                f"The peer list of {peer.name} does not name {peer.name} itself.",
                "Check and correct the list on the primary, and copy it to all other peers.",
                "ALM-18 ALM-19 ALM-20",
                {"peers": ", ".join(found), "own": seen.address},
            )
        elif found != right.addresses:
            yield _suspect(
                case,
                peer,
                "peer-list-wrong",
                f"{peer.name} has another peer list than is registered.",
                "Correct the list on the primary, and copy it to all other peers; the order of the"
                " fields counts.",
                "ALM-19 ALM-20",
                {"peers": ", ".join(found), "registered": ", ".join(right.addresses)},
            )


def _own_addresses(seen: Observation) -> Iterator[str]:
    for lan in seen.lans:
        yield from (address for address in (lan.ipv4, lan.ipv6) if address)


def _names(case: Case, members: tuple[Member, ...], right: Agreed) -> Iterator[Suspect]:
    for peer, seen in members:
        name = seen.clustering.cluster_name
        if not seen.clustering.peers or name.casefold() == right.name.casefold():
            continue
        if not name:
            code = "cluster-name-missing"
            message = f"{peer.name} has no cluster name."
        else:
            code = "cluster-name-differs"
            message = f"{peer.name} has cluster name {name}, registered is {right.name}."
        yield _suspect(
            case,
            peer,
            code,
            message,
            f"Set the cluster name of {peer.name} to {right.name} on System > Clustering, and"
            " restart it.",
            "ALM-01 ALM-02 ALM-03 ALM-04",
            {"cluster_name": name, "registered": right.name},
            extra="cluster-name-missing",
        )


def _primaries(case: Case, members: tuple[Member, ...], right: Agreed) -> Iterator[Suspect]:
    claiming = [peer.name for peer, seen in members if seen.takes_itself_for_primary]
    for peer, seen in members:
        # With another list the index means another peer; the list is the cause then.
        if seen.clustering.addresses != right.addresses:
            continue
        if right.primary is None or seen.clustering.primary_address == right.primary:
            continue
        own = seen.takes_itself_for_primary
        two = own and len(claiming) > 1
        named = seen.clustering.primary_address or "an empty field"
        yield _suspect(
            case,
            peer,
            "two-primaries" if two else "primary-differs",
            f"{' and '.join(claiming)} both take themselves for the primary."
            if two
            else f"{peer.name} names {named} as primary, registered is {right.primary}.",
            f"Set Configuration master of {peer.name} to peer"
            f" {right.addresses.index(right.primary) + 1} on System > Clustering.",
            "ALM-05 ALM-08 ALM-20",
            {
                "configuration_master": str(seen.clustering.primary_index),
                "named": named,
                "registered": right.primary,
            },
        )


def _suspect(  # noqa: PLR0917 - private, and named like the fields it fills
    case: Case,
    peer: Peer,
    code: str,
    message: str,
    remedy: str,
    requirements: str,
    evidence: dict[str, str],
    *,
    extra: str = "",
    mend: Mend | None = None,
) -> Suspect:
    return Suspect(
        blocker(code, message, remedy, requirements, peer_id=peer.id, evidence=evidence),
        DISAGREEING | frozenset({extra} - {""}),
        mends=(mend or Mend("align-clustering", {}),),
        by_job=job_changes(case),
    )
