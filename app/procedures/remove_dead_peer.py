"""Remove peers that are out of service from the lists of the others (guide p.20).

Nothing is done to a removed unit: it keeps its clustering configuration, and must not be connected
again before recover-removed-peer, or somebody at its console, has cleared it (guide p.21).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from app.checks import access, leaving, membership
from app.checks.findings import at, blocker, unknown, warning
from app.domain.finding import Finding
from app.domain.observation import Observation
from app.domain.peer import Peer
from app.domain.plan import Impact, Stage
from app.domain.procedure import Draft, Situation
from app.procedures import change_primary
from app.procedures.base import Param, Procedure
from app.procedures.change_primary import NewPrimary
from app.procedures.parts import with_steps
from app.procedures.situation import relied_on
from app.procedures.steps.attest import gates_for, neighbours_updated
from app.procedures.steps.clustering import write_clustering
from app.procedures.steps.leaving import out_of_service
from app.procedures.steps.names import no_longer_named
from app.procedures.steps.neighbours import zones_of_neighbours
from app.procedures.steps.record import record_members
from app.procedures.steps.replication import alarms_cleared, database_active
from app.procedures.steps.target import Target


@dataclass(frozen=True, slots=True)
class Parameters:
    """What remove-dead-peer needs to know."""

    peer_ids: Annotated[
        tuple[str, ...],
        Param(
            "The members that are out of service. All of them at once: while one is still listed"
            " the others cannot agree.",
            ["peer_03"],
            min_length=1,
            max_length=5,
        ),
    ]
    new_primary_peer_id: NewPrimary = ""


def findings(s: Situation, dead: Sequence[Peer], new_primary_id: str = "") -> tuple[Finding, ...]:
    """The peers to remove do not answer, all others do and agree, and the primary is not lost."""
    gone = {peer.id for peer in dead}
    names = ", ".join(peer.name for peer in dead)
    found: list[Finding] = [*membership.exists(s.cluster)]
    for number, peer in enumerate(dead):
        field = f"/peer_ids/{number}"
        found += at(field, leaving.is_member(s.cluster, peer, "RMD-01"))
        if isinstance(s.views.get(peer.id), Observation):
            found += at(field, [_answers(peer)])
        if not new_primary_id:
            found += at(field, leaving.is_not_primary(s.cluster, peer, "RMD-08"))
        found += change_primary.findings_first(s, peer, new_primary_id)
    if new_primary_id in gone:
        found += at("/new_primary_peer_id", [_stays_dead(s.peers[new_primary_id])])
    for member in s.cluster.members:
        if member.id not in gone:
            found += leaving.under("RMD-14", access.readable(s.views.get(member.id), member.id))
            seen = s.observed(member.id)
            if seen is not None:
                found += leaving.version_covered(seen, "RMD-01")
    found += leaving.agree(s, "RMD-15 RMD-16", leaving=gone)
    found += [
        unknown(
            "out-of-service",
            f"From here only the silence of {names} can be seen.",
            f"{names} is dead and goes back under RMA, or cannot be reached for another reason, and"
            " will not be connected to the network again before its peers are deleted and its"
            " replication is stopped (guide p.21).",
            "RMD-01 RMD-02 RMD-05 RMD-06",
        ),
        warning(
            "unit-keeps-its-clustering",
            f"{names} keeps its clustering configuration, which this procedure cannot reach.",
            "When it is recovered, run recover-removed-peer before it is connected again (guide"
            " p.21). To dissolve the whole cluster, run disband instead.",
            "RMD-03 RMD-05 RMD-06 RMD-07",
        ),
    ]
    return tuple(found)


def stages_for(s: Situation, dead: Sequence[Peer], found: tuple[Finding, ...]) -> tuple[Stage, ...]:
    """The whole procedure on one screen, in the guide's order."""
    cluster, primary = s.cluster, s.cluster.primary
    gone = {peer.id for peer in dead}
    if primary is None or primary.id in gone or not gone <= {m.id for m in cluster.members}:
        return ()
    before = [member.address for member in cluster.members]
    staying = [member for member in cluster.members if member.id not in gone]
    addresses = [member.address for member in staying]
    index = addresses.index(primary.address) + 1
    on = {member.id: Target.of(member, s) for member in cluster.members}
    first, rest = on[primary.id], [on[m.id] for m in staying if m.id != primary.id]
    lost = [peer.address for peer in dead]
    names = ", ".join(peer.name for peer in dead)
    return with_steps(
        Stage("before", "Before you start", (
            *gates_for(found),
            *(out_of_service(on[peer.id], "RMD-01 RMD-02 RMD-04") for peer in dead),
        ), "20"),
        Stage("primary", "On the primary", (
            write_clustering(
                first, "RMD-09 RMD-10 RMD-11 RMD-12 RMD-13",
                title=f"Delete {', '.join(lost)} from the peer list of {primary.name}",
                primary_index=index, addresses=addresses, extends=before),
        ), "20"),
        Stage("members", "On all remaining peers", tuple(
            write_clustering(
                peer, "RMD-14 RMD-15 RMD-16 RMD-17",
                title=f"Copy the primary's peer list to {peer.peer.name}",
                primary_index=index, addresses=addresses, extends=before)
            for peer in rest
        ), "20"),
        Stage("status", "Check that all remaining peers have the same clustering configuration", (
            record_members(first, cluster, staying, primary, "RMD-18 RMD-20"),
            *(alarms_cleared(peer, "RMD-20", known=change_primary.lasting(s, peer.peer))
              for peer in (first, *rest)),
            *(database_active(peer, "RMD-18 RMD-20", shown="cluster_status" in peer.capabilities)
              for peer in (first, *rest)),
        ), "20"),
        Stage("others", f"On other devices: without {names}", (
            *zones_of_neighbours(s, addresses, "RMD-19"),
            neighbours_updated(cluster.name, "RMD-19", leave_out=lost),
            *no_longer_named(s, dead, staying, "PRE-22 SRV-21"),
        ), "20"),
    )  # fmt: skip


