"""From documents to facts: pure functions from status and configuration trees to domain values.

Every function takes a document's root node as a transport gave it. A fact that the document does
not hold becomes None, never a default that looks like an answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

from app.appliance.alarms import read_alarm
from app.appliance.shared import is_shared
from app.appliance.spelling import Spelling
from app.domain.observation import Alarm, Clustering, ClusterPeer, Dns, Lan, Zone
from transports.base import ClusteringPage
from transports.document import Node

DEFAULT_LINKS = frozenset(
    {"DefaultSZtoTraversalSZ", "DefaultSZtoDefaultZ", "TraversalSZtoDefaultZ"}
)
"""The links that `DefaultLinksAdd` makes (device facts 3)."""

PEER_FIELDS = range(1, 7)


def flag(value: str | None) -> bool | None:
    """On/Off, True/False, Enabled/Disabled; None where the fact is missing or another word."""
    match (value or "").casefold():
        case "on" | "true" | "enabled":
            return True
        case "off" | "false" | "disabled":
            return False
        case _:
            return None


def number(value: str | None) -> int | None:
    """A whole number, or None."""
    text = (value or "").strip()
    return int(text) if text.isascii() and text.isdigit() else None


def moment(value: str | None) -> datetime | None:
    """`2018-12-18 21:32:46` as the status' SystemTime has it, taken for UTC; None otherwise.

    The recorded documents show TimeZone UTC only; that SystemTime is UTC elsewhere is unverified.
    """
    try:
        return datetime.strptime(value or "", "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def lans(status: Node, configuration: Node) -> tuple[Lan, ...]:
    """LAN 1 and LAN 2 from `Ethernet` of status (speed in use) and configuration."""
    indexes = sorted({n.index for n in (*status.all("Ethernet"), *configuration.all("Ethernet"))})
    found = []
    for index in indexes:
        now = status.child("Ethernet", index) or Node("Ethernet")
        set_to = configuration.child("Ethernet", index) or Node("Ethernet")
        lan = Lan(
            index=index,
            speed=now.get("Speed") or set_to.get("Speed") or None,
            ipv4=set_to.get("IP V4 Address") or now.get("IPv4 Address") or "",
            ipv4_mask=set_to.get("IP V4 SubnetMask") or now.get("IPv4 SubnetMask") or "",
            ipv6=set_to.get("IP V6 Address") or now.get("IPv6 Address") or "",
            static_nat=flag(set_to.get("IP V4 StaticNAT Mode")),
        )
        found.append(lan)
    return tuple(found)


def dns(configuration: Node, spelling: Spelling) -> Dns:
    """System > DNS."""
    own = spelling.own("IP DNS Server").removesuffix(" Server")
    servers = configuration.find(own) or Node("DNS")
    addresses = (server.get("Address") for server in servers.all("Server"))
    return Dns(
        host_name=configuration.get("IP DNS Hostname") or "",
        domain=configuration.get("IP DNS Domain Name") or "",
        servers=tuple(address for address in addresses if address),
    )


def ntp_servers(configuration: Node) -> tuple[str, ...]:
    """The addresses on System > Time."""
    ntp = configuration.child("NTP") or Node("NTP")
    return tuple(a for a in (server.get("Address") for server in ntp.all("Server")) if a)


def ntp_state(status: Node) -> str | None:
    """The State word, where this version's status has one (device facts 4.2: place not known)."""
    for path in ("NTP Status", "NTP State", "Time Status", "Time State"):
        word = status.get(path)
        if word:
            return word
    for name in ("NTP", "Time"):
        node = status.child(name)
        if node is not None and node.attributes.get("status"):
            return node.attributes["status"]
    return None


def clustering(configuration: Node, status: Node, page: ClusteringPage | None) -> Clustering:
    """System > Clustering: the configuration, and the words beside it where a path shows them.

    The page's words are on record (device facts 4.2); the status' are expected below `Alternates`
    and not on record, so they are used only where the page cannot be read.
    """
    alternates = configuration.child("Alternates") or Node("Alternates")
    shown = status.child("Alternates") or Node("Alternates")
    peers = []
    for index in PEER_FIELDS:
        address = alternates.get(f"Peer {index} Address")
        if address:
            words = _page_words(page, index) or shown.get(f"Peer {index} Status") or None
            peers.append(ClusterPeer(index, address, words))
    if page is not None and page.database_status:
        database: str | None = page.database_status
    else:
        database = shown.get("Database Status") or None
    return Clustering(
        cluster_name=alternates.get("Cluster Name") or "",
        primary_index=number(
            alternates.get("ConfigurationMaster") or alternates.get("ConfigurationPrimary")
        ),
        peers=tuple(peers),
        pre_shared_key_set=None if page is None else page.pre_shared_key_set,
        database_status=database,
    )


