"""Add one Expressway to an existing cluster (guide p.12-15).

The joining Expressway's own configuration is deleted and replaced by the primary's. Replication is
suspended from the moment the primary's list names the new peer until the new peer has joined.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from app.checks import access, dns, equality, membership, naming, network, paths, review
from app.checks.findings import at, citing
from app.domain.finding import Finding
from app.domain.peer import Peer
from app.domain.plan import Impact, PlannedStep, Stage
from app.domain.procedure import Draft, Situation
from app.procedures.base import Param, Procedure
from app.procedures.situation import alarms_present, relied_on
from app.procedures.steps.attest import gate, gates_for
from app.procedures.steps.backup import back_up
from app.procedures.steps.calls import drain_calls
from app.procedures.steps.clustering import expect_words, set_pre_shared_key, write_clustering
from app.procedures.steps.names import named
from app.procedures.steps.neighbours import zones_of_neighbours
from app.procedures.steps.record import record_members
from app.procedures.steps.replication import (
    alarms_cleared,
    configuration_as_on,
    database_active,
)
from app.procedures.steps.reset import add_default_links, delete_accounts, reset_to_defaults
from app.procedures.steps.restart import restart, restart_if_required
from app.procedures.steps.review import review as review_step
from app.procedures.steps.review import zones_do_not_name
from app.procedures.steps.settings import identity, maintenance_mode
from app.procedures.steps.target import Target

CHAPTERS = ("PRE", "ADD")


@dataclass(frozen=True, slots=True)
class Parameters:
    """What add-peer needs to know."""

    peer_id: Annotated[
        str,
        Param("The Expressway to add.", "peer_02", min_length=1, max_length=64),
    ]
    host_name: Annotated[
        str,
        Param(
            "System host name to set on the new peer, where it is not right yet (ADD-J-11).",
            "exp2",
            max_length=63,
            pattern=r"^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)?$",
        ),
    ] = ""
    call_drain_seconds: Annotated[
        float,
        Param("How long to wait for calls to end, in seconds.", 3600, minimum=0, maximum=604800),
    ] = 3600.0
    disconnect_remaining_calls: Annotated[
        bool, Param("Disconnect what is left after that time (ADD-X-24).", False)
    ] = False


def findings(p: Parameters, s: Situation, joining: Peer) -> tuple[Finding, ...]:
    """The prerequisites (p.5, p.12), the primary's zones and the review of the new peer (p.12)."""
    cluster = s.cluster
    found: list[Finding] = [
        *membership.exists(cluster),
        *membership.has_room(cluster),
        *at("/peer_id", membership.in_no_other_cluster(joining, cluster, s.memberships)),
        *at("/peer_id", access.readable(s.views.get(joining.id), joining.id)),
    ]
    for member in cluster.members:
        found += access.readable(s.views.get(member.id), member.id)
    rest = [member for member in cluster.members if member.id != cluster.primary_id]
    found += membership.key_known(s, [*rest, joining])
    found += membership.members_agree(cluster, s.views)
    members = [o for peer in cluster.members if (o := s.observed(peer.id)) is not None]
    seen = s.observed(joining.id)
    if seen is None or cluster.primary is None:
        return citing(found, *CHAPTERS)
    everyone = [*members, seen]
    primary = s.observed(cluster.primary.id)
    if primary is not None:
        found += membership.zones_do_not_name(primary, [(joining, seen.dns.fqdn)])
    found += at("/peer_id", membership.not_listed_elsewhere(joining, s.views, [joining.id]))
    own = review.before_clustering(seen, joining, host_name_to_be_set=p.host_name)
    found += at("/peer_id", own)
    found += at("/peer_id", access.local_login(seen))
    found += at("/peer_id", equality.same_version(everyone))
    found += at("/peer_id", equality.same_option_keys(everyone))
    found += at("/peer_id", equality.equivalent_hardware(everyone))
    found += at("/peer_id", network.different_addresses(everyone))
    found += at("/peer_id", naming.different_names(everyone))
    found += paths.between_peers(everyone, s.round_trips)
    found += dns.dns_records(s, everyone)
    found += alarms_present(seen, "ADD-X-17")
    return citing(found, *CHAPTERS)


