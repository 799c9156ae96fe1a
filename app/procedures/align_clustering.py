"""Bring System > Clustering of every member to what is registered (guide p.27-28).

The remedy for a wrong or missing peer list, cluster name or primary: the primary first, then the
others like it. What the same pages of the guide name beside it, H.323 switched off and an NTP
server that does not answer, is put right on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from app.checks import access, choice, membership, naming, network, synchronisation
from app.checks.findings import blocker, citing
from app.domain.finding import Finding
from app.domain.observation import Observation
from app.domain.peer import Peer
from app.domain.plan import Impact, PlannedStep, Stage
from app.domain.procedure import Draft, Situation
from app.procedures.base import Param, Procedure
from app.procedures.situation import alarms_beside_clustering, relied_on
from app.procedures.steps.attest import gate, gates_for
from app.procedures.steps.backup import back_up
from app.procedures.steps.clustering import set_pre_shared_key, write_clustering
from app.procedures.steps.leaving import out_of_service
from app.procedures.steps.record import record_members
from app.procedures.steps.replication import (
    alarms_cleared,
    configurations_as_on,
    database_active,
)
from app.procedures.steps.restart import let_alarms_appear, restart, restart_if_required
from app.procedures.steps.settings import write_settings
from app.procedures.steps.target import Target
from app.procedures.steps.time import ntp_servers


@dataclass(frozen=True, slots=True)
class Parameters:
    """What align-clustering needs to know beside the registry."""

    enter_pre_shared_key: Annotated[
        bool, Param("Enter the registered pre-shared key on every member too.", False)
    ] = False
    ntp_servers: Annotated[
        tuple[str, ...],
        Param(
            "NTP servers for the members whose time is not synchronized (ALM-17).",
            ["192.0.2.123"],
            max_length=5,
        ),
    ] = ()
    out_of_service_peer_ids: Annotated[
        tuple[str, ...],
        Param(
            "Members that are out of service for good: the lists are aligned without them, and they"
            " are members no longer (RMD-12, RMD-15).",
            ["peer_03"],
            max_length=5,
        ),
    ] = ()
    new_primary_peer_id: Annotated[
        str,
        Param(
            "The member that becomes the primary, where the primary is out of service (RMD-08).",
            "peer_02",
            max_length=64,
        ),
    ] = ""


def findings(p: Parameters, s: Situation) -> tuple[Finding, ...]:
    """Every member answers at its LAN 1 address; what differs is told."""
    cluster = s.cluster
    found: list[Finding] = [*choice.chosen_members(cluster, (), "ALM-19")]
    for member in cluster.members:
        seen = s.observed(member.id)
        found += access.readable(s.views.get(member.id), member.id)
        if seen is None:
            continue
        found += access.version_applies(seen)
        found += network.lan_address(seen, member)
        found += network.no_nat_on_lan_1(seen)
        found += [] if p.ntp_servers else naming.time_synchronised(seen)
    found += synchronisation.differing(cluster, s.views)
    if p.enter_pre_shared_key:
        found += membership.key_known(s, cluster.members)
    else:
        found += keyless(s)
    return citing(found, "ALM", "PSI")


def keyless(s: Situation) -> list[Finding]:
    """A member without a pre-shared key needs it entered (PSI-06)."""
    return [
        blocker(
            "pre-shared-key-missing",
            f"{member.name} has no cluster pre-shared key.",
            "Plan again with `enter_pre_shared_key`.",
            "PSI-06",
            peer_id=member.id,
        )
        for member, seen in members(s)
        if seen.clustering.pre_shared_key_set is False
    ]


def left_out(p: Parameters, s: Situation) -> tuple[Finding, ...]:
    """Who is to be left out is a member, does not answer, and is not the primary to be."""
    found: list[Finding] = [*choice.chosen_members(s.cluster, p.out_of_service_peer_ids, "ALM-19")]
    found += [
        blocker(
            "peer-answers",
            f"{s.peers[peer_id].name} answers.",
            "Plan again without naming it, or remove it with remove-peer.",
            "RMD-04",
            peer_id=peer_id,
        )
        for peer_id in p.out_of_service_peer_ids
        if s.observed(peer_id) is not None
    ]
    staying = {m.id for m in s.cluster.members} - set(p.out_of_service_peer_ids)
    primary = p.new_primary_peer_id or s.cluster.primary_id
    if primary not in staying:
        found.append(
            blocker(
                "primary-is-removed",
                "The primary would not be among the members that stay.",
                "Name a member that answers in `new_primary_peer_id`.",
                "RMD-08",
            )
        )
    elif p.new_primary_peer_id and s.cluster.primary_id in staying:
        found.append(
            blocker(
                "primary-answers",
                "The primary stays; another one is not put in its place here.",
                "Run change-primary for that.",
                "RMD-08",
            )
        )
    return tuple(found)


def without(p: Parameters, s: Situation) -> Situation:
    """The situation with the registered cluster as it is to be: without who is out of service."""
    staying = tuple(m for m in s.cluster.members if m.id not in p.out_of_service_peer_ids)
    primary = p.new_primary_peer_id or s.cluster.primary_id
    return replace(s, cluster=replace(s.cluster, members=staying, primary_id=primary))


def members(s: Situation) -> list[tuple[Peer, Observation]]:
    """The members that could be read, the primary first (ALM-19, ALM-20)."""
    order = sorted(s.cluster.members, key=lambda member: member.id != s.cluster.primary_id)
    return [(m, seen) for m in order if (seen := s.observed(m.id)) is not None]


def stages(
    p: Parameters, s: Situation, found: tuple[Finding, ...], dead: Sequence[Peer]
) -> tuple[Stage, ...]:
    """The whole procedure on one screen: the primary first."""
    cluster, primary = s.cluster, s.cluster.primary
    if primary is None:
        return ()
    ons = [(Target.of(member, s), seen) for member, seen in members(s)]
    wrong = [(on, seen) for on, seen in ons if synchronisation.misplaced(cluster, seen)]
    return (
        Stage("before", "Before you start", (
            gate("registered-is-right",
                 f"The registered peer list of {cluster.name}"
                 f" ({', '.join(member.address for member in cluster.members)}) with"
                 f" {primary.name} as primary is right.", "ALM-03 ALM-04 ALM-19"),
            *gates_for(found),
            *([gate("out-of-service",
                    f"{', '.join(peer.name for peer in dead)} is dead or cannot be reached, and"
                    " will not be connected again before its clustering is cleared.",
                    "RMD-01 RMD-02 RMD-05")] if dead else ()),
            *(out_of_service(Target.of(peer, s), "RMD-04") for peer in dead),
            *(back_up(on, "ALM-15") for on, _ in wrong),
        ), "27"),
        Stage("align", "Clustering page: the primary first, then the others like it", tuple(
            step for on, seen in ons for step in aligned(p, s, on, seen)
        ), "27-28"),
        Stage("restart", "Restart where it is needed, one after another", (
            let_alarms_appear("ALM-20"),
            *(
                restart(on, "ALM-20", others=cluster.members, out_of_service=dead)
                if needs_restart(p, s, seen)
                else restart_if_required(on, "ALM-20", what="restart",
                                         others=cluster.members, out_of_service=dead)
                for on, seen in ons
            ),
        ), "27"),
        Stage("status", "Check replication status", (
            *in_step(s, [on for on, _ in ons], primary),
            record_members(ons[0][0], cluster, cluster.members, primary, "ALM-19 ALM-20"),
        ) if ons else (), "28"),
    )  # fmt: skip


def in_step(s: Situation, ons: Sequence[Target], primary: Peer) -> tuple[PlannedStep, ...]:
    """Replication, databases and alarms."""
    return (
        *configurations_as_on(
            [on for on in ons if on.peer.id != primary.id], primary, "ALM-38 ALM-42"),
        *(database_active(on, "ALM-20", shown="cluster_status" in on.capabilities) for on in ons),
        *(alarms_cleared(on, "ALM-01 ALM-08 ALM-16 ALM-18 ALM-23",
                         known=alarms_beside_clustering(s, on.peer.id)) for on in ons),
    )  # fmt: skip


def aligned(p: Parameters, s: Situation, on: Target, seen: Observation) -> tuple[PlannedStep, ...]:
    """What is put right on one member; nothing where nothing is wrong."""
    cluster, primary = s.cluster, s.cluster.primary
    addresses = [member.address for member in cluster.members]
    steps: list[PlannedStep] = []
    if p.enter_pre_shared_key:
        steps.append(set_pre_shared_key(on, "PSI-06"))
    if primary is not None and synchronisation.misplaced(cluster, seen):
        steps.append(
            write_clustering(
                on,
                f"{LISTED} {LAN_1}",
                title=f"Give {on.peer.name} the registered cluster name, peer list and primary",
                cluster_name=cluster.name,
                primary_index=addresses.index(primary.address) + 1,
                addresses=addresses,
            )
        )
    if seen.h323_on is False:
        title = f"Set H.323 mode to On on {on.peer.name}"
        steps.append(write_settings(on, "h323", title, {"H323 Mode": "On"}, "ALM-23 ALM-24"))
    if p.ntp_servers and not seen.ntp.synchronised:
        steps += ntp_servers(on, p.ntp_servers, "ALM-16 ALM-17")
    return tuple(steps)


LISTED = "ALM-01 ALM-02 ALM-08 ALM-18 ALM-19 ALM-20"
LAN_1 = "ALM-38 ALM-39 ALM-40 ALM-41 ALM-42 ALM-43 ALM-44 ALM-45 ALM-46"


def needs_restart(p: Parameters, s: Situation, seen: Observation) -> bool:
    """A new name or key, and joining again, are taken up only by a restart (guide p.10, p.14)."""
    renamed = seen.clustering.cluster_name != s.cluster.name
    return renamed or not seen.clustering.peers or p.enter_pre_shared_key


def draft(p: Parameters, s: Situation) -> Draft:
    """Stages, findings and impact; pure."""
    dead = [s.peers[peer_id] for peer_id in p.out_of_service_peer_ids]
    first = left_out(p, s) if dead or p.new_primary_peer_id else ()
    s = without(p, s)
    found = (*first, *findings(p, s))
    return Draft(
        stages=stages(p, s, found, dead) if not first else (),
        findings=found,
        impact=tuple(
            Impact(
                member.id,
                f"{member.name} restarts, which drops its calls, where its name or key changes or"
                " an alarm demands it; a non-primary takes the primary's configuration.",
            )
            for member, seen in members(s)
        ),
        back_out=(BACK_OUT,),
        relies_on=relied_on(s, [member.id for member in s.cluster.members]),
    )


BACK_OUT = (
    "The findings of the plan hold what each member had before: enter that on System > Clustering"
    " where the registered values prove wrong, and correct the registered cluster."
)

PROCEDURE = Procedure(
    slug="align-clustering",
    title="Align the clustering settings",
    summary="Brings cluster name, peer list and primary of all members to what is registered.",
    guide_pages="27-28",
    parameters=Parameters,
    named_peers=lambda p: tuple(filter(None, (*p.out_of_service_peer_ids, p.new_primary_peer_id))),
    draft=draft,
    in_bulk=("enter_pre_shared_key", "ntp_servers"),
)