def _page_words(page: ClusteringPage | None, index: int) -> str | None:
    if page is None:
        return None
    return next((peer.status for peer in page.peers if peer.index == index and peer.status), None)


def zones(configuration: Node) -> tuple[Zone, ...]:
    """Zones with the peers they name."""
    found = []
    for zone in (configuration.child("Zones") or Node("Zones")).all("Zone"):
        kind = zone.get("Type") or _kind_by_content(zone)
        addresses = [
            peer.get("Address") or ""
            for branch in zone.children
            for peer in branch.all("Peer")
            if peer.get("Address")
        ]
        found.append(Zone(zone.index, zone.get("Name") or "", kind, tuple(addresses)))
    return tuple(found)


def _kind_by_content(zone: Node) -> str:
    return next((branch.name for branch in zone.children if branch.all("Peer")), "")


def alarms(status: Node) -> tuple[Alarm, ...]:
    """`Warnings` of the status, in their order."""
    warnings = (status.child("Warnings") or Node("Warnings")).all("Warning")
    return tuple(
        read_alarm(w.get("ID") or "", w.get("Reason") or "", w.get("State") or "") for w in warnings
    )


def live_calls(status: Node) -> int | None:
    """How many calls are up: the children of `Calls` (device facts 4.1)."""
    calls = status.child("Calls")
    return None if calls is None else len(calls.all("Call"))


def call_indexes(status: Node) -> tuple[int, ...]:
    """The numbers `DisconnectCall` takes."""
    calls = status.child("Calls") or Node("Calls")
    return tuple(call.index for call in calls.all("Call"))


def option_keys(configuration: Node) -> tuple[str, ...]:
    """The installed option keys, sorted."""
    return tuple(sorted(k for k in (o.get("Key") for o in configuration.all("Option")) if k))


def features(status: Node) -> dict[str, str]:
    """What the option keys switch on: the leaves of `SystemUnit Software Configuration`."""
    node = status.find("SystemUnit Software Configuration") or Node("Configuration")
    return {child.name: child.value or "" for child in node.children}


def admin_accounts(configuration: Node) -> tuple[str, ...] | None:
    """Names of administrator accounts beside the default one; None where they are not shown."""
    admin = configuration.find("Authentication Account Admin")
    if admin is None:
        return None
    return tuple(name for name in (a.get("Name") for a in admin.all("Account")) if name)


def links(status: Node, configuration: Node) -> bool | None:
    """Whether the default links are all there; None where neither document lists links."""
    nodes = [n for root in (status, configuration) if (n := root.child("Links")) is not None]
    if not nodes:
        return None
    names = {link.get("Name") for node in nodes for link in node.all("Link")}
    return names >= DEFAULT_LINKS


def shared_digest(configuration: Node) -> str:
    """SHA-256 over all replicated settings of a whole configuration, paths folded and sorted.

    Passwords do not count: each peer may encrypt its own.
    """
    return _digest(_shared_lines(configuration))


def shared_shape(configuration: Node) -> dict[str, str]:
    """Per top-level element of the replicated settings: how many have a value, and a digest."""
    branches: dict[str, list[str]] = {}
    for line in _shared_lines(configuration):
        branches.setdefault(line.split(maxsplit=1)[0].split("=", 1)[0], []).append(line)
    return {name: f"{len(lines)} {_digest(lines)[:12]}" for name, lines in sorted(branches.items())}


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _shared_lines(configuration: Node) -> list[str]:
    return sorted(
        f"{place}={value}"
        for path, value in configuration.leaves()
        if value and is_shared(path) and not (place := str(path).casefold()).endswith("password")
    )


def facts_digest(facts: Mapping[str, object]) -> str:
    """SHA-256 over named facts; what a plan relies on, so that drift shows."""
    text = "\n".join(f"{name}={facts[name]!r}" for name in sorted(facts))
    return hashlib.sha256(text.encode()).hexdigest()
