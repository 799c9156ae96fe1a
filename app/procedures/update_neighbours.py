"""Have the zones of all neighbours hold the members of a cluster (guide p.10, 14, 19, 20).

The procedures that change members do the same in their own jobs; this one is for a neighbour that
was registered later, or whose zone was changed by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from app.checks import choice
from app.checks.findings import blocker, info
from app.domain.finding import Finding
from app.domain.plan import Impact, Stage
from app.domain.procedure import Draft, Situation
from app.procedures.base import Param, Procedure
from app.procedures.situation import relied_on
from app.procedures.steps.neighbours import out_of_reach, zone_step

CITED = "NEW-D-01 ADD-D-01 RML-31 RMD-19"


@dataclass(frozen=True, slots=True)
class Parameters:
    """What update-neighbours needs to know."""

    neighbour_ids: Annotated[
        tuple[str, ...],
        Param("The neighbours to update; none named: all.", ["neighbour_01"], max_length=50),
    ] = ()


def findings(p: Parameters, s: Situation) -> tuple[Finding, ...]:
    """The cluster has members; who cannot be reached is told, and why."""
    found = [*choice.chosen_members(s.cluster, (), "NEW-D-01")]
    known = {neighbour.id for neighbour in s.neighbours}
    found += (
        blocker(
            "neighbour-unknown",
            f"{s.cluster.name} has no neighbour {neighbour_id}.",
            "`GET /v1/clusters/{cluster_id}/neighbours` lists them.",
            "NEW-D-01",
        )
        for neighbour_id in p.neighbour_ids
        if neighbour_id not in known
    )
    found += (
        info(
            "neighbour-out-of-reach",
            f"{neighbour.name}: {why}.",
            "An operator changes its zone and attests it.",
            CITED,
            peer_id=neighbour.peer_id,
        )
        for neighbour in s.neighbours
        if (why := out_of_reach(s, neighbour))
    )
    return tuple(found)


def draft(p: Parameters, s: Situation) -> Draft:
    """One step or gate per neighbour; pure."""
    addresses = [member.address for member in s.cluster.members]
    chosen = [n for n in s.neighbours if not p.neighbour_ids or n.id in p.neighbour_ids]
    reached = [n.peer_id for n in chosen if n.peer_id and not out_of_reach(s, n)]
    return Draft(
        stages=(
            Stage("others", "On other devices", tuple(
                zone_step(s, neighbour, addresses, CITED) for neighbour in chosen
            ), "14"),
        ),
        findings=findings(p, s),
        impact=tuple(
            Impact(peer_id, f"{s.peers[peer_id].name} sends calls for {s.cluster.name} to"
                   f" {', '.join(addresses)} from now on.")
            for peer_id in reached
        ),
        back_out=("Enter what the plan's observations show in the zones again.",),
        relies_on=relied_on(s, [*(member.id for member in s.cluster.members), *reached]),
    )  # fmt: skip


PROCEDURE = Procedure(
    slug="update-neighbours",
    title="Update neighbours",
    summary="Has the zones of registered neighbours hold exactly the members of the cluster.",
    guide_pages="10, 14, 19-20",
    parameters=Parameters,
    named_peers=lambda _: (),
    draft=draft,
    in_bulk=(),
)
