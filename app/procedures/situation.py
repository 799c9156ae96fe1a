"""What procedures read out of a situation beside the checks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.appliance.alarms import is_cluster_alarm
from app.appliance.reading import facts_digest
from app.checks.findings import unknown, warning
from app.domain.finding import Finding
from app.domain.observation import Observation
from app.domain.peer import Peer
from app.domain.procedure import Situation

PEER_LOST = ("Cluster communication failure", "Cluster database communication failure")
"""Alarms that stay while a listed peer is out of service (device facts 9)."""
_PASSING = frozenset({"restart required", "maintenance mode"})


def relied_on(s: Situation, peer_ids: Iterable[str]) -> dict[str, str]:
    """A digest per peer of the facts a plan stands on; calls and alarms may change meanwhile."""
    digests = {}
    for peer_id in peer_ids:
        seen = s.observed(peer_id)
        if seen is not None:
            digests[peer_id] = facts_digest(
                {
                    "software_version": seen.software_version,
                    "serial_number": seen.serial_number,
                    "address": seen.address,
                    "system_name": seen.system_name,
                    "host_name": seen.dns.fqdn,
                    "ntp_state": seen.ntp.state,
                    "h323_on": seen.h323_on,
                    "cluster_name": seen.clustering.cluster_name,
                    "peer_list": seen.clustering.addresses,
                    "primary": seen.clustering.primary_address,
                    "zones": [(zone.name, zone.addresses) for zone in seen.zones],
                }
            )
    return digests


def silent(s: Situation) -> tuple[Peer, ...]:
    """The members that do not answer."""
    return tuple(member for member in s.cluster.members if s.observed(member.id) is None)


def alarms_present(seen: Observation, requirement: str) -> Iterator[Finding]:
    """Alarms that stand before the job: shown, and to be acted upon by people, not by the job."""
    titles = [alarm.title for alarm in seen.alarms if alarm.title.casefold() != "restart required"]
    if titles:
        listed = ", ".join(titles)
        yield warning(
            "alarms-present",
            f"{seen.label} has {len(titles)} alarm(s): {listed}.",
            "Act upon them on Status > Alarms.",
            requirement,
            peer_id=seen.peer_id,
        )
        yield unknown(
            "alarms-acted-upon",
            f"{seen.label} has alarms from before this change.",
            f"The alarms that {seen.label} had before this change ({listed}) are known and acted"
            " upon.",
            requirement,
            peer_id=seen.peer_id,
        )


def chosen(peer_ids: Iterable[str], s: Situation) -> tuple[Peer, ...]:
    """The named members in the order of the peer list; where none is named, all."""
    named = set(peer_ids)
    return tuple(m for m in s.cluster.members if not named or m.id in named)


def alarm_titles(s: Situation, peer_id: str) -> list[str]:
    """The alarms that stand on a peer; a demanded restart and maintenance mode are not among them.

    Those two go away with what a job does.
    """
    seen = s.observed(peer_id)
    return [a.title for a in seen.alarms if a.title.casefold() not in _PASSING] if seen else []


def in_maintenance(s: Situation) -> tuple[str, ...]:
    """The ids of the members that are in maintenance mode now."""
    seen = (s.observed(member.id) for member in s.cluster.members)
    return tuple(view.peer_id for view in seen if view is not None and view.maintenance_mode)


def alarms_beside_clustering(s: Situation, peer_id: str) -> list[str]:
    """The alarms that stand on a peer and are none of clustering: those a job will not mend."""
    seen = s.observed(peer_id)
    standing = [alarm for alarm in seen.alarms if not is_cluster_alarm(alarm)] if seen else []
    return [alarm.title for alarm in standing if alarm.title.casefold() not in _PASSING]