def stages(
    p: Parameters, s: Situation, joining: Peer, found: tuple[Finding, ...]
) -> tuple[Stage, ...]:
    """The whole procedure on one screen, in the guide's order."""
    cluster, primary = s.cluster, s.cluster.primary
    seen = s.observed(joining.id)
    if primary is None or seen is None:
        return ()
    new, first = Target.of(joining, s), Target.of(primary, s)
    rest = [Target.of(m, s) for m in cluster.members if m.id != primary.id]
    everyone = [first, *rest, new]
    others = [*cluster.members, joining]
    before = [member.address for member in cluster.members]
    addresses = [*before, joining.address]
    index = before.index(primary.address) + 1
    name = cluster.name
    return (
        Stage("before", "Before you start", gates_for(found), "12"),
        Stage("zones", "On the primary: no zone names the new peer", (
            zones_do_not_name(first, [(joining, seen.dns.fqdn)], "ADD-M-01 ADD-M-02"),
        ), "12"),
        Stage("review", "On the Expressway to be added: back up and review", (
            back_up(new, "ADD-X-02"),
            review_step(new, REVIEWED, host_name=p.host_name),
            restart_if_required(
                new, "ADD-X-17 ADD-X-18 ADD-X-19", what="restart-before", others=others),
        ), "12"),
        Stage("drain", "On the Expressway to be added: maintenance mode, calls cleared", (
            maintenance_mode(new, "ADD-X-20 ADD-X-21 ADD-X-22", to="On"),
            *drain_calls(new, "ADD-X-23", "ADD-X-24", calls=seen.calls,
                         deadline=p.call_drain_seconds, disconnect=p.disconnect_remaining_calls),
        ), "13"),
        Stage("primary", "On the primary: name the new peer; replication is suspended", (
            write_clustering(
                first, "ADD-M-05 ADD-M-06 ADD-M-07 ADD-M-08 ADD-M-09 ADD-M-10 ADD-M-15 ADD-M-16",
                title=f"Enter {joining.address} as peer {len(addresses)} on {primary.name}",
                addresses=addresses, extends=before),
            expect_words(
                first, "ADD-M-11 ADD-M-12 ADD-M-13 ADD-M-14",
                title=f"{primary.name} shows itself as This system, {joining.name} as not joined",
                words={primary.address: ["This system"],
                       joining.address: ["Unknown", "Failed", "Active"]},
                shown="cluster_status" in first.capabilities),
        ), "13"),
        Stage("members", "On every other peer already in the cluster", tuple(
            step for on in rest for step in (
                set_pre_shared_key(on, "ADD-N-01 ADD-N-03"),
                write_clustering(
                    on, "ADD-N-01 ADD-N-02 ADD-N-04 ADD-N-05 ADD-N-06",
                    title=f"Copy the primary's clustering page to {on.peer.name}",
                    cluster_name=name, primary_index=index, addresses=addresses,
                    extends=before))
        ), "13"),
        Stage("join", "On the Expressway being added: take the cluster's configuration", (
            *joining_steps(p, s, new),
            set_pre_shared_key(new, "ADD-J-15"),
            write_clustering(
                new, "ADD-J-13 ADD-J-14 ADD-J-16 ADD-J-17 ADD-J-18 ADD-J-19",
                title=f"Copy the primary's clustering page to {joining.name}",
                cluster_name=name, primary_index=index, addresses=addresses, extends=[]),
            restart(new, "ADD-J-20 ADD-J-21", others=others),
            configuration_as_on(new, primary, "ADD-J-22 ADD-J-23 ADD-J-27 ADD-03 ADD-M-03"),
            restart_if_required(
                new, "ADD-J-24 ADD-J-25 ADD-J-26", what="restart-after", others=others),
        ), "14"),
        Stage("others", "On other devices", (
            *zones_of_neighbours(s, addresses, "ADD-D-01"),
            gate("neighbours-updated",
                 f"Every other Expressway with a neighbor or traversal zone to {name} has its zone"
                 f" extended by {joining.address}.",
                 "ADD-D-01"),
        ), "14"),
        Stage("each", "On each peer: restart where an alarm demands it, one after another", tuple(
            restart_if_required(
                on, "ADD-F-01 ADD-F-02 ADD-F-03", what="restart-finally", others=others)
            for on in everyone
        ), "14"),
        Stage("status", "Check replication status", (
            *(database_active(on, "ADD-F-04 ADD-F-05 ADD-F-06",
                              shown="cluster_status" in on.capabilities) for on in everyone),
            maintenance_mode(new, "ADD-X-21", to="Off"),
            *(alarms_cleared(on, "ADD-M-14 ADD-J-19", known=_titles(s, on.peer),
                             safe_after=False)
              for on in everyone),
            gate("certificates",
                 "Where the cluster has non-default trusted CA or server certificates,"
                 f" {joining.name} has the required ones.",
                 "ADD-F-07 ADD-F-08"),
            record_members(first, cluster, [*cluster.members, joining], primary, RECORDED),
            *named(s, joining, others, "PRE-22 PRE-23 PRE-24"),
        ), "15"),
    )  # fmt: skip