def draft(p: Parameters, s: Situation) -> Draft:
    """Stages, findings and impact; pure."""
    dead = [s.peers[peer_id] for peer_id in dict.fromkeys(p.peer_ids)]
    found = findings(s, dead, p.new_primary_peer_id)
    handed, after = handed_over(s, dead, p.new_primary_peer_id)
    steps = (*handed, *stages_for(after, dead, () if handed else found))
    staying = [m for m in s.cluster.members if m.id not in {peer.id for peer in dead}]
    return Draft(
        stages=steps,
        findings=found,
        impact=tuple(
            Impact(member.id, _goes_on(s, member, p.new_primary_peer_id if handed else ""))
            for member in staying
        ),
        back_out=(*(change_primary.back_out(s) if handed else ()), *back_out(dead)),
        relies_on=relied_on(s, [member.id for member in staying]),
    )


def _goes_on(s: Situation, member: Peer, new_primary_id: str) -> str:
    """What users of a member that stays will notice; `new_primary_id` where it is handed over."""
    if not new_primary_id:
        return f"{member.name} goes on serving; nothing is restarted."
    what = "becomes the primary" if member.id == new_primary_id else "takes another primary"
    return (
        f"{member.name} goes on serving and {what} ({s.peers[new_primary_id].name}); changes of"
        " configuration are not replicated until all members name it, alarms of a master mismatch"
        " are to be ignored meanwhile, and nothing is restarted (CHM-06, CHM-07, CHM-15)."
    )


def back_out(dead: Sequence[Peer]) -> tuple[str, ...]:
    """The ways back, by how far the job came."""
    names = ", ".join(peer.name for peer in dead)
    return (
        f"Before the primary's list is written: {names} is still a member.",
        (
            "After it: retry the job until all remaining peers have the same list. A unit that was"
            " removed comes back with recover-removed-peer and add-peer (guide p.21, p.12)."
        ),
    )


def handed_over(
    s: Situation, dead: Sequence[Peer], new_primary_id: str
) -> tuple[tuple[Stage, ...], Situation]:
    """The part that makes another peer the primary, where the primary is among the dead."""
    for peer in dead:
        handed, after = change_primary.first(s, peer, new_primary_id)
        if handed:
            return handed, after
    return (), s


def _answers(peer: Peer) -> Finding:
    return blocker(
        "peer-answers",
        f"{peer.name} answers.",
        "Run remove-peer instead: it clears up the removed unit as well (guide p.18).",
        "RMD-04",
        peer_id=peer.id,
    )


def _stays_dead(peer: Peer) -> Finding:
    return blocker(
        "new-primary-is-removed",
        f"{peer.name} is to be removed and cannot become the primary.",
        "Choose a member that stays.",
        "RMD-08",
        peer_id=peer.id,
    )


PROCEDURE = Procedure(
    slug="remove-dead-peer",
    title="Remove peers that are out of service",
    summary="Takes members that cannot be reached out of the lists of the remaining peers.",
    guide_pages="20",
    parameters=Parameters,
    named_peers=lambda p: tuple(filter(None, (*p.peer_ids, p.new_primary_peer_id))),
    draft=draft,
)
