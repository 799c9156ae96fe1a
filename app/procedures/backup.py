"""Take a backup of members of a cluster, or of all of them: before anything that may go wrong.

Each backup is kept, encrypted, with the job; recover-database and a downgrade need one that was
taken earlier on the same unit and the same release (guide p.6, p.28).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from app.checks import access, choice
from app.checks.findings import at
from app.domain.finding import Finding
from app.domain.plan import Stage
from app.domain.procedure import Draft, Situation
from app.procedures.base import Param, Procedure
from app.procedures.situation import chosen, relied_on
from app.procedures.steps.attest import gates_for
from app.procedures.steps.backup import back_up
from app.procedures.steps.target import Target


@dataclass(frozen=True, slots=True)
class Parameters:
    """What backup needs to know."""

    peer_ids: Annotated[
        tuple[str, ...],
        Param("The members to back up; none named: all of them.", ["peer_01"], max_length=6),
    ] = ()


CITED = "UPG-M-02 UPG-M-04 UPG-N-03 UPG-N-05 ALM-15"


def draft(p: Parameters, s: Situation) -> Draft:
    """One step per peer, in the order of the peer list; pure."""
    found = findings(p, s)
    peers = chosen(p.peer_ids, s)
    return Draft(
        stages=(
            Stage("before", "Before you start", gates_for(found)),
            Stage("back-up", "On each peer: back up", tuple(
                back_up(Target.of(peer, s), CITED) for peer in peers
            ), "6"),
        ),
        findings=found,
        back_out=("Nothing on any peer is changed; a backup that is not wanted needs no undoing.",),
        relies_on=relied_on(s, [peer.id for peer in peers]),
    )  # fmt: skip


def findings(p: Parameters, s: Situation) -> tuple[Finding, ...]:
    """The chosen peers are members and can be read."""
    found = [*at("/peer_ids", choice.chosen_members(s.cluster, p.peer_ids, "UPG-M-02 UPG-N-03"))]
    for peer in chosen(p.peer_ids, s):
        found += access.readable(s.views.get(peer.id), peer.id)
    return tuple(found)


PROCEDURE = Procedure(
    slug="backup",
    title="Back up peers",
    summary="Takes a backup of the named members, or of all, and keeps it encrypted with the job.",
    guide_pages="6",
    parameters=Parameters,
    named_peers=lambda p: p.peer_ids,
    draft=draft,
    in_bulk=(),
)
