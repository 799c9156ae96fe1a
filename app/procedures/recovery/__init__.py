"""After a job that did not succeed: where the cluster stands now, and which ways lead out.

A pure decision over the plan, what its steps have come to, the registry and what the peers say
now. It never guesses what the job did: the peers' own answers are compared with the cluster as it
was registered before the job and with the cluster the job aimed at. The ways are ready requests in
order of preference; whether one of them is blocked just now only its own plan can tell, so whoever
shows them plans each one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from app.domain.cluster import Cluster
from app.domain.observation import View
from app.domain.peer import Peer
from app.procedures.recovery.case import Case, Ended
from app.procedures.recovery.clusters import aimed_at, involved, registered
from app.procedures.recovery.standing import PeerStanding, Standing, stands, together
from app.procedures.recovery.way_out import Direction, Request, WayOut
from app.procedures.recovery.ways import ways_out

__all__ = [
    "Direction",
    "Ended",
    "PeerStanding",
    "Recovery",
    "Request",
    "Standing",
    "WayOut",
    "involved",
    "recover",
    "registered",
]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a person needs at night: the state, peer by peer, and the ways out, best first."""

    standing: Standing
    summary: str
    peers: tuple[PeerStanding, ...]
    ways: tuple[WayOut, ...]


def recover(
    job: Ended,
    cluster: Cluster,
    peers: Mapping[str, Peer],
    views: Mapping[str, View],
    slugs: Collection[str],
) -> Recovery:
    """Where the cluster stands after `job`, and the ways out; `slugs` are procedures on offer.

    `cluster` is the registry now; `views` are fresh and hold every peer of `involved`.
    """
    before = registered(cluster)
    aimed = aimed_at(job.plan, before)
    standings = tuple(
        stands(peers[peer_id], views.get(peer_id), before, aimed, touched=job.touched(peer_id))
        for peer_id in involved(job.plan, cluster)
        if peer_id in peers
    )
    case = Case(job, cluster, before, aimed, standings, together(standings), views)
    return Recovery(case.standing, _summary(case), standings, ways_out(case, slugs))


def _summary(case: Case) -> str:
    said = {
        Standing.BEFORE: "The peers that answer are clustered as before the job.",
        Standing.AIMED: "The peers that answer are clustered as the job wanted it.",
        Standing.BETWEEN: "The peers are between the cluster before the job and the one wanted.",
        Standing.UNKNOWN: "No peer of the job could be read.",
    }[case.standing]
    if case.missing and case.standing is not Standing.UNKNOWN:
        said += f" Not reached: {', '.join(peer.name for peer in case.missing)}."
    left = [f"{peer.name}: {what}" for peer in case.peers for what in peer.left_over]
    return f"{said} Left over: {'; '.join(left)}." if left else said
