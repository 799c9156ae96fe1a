"""Make another member the primary (guide p.24), whether or not the old one can be reached.

More than one peer takes itself for primary between the first write and the last, so all writes
stand together: no gate and no safe point between them (CHM-02). A peer that goes away meanwhile is
waited for as long as it takes, for only the job can tell it of the new primary when it comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from app.appliance.alarms import is_cluster_alarm
from app.checks import leaving, membership
from app.checks.findings import at, unknown, warning
from app.domain.finding import Finding, Severity
from app.domain.peer import Peer
from app.domain.plan import Impact, Stage
from app.domain.procedure import Draft, Situation
from app.procedures.base import Param, Procedure
from app.procedures.parts import part, with_steps
from app.procedures.prediction import with_primary
from app.procedures.situation import PEER_LOST, relied_on, silent
from app.procedures.steps.attest import gates_for
from app.procedures.steps.leaving import out_of_service
from app.procedures.steps.primary import set_primary
from app.procedures.steps.record import record_members
from app.procedures.steps.replication import alarms_cleared, database_active
from app.procedures.steps.target import Target

NewPrimary = Annotated[
    str,
    Param(
        "The member to make primary first, where the peer is the primary (guide p.24); empty where"
        " it is not.",
        "peer_01",
        max_length=64,
    ),
]
"""The parameter `new_primary_peer_id` of every procedure that a primary must not go through."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What change-primary needs to know."""

    peer_id: Annotated[
        str, Param("The member that becomes the primary.", "peer_02", min_length=1, max_length=64)
    ]


def findings(s: Situation, new: Peer, field: str = "/peer_id") -> tuple[Finding, ...]:
    """The new primary is a member that answers; who does not is out of service for good."""
    found: list[Finding] = [
        *membership.exists(s.cluster),
        *at(field, leaving.is_member(s.cluster, new, "CHM-03 CHM-04")),
        *at(field, leaving.answers(s, new, "Or choose another member.", "CHM-03 CHM-04")),
        *leaving.agree(s, "CHM-04 CHM-10"),
    ]
    for member in s.cluster.members:
        seen = s.observed(member.id)
        if seen is not None:
            found += leaving.version_covered(seen, "CHM-01")
    dead = silent(s)
    if dead:
        names = ", ".join(peer.name for peer in dead)
        found += [
            unknown(
                "out-of-service",
                f"{names} cannot be reached, and keeps the configuration master it has.",
                f"{names} is out of service and will not be connected to the network again before"
                " its configuration is cleared (guide p.21); it is brought back with add-peer.",
                "CHM-01 CHM-16 CHM-17",
            ),
            warning(
                "unreachable-members-stay-listed",
                f"{names} stays in the peer lists of {s.cluster.name}.",
                "Run remove-dead-peer afterwards (guide p.20), or at once instead of this: with"
                " `new_primary_peer_id` it changes the primary first.",
                "CHM-16",
            ),
        ]
    return tuple(found)


def stages_for(
    s: Situation, new: Peer, found: tuple[Finding, ...], *, dead: Sequence[Peer] = ()
) -> tuple[Stage, ...]:
    """The whole procedure on one screen, in the guide's order; `dead` are not written to."""
    old = s.cluster.primary
    if old is None or new.id not in {member.id for member in s.cluster.members}:
        return ()
    addresses = [member.address for member in s.cluster.members]
    away = {peer.id for peer in dead}
    up = [member for member in s.cluster.members if member.id not in away]
    # The old primary first: it is the one that takes itself for primary beside the new one.
    others = sorted((m for m in up if m.id != new.id), key=lambda m: m.id != old.id)
    on = {member.id: Target.of(member, s) for member in s.cluster.members}
    return with_steps(
        Stage("before", "Before you start", (
            *gates_for(found),
            *(out_of_service(on[peer.id], "CHM-01 CHM-08") for peer in dead),
        ), "24"),
        Stage("new", f"On the new primary, {new.name}", (
            set_primary(on[new.id], new, addresses,
                        "CHM-02 CHM-03 CHM-04 CHM-05 CHM-06 CHM-07", answering=up, begun=False),
        ), "24"),
        Stage("others", "On all other peers, starting with the old primary", tuple(
            set_primary(on[member.id], new, addresses, "CHM-02 CHM-08 CHM-09 CHM-10 CHM-11")
            for member in others
        ), "24"),
        Stage("confirm", "On each peer: the change is accepted, the database Active", (
            record_members(on[new.id], s.cluster, s.cluster.members, new,
                           "CHM-01 CHM-12 CHM-13 CHM-18", silent=dead),
            *(alarms_cleared(on[member.id], "CHM-06 CHM-07 CHM-15",
                             known=lasting(s, member, peer_lost=bool(dead))) for member in up),
            # What the page reports while a listed peer is out of service is not on record, so the
            # database is waited for only where all members are there.
            *(database_active(on[member.id], "CHM-14",
                              shown="cluster_status" in on[member.id].capabilities)
              for member in up if not dead),
        ), "24"),
    )  # fmt: skip


