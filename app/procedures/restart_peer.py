"""Restart one member with as little harm as possible: no new calls, calls drained, one at a time.

The restart itself refuses to start while any other member does not answer, and is over only when
the peer's web interface answers again (guide p.7).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from app.checks import access, choice
from app.checks.findings import at
from app.domain.finding import Finding
from app.domain.peer import Peer
from app.domain.plan import Impact, PlannedStep, Stage
from app.domain.procedure import Draft, Situation
from app.procedures.base import Param, Procedure
from app.procedures.situation import alarm_titles, chosen, in_maintenance, relied_on
from app.procedures.steps.attest import gates_for
from app.procedures.steps.calls import drain_calls
from app.procedures.steps.replication import (
    alarms_cleared,
    configuration_as_before,
    database_active,
)
from app.procedures.steps.restart import restart
from app.procedures.steps.settings import maintenance_mode
from app.procedures.steps.target import Target


@dataclass(frozen=True, slots=True)
class Parameters:
    """What restart-peer needs to know."""

    peer_id: Annotated[str, Param("The member to restart.", "peer_01", min_length=1, max_length=64)]
    call_drain_seconds: Annotated[
        float,
        Param("How long to wait for calls to end, in seconds.", 3600, minimum=0, maximum=604800),
    ] = 3600.0
    disconnect_remaining_calls: Annotated[
        bool, Param("Disconnect what is left after that time (UPG-M-12).", False)
    ] = False


def findings(p: Parameters, s: Situation) -> tuple[Finding, ...]:
    """Every member answers, for two must not be down at once, and somebody serves meanwhile."""
    found = [*at("/peer_id", choice.chosen_members(s.cluster, (p.peer_id,), "UPG-N-13"))]
    for member in s.cluster.members:
        found += access.readable(s.views.get(member.id), member.id)
    found += at(
        "/peer_id",
        choice.somebody_serves(s.cluster, in_maintenance(s), (p.peer_id,), "UPG-M-10"),
    )
    return tuple(found)


def without_harm(
    s: Situation, peer: Peer, requirements: str, *, deadline: float, disconnect: bool
) -> tuple[PlannedStep, ...]:
    """No new calls, calls drained, restart, calls again: one peer of a round through all."""
    on, seen = Target.of(peer, s), s.observed(peer.id)
    return (
        maintenance_mode(on, "UPG-M-05 UPG-M-06 UPG-M-07 UPG-M-08", to="On"),
        *drain_calls(on, "UPG-M-11", "UPG-M-12", calls=seen.calls if seen else None,
                     deadline=deadline, disconnect=disconnect),
        restart(on, requirements, others=s.cluster.members, remember_configuration=True),
        configuration_as_before(on, "UPG-M-20", restart_key=on.key("restart")),
        maintenance_mode(on, "NEW-F-04 NEW-F-05 NEW-F-06 NEW-F-07", to="Off"),
    )  # fmt: skip


def stages(
    p: Parameters, s: Situation, peer: Peer, found: tuple[Finding, ...]
) -> tuple[Stage, ...]:
    """The whole procedure on one screen."""
    members = s.cluster.members
    return (
        Stage("before", "Before you start", gates_for(found)),
        Stage("restart", "Maintenance mode, calls cleared, restart", without_harm(
            s, peer, "UPG-N-13 UPG-M-16 UPG-M-17 UPG-M-18",
            deadline=p.call_drain_seconds, disconnect=p.disconnect_remaining_calls,
        ), "6-7"),
        Stage("status", "Every peer is as it was", (
            *(database_active(member, "UPG-F-01", shown="cluster_status" in member.capabilities)
              for member in (Target.of(m, s) for m in members)),
            *(alarms_cleared(Target.of(m, s), "UPG-N-19", known=alarm_titles(s, m.id))
              for m in members),
        ), "8"),
    )  # fmt: skip


def draft(p: Parameters, s: Situation) -> Draft:
    """Stages, findings and impact; pure."""
    peer, found = s.peers[p.peer_id], findings(p, s)
    members = chosen((), s)
    timings = Target.of(peer, s).timings
    return Draft(
        stages=stages(p, s, peer, found),
        findings=found,
        impact=(
            Impact(
                peer.id,
                f"{peer.name} takes no new calls from maintenance mode on, and is away for about"
                f" {timings.restart / 60:.0f} minutes while it restarts; a disk check makes it"
                " longer (UPG-M-17). The other members go on (UPG-M-10).",
            ),
        ),
        back_out=(
            f"Before the restart: set maintenance mode of {peer.name} to Off.",
            "After it nothing is to be undone: a restart ends maintenance mode.",
        ),
        relies_on=relied_on(s, [member.id for member in members]),
    )


PROCEDURE = Procedure(
    slug="restart-peer",
    title="Restart a peer",
    summary="Drains one member of calls, restarts it and waits until the cluster is well again.",
    guide_pages="6-8",
    parameters=Parameters,
    named_peers=lambda p: (p.peer_id,),
    draft=draft,
)
