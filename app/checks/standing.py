"""What is looked at on any day beside the prerequisites: clocks, certificates, alarms, LAN 1.

A procedure has its own words for alarms; here they are part of the whole picture of a cluster.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from app.checks.findings import blocker, unknown, warning
from app.domain.finding import Finding
from app.domain.observation import Observation

MOST_SECONDS_APART = 10
"""A judgement, not from the guide: reading the clocks themselves takes a second or two."""
SOON = timedelta(days=30)
OPTION_KEY_RESTART = 30025
"""Alarm "restart required" after an option key (device facts 9)."""


def clocks_agree(peers: Sequence[Observation]) -> Iterator[Finding]:
    """The peers' clocks show the same time (NEW-M-13, ADD-X-13: NTP works)."""
    if len(peers) < 2:
        return
    offsets = {seen.label: seen.clock_offset for seen in peers}
    known = {label: offset for label, offset in offsets.items() if offset is not None}
    if len(known) < len(offsets):
        silent = ", ".join(sorted(offsets.keys() - known.keys()))
        yield unknown(
            "clocks-agree",
            f"The clocks of {silent} cannot be compared.",
            "System > Time shows the same time on all peers.",
            "NEW-M-13 NEW-M-14 ADD-X-13 ADD-X-14",
        )
    if known and max(known.values()) - min(known.values()) > MOST_SECONDS_APART:
        first, last = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
        apart = known[last] - known[first]
        yield warning(
            "clocks-differ",
            f"The clock of {last} is {apart:g} s ahead of the one of {first}.",
            "See System > Time on both: the NTP servers must be reachable and the same.",
            "NEW-M-13 NEW-M-14 ADD-X-13 ADD-X-14",
            evidence={label: f"{offset:g}" for label, offset in known.items()},
        )


def certificate_valid(
    seen: Observation, expiries: Mapping[str, datetime], now: datetime
) -> Iterator[Finding]:
    """The peer's server certificate lasts (ADD-F-07, ADD-F-08, PSI-28).

    The one that is known here is the certificate pinned for the peer's HTTPS endpoint.
    """
    expiry = expiries.get(seen.peer_id)
    if expiry is None:
        yield unknown(
            "certificate-expiry",
            f"No certificate of {seen.label} is pinned here, so its expiry is not known.",
            f"The server certificate of {seen.label} (Maintenance > Security certificates) is valid"
            " for as long as it is needed.",
            "ADD-F-08 PSI-28",
            peer_id=seen.peer_id,
        )
    elif expiry <= now + SOON:
        over = expiry <= now
        yield warning(
            "certificate-expired" if over else "certificate-expires-soon",
            f"The server certificate of {seen.label} {'ended' if over else 'ends'} on"
            f" {expiry:%Y-%m-%d}.",
            "Install a new server certificate on the peer, then pin it here.",
            "ADD-F-08 PSI-28",
            peer_id=seen.peer_id,
            evidence={"not_after": expiry.isoformat()},
        )


def option_keys_active(seen: Observation) -> Iterator[Finding]:
    """No restart is pending after an option key was installed (PRE-18)."""
    if any(alarm.number == OPTION_KEY_RESTART for alarm in seen.alarms):
        yield warning(
            "option-key-restart-pending",
            f"{seen.label} must restart before its option keys are fully active.",
            "Restart it with restart-peer.",
            "PRE-18",
            peer_id=seen.peer_id,
        )


def peer_list_names_lan_1(peers: Sequence[Observation]) -> Iterator[Finding]:
    """No peer list names LAN 2 of a peer: replication runs over LAN 1 only (ALM-39, ALM-40)."""
    second = {
        address: seen
        for seen in peers
        for lan in seen.lans
        if lan.index == 2
        for text in (lan.ipv4, lan.ipv6)
        if (address := canonical(text))
    }
    for seen in peers:
        for entry in seen.clustering.peers:
            owner = second.get(canonical(entry.address))
            if owner is not None:
                yield blocker(
                    "peer-list-names-lan-2",
                    f"Peer {entry.index} IP address of {seen.label} is LAN 2 of {owner.label}.",
                    f"Enter the LAN 1 address of {owner.label}, {owner.address}, in that field.",
                    "NEW-M-39 ADD-M-08 ALM-39 ALM-40 ALM-45",
                    peer_id=seen.peer_id,
                    evidence={"address": entry.address, "lan_1": owner.address},
                )


def no_alarms(seen: Observation) -> Iterator[Finding]:
    """No alarm stands (NEW-F-08, ADD-X-17)."""
    for alarm in seen.alarms:
        yield warning(
            "alarm",
            f"{seen.label}: {alarm.title}{f' - {alarm.description}' if alarm.description else ''}",
            "Act upon it on Status > Alarms; the cluster's diagnosis names the cause.",
            "NEW-F-08 ADD-X-17",
            peer_id=seen.peer_id,
            evidence={"number": str(alarm.number or ""), "uuid": alarm.uuid},
        )


def members_joined(members: Sequence[Observation]) -> Iterator[Finding]:
    """Each member has each other one as Active, and its own database too (ADD-F-06)."""
    for seen in members:
        others = [p for p in seen.clustering.peers if p.address != seen.address]
        database = seen.clustering.database_status
        if database is None or any(peer.status is None for peer in others):
            yield unknown(
                "members-joined",
                f"{seen.label} does not show the words beside its peers or of its database.",
                f"System > Clustering of {seen.label} shows Active for every other peer and for the"
                " cluster database.",
                "ADD-F-06",
                peer_id=seen.peer_id,
                capability="cluster_status",
            )
        for peer in others:
            if peer.status is not None and peer.status.casefold() != "active":
                yield blocker(
                    "peer-not-active",
                    f"{seen.label} shows {peer.status} for {peer.address}.",
                    "Wait five minutes and look again; then see the cluster's diagnosis.",
                    "ADD-F-06",
                    peer_id=seen.peer_id,
                    evidence={"address": peer.address, "status": peer.status},
                )


def same_configuration(peers: Sequence[Observation]) -> Iterator[Finding]:
    """Members share one configuration, so they route alike (INT-10, INT-15)."""
    different = [seen for seen in peers if seen.shared_digest != peers[0].shared_digest]
    if different:
        names = ", ".join(seen.label for seen in different)
        yield warning(
            "shared-configuration-differs",
            f"The replicated configuration of {names} is not that of {peers[0].label}.",
            "Wait two minutes for replication; where it stays so, see the alarms of the peer.",
            "INT-10 INT-15 INT-16",
            evidence={seen.label: seen.shared_digest[:12] for seen in peers},
        )


def canonical(text: str) -> str:
    """An address in its one spelling; "" where it is none."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
