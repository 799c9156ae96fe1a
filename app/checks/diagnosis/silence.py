"""Members that cannot be read: lost to their cluster, or only to us."""

from __future__ import annotations

from collections.abc import Iterator

from app.checks.diagnosis.suspect import APART, Mend, Suspect
from app.checks.diagnosis.symptoms import Case
from app.checks.findings import blocker, warning
from app.domain.peer import Peer


def peer_down(case: Case) -> Iterator[Suspect]:
    """A member that neither answers us nor is connected to its cluster."""
    for peer, view in case.silent:
        if view.code not in _UNREACHABLE or not _missed(case, peer):
            continue
        restarting = case.running is not None and case.running.takes_down(peer.id)
        yield Suspect(
            blocker(
                "peer-down",
                f"{peer.name} does not answer and the other peers do not reach it.",
                f"See whether {peer.name} is up and connected. Licences of a lost peer can be used"
                " for two weeks; a peer that will not come back is removed (guide p.20).",
                "RMD-01 PRE-08 PRE-11",
                peer_id=peer.id,
                evidence={"code": view.code, "detail": view.detail},
            ),
            APART,
            mends=(Mend("remove-dead-peer", _removal(case), f"{peer.name} will not come back"),),
            by_job=f"job {case.running.id} restarts {peer.name}"
            if restarting and case.running
            else "",
        )


def peer_not_read(case: Case) -> Iterator[Suspect]:
    """A member that the service cannot read although its cluster may be well."""
    for peer, view in case.silent:
        if view.code in _UNREACHABLE and _missed(case, peer):
            continue
        yield Suspect(
            warning(
                view.code,
                f"{peer.name} could not be read: {view.detail}",
                view.remedy,
                "",
                peer_id=peer.id,
                evidence={"seen_by_others": _seen_by_others(case, peer)},
            )
        )


def _removal(case: Case) -> dict[str, object]:
    """All that are lost at once, and another primary where the primary is among them."""
    lost = [
        peer.id for peer, view in case.silent if view.code in _UNREACHABLE and _missed(case, peer)
    ]
    found: dict[str, object] = {"peer_ids": lost}
    if case.cluster.primary_id in lost and case.observed:
        found["new_primary_peer_id"] = case.observed[0][0].id
    return found


_UNREACHABLE = frozenset({"peer-unreachable", "peer-not-answering", "peer-slow"})


def _missed(case: Case, peer: Peer) -> bool:
    """Whether the members that answered say that they have lost the peer; none left counts too."""
    words = [seen.clustering.status_of(peer.address) for _, seen in case.observed]
    known = [word.casefold() for word in words if word]
    if known:
        return "active" not in known
    alarmed = [a.number in {20004, 20006, 20016} for _, seen in case.observed for a in seen.alarms]
    return any(alarmed) or not case.observed


def _seen_by_others(case: Case, peer: Peer) -> str:
    words = (
        f"{member.name}: {word}"
        for member, seen in case.observed
        if (word := seen.clustering.status_of(peer.address))
    )
    return ", ".join(words) or "nothing known"
