"""The xStatus tree of one appliance.

Shape and element names are those of the recorded X8.11.3 document (facts 4.1), reduced to what
X8.2 can have. What that recording does not show - cluster words, the NTP state - appears only
where the profile says so.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from transports.document import Node, Path, Segment

if TYPE_CHECKING:
    from transports.mock.expressway import Expressway

_EMPTY = ("Pipes", "Policy", "FindMeManager", "B2BUACalls", "Options", "RateLimits")


def status_tree(device: Expressway, only: str = "") -> Node:
    """Everything xStatus shows, below a root named Status.

    With `only`, just the part that holds the top-level element of that name: observers poll single
    elements often, and the rest need not be made for them.
    """
    root = Node("Status")
    wanted = only.casefold()
    for names, part in _PARTS:
        if not wanted or wanted in names.casefold().split():
            part(root, device)
    return root


def _plain(*leaves: tuple[str, str]) -> Callable[[Node, Expressway], None]:
    def part(root: Node, _: Expressway) -> None:
        for path, value in leaves:
            root.ensure(path).value = value

    return part


def _feedback(root: Node, _: Expressway) -> None:
    for index in (1, 2, 3):
        root.add("Feedback", index=index).add("Status", "Off")


def _calls(root: Node, device: Expressway) -> None:
    calls = root.add("Calls")
    for call in device.calls.live.values():
        node = calls.add("Call", index=call.number)
        node.add("SerialNumber", call.serial)
        node.add("StartTime", _time(device.clock.date(call.started_at - device.clock.now())))
        node.add("Duration", str(int(device.clock.now() - call.started_at)))


def _registrations(root: Node, device: Expressway) -> None:
    registrations = root.add("Registrations")
    for index, alias in device.registrations.items():
        registrations.add("Registration", index=index).add("Alias", alias)


def _empty(root: Node, _: Expressway) -> None:
    for name in _EMPTY:
        root.add(name)


def _xmpp(root: Node, _: Expressway) -> None:
    root.add("XMPP").add("system-status").add("jabberd").add("status", "Inactive")


def prune(root: Node, path: Path) -> Node:
    """The part of a tree that a path names, parents kept; a missing index means all."""
    return Node(root.name, root.index, root.value, root.attributes, _kept(root, path.segments))


def _kept(node: Node, segments: tuple[Segment, ...]) -> list[Node]:
    if not segments:
        return node.children
    first, rest = segments[0], segments[1:]
    found = []
    for child in node.all(first.name):
        if first.index is not None and child.index != first.index:
            continue
        children = _kept(child, rest)
        if not rest or children:
            found.append(Node(child.name, child.index, child.value, child.attributes, children))
    return found


def _put(root: Node, path: str, value: str) -> None:
    root.ensure(path).value = value


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _flag(value: object) -> str:
    return "True" if value else "False"


def _system_unit(root: Node, device: Expressway) -> None:
    now = _time(device.clock.date(device.clock_skew))
    node = root.add("SystemUnit")
    node.add("Product", "TANDBERG VCS")
    node.add("Uptime", str(max(0, int(device.uptime))))
    node.add("SystemTime", now)
    node.add("TimeZone", device.configuration.get("TimeZone Name"))
    node.add("LocalTime", now)
    software = node.add("Software")
    software.add("Version", device.version)
    software.add("Build", f"oak_v{device.version.removeprefix('X')}_rc_1")
    software.add("Name", "s42700")
    software.add("ReleaseDate", "2014-06-12")
    software.add("ReleaseKey", "")
    features = software.add("Configuration")
    keys = " ".join(device.option_keys)
    features.add("NonTraversalCalls", "0")
    features.add("TraversalCalls", str(device.call_licences))
    for name in ("Registrations", "TPRoom", "UserDevice"):
        features.add(name, "0")
    features.add("Expressway", _flag("116341E" in keys))
    features.add("Encryption", "True")
    features.add("Interworking", _flag("116341G" in keys))
    features.add("FindMe", "False")
    features.add("DeviceProvisioning", "False")
    features.add("DualNetworkInterfaces", _flag("116341L" in keys))
    features.add("AdvancedAccountSecurity", "False")
    features.add("StarterPack", "False")
    features.add("EnhancedOCSCollaboration", "False")
    features.add("ExpresswaySeries", "True")
    hardware = node.add("Hardware")
    hardware.add("Version", device.hardware)
    hardware.add("SerialNumber", device.serial)


def _network(root: Node, device: Expressway) -> None:
    get = device.configuration.get
    for index in (1, 2):
        address = device.address if index == 1 else get("Ethernet 2 IP V4 Address")
        if not address:
            continue
        lan = root.add("Ethernet", index=index)
        lan.add("MacAddress", f"00:0C:29:{device.serial[-4:-2]}:{device.serial[-2:]}:0{index}")
        speed = get(f"Ethernet {index} Speed")
        lan.add("Speed", "10000full" if speed == "Auto" else speed)
        ipv4 = lan.add("IPv4")
        ipv4.add("Address", address)
        ipv4.add("SubnetMask", get(f"Ethernet {index} IP V4 SubnetMask"))
        if six := get(f"Ethernet {index} IP V6 Address"):
            lan.add("IPv6").add("Address", six)
    ip = root.add("IP")
    ip.add("Protocol", get("IPProtocol"))
    ip.add("IPv4").add("Gateway", get("IP Gateway"))
    dns = ip.add("DNS")
    dns.add("Domain").add("Name", get("IP DNS Domain Name"))
    prefix = "IP DNS Server" if device.profile.dns_servers_below_ip else "DNS Server"
    for index in range(1, 6):
        dns.add("Server", index=index).add("Address", get(f"{prefix} {index} Address"))


def _time_state(root: Node, device: Expressway) -> None:
    where = device.profile.ntp_status_path
    if not where:
        return
    if where == "NTP":
        state = "Active" if device.ntp_synchronized else "Inactive"
        root.add("NTP").attributes = {"status": state}
        return
    profile = device.profile
    good = device.ntp_synchronized
    words = profile.time_synchronized if good else profile.time_unsynchronized
    _put(root, "Time State", words)


def _usage(root: Node, device: Expressway) -> None:
    usage = root.add("ResourceUsage")
    calls = usage.add("Calls")
    live = len(device.calls.live)
    for name, current in (("Traversal", live), ("NonTraversal", 0), ("CollaborationEdge", 0)):
        kind = calls.add(name)
        kind.add("Current", str(current))
        kind.add("Max", str(current))
        kind.add("Total", str(device.calls.total if current else 0))
    registrations = usage.add("Registrations")
    registrations.add("Current", str(len(device.registrations)))
    registrations.add("Max", str(len(device.registrations)))
    registrations.add("Total", str(len(device.registrations)))


def _bandwidth(node: Node) -> None:
    usage = node.add("Bandwidth")
    usage.add("LocalUsage", "0")
    usage.add("ClusterUsage", "0")


def _zones(root: Node, device: Expressway) -> None:
    zones = root.add("Zones")
    default = zones.add("DefaultZone")
    default.add("Name", "DefaultZone")
    _bandwidth(default)
    local = zones.add("LocalZone")
    for name in ("DefaultSubZone", "TraversalSubZone", "ClusterSubZone"):
        sub = local.add(name)
        sub.add("Name", name)
        _bandwidth(sub)
    searches = zones.add("Searches")
    for name in ("Current", "Total", "Dropped"):
        searches.add(name, "0")
    get = device.configuration.get
    for index in device.configuration.records("Zones Zone"):
        prefix = f"Zones Zone {index}"
        kind = get(f"{prefix} Type")
        zone = zones.add("Zone", index=index)
        zone.add("Name", get(f"{prefix} Name"))
        _bandwidth(zone)
        zone.add("Status", "Active")
        zone.add("Cause", "")
        zone.add("Type", kind)
        if kind in {"Neighbor", "TraversalClient"}:
            node = zone.add(kind)
            for n in range(1, 7):
                if address := get(f"{prefix} {kind} Peer {n} Address"):
                    sip = node.add("Peer", index=n).add("SIP")
                    sip.add("Status", "Active")
                    sip.add("Address", address)
                    sip.add("Port", "5061")


def _alternates(root: Node, device: Expressway) -> None:
    alternates = root.add("Alternates")
    if not device.profile.status_shows_cluster:
        return
    for index, address in enumerate(device.cluster.saved().peers, start=1):
        if address:
            peer = alternates.add("Peer", index=index)
            peer.add("Address", address)
            peer.add("Status", device.cluster.status_word(address))
    alternates.add("DatabaseStatus", device.cluster.database_status())


def _links(root: Node, device: Expressway) -> None:
    links = root.add("Links")
    for index in device.configuration.records("Bandwidth Link"):
        link = links.add("Link", index=index)
        link.add("Name", device.configuration.get(f"Bandwidth Link {index} Name"))
        _bandwidth(link)


def _signalling(root: Node, device: Expressway) -> None:
    get = device.configuration.get
    port = "5061" if get("SIP TLS Mode") == "On" and get("SIP Mode") == "On" else ""
    tls = root.ensure("SIP Ethernet IPv4 TLS")
    tls.add("Status", "Active" if port else "Inactive")
    if port:
        tls.add("Address", f"{device.address}:{port}")
    state = "Active" if get("H323 Mode") == "On" else "Inactive"
    for where in ("Registration", "CallSignaling", "Assent CallSignaling", "H46018 CallSignaling"):
        _put(root, f"H323 {where} Status", state)


def _protection(root: Node, device: Expressway) -> None:
    node = root.add("IntrusionProtection")
    service = node.add("Service")
    service.add("State", "Up")
    service.add("ActiveCategories", str(len(device.protection.categories)))
    for index, category in enumerate(device.protection.categories.values(), start=1):
        row = node.add("Category", index=index)
        row.add("Name", category.name)
        row.add("TotalBans", str(category.total_bans))
        row.add("CurrentBans", str(device.protection.current_bans(category)))
        row.add("TotalFails", str(category.total_fails))
        row.add("CurrentFails", str(sum(category.fails.values())))


def _warnings(root: Node, device: Expressway) -> None:
    warnings = root.add("Warnings")
    for alarm in device.alarms.listed():
        node = warnings.add("Warning", index=alarm.item)
        node.add("ID", alarm.uuid)
        node.add("Reason", f"{alarm.title} - {alarm.description}")
        node.add("State", "Acknowledged" if alarm.acknowledged else "Unacknowledged")


_PARTS: tuple[tuple[str, Callable[[Node, Expressway], None]], ...] = (
    ("SystemUnit", _system_unit),
    ("Ethernet IP", _network),
    ("NTP Time", _time_state),
    ("ExternalManager", _plain(("ExternalManager Status", "Inactive"))),
    ("Feedback", _feedback),
    ("ResourceUsage", _usage),
    ("Calls", _calls),
    ("Zones", _zones),
    ("Alternates", _alternates),
    ("Links", _links),
    ("Registrations", _registrations),
    ("SIP H323", _signalling),
    ("Applications", _plain(("Applications Presence Server Status", "Inactive"))),
    ("TURN", _plain(("TURN Server Status", "Inactive"))),
    (
        "CollaborationEdge",
        _plain(("CollaborationEdge Authentication LegacyCred", "False")),
    ),
    (" ".join(_EMPTY), _empty),
    (
        "PortUsage",
        _plain(("PortUsage Media Range Start", "36000"), ("PortUsage Media Range End", "59999")),
    ),
    ("CDR", _plain(("CDR Service", "off"))),
    ("SystemMetrics", _plain(("SystemMetrics Mode", "off"))),
    ("Fips", _plain(("Fips Mode", "off"))),
    ("HTTPProxy", _plain(("HTTPProxy Status", "Inactive"))),
    ("IntrusionProtection", _protection),
    ("Warnings", _warnings),
    ("XMPP", _xmpp),
)
