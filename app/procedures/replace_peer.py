"""Exchange a member for a different unit (guide p.26): remove the old one, add the new one.

Whether the old unit is removed as a live peer or as one that is out of service is decided by
whether it answers when the plan is made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from app.checks import leaving
from app.checks.findings import at, blocker
from app.domain.finding import Finding, Severity
from app.domain.peer import Peer
from app.domain.plan import Stage
from app.domain.procedure import Draft, Situation
from app.procedures import add_peer, change_primary, remove_dead_peer, remove_peer
from app.procedures.base import Param, Procedure
from app.procedures.change_peer_address import of_the_addition, of_the_removal, primary_first
from app.procedures.change_primary import NewPrimary
from app.procedures.parts import part
from app.procedures.prediction import without_members
from app.procedures.remove_peer import OwnName
from app.procedures.situation import relied_on


@dataclass(frozen=True, slots=True)
class Parameters:
    """What replace-peer needs to know."""

    peer_id: Annotated[str, Param("The member to replace.", "peer_02", min_length=1, max_length=64)]
    replacement_peer_id: Annotated[
        str, Param("The Expressway that takes its place.", "peer_04", min_length=1, max_length=64)
    ]
    new_primary_peer_id: NewPrimary = ""
    own_cluster_name: OwnName = ""
    host_name: Annotated[
        str,
        Param(
            "System host name to set on the replacement, where it is not right yet (ADD-J-11).",
            "exp4",
            max_length=63,
            pattern=r"^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)?$",
        ),
    ] = ""
    call_drain_seconds: Annotated[
        float,
        Param(
            "How long to wait for calls of the replacement to end, in seconds.",
            3600,
            minimum=0,
            maximum=604800,
        ),
    ] = 3600.0
    disconnect_remaining_calls: Annotated[
        bool, Param("Disconnect what is left after that time (ADD-X-24).", False)
    ] = False


def removal_findings(p: Parameters, s: Situation, old: Peer) -> tuple[Finding, ...]:
    """What the removal asks for, live or dead."""
    if s.observed(old.id) is not None:
        return remove_peer.findings(s, old, p.own_cluster_name, p.new_primary_peer_id)
    return tuple(
        replace(
            finding, pointer="/peer_id" if finding.pointer == "/peer_ids/0" else finding.pointer
        )
        for finding in remove_dead_peer.findings(s, [old], p.new_primary_peer_id)
    )


def removal(
    p: Parameters, s: Situation, old: Peer, found: tuple[Finding, ...]
) -> tuple[Stage, ...]:
    """The stages of the removal, live or dead."""
    if s.observed(old.id) is not None:
        name = leaving.name_after(s, old, p.own_cluster_name)
        return part("remove", remove_peer.stages_for(s, old, name, found), "REP-05")
    return part("remove", remove_dead_peer.stages_for(s, [old], found), "REP-04")


def joining(p: Parameters) -> add_peer.Parameters:
    """The parameters of the addition."""
    return add_peer.Parameters(
        peer_id=p.replacement_peer_id,
        host_name=p.host_name,
        call_drain_seconds=p.call_drain_seconds,
        disconnect_remaining_calls=p.disconnect_remaining_calls,
    )


def draft(p: Parameters, s: Situation) -> Draft:
    """Stages, findings and impact; pure. The whole procedure is in `stages`."""
    old, new = s.peers[p.peer_id], s.peers[p.replacement_peer_id]
    name = leaving.name_after(s, old, p.own_cluster_name)
    handed, led = change_primary.first(s, old, p.new_primary_peer_id)
    after = without_members(led, [old], {old.id: name})
    # Where the part before has asked whether the old unit is out of service, it is not asked again.
    removing = () if handed else removal_findings(p, led, old)
    adding = add_peer.findings(joining(p), after, new)
    stages = (
        *handed,
        *removal(p, led, old, removing),
        *part("add", add_peer.stages(joining(p), after, new, adding), "REP-06"),
    )
    live = s.observed(old.id) is not None
    return Draft(
        stages=stages,
        findings=(
            summary(old, live=live),
            *primary_first(s, old, p.new_primary_peer_id, "REP-02 REP-03"),
            *of_the_removal(removal_findings(p, s, old)),
            *different(old, new),
            *of_the_addition(after, adding),
        ),
        impact=(*(remove_peer.impact(s, old)[:1] if live else ()), *add_peer.impact(after, new)),
        back_out=(
            *(change_primary.back_out(s) if handed else ()),
            *(remove_peer.back_out(old) if live else remove_dead_peer.back_out([old])),
            *add_peer.back_out(new),
        ),
        relies_on=relied_on(s, [*(member.id for member in s.cluster.members), new.id]),
    )


def summary(old: Peer, *, live: bool) -> Finding:
    """Which of the guide's two removals the plan is made of."""
    how = "answers and is removed as a live peer" if live else "does not answer and is removed"
    return replace(
        blocker(
            "replaced-in-two-parts",
            f"{old.name} {how}; then the replacement is added.",
            "Nothing. A primary hands over first: see `new_primary_peer_id` (guide p.24).",
            "REP-01 REP-02 REP-03",
            peer_id=old.id,
        ),
        severity=Severity.INFO,
    )


def different(old: Peer, new: Peer) -> tuple[Finding, ...]:
    """The replacement is a different unit."""
    if old.id != new.id:
        return ()
    return at(
        "/replacement_peer_id",
        [
            blocker(
                "replacement-is-the-same",
                f"{old.name} cannot replace itself.",
                "Name the Expressway that takes its place.",
                "REP-01 REP-06",
                peer_id=new.id,
            )
        ],
    )


PROCEDURE = Procedure(
    slug="replace-peer",
    title="Replace a peer",
    summary="Removes a member, live or dead, and adds another Expressway in its place.",
    guide_pages="26",
    parameters=Parameters,
    named_peers=lambda p: tuple(
        filter(None, (p.peer_id, p.replacement_peer_id, p.new_primary_peer_id))
    ),
    draft=draft,
    admits=True,
)
