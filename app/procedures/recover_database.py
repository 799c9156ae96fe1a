"""Recover one member whose database has failed (guide p.28), with the support representative.

Two forms. In the first the peer is removed, its database restored from a backup taken earlier on
it, and the peer added again. Where the database does not recover so, the second purges it before
the restore; the purge is typed by a person, never by this service.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from app.checks import leaving
from app.domain.finding import Finding
from app.domain.peer import Peer
from app.domain.plan import Impact, Stage
from app.domain.procedure import Draft, Situation
from app.procedures import add_peer, change_primary, remove_peer
from app.procedures.base import Param, Procedure
from app.procedures.change_peer_address import (
    of_the_addition,
    of_the_removal,
    primary_first,
)
from app.procedures.change_primary import NewPrimary
from app.procedures.parts import part
from app.procedures.prediction import without_members
from app.procedures.remove_peer import OwnName
from app.procedures.situation import relied_on
from app.procedures.steps.attest import gate
from app.procedures.steps.clustering import write_clustering
from app.procedures.steps.restart import restart
from app.procedures.steps.restore import check_backup, restore_backup
from app.procedures.steps.target import Target

PURGE = "clusterdb_destroy_and_purge_data.sh"


@dataclass(frozen=True, slots=True)
class Parameters:
    """What recover-database needs to know."""

    peer_id: Annotated[
        str,
        Param("The member whose database failed.", "peer_02", min_length=1, max_length=64),
    ]
    backup_id: Annotated[
        str,
        Param(
            "A backup of this very peer that an earlier job took (`GET /v1/jobs/{id}/backups`).",
            "backup-5f0c3a6d1b7e4c2f9a8d0e6b",
            min_length=1,
            max_length=64,
        ),
    ]
    purge: Annotated[
        bool, Param(f"The second form: a person runs {PURGE} in between (ALM-31).", False)
    ] = False
    support_case: Annotated[
        str,
        Param(
            "Number of the support case; required for the second form (ALM-37).",
            "SR-690000001",
            max_length=64,
            pattern=r"^[A-Za-z0-9._-]*$",
        ),
    ] = ""
    new_primary_peer_id: NewPrimary = ""
    own_cluster_name: OwnName = ""
    call_drain_seconds: Annotated[
        float,
        Param(
            "How long to wait for calls to end before the peer joins again, in seconds.",
            3600,
            minimum=0,
            maximum=604800,
        ),
    ] = 3600.0
    disconnect_remaining_calls: Annotated[
        bool, Param("Disconnect what is left after that time (ADD-X-24).", False)
    ] = False

    def __post_init__(self) -> None:
        if self.purge and not self.support_case:
            raise ValueError("`purge` needs the number of the support case (ALM-37)")


def joining(p: Parameters) -> add_peer.Parameters:
    """The parameters of the addition."""
    return add_peer.Parameters(
        peer_id=p.peer_id,
        call_drain_seconds=p.call_drain_seconds,
        disconnect_remaining_calls=p.disconnect_remaining_calls,
    )


def first_stage(p: Parameters, s: Situation, peer: Peer) -> Stage:
    """The support representative, the snapshot, and a backup that fits."""
    seen = s.observed(peer.id)
    case = f" (support case {p.support_case})" if p.support_case else ""
    snapshot = "ALM-32" if p.purge else "ALM-27"
    return Stage("support", "With the support representative", (
        gate("support-representative",
             f"The Cisco support representative{case} works through these steps with us and agrees"
             f" to them for {peer.name}.", "ALM-25 ALM-26"),
        gate("snapshot-taken",
             f"A system snapshot of {peer.name} has been taken and handed to"
             f" {'TAC' if p.purge else 'the support representative'}.", snapshot),
        *([gate("purge-instructed",
                f"A second person confirms that the support representative instructed us{case} to"
                f" run {PURGE} on {peer.name}, because its database did not recover without.",
                "ALM-31 ALM-37")] if p.purge else []),
        check_backup(Target.of(peer, s), p.backup_id, seen.serial_number if seen else "",
                     "ALM-35" if p.purge else "ALM-29"),
    ), "28")  # fmt: skip


def restore_stage(p: Parameters, s: Situation, on: Target) -> Stage:
    """The peer stands alone: purge, restore, and leave once more what the backup names."""
    cites = "ALM-35" if p.purge else "ALM-29"
    return Stage("restore", f"On {on.peer.name}, which stands alone now: restore its database", (
        *([gate("purged",
                f"Logged in as root on {on.peer.name}, {PURGE} has been run under support case"
                f" {p.support_case}, and the unit answers again.", "ALM-34 ALM-37")]
          if p.purge else []),
        restore_backup(on, p.backup_id, cites, backup_gate=f"remove-{on.key('back-up')}"),
        write_clustering(
            on, f"{cites} ADD-X-15 ADD-X-16",
            title=f"Delete the cluster peers that the backup of {on.peer.name} names",
            addresses=[]),
        restart(on, f"{cites} ADD-X-17 ADD-X-18", what="restart-alone", others=s.cluster.members),
    ), "28")  # fmt: skip


def recovered(s: Situation, peer: Peer) -> Situation:
    """After the restore: the alarms of the failed database have gone."""
    seen = s.observed(peer.id)
    if seen is None:
        return s
    alarms = tuple(a for a in seen.alarms if "database failure" not in a.title.casefold())
    return replace(s, views={**s.views, peer.id: replace(seen, alarms=alarms)})


def findings(p: Parameters, s: Situation, peer: Peer, alone: Situation) -> tuple[Finding, ...]:
    """Those of the removal and of the addition."""
    return (
        *primary_first(s, peer, p.new_primary_peer_id, "ALM-28"),
        *of_the_removal(remove_peer.findings(s, peer, p.own_cluster_name, p.new_primary_peer_id)),
        *of_the_addition(alone, add_peer.findings(joining(p), alone, peer)),
    )


def draft(p: Parameters, s: Situation) -> Draft:
    """Stages, findings and impact; pure. The whole procedure is in `stages`."""
    peer = s.peers[p.peer_id]
    name = leaving.name_after(s, peer, p.own_cluster_name)
    handed, led = change_primary.first(s, peer, p.new_primary_peer_id)
    alone = recovered(without_members(led, [peer], {peer.id: name}), peer)
    removal = remove_peer.findings(led, peer, p.own_cluster_name)
    addition = add_peer.findings(joining(p), alone, peer)
    stages = (
        first_stage(p, s, peer),
        *handed,
        *part("remove", remove_peer.stages_for(led, peer, name, removal, stays_out=False),
              "ALM-33" if p.purge else "ALM-28"),
        restore_stage(p, alone, Target.of(peer, s)),
        *part("add", add_peer.stages(joining(p), alone, peer, addition),
              "ALM-36" if p.purge else "ALM-30"),
    )  # fmt: skip
    return Draft(
        stages=stages,
        findings=findings(p, s, peer, alone),
        impact=(
            Impact(
                peer.id,
                f"{peer.name} leaves the cluster, gets the database of its backup and joins again;"
                " it restarts at least four times and serves nobody meanwhile.",
            ),
            *add_peer.impact(alone, peer)[1:],
        ),
        back_out=(*(change_primary.back_out(s) if handed else ()), *back_out(peer)),
        relies_on=relied_on(s, [member.id for member in s.cluster.members]),
    )


def back_out(peer: Peer) -> tuple[str, ...]:
    """The ways back, by how far the job came."""
    return (
        *remove_peer.back_out(peer)[:-1],
        (
            f"Behind the removal the other members serve without {peer.name}. Where its database"
            " does not recover, use the second form, or replace-peer (guide p.26)."
        ),
        add_peer.back_out(peer)[-1],
    )


PROCEDURE = Procedure(
    slug="recover-database",
    title="Recover a failed database",
    summary="Removes a member whose database failed, restores its own earlier backup and adds it"
    " again; in the second form a person purges the database in between.",
    guide_pages="28",
    parameters=Parameters,
    named_peers=lambda p: tuple(filter(None, (p.peer_id, p.new_primary_peer_id))),
    draft=draft,
    admits=True,
)
