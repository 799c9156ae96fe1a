"""The situation that an earlier part of a composite job will leave behind.

Changing an address and replacing a peer are a removal followed by an addition (guide p.25-26). The
addition is planned before the removal has run, so it is planned over what the removal will have
made of the cluster: the members that stay, their lists, and a peer that stands alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.appliance.alarms import is_cluster_alarm
from app.domain.observation import Clustering, ClusterPeer, Observation, View
from app.domain.peer import Peer
from app.domain.procedure import Situation


def with_primary(s: Situation, primary: Peer) -> Situation:
    """After a change of primary: every member that answers names the new one."""
    cluster = replace(s.cluster, primary_id=primary.id)
    index = [member.id for member in cluster.members].index(primary.id) + 1
    views = dict(s.views)
    for member in cluster.members:
        seen = s.observed(member.id)
        if seen is not None:
            views[member.id] = _settled(seen, replace(seen.clustering, primary_index=index))
    return replace(s, cluster=cluster, views=views)


def without_members(s: Situation, gone: Sequence[Peer], names: Mapping[str, str]) -> Situation:
    """After a removal: the others list one another, and who answers of `gone` stands alone.

    `names` are the cluster names that removed peers take, by peer id.
    """
    away = {peer.id for peer in gone}
    members = tuple(member for member in s.cluster.members if member.id not in away)
    cluster = replace(s.cluster, members=members)
    primary = cluster.primary_id
    index = next((n for n, member in enumerate(members, start=1) if member.id == primary), None)
    views: dict[str, View] = dict(s.views)
    for member in members:
        seen = s.observed(member.id)
        if seen is not None:
            listed = tuple(
                ClusterPeer(n, peer.address, seen.clustering.status_of(peer.address))
                for n, peer in enumerate(members, start=1)
            )
            clustering = replace(seen.clustering, peers=listed, primary_index=index)
            views[member.id] = _settled(seen, clustering)
    for peer in gone:
        seen = s.observed(peer.id)
        if seen is not None:
            name = names.get(peer.id, seen.clustering.cluster_name)
            # It has been restarted, which dropped what calls it had.
            left = replace(seen, calls=0)
            views[peer.id] = _settled(left, Clustering(name, None, (), None, None))
    _zones_leave_out(s, views, {peer.address for peer in gone})
    return replace(
        s,
        cluster=cluster,
        views=views,
        memberships={i: where for i, where in s.memberships.items() if i not in away},
    )


def _zones_leave_out(s: Situation, views: dict[str, View], gone: set[str]) -> None:
    """The zones of registered neighbours no longer name who has left."""
    for neighbour in s.neighbours:
        seen = views.get(neighbour.peer_id or "")
        if isinstance(seen, Observation):
            zones = tuple(
                replace(zone, addresses=tuple(a for a in zone.addresses if a not in gone))
                for zone in seen.zones
            )
            views[seen.peer_id] = replace(seen, zones=zones)


def with_address(
    s: Situation, peer: Peer, address: str, *, subnet_mask: str, gateway: str
) -> Situation:
    """After a change of LAN 1's address; an empty mask or gateway stays as it is."""
    moved = replace(peer, address=address)
    views = dict(s.views)
    seen = s.observed(peer.id)
    if seen is not None:
        lans = tuple(
            replace(lan, ipv4=address, ipv4_mask=subnet_mask or lan.ipv4_mask)
            if lan.index == 1
            else lan
            for lan in seen.lans
        )
        views[peer.id] = replace(seen, lans=lans, gateway=gateway or seen.gateway)
    return replace(s, peers={**s.peers, peer.id: moved}, views=views)


def _settled(seen: Observation, clustering: Clustering) -> Observation:
    """Each part ends only when its own cluster alarms have gone and the database is Active."""
    alarms = tuple(
        alarm
        for alarm in seen.alarms
        if not is_cluster_alarm(alarm) and alarm.title.casefold() != "restart required"
    )
    settled = clustering
    if clustering.peers and clustering.database_status is not None:
        settled = replace(clustering, database_status="Active")
    return replace(seen, clustering=settled, alarms=alarms)