def joining_steps(p: Parameters, s: Situation, new: Target) -> tuple[PlannedStep, ...]:
    """The joining Expressway is emptied and keeps only what names it (guide p.14)."""
    seen = s.observed(new.peer.id)
    if seen is None:
        return ()
    return (
        reset_to_defaults(new, "ADD-J-01 ADD-J-02 ADD-J-04 ADD-J-05 ADD-M-04"),
        add_default_links(new, "ADD-J-03"),
        delete_accounts(new, "ADD-J-06 ADD-J-07", shown=seen.admin_accounts is not None),
        identity(new, seen, p.host_name, "ADD-J-08 ADD-J-09 ADD-J-10 ADD-J-11 ADD-J-12"),
    )


REVIEWED = (
    "ADD-P-01 ADD-X-03 ADD-X-04 ADD-X-05 ADD-X-06 ADD-X-07 ADD-X-08 ADD-X-09 ADD-X-10 ADD-X-11"
    " ADD-X-12 ADD-X-13 ADD-X-14 ADD-X-15 ADD-X-16"
)
RECORDED = "ADD-01 ADD-02 ADD-03 ADD-04 ADD-05 ADD-F-09"


def draft(p: Parameters, s: Situation) -> Draft:
    """Stages, findings and impact; pure."""
    joining = s.peers[p.peer_id]
    found = findings(p, s, joining)
    return Draft(
        stages=stages(p, s, joining, found),
        findings=found,
        impact=impact(s, joining),
        back_out=back_out(joining),
        relies_on=relied_on(s, [*(m.id for m in s.cluster.members), joining.id]),
    )


def impact(s: Situation, joining: Peer) -> tuple[Impact, ...]:
    """The new peer loses what it has; the members restart only where an alarm demands it."""
    return (
        Impact(
            joining.id,
            f"{joining.name} loses its own configuration, takes no new calls from maintenance mode"
            " on until it has restarted, and then serves the cluster (ADD-M-04).",
        ),
        *(
            Impact(
                member.id,
                f"{member.name} goes on serving; changes to the cluster's configuration are not"
                " replicated until the new peer has joined, and it restarts where an alarm"
                " demands it (ADD-M-15, ADD-F-02).",
            )
            for member in s.cluster.members
        ),
    )


def back_out(joining: Peer) -> tuple[str, ...]:
    """The ways back, by how far the job came."""
    early = (
        "Before the primary names the new peer: set maintenance mode of"
        f" {joining.name} to Off; it is still a stand-alone Expressway."
    )
    late = (
        f"After it: delete {joining.address} from the peer list of the primary, then of every other"
        f" member (guide p.18); clear the clustering page of {joining.name}, restart it and restore"
        " the backup taken at the start of the job."
    )
    return early, late


def _titles(s: Situation, peer: Peer) -> list[str]:
    seen = s.observed(peer.id)
    return [alarm.title for alarm in seen.alarms] if seen else []


PROCEDURE = Procedure(
    slug="add-peer",
    title="Add a peer",
    summary="Adds one Expressway to a cluster and replicates the primary's configuration to it.",
    guide_pages="12-15",
    parameters=Parameters,
    named_peers=lambda p: (p.peer_id,),
    draft=draft,
    admits=True,
)
