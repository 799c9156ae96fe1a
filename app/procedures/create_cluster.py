"""Set up a new cluster of one Expressway, its primary (guide p.9-11).

The other Expressways are added afterwards, one at a time, by add-peer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from app.checks import access, dns, equality, membership, naming, network, paths, review
from app.checks.findings import at, citing
from app.domain.finding import Finding, Severity
from app.domain.peer import Peer
from app.domain.plan import Impact, Stage
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
    configuration_as_before,
    database_active,
)
from app.procedures.steps.restart import restart, restart_if_required
from app.procedures.steps.review import review as review_step
from app.procedures.steps.review import zones_do_not_name
from app.procedures.steps.settings import (
    maintenance_mode,
    optimize_call_signaling,
    set_host_name,
)
from app.procedures.steps.target import Target

CHAPTERS = ("PRE", "NEW")


@dataclass(frozen=True, slots=True)
class Parameters:
    """What create-cluster needs to know."""

    primary_peer_id: Annotated[
        str,
        Param(
            "The peer that becomes the primary and the source of the configuration (NEW-07).",
            "peer_01",
            min_length=1,
            max_length=64,
        ),
    ]
    planned_peer_ids: Annotated[
        tuple[str, ...],
        Param(
            "Peers that will be added afterwards: their versions, option keys and names are"
            " compared now, and no zone of the primary may name them.",
            ["peer_02", "peer_03"],
            max_length=5,
        ),
    ] = ()
    host_name: Annotated[
        str,
        Param(
            "System host name to set on the primary, where it is not right yet (NEW-M-22).",
            "exp1",
            max_length=63,
            pattern=r"^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)?$",
        ),
    ] = ""
    call_drain_seconds: Annotated[
        float,
        Param("How long to wait for calls to end, in seconds.", 3600, minimum=0, maximum=604800),
    ] = 3600.0
    disconnect_remaining_calls: Annotated[
        bool, Param("Disconnect what is left after that time (NEW-M-30).", False)
    ] = False


def findings(p: Parameters, s: Situation, primary: Peer) -> tuple[Finding, ...]:
    """The prerequisites (p.5, p.9) and the review of the primary (p.9-10)."""
    found: list[Finding] = [
        *membership.does_not_exist_yet(s.cluster),
        *naming.cluster_name(s.cluster.name),
        *at("/primary_peer_id", access.readable(s.views.get(primary.id), primary.id)),
        *at(
            "/primary_peer_id",
            membership.in_no_other_cluster(primary, s.cluster, s.memberships),
        ),
    ]
    planned = [(i, s.peers[peer_id]) for i, peer_id in enumerate(p.planned_peer_ids)]
    for i, peer in planned:
        found += at(f"/planned_peer_ids/{i}", access.readable(s.views.get(peer.id), peer.id))
    seen = s.observed(primary.id)
    if seen is None:
        return citing(found, *CHAPTERS)
    others = [o for _, peer in planned if (o := s.observed(peer.id)) is not None]
    everyone = [seen, *others]
    own = review.before_clustering(seen, primary, host_name_to_be_set=p.host_name)
    found += at("/primary_peer_id", own)
    found += at("/primary_peer_id", membership.zones_do_not_name(seen, future(p, s)))
    found += at("/planned_peer_ids", equality.same_version(everyone))
    found += at("/planned_peer_ids", equality.same_option_keys(everyone))
    found += at("/planned_peer_ids", equality.equivalent_hardware(everyone))
    found += at("/planned_peer_ids", network.different_addresses(everyone))
    found += at("/planned_peer_ids", naming.different_names(everyone))
    found += at("/primary_peer_id", membership.not_listed_elsewhere(primary, s.views, [primary.id]))
    found += paths.between_peers(everyone, s.round_trips)
    found += dns.dns_records(s, everyone)
    found += alarms_present(seen, "NEW-F-08")
    return citing(found, *CHAPTERS)


def stages(
    p: Parameters, s: Situation, primary: Peer, found: tuple[Finding, ...]
) -> tuple[Stage, ...]:
    """The whole procedure on one screen, in the guide's order."""
    on = Target.of(primary, s)
    seen = s.observed(primary.id)
    name = s.cluster.name
    known = [alarm.title for alarm in seen.alarms] if seen else []
    return (
        Stage("before", "Before you start", (
            gate("maintenance-window", "This runs inside a scheduled maintenance window.",
                 "NEW-01 NEW-02"),
            *gates_for(found),
        ), "9"),
        Stage("review", "On this primary: back up and review", (
            back_up(on, "NEW-M-02"),
            *([set_host_name(on, p.host_name, "NEW-M-19 NEW-M-20 NEW-M-22 NEW-M-23")]
              if p.host_name else []),
            review_step(on, REVIEWED, host_name=p.host_name),
            zones_do_not_name(on, future(p, s), "NEW-M-17 NEW-M-18"),
            optimize_call_signaling(on, "NEW-M-24 NEW-M-25"),
        ), "9-10"),
        Stage("drain", "On this primary: maintenance mode, calls cleared", (
            maintenance_mode(on, "NEW-M-26 NEW-M-27 NEW-M-28", to="On"),
            *drain_calls(on, "NEW-M-29", "NEW-M-30", calls=seen.calls if seen else None,
                         deadline=p.call_drain_seconds, disconnect=p.disconnect_remaining_calls),
        ), "10"),
        Stage("cluster", "On this primary: cluster name, key, master and first peer", (
            set_pre_shared_key(on, "NEW-M-36 NEW-M-37"),
            write_clustering(
                on, "NEW-M-31 NEW-M-33 NEW-M-34 NEW-M-35 NEW-M-38 NEW-M-39 NEW-M-40 NEW-M-41",
                title=f"Name the cluster {name}, with {primary.name} as master and peer 1",
                cluster_name=name, primary_index=1, addresses=[primary.address], extends=[]),
            expect_words(
                on, "NEW-M-42 NEW-M-43",
                title=f'The words "This system" stand beside {primary.address}',
                words={primary.address: ["This system"]},
                shown="cluster_status" in on.capabilities),
            restart(on, "NEW-M-44", remember_configuration=True),
        ), "10"),
        Stage("after", "After the restart", (
            configuration_as_before(on, "NEW-R-01", restart_key=on.key("restart")),
            back_up(on, "NEW-R-02", what="back-up-after"),
        ), "10"),
        Stage("others", "On other devices", (
            *zones_of_neighbours(s, [primary.address], "NEW-D-01"),
            gate("neighbours-updated",
                 "Every other Expressway with a neighbor or traversal zone to this primary has its"
                 f" zone for {name} updated to hold only {primary.address}.",
                 "NEW-D-01"),
        ), "10"),
        Stage("finish", "On this primary: finish", (
            restart_if_required(on, "NEW-F-01 NEW-F-02 NEW-F-03", what="restart-if-required"),
            maintenance_mode(on, "NEW-F-04 NEW-F-05 NEW-F-06 NEW-F-07", to="Off"),
            alarms_cleared(on, "NEW-F-08", known=known, safe_after=False),
            database_active(on, "NEW-F-09", shown="cluster_status" in on.capabilities),
            record_members(on, s.cluster, [primary], primary, RECORDED),
            *named(s, primary, [primary], "PRE-05 PRE-22 PRE-23 PRE-24"),
        ), "11"),
    )  # fmt: skip


