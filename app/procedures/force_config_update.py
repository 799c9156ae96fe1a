"""Have one non-primary take the primary's configuration again (guide p.27).

The remedy for "manual synchronization of configuration is required". It deletes the configuration
of that peer first, so it is offered for a non-primary only, after a backup, and after an operator
has stated that the primary's configuration is good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from app.checks import access, choice, synchronisation
from app.checks.findings import at
from app.domain.finding import Finding
from app.domain.peer import Peer
from app.domain.plan import Impact, Stage
from app.domain.procedure import Draft, Situation
from app.procedures.base import Param, Procedure
from app.procedures.situation import (
    PEER_LOST,
    alarms_beside_clustering,
    relied_on,
    silent,
)
from app.procedures.steps.attest import gate, gates_for
from app.procedures.steps.backup import back_up
from app.procedures.steps.force_update import force_update
from app.procedures.steps.replication import (
    alarms_cleared,
    configuration_as_on,
    database_active,
)
from app.procedures.steps.target import Target


@dataclass(frozen=True, slots=True)
class Parameters:
    """What force-config-update needs to know."""

    peer_id: Annotated[
        str,
        Param(
            "The non-primary that has the alarm; never the primary (ALM-10).",
            "peer_02",
            min_length=1,
            max_length=64,
        ),
    ]


def findings(p: Parameters, s: Situation) -> tuple[Finding, ...]:
    """The peer is a non-primary, the primary is well, and both agree on who is who."""
    cluster, peer = s.cluster, s.peers[p.peer_id]
    found = [
        *at("/peer_id", choice.chosen_members(cluster, (peer.id,), "ALM-10")),
        *at("/peer_id", synchronisation.forced_on_a_non_primary(cluster, peer)),
        *access.readable(s.views.get(peer.id), peer.id),
    ]
    if cluster.primary is None or peer.id == cluster.primary_id:
        return tuple(found)
    found += access.readable(s.views.get(cluster.primary.id), cluster.primary.id)
    found += synchronisation.same_settings(cluster, s.views, cluster.primary, peer)
    seen = s.observed(cluster.primary.id)
    if seen is not None:
        found += synchronisation.database_fails(seen)
    return tuple(found)


def stages(p: Parameters, s: Situation, found: tuple[Finding, ...]) -> tuple[Stage, ...]:
    """The whole procedure on one screen, in the guide's order."""
    peer, primary = s.peers[p.peer_id], s.cluster.primary
    if primary is None:
        return ()
    on, dead = Target.of(peer, s), silent(s)
    return (
        Stage("before", "Before you start", (
            gate("primary-good",
                 f"The configuration of {primary.name} has been looked at and is known to be good;"
                 f" that of {peer.name} may be deleted.", "ALM-13 ALM-14"),
            *gates_for(found),
            back_up(on, "ALM-15"),
        ), "27"),
        Stage("force", f"On {peer.name}: force a configuration update", (
            force_update(on, primary, "ALM-10 ALM-11 ALM-12 ALM-13"),
        ), "27"),
        Stage("status", "Check replication status", (
            configuration_as_on(on, primary, "ALM-12 ALM-13"),
            alarms_cleared(on, "ALM-05 ALM-06 ALM-07 ALM-08 ALM-09",
                           known=[*alarms_beside_clustering(s, peer.id),
                                  *(PEER_LOST if dead else ())]),
            # What the page reports while a listed peer is out of service is not on record, so the
            # database is waited for only where all members are there.
            *(() if dead else (
                database_active(on, "ALM-12", shown="cluster_status" in on.capabilities),)),
        ), "27"),
    )  # fmt: skip


def draft(p: Parameters, s: Situation) -> Draft:
    """Stages, findings and impact; pure."""
    found = findings(p, s)
    peer = s.peers[p.peer_id]
    return Draft(
        stages=stages(p, s, found),
        findings=found,
        impact=(
            Impact(
                peer.id,
                f"The configuration of {peer.name} is deleted and taken from the primary: what it"
                " routes and registers may fail for some seconds (ALM-13).",
            ),
        ),
        back_out=back_out(peer),
        relies_on=relied_on(s, _both(s, peer)),
    )


def back_out(peer: Peer) -> tuple[str, ...]:
    """The ways back."""
    early = f"Before the update nothing has changed on {peer.name}."
    late = (
        f"After it {peer.name} has the primary's configuration. Where that proves wrong, correct it"
        " on the primary; the backup taken at the start can be restored on a peer that has been"
        " removed from the cluster."
    )
    return early, late


def _both(s: Situation, peer: Peer) -> list[str]:
    return [peer.id, *([s.cluster.primary.id] if s.cluster.primary else [])]


PROCEDURE = Procedure(
    slug="force-config-update",
    title="Force a configuration update",
    summary="Makes one non-primary drop its configuration and take the primary's again.",
    guide_pages="27",
    parameters=Parameters,
    named_peers=lambda p: (p.peer_id,),
    draft=draft,
)
