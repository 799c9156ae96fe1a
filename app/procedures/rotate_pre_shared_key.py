"""Give a cluster another pre-shared key: on every peer, then one restart after the other (p.17).

A peer takes a new key up when it restarts, so from the first restart to the last the peers do not
authenticate each other: each goes on by itself and nothing is replicated. The old key stays in the
vault.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from app.checks import access, choice, membership, synchronisation
from app.checks.findings import blocker
from app.domain.finding import Finding
from app.domain.plan import Impact, Stage
from app.domain.procedure import Draft, Situation
from app.procedures.base import Param, Procedure
from app.procedures.restart_peer import without_harm
from app.procedures.situation import alarms_beside_clustering, relied_on
from app.procedures.steps.attest import gate, gates_for
from app.procedures.steps.backup import back_up
from app.procedures.steps.clustering import renew_pre_shared_key, set_pre_shared_key
from app.procedures.steps.record import record_members
from app.procedures.steps.replication import (
    alarms_cleared,
    configurations_as_on,
    database_active,
)
from app.procedures.steps.target import Target


@dataclass(frozen=True, slots=True)
class Parameters:
    """What rotate-pre-shared-key needs to know."""

    use_registered_key: Annotated[
        bool,
        Param(
            "Enter the key of the cluster's credential as it is now (after its secret was rotated),"
            " instead of a new one made at random.",
            False,
        ),
    ] = False
    call_drain_seconds: Annotated[
        float,
        Param(
            "How long to wait for the calls of each peer to end, in seconds.",
            3600,
            minimum=0,
            maximum=604800,
        ),
    ] = 3600.0
    disconnect_remaining_calls: Annotated[
        bool, Param("Disconnect what is left after that time (UPG-M-12).", False)
    ] = False


def findings(p: Parameters, s: Situation) -> tuple[Finding, ...]:
    """Every member answers, has the registered settings, and can be given the key."""
    found: list[Finding] = [*choice.chosen_members(s.cluster, (), "PSI-06")]
    for member in s.cluster.members:
        found += access.readable(s.views.get(member.id), member.id)
        seen = s.observed(member.id)
        if seen is not None:
            found += access.version_applies(seen)
        if not p.use_registered_key and not s.can(member.id, "pre_shared_key"):
            found.append(
                blocker(
                    "key-must-be-known",
                    f"No transport can enter the key on {member.name}, and a person cannot enter a"
                    " key that nobody is shown.",
                    "Rotate the secret of the cluster's credential yourself, then plan again with"
                    " `use_registered_key`; or give the peer an endpoint with the web forms.",
                    "PSI-06",
                    peer_id=member.id,
                )
            )
    if p.use_registered_key:
        found += membership.key_known(s, s.cluster.members)
    found += synchronisation.same_settings(s.cluster, s.views, *s.cluster.members)
    return tuple(found)


def stages(p: Parameters, s: Situation, found: tuple[Finding, ...]) -> tuple[Stage, ...]:
    """The whole procedure on one screen."""
    cluster, primary = s.cluster, s.cluster.primary
    if primary is None:
        return ()
    order = sorted(cluster.members, key=lambda member: member.id != primary.id)
    everyone = [Target.of(member, s) for member in order]
    return (
        Stage("before", "Before you start", (
            gate("maintenance-window",
                 "This runs inside a scheduled maintenance window: until the last peer has been"
                 " restarted, the peers go on by themselves and nothing is replicated.",
                 "PSI-06 NET-11"),
            *gates_for(found),
            *(back_up(on, "UPG-M-02 UPG-N-03") for on in everyone),
        ), "17"),
        Stage("key", "On every peer: enter the key", (
            *(() if p.use_registered_key else (renew_pre_shared_key("PSI-06 NET-11"),)),
            *(set_pre_shared_key(on, "PSI-06 ADD-N-03") for on in everyone),
        ), "17"),
        *(
            Stage(f"restart-{n}", f"Restart {peer.name}", without_harm(
                s, peer, "PSI-06 UPG-N-13", deadline=p.call_drain_seconds,
                disconnect=p.disconnect_remaining_calls), "17")
            for n, peer in enumerate(order, start=1)
        ),
        Stage("status", "Check replication status", (
            *configurations_as_on(everyone[1:], primary, "NET-11"),
            *(database_active(on, "NET-11", shown="cluster_status" in on.capabilities)
              for on in everyone),
            *(alarms_cleared(on, "NET-11", known=alarms_beside_clustering(s, on.peer.id))
              for on in everyone),
            record_members(everyone[0], cluster, cluster.members, primary, "PSI-06"),
        ), "17"),
    )  # fmt: skip


def draft(p: Parameters, s: Situation) -> Draft:
    """Stages, findings and impact; pure."""
    found = findings(p, s)
    return Draft(
        stages=stages(p, s, found),
        findings=found,
        impact=tuple(
            Impact(
                member.id,
                f"{member.name} takes no new calls from maintenance mode on and restarts once.",
            )
            for member in s.cluster.members
        ),
        back_out=BACK_OUT,
        relies_on=relied_on(s, [member.id for member in s.cluster.members]),
    )


EARLY = (
    "Before the first restart no peer uses the new key: register the former credential's key again"
    " and run this procedure with `use_registered_key`."
)
LATE = (
    "After it: retry the job until all peers have restarted, for as long as peers have different"
    " keys they do not talk to each other."
)
BACK_OUT = (EARLY, LATE)

PROCEDURE = Procedure(
    slug="rotate-pre-shared-key",
    title="Rotate the pre-shared key",
    summary="Enters another pre-shared key on every peer and restarts them one after the other.",
    guide_pages="17",
    parameters=Parameters,
    named_peers=lambda _: (),
    draft=draft,
    in_bulk=("use_registered_key", "call_drain_seconds", "disconnect_remaining_calls"),
)
