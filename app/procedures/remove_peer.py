"""Take one live peer out of a cluster for good (guide p.18-19).

The removed peer leaves first, then the primary and the other members drop it from their lists. It
keeps its configuration and goes on working on its own until somebody changes that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from app.checks import access, leaving, membership
from app.checks.findings import at, warning
from app.domain.finding import Finding
from app.domain.peer import Peer
from app.domain.plan import Impact, Stage
from app.domain.procedure import Draft, Situation
from app.procedures import change_primary
from app.procedures.base import Param, Procedure
from app.procedures.change_primary import NewPrimary
from app.procedures.parts import with_steps
from app.procedures.situation import relied_on
from app.procedures.steps.attest import gate, gates_for, neighbours_updated
from app.procedures.steps.backup import back_up
from app.procedures.steps.clustering import filled, write_clustering
from app.procedures.steps.leaving import delete_pre_shared_key, disable_lync, leave_cluster
from app.procedures.steps.names import no_longer_named
from app.procedures.steps.neighbours import zones_of_neighbours
from app.procedures.steps.record import record_members
from app.procedures.steps.replication import alarms_cleared, database_active
from app.procedures.steps.restart import restart
from app.procedures.steps.target import Target

OwnName = Annotated[
    str,
    Param(
        "Cluster name of the removed peer: the FQDN of the SRV records that address it alone; empty"
        " for its System host name and Domain name (RML-11).",
        "exp3.example.com",
        max_length=128,
    ),
]
"""The parameter `own_cluster_name` of every procedure that lets a live peer go."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What remove-peer needs to know."""

    peer_id: Annotated[str, Param("The member to remove.", "peer_03", min_length=1, max_length=64)]
    own_cluster_name: OwnName = ""
    new_primary_peer_id: NewPrimary = ""


def findings(
    s: Situation, peer: Peer, own_name: str, new_primary_id: str = ""
) -> tuple[Finding, ...]:
    """The peer is a member that answers and is not the primary; the others agree (p.18)."""
    found: list[Finding] = [
        *membership.exists(s.cluster),
        *at("/peer_id", leaving.is_member(s.cluster, peer, "RML-01")),
        *at("/peer_id", leaving.answers(
            s, peer, "If it stays out of reach, run remove-dead-peer (guide p.20).", "RML-05")),
    ]  # fmt: skip
    if not new_primary_id:
        found += at("/peer_id", leaving.is_not_primary(s.cluster, peer, "RML-07 RML-08"))
    found += change_primary.findings_first(s, peer, new_primary_id)
    for member in s.cluster.members:
        seen = s.observed(member.id)
        if seen is not None:
            found += leaving.version_covered(seen, "RML-14")
        if member.id != peer.id:
            found += leaving.under("RML-26", access.readable(s.views.get(member.id), member.id))
    found += leaving.agree(s, "RML-27 RML-28", leaving={peer.id})
    if s.observed(peer.id) is not None:
        field = "/own_cluster_name"
        found += at(field, leaving.own_cluster_name(s, peer, own_name, "RML-10 RML-11 RML-12"))
    found.append(
        warning(
            "unit-keeps-its-configuration",
            f"{peer.name} keeps the configuration it has, and goes on working on its own.",
            "Take it out of service (recover-removed-peer resets it) or give it another"
            " configuration. To dissolve the whole cluster, run disband instead.",
            "RML-04 RML-32 RML-33 RML-34 RML-35",
            peer_id=peer.id,
        )
    )
    return tuple(found)