def lasting(s: Situation, peer: Peer, *, peer_lost: bool = False) -> list[str]:
    """The titles of alarms that may still stand when the change is over.

    Alarms of clustering are to go, but for those that tell of a listed peer that is out of service.
    """
    seen = s.observed(peer.id)
    if seen is None:
        return []
    kept = [
        alarm.title
        for alarm in seen.alarms
        if not is_cluster_alarm(alarm) and alarm.title.casefold() != "restart required"
    ]
    return [*kept, *PEER_LOST] if peer_lost else kept


def first(s: Situation, peer: Peer, new_primary_id: str) -> tuple[tuple[Stage, ...], Situation]:
    """The part that makes another peer the primary before `peer` goes, where `peer` is it.

    No stages, and the situation as it is, where `peer` is not the primary or no other is named.
    """
    if peer.id != s.cluster.primary_id or not new_primary_id:
        return (), s
    new = s.peers[new_primary_id]
    if new.id not in {member.id for member in s.cluster.members}:
        return (), s
    # Only what people state becomes a gate here; the rest is among the whole plan's findings.
    stated = tuple(f for f in findings(s, new) if f.severity is Severity.UNKNOWN)
    made = part("handover", stages_for(s, new, stated, dead=silent(s)))
    return made, with_primary(s, new)


def findings_first(s: Situation, peer: Peer, new_primary_id: str) -> tuple[Finding, ...]:
    """What stands in the way of the part that `first` makes."""
    if peer.id != s.cluster.primary_id or not new_primary_id:
        return ()
    field = "/new_primary_peer_id"
    wrong = findings(s, s.peers[new_primary_id], field)
    if new_primary_id == peer.id:
        wrong = (*wrong, *at(field, leaving.is_not_primary(s.cluster, peer, "CHM-03")))
    return tuple(f for f in wrong if f.severity is Severity.BLOCKER)


def draft(p: Parameters, s: Situation) -> Draft:
    """Stages, findings and impact; pure."""
    new, dead = s.peers[p.peer_id], silent(s)
    found = findings(s, new)
    if p.peer_id == s.cluster.primary_id:
        found = (*found, already_primary(new))
    steps = stages_for(s, new, found, dead=dead)
    up = [member for member in s.cluster.members if s.observed(member.id) is not None]
    return Draft(
        stages=steps,
        findings=found,
        impact=tuple(
            Impact(
                member.id,
                f"{member.name} goes on serving; changes of configuration are not replicated for"
                " about two minutes, and alarms of a master mismatch are to be ignored meanwhile"
                " (CHM-06, CHM-07, CHM-15).",
            )
            for member in up
        ),
        back_out=back_out(s),
        relies_on=relied_on(s, [member.id for member in s.cluster.members]),
    )


def already_primary(peer: Peer) -> Finding:
    """There is nothing to change."""
    return replace(
        warning(
            "already-primary",
            f"{peer.name} is the primary already.",
            "Choose another member.",
            "CHM-03",
            peer_id=peer.id,
        ),
        severity=Severity.BLOCKER,
        pointer="/peer_id",
    )


def back_out(s: Situation) -> tuple[str, ...]:
    """The ways back, by how far the job came."""
    old = s.cluster.primary.name if s.cluster.primary else "the old primary"
    return (
        "Before the new primary is written: nothing has changed.",
        (
            "Between the first write and the last: let the job go on, or retry it at once; two"
            " peers may take themselves for primary until it is through (CHM-02). A peer that does"
            " not answer is waited for until it does; one that is out of service for good is given"
            " up by cancelling the job, and the job's recovery removes it."
        ),
        f"After it: change-primary back to {old}, where it answers.",
    )


PROCEDURE = Procedure(
    slug="change-primary",
    title="Change the primary",
    summary="Makes another member the primary, whether or not the old one can be reached.",
    guide_pages="24",
    parameters=Parameters,
    named_peers=lambda p: (p.peer_id,),
    draft=draft,
)
