"""Peers that agree on everything that can be read and still do not find together.

What is left then is the pre-shared key and the network between them. Neither can be read; they are
told apart by who is apart from whom, and by a packet from peer to peer where a transport can send
one: a wrong key keeps one peer from all others, a cut link keeps just two apart.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.checks.diagnosis.suspect import APART, Mend, Suspect, job_changes
from app.checks.diagnosis.symptoms import Case, is_apart
from app.checks.findings import blocker
from app.domain.finding import Finding
from app.domain.observation import Observation
from app.domain.peer import Peer

Pair = frozenset[str]


def peers_apart(case: Case, blamed: frozenset[str]) -> Iterator[Suspect]:
    """Why peers are apart that no other cause (`blamed`, by peer id) keeps from each other."""
    members = {peer.id: peer for peer, _ in case.observed if peer.id not in blamed}
    apart, joined = pairs(case, members)
    lonely = [
        peer_id
        for peer_id in members
        if len(members) > 2
        and any(peer_id in pair for pair in apart)
        and not any(peer_id in pair for pair in joined)
    ]
    if lonely and len(lonely) < len(members):
        for peer_id in lonely:
            pairs_of = [pair for pair in apart if peer_id in pair]
            yield _suspect(case, members, pairs_of, peer_id, may_be_key=True)
            apart = [pair for pair in apart if peer_id not in pair]
    # Each of two peers that a third one has joined has the third one's key.
    for pair in apart:
        yield _suspect(case, members, [pair], None, may_be_key=not joined)


def pairs(case: Case, members: dict[str, Peer]) -> tuple[list[Pair], list[Pair]]:
    """Pairs of members that say they are apart, and pairs that say they are connected."""
    apart: list[Pair] = []
    joined: list[Pair] = []
    seen = {peer.id: view for peer, view in case.observed if peer.id in members}
    ids = list(seen)
    for number, one in enumerate(ids):
        for other in ids[number + 1 :]:
            words = [
                seen[one].clustering.status_of(members[other].address),
                seen[other].clustering.status_of(members[one].address),
            ]
            if any(is_apart(word) for word in words):
                apart.append(frozenset({one, other}))
            elif any((word or "").casefold() == "active" for word in words) or not (
                _complains(seen[one]) and _complains(seen[other])
            ):
                joined.append(frozenset({one, other}))
            elif not any(words):
                apart.append(frozenset({one, other}))
    return apart, joined


def _complains(seen: Observation) -> bool:
    return any(alarm.number in {20004, 20006} for alarm in seen.alarms)


def _suspect(
    case: Case,
    members: dict[str, Peer],
    apart: list[Pair],
    peer_id: str | None,
    *,
    may_be_key: bool,
) -> Suspect:
    reached = [
        case.reach[way]
        for pair in apart
        for way in (_way(pair), _way(pair)[::-1])
        if way in case.reach
    ]
    among = sorted(members[i].name for i in frozenset().union(*apart))
    who = members[peer_id].name if peer_id else " and ".join(among)
    evidence = {
        "apart": "; ".join(" - ".join(sorted(members[i].name for i in pair)) for pair in apart),
        "ping": "not measured" if not reached else "answered" if all(reached) else "no answer",
    }
    finding: Finding
    mends: tuple[Mend, ...] = ()
    if (reached and not all(reached)) or not may_be_key:
        finding = blocker(
            "network-between-peers",
            f"{who}: the network does not carry the traffic between these peers."
            if peer_id is None
            else f"The network does not carry the traffic between {who} and the other peers.",
            "Open the ports of Appendix 2 (guide p.29) between all peers, without NAT, and check"
            " the routes.",
            "PRE-08 PRE-10 PRE-11",
            peer_id=peer_id,
            evidence=evidence,
        )
    elif reached or _key_missing(case, peer_id):
        finding = blocker(
            "pre-shared-key-differs",
            f"{who} does not join although list, name and primary agree and the network is open:"
            " the pre-shared key is not the same.",
            "Set the same Cluster pre-shared key on all peers, and restart those that had another.",
            "NEW-M-36 ADD-N-03",
            peer_id=peer_id,
            evidence=evidence,
        )
        mends = (Mend("rotate-pre-shared-key", {"use_registered_key": True}),)
    else:
        finding = blocker(
            "peers-do-not-join",
            f"{who} does not join although list, name and primary agree: the pre-shared key"
            " differs, or a firewall is closed.",
            "Set the same Cluster pre-shared key on all peers; else open the ports of Appendix 2"
            " (guide p.29) between them.",
            "NEW-M-36 ADD-N-03 PRE-11",
            peer_id=peer_id,
            evidence=evidence,
        )
        mends = (
            Mend(
                "rotate-pre-shared-key",
                {"use_registered_key": True},
                "the ports are known to be open",
            ),
        )
    return Suspect(finding, APART, mends=mends, by_job=job_changes(case))


def _way(pair: Pair) -> tuple[str, str]:
    one, other = sorted(pair)
    return one, other


def _key_missing(case: Case, peer_id: str | None) -> bool:
    """Whether the clustering page of just this peer says that it has no key."""
    set_on = {peer.id: seen.clustering.pre_shared_key_set for peer, seen in case.observed}
    return peer_id is not None and set_on.get(peer_id) is False and True in set_on.values()
