"""Switch maintenance mode of members on or off: whether they take new calls and registrations."""

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
from app.procedures.situation import chosen, in_maintenance, relied_on
from app.procedures.steps.attest import gates_for
from app.procedures.steps.calls import drain_calls
from app.procedures.steps.settings import maintenance_mode
from app.procedures.steps.target import Target


@dataclass(frozen=True, slots=True)
class Parameters:
    """What maintenance-mode needs to know."""

    peer_ids: Annotated[
        tuple[str, ...],
        Param(
            "The members concerned; Off also for an Expressway in no cluster, as a job leaves it"
            " that stops before it joins.",
            ["peer_01"],
            min_length=1,
            max_length=6,
        ),
    ]
    enabled: Annotated[bool, Param("On (true) or Off (false).", True)]
    wait_for_calls: Annotated[
        bool, Param("When switching on: wait until no call is left (UPG-M-11).", False)
    ] = False
    call_drain_seconds: Annotated[
        float,
        Param("How long to wait for calls to end, in seconds.", 3600, minimum=0, maximum=604800),
    ] = 3600.0
    disconnect_remaining_calls: Annotated[
        bool, Param("Disconnect what is left after that time (UPG-M-12).", False)
    ] = False


def findings(p: Parameters, s: Situation) -> tuple[Finding, ...]:
    """The chosen are members that can be read, and somebody goes on taking calls."""
    requirement = "UPG-M-06" if p.enabled else "NEW-F-06"
    alone = set() if p.enabled else {i for i in p.peer_ids if i not in s.memberships}
    named = [peer_id for peer_id in p.peer_ids if peer_id not in alone]
    found = [*choice.chosen_members(s.cluster, named, requirement)] if named else []
    for peer in concerned(p, s):
        found += access.readable(s.views.get(peer.id), peer.id)
    if p.enabled:
        found += choice.somebody_serves(s.cluster, in_maintenance(s), p.peer_ids, "UPG-M-10")
    return at("/peer_ids", found)


def concerned(p: Parameters, s: Situation) -> tuple[Peer, ...]:
    """The chosen members in the order of the peer list, then who is in no cluster."""
    alone = (s.peers[i] for i in dict.fromkeys(p.peer_ids) if i not in s.memberships)
    return (*chosen(p.peer_ids, s), *(() if p.enabled else alone))


def steps(p: Parameters, s: Situation, peer: Peer) -> tuple[PlannedStep, ...]:
    """What is done on one peer."""
    on, seen = Target.of(peer, s), s.observed(peer.id)
    if not p.enabled:
        return (maintenance_mode(on, "NEW-F-04 NEW-F-05 NEW-F-06 NEW-F-07", to="Off"),)
    return (
        maintenance_mode(on, "UPG-M-05 UPG-M-06 UPG-M-07 UPG-M-08 UPG-M-10", to="On"),
        *(
            drain_calls(on, "UPG-M-11", "UPG-M-12", calls=seen.calls if seen else None,
                        deadline=p.call_drain_seconds, disconnect=p.disconnect_remaining_calls)
            if p.wait_for_calls else ()
        ),
    )  # fmt: skip


def draft(p: Parameters, s: Situation) -> Draft:
    """One stage per peer; pure."""
    found, peers = findings(p, s), concerned(p, s)
    word, other = ("On", "Off") if p.enabled else ("Off", "On")
    return Draft(
        stages=(
            Stage("before", "Before you start", gates_for(found)),
            *(
                Stage(f"peer-{n}", f"On {peer.name}: maintenance mode {word}", steps(p, s, peer),
                      "6")
                for n, peer in enumerate(peers, start=1)
            ),
        ),
        findings=found,
        impact=tuple(
            Impact(
                peer.id,
                f"{peer.name} takes no new calls and registrations; calls in progress go on until"
                " a restart (UPG-M-08, UPG-M-09)."
                if p.enabled
                else f"{peer.name} takes calls and registrations again.",
            )
            for peer in peers
        ),
        back_out=(f"Run maintenance-mode again with the same peers, to {other}.",),
        relies_on=relied_on(s, [peer.id for peer in peers]),
    )  # fmt: skip


PROCEDURE = Procedure(
    slug="maintenance-mode",
    title="Switch maintenance mode",
    summary="Switches maintenance mode of members on, with or without waiting for calls, or off.",
    guide_pages="6-7",
    parameters=Parameters,
    named_peers=lambda p: p.peer_ids,
    draft=draft,
)