REVIEWED = (
    "NEW-06 NEW-07 NEW-08 NEW-09 NEW-P-02 NEW-M-01 NEW-M-03 NEW-M-04 NEW-M-05 NEW-M-06 NEW-M-07"
    " NEW-M-08 NEW-M-09 NEW-M-10 NEW-M-11 NEW-M-12 NEW-M-13 NEW-M-14 NEW-M-15 NEW-M-16 NEW-M-19"
    " NEW-M-21 NEW-M-23"
)
RECORDED = "NEW-03 NEW-04 NEW-05 NEW-F-09 NEW-F-10 NEW-F-11"


def draft(p: Parameters, s: Situation) -> Draft:
    """Stages, findings and impact; pure."""
    primary = s.peers[p.primary_peer_id]
    found = findings(p, s, primary)
    steps = stages(p, s, primary, found)
    timings = Target.of(primary, s).timings
    follow_up = Finding(
        "add-the-other-peers",
        Severity.INFO,
        "The cluster will have one member.",
        "Add each other Expressway with add-peer, one at a time; where Microsoft Lync connects to"
        " the cluster, see guide p.30.",
        ("NEW-05", "NEW-F-10", "NEW-F-11"),
    )
    return Draft(
        stages=steps,
        findings=(*found, follow_up),
        impact=(
            Impact(
                primary.id,
                f"{primary.name} takes no new calls from maintenance mode on, and is away for about"
                f" {timings.restart / 60:.0f} minutes while it restarts (NEW-01).",
            ),
        ),
        back_out=back_out(primary),
        relies_on=relied_on(s, [p.primary_peer_id, *p.planned_peer_ids]),
    )


def back_out(primary: Peer) -> tuple[str, ...]:
    """The ways back, by how far the job came."""
    early = (
        f"Before the clustering page is written: set maintenance mode of {primary.name} to Off;"
        " nothing else has changed but Call signaling optimization."
    )
    late = (
        f"After it: clear the pre-shared key and the peer list on {primary.name}, give it a cluster"
        " name of its own and restart it (guide p.22-23), or restore the backup taken at the start"
        " of the job."
    )
    return early, late


def future(p: Parameters, s: Situation) -> list[tuple[Peer, str]]:
    """The planned peers, each with its FQDN ("" where it could not be read)."""
    views = ((s.peers[peer_id], s.observed(peer_id)) for peer_id in p.planned_peer_ids)
    return [(peer, seen.dns.fqdn if seen else "") for peer, seen in views]


PROCEDURE = Procedure(
    slug="create-cluster",
    title="Create a cluster",
    summary="Makes one Expressway the primary of a new cluster of one.",
    guide_pages="9-11",
    parameters=Parameters,
    named_peers=lambda p: (p.primary_peer_id, *p.planned_peer_ids),
    draft=draft,
    admits=True,
)
