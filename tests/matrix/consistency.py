"""What must be true of the peers when a run is over, however it came there; by their own answers.

Two questions. Do all members that answer form the registered cluster: name, peer list, primary
(rule 3 of the architecture)? And is it a cluster at work: databases Active, no alarm of clustering,
nobody left in maintenance mode or in need of a restart? The second is given some time, for alarms
and states follow their causes slowly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from app.appliance.alarms import is_cluster_alarm
from app.domain.observation import Observation, View
from app.procedures.recovery import registered

if TYPE_CHECKING:
    from tests.matrix.stage import Stage

SETTLES_WITHIN = 1800.0
"""Device seconds; alarms may take ten minutes and a replication two (guide p.14)."""
_LOOKS_EVERY = 60.0


async def wrong(stage: Stage) -> list[str]:
    """Everything that is not as it must be; empty: consistent and at work."""
    views = {peer_id: await stage.observe(peer_id) for peer_id in stage.peers}
    return disagreements(stage, views) or await unsettled(stage, views)


def disagreements(stage: Stage, views: Mapping[str, View]) -> list[str]:
    """Where the peers that answer do not form the registered cluster."""
    cluster = registered(stage.cluster)
    found: list[str] = []
    for peer_id, peer in stage.peers.items():
        view = views[peer_id]
        if not isinstance(view, Observation):
            continue
        if peer_id in cluster.members:
            found += [f"{peer.name}: {what}" for what in cluster.differences(view)]
        elif view.clustering.addresses and peer_id not in stage.rehearsed.astray:
            found.append(f"{peer.name} is no member and lists peers")
    return found + stage.witness.disagreements(*cluster.members)


async def unsettled(stage: Stage, views: Mapping[str, View]) -> list[str]:
    """What still keeps the members from being a cluster at work when there was time for it."""
    waited = 0.0
    while True:
        found = _not_at_work(stage, views)
        if not found or waited >= SETTLES_WITHIN:
            return found
        await stage.fleet.clock.sleep(_LOOKS_EVERY)
        waited += _LOOKS_EVERY
        views = {member.id: await stage.observe(member.id) for member in stage.cluster.members}


def _not_at_work(stage: Stage, views: Mapping[str, View]) -> list[str]:
    members = [views[member.id] for member in stage.cluster.members]
    heard = [view for view in members if isinstance(view, Observation)]
    # Who lists a peer that is out of service cannot have an Active database or be without alarms.
    whole = len(heard) == len(members)
    wanted = stage.rehearsed.parameters
    in_maintenance = wanted.get("peer_ids", ()) if wanted.get("enabled") else ()
    found: list[str] = []
    for view in heard:
        name = stage.peers[view.peer_id].name
        if view.maintenance_mode and view.peer_id not in in_maintenance:
            found.append(f"{name} is in maintenance mode")
        if view.restart_required:
            found.append(f"{name} demands a restart")
        if whole and view.clustering.database_status != "Active":
            found.append(f"{name}: cluster database {view.clustering.database_status}")
        if whole:
            found += [f"{name}: {a.title}" for a in view.alarms if is_cluster_alarm(a)]
    return found