def stages_for(
    s: Situation, peer: Peer, own_name: str, found: tuple[Finding, ...], *, stays_out: bool = True
) -> tuple[Stage, ...]:
    """The whole procedure on one screen, in the guide's order.

    `stays_out`: nobody brings the peer back in the same job, so its further use is to be settled.
    """
    cluster, primary, seen = s.cluster, s.cluster.primary, s.observed(peer.id)
    if primary is None or seen is None or primary.id == peer.id:
        return ()
    before = [member.address for member in cluster.members]
    staying = [member for member in cluster.members if member.id != peer.id]
    addresses = [member.address for member in staying]
    index = addresses.index(primary.address) + 1
    on = {member.id: Target.of(member, s) for member in (*cluster.members, peer)}
    gone, first = on[peer.id], on[primary.id]
    rest = [on[m.id] for m in staying if m.id != primary.id]
    return with_steps(
        Stage("before", "Before you start", gates_for(found), "18"),
        Stage("leaving", "On the Expressway that is being removed", (
            back_up(gone, "RML-32"),
            leave_cluster(gone, "RML-06 RML-07 RML-09 RML-10 RML-11 RML-14 RML-15",
                          cluster_name=own_name, extends=filled(seen.clustering)),
            delete_pre_shared_key(gone, "RML-13 RML-15"),
            disable_lync(gone, "RML-18 RML-19"),
            restart(gone, "RML-17 RML-20", others=cluster.members),
        ), "18"),
        Stage("primary", "On the primary", (
            write_clustering(
                first, "RML-21 RML-22 RML-23 RML-24 RML-25",
                title=f"Delete {peer.address} from the peer list of {primary.name}",
                primary_index=index, addresses=addresses, extends=before),
        ), "18"),
        Stage("members", "On all the remaining peers", tuple(
            write_clustering(
                member, "RML-26 RML-27 RML-28 RML-29",
                title=f"Copy the primary's peer list to {member.peer.name}",
                primary_index=index, addresses=addresses, extends=before)
            for member in rest
        ), "19"),
        Stage("status", "Check that all remaining peers have the same clustering configuration", (
            record_members(first, cluster, staying, primary,
                           "RML-01 RML-02 RML-03 RML-06 RML-30 RML-37"),
            alarms_cleared(gone, "RML-16 RML-17 RML-33", known=change_primary.lasting(s, peer)),
            *(alarms_cleared(member, "RML-16 RML-17",
                             known=change_primary.lasting(s, member.peer))
              for member in (first, *rest)),
            *(database_active(m, "RML-30 RML-37", shown="cluster_status" in m.capabilities)
              for m in (first, *rest)),
        ), "19"),
        Stage("others", "On other devices", (
            *zones_of_neighbours(s, addresses, "RML-31 RML-36"),
            neighbours_updated(cluster.name, "RML-31 RML-36", leave_out=[peer.address]),
            *no_longer_named(
                s, [peer], staying, "RML-11 RML-12",
                besides=f", and where {own_name} has SRV records, they name it alone"
                        " (guide p.31)"),
            *([gate("removed-unit-settled",
                    f"{peer.name} is taken out of service, or is given another configuration, so"
                    " that other devices no longer use it as a peer of the cluster.",
                    "RML-33 RML-34 RML-35 RML-36")] if stays_out else []),
        ), "19"),
    )  # fmt: skip


def draft(p: Parameters, s: Situation) -> Draft:
    """Stages, findings and impact; pure."""
    peer = s.peers[p.peer_id]
    found = findings(s, peer, p.own_cluster_name, p.new_primary_peer_id)
    handed, after = change_primary.first(s, peer, p.new_primary_peer_id)
    name = leaving.name_after(s, peer, p.own_cluster_name)
    return Draft(
        stages=(*handed, *stages_for(after, peer, name, found)),
        findings=found,
        impact=impact(s, peer),
        back_out=(*(change_primary.back_out(s) if handed else ()), *back_out(peer)),
        relies_on=relied_on(s, [*(member.id for member in s.cluster.members), peer.id]),
    )


def impact(s: Situation, peer: Peer) -> tuple[Impact, ...]:
    """The removed peer restarts; the others go on with one less."""
    timings = Target.of(peer, s).timings
    others = (member for member in s.cluster.members if member.id != peer.id)
    return (
        Impact(
            peer.id,
            f"{peer.name} restarts, which drops its calls, and is away for about"
            f" {timings.restart / 60:.0f} minutes; then it works on its own (RML-20, RML-33).",
        ),
        *(
            Impact(
                member.id,
                f"{member.name} goes on serving; alarms tell of the lost peer until the lists are"
                " written.",
            )
            for member in others
        ),
    )


def back_out(peer: Peer) -> tuple[str, ...]:
    """The ways back, by how far the job came."""
    return (
        f"Before {peer.name} leaves: nothing has changed.",
        (
            f"Before it restarts: enter the former name, key and peer list on {peer.name} again"
            " (System > Clustering)."
        ),
        (
            "After it: retry the job until all remaining peers have the same list, then bring"
            f" {peer.name} back with add-peer (guide p.12); the job has its backup."
        ),
    )


PROCEDURE = Procedure(
    slug="remove-peer",
    title="Remove a peer",
    summary="Takes one live peer out of a cluster and out of the lists of the remaining peers.",
    guide_pages="18-19",
    parameters=Parameters,
    named_peers=lambda p: tuple(filter(None, (p.peer_id, p.new_primary_peer_id))),
    draft=draft,
)
