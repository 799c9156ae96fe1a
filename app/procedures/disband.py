"""Disband a cluster: every peer goes on alone with the configuration it has (guide p.22-23).

The non-primaries leave first, one after another, each restarted and waited for; the primary leaves
when nobody lists it any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from app.checks import access, leaving, membership
from app.checks.findings import blocker, warning
from app.domain.finding import Finding
from app.domain.observation import NotObserved
from app.domain.peer import Peer
from app.domain.plan import Impact, Stage
from app.domain.procedure import Draft, Situation
from app.procedures import change_primary
from app.procedures.base import Param, Procedure
from app.procedures.parts import with_steps
from app.procedures.situation import relied_on
from app.procedures.steps.attest import gate, gates_for
from app.procedures.steps.backup import back_up
from app.procedures.steps.clustering import filled
from app.procedures.steps.leaving import delete_pre_shared_key, disable_lync, leave_cluster
from app.procedures.steps.names import no_longer_named
from app.procedures.steps.neighbours import zones_after_dissolving
from app.procedures.steps.record import record_disbanded
from app.procedures.steps.replication import alarms_cleared
from app.procedures.steps.restart import restart
from app.procedures.steps.target import Target


@dataclass(frozen=True, slots=True)
class Parameters:
    """What disband needs to know."""

    rename_primary: Annotated[
        bool,
        Param(
            "Give the primary a cluster name of its own too, its FQDN; else it keeps the cluster's"
            " (DIS-20).",
            False,
        ),
    ] = False


def findings(p: Parameters, s: Situation) -> tuple[Finding, ...]:
    """Every member answers and has a name to go on with (p.22)."""
    cluster = s.cluster
    found: list[Finding] = [*leaving.under("DIS-01", membership.exists(cluster))]
    taken: list[str] = []
    for member in cluster.members:
        if isinstance(s.views.get(member.id), NotObserved):
            found.append(_unreachable(member))
            continue
        found += leaving.under("DIS-04", access.readable(s.views.get(member.id), member.id))
        seen = s.observed(member.id)
        if seen is None:
            continue
        found += leaving.version_covered(seen, "DIS-10 DIS-24")
        if member.id != cluster.primary_id:
            names = "DIS-06 DIS-07 DIS-08"
        elif p.rename_primary:
            names = "DIS-20 DIS-21 DIS-22"
        else:
            continue
        found += leaving.own_cluster_name(s, member, "", names, taken=taken)
        taken.append(leaving.name_after(s, member))
    found += leaving.agree(s, "DIS-01")
    found.append(
        warning(
            "units-keep-their-configuration",
            "Each Expressway keeps the configuration it has and goes on working on its own.",
            "Take those that are no longer needed out of service, or give them another"
            " configuration.",
            "DIS-02",
        )
    )
    return tuple(found)


def stages(p: Parameters, s: Situation, found: tuple[Finding, ...]) -> tuple[Stage, ...]:
    """The whole procedure on one screen, in the guide's order."""
    cluster, primary = s.cluster, s.cluster.primary
    if primary is None:
        return ()
    members = cluster.members
    others = [member for member in members if member.id != primary.id]
    on = {member.id: Target.of(member, s) for member in members}
    last = on[primary.id]
    kept = [] if p.rename_primary else [primary.address]
    return with_steps(
        Stage("before", "Before you start", gates_for(found), "22"),
        *(Stage(on[peer.id].key("leaving"), f"On {peer.name}, a non-primary", (
            back_up(on[peer.id], "DIS-02"),
            leave_cluster(on[peer.id], "DIS-03 DIS-05 DIS-06 DIS-07 DIS-08 DIS-10 DIS-11",
                          cluster_name=leaving.name_after(s, peer), extends=_listed(s, peer)),
            delete_pre_shared_key(on[peer.id], "DIS-09 DIS-11"),
            disable_lync(on[peer.id], "DIS-14 DIS-15"),
            restart(on[peer.id], "DIS-16 DIS-17 DIS-18", others=members),
        ), "22") for peer in others),
        Stage("primary", f"On the primary, {primary.name}", (
            back_up(last, "DIS-02"),
            leave_cluster(last, "DIS-19 DIS-20 DIS-21 DIS-22 DIS-24 DIS-25",
                          cluster_name=leaving.name_after(s, primary) if p.rename_primary else None,
                          extends=_listed(s, primary), after=others),
            delete_pre_shared_key(last, "DIS-23 DIS-25"),
            restart(last, "DIS-28", others=members),
        ), "22"),
        Stage("status", "Every Expressway stands alone", (
            record_disbanded(last, cluster, members, "DIS-01 DIS-30"),
            *(alarms_cleared(on[m.id], _harmless(m, primary), known=change_primary.lasting(s, m))
              for m in members),
        ), "22"),
        Stage("others", "On other devices", (
            *zones_after_dissolving(s, kept, "DIS-29"),
            gate("neighbours-updated",
                 f"On every other device with a neighbor or traversal zone to {cluster.name}, that"
                 " zone is removed, or changed to suit the Expressways that now stand alone"
                 f" ({', '.join(member.address for member in members)}).",
                 "DIS-29"),
            *no_longer_named(s, members if p.rename_primary else others, members,
                             "DIS-07 DIS-08 SRV-21"),
        ), "23"),
    )  # fmt: skip


def _harmless(peer: Peer, primary: Peer) -> str:
    return "DIS-26 DIS-27" if peer.id == primary.id else "DIS-12 DIS-13"


def _listed(s: Situation, peer: Peer) -> tuple[str, ...]:
    seen = s.observed(peer.id)
    return tuple(filled(seen.clustering)) if seen else ()


def _unreachable(peer: Peer) -> Finding:
    return blocker(
        "peer-unreachable",
        f"{peer.name} does not answer.",
        "Bring it back, or remove it with remove-dead-peer first (guide p.20).",
        "DIS-04",
        peer_id=peer.id,
    )


def draft(p: Parameters, s: Situation) -> Draft:
    """Stages, findings and impact; pure."""
    found = findings(p, s)
    members = s.cluster.members
    return Draft(
        stages=stages(p, s, found),
        findings=found,
        impact=tuple(
            Impact(
                member.id,
                f"{member.name} restarts, which drops its calls, and is away for about"
                f" {timings.restart / 60:.0f} minutes; then it works on its own (DIS-02, DIS-16).",
            )
            for member, timings in ((m, Target.of(m, s).timings) for m in members)
        ),
        back_out=(
            "Before the first peer leaves: nothing has changed.",
            (
                "After it: the peers that have not left are still a cluster of which the others are"
                " missing: retry the job, or take those that left out of the lists (guide p.20) and"
                " bring them back with add-peer (guide p.12)."
            ),
            "At the end: create-cluster and add-peer make the cluster again (guide p.9-15).",
        ),
        relies_on=relied_on(s, [member.id for member in members]),
    )


PROCEDURE = Procedure(
    slug="disband",
    title="Disband a cluster",
    summary="Takes every peer out of the cluster; each goes on alone with its configuration.",
    guide_pages="22-23",
    parameters=Parameters,
    named_peers=lambda _: (),
    draft=draft,
)
