"""The xConfiguration items the simulated appliance knows, with their value spaces.

Paths and value spaces are from device facts 2. Each item says whether it is replicated or
peer-specific (guide p.16-17), which level of DefaultValuesSet resets it, and which "Restart
required" alarm a change raises. A write that matches no item here is refused.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from transports.mock.profile import DeviceProfile

NEVER = 9
"""A level no DefaultValuesSet reaches."""

_TOKEN = re.compile(r"([A-Za-z][A-Za-z0-9]*)(?:\s+\[(\d+)\.\.(\d+)\])?")


@dataclass(frozen=True)
class Space:
    """A value space: an enumeration, a number range, a text length, or an address."""

    options: tuple[str, ...] = ()
    numbers: tuple[int, int] | None = None
    text: tuple[int, int] = (0, 1024)
    address: bool = False

    def accept(self, value: str) -> str | None:
        """The value as the appliance keeps it, or None where it is outside the space."""
        if self.options:
            return next((o for o in self.options if o.casefold() == value.casefold()), None)
        if self.numbers is not None:
            low, high = self.numbers
            inside = value.isascii() and value.isdigit() and low <= int(value) <= high
            return str(int(value)) if inside else None
        if self.address and value and not is_address(value):
            return None
        return value if self.text[0] <= len(value) <= self.text[1] else None

    def __str__(self) -> str:
        if self.options:
            return "<" + "/".join(self.options) + ">"
        low, high = self.numbers or self.text
        return f"<{low}..{high}>" if self.numbers else f"<S: {low}, {high}>"


@dataclass(frozen=True)
class Item:
    """One configurable value. `pattern` is such as `Alternates Peer [1..6] Address`.

    `shared`: replicated from the primary. `record`: exists only once a command made it.
    """

    pattern: str
    space: Space
    default: str = ""
    shared: bool = True
    level: int = 1
    restart: int = 0
    record: bool = False

    @cached_property
    def tokens(self) -> tuple[tuple[str, tuple[int, int] | None], ...]:
        """Element names and the index range of those that repeat."""
        return tuple(
            (name, (int(low), int(high)) if low else None)
            for name, low, high in _TOKEN.findall(self.pattern)
        )

    def match(self, words: Iterable[str], *, whole: bool) -> list[int | None] | None:
        """The indexes that the words name, one a repeating element; None where they differ.

        With `whole` the words must name the item itself, every index included.
        """
        rest = list(words)
        indexes: list[int | None] = []
        for name, bounds in self.tokens:
            if not rest:
                return None if whole else indexes
            if rest.pop(0).casefold() != name.casefold():
                return None
            given = int(rest.pop(0)) if rest and rest[0].isascii() and rest[0].isdigit() else None
            if bounds is None:
                if given not in {None, 1}:
                    return None
                continue
            if given is None and whole:
                return None
            if given is not None and not bounds[0] <= given <= bounds[1]:
                return None
            indexes.append(given)
        return None if rest else indexes

    def path(self, indexes: Iterable[int]) -> str:
        """The canonical path with those indexes."""
        rest = iter(indexes)
        return " ".join(f"{n} {next(rest)}" if bounds else n for n, bounds in self.tokens)


def is_address(value: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


_ON_OFF = Space(options=("On", "Off"))
_ADDRESS = Space(text=(0, 39), address=True)
_SPEED = Space(options=("Auto", "10half", "10full", "100half", "100full", "1000full", "10000full"))


def _s(low: int, high: int) -> Space:
    return Space(text=(low, high))


def _n(low: int, high: int) -> Space:
    return Space(numbers=(low, high))


def _peer(pattern: str, space: Space, default: str = "", restart: int = 0) -> Item:
    return Item(pattern, space, default, shared=False, level=3, restart=restart)


def _record(pattern: str, space: Space, default: str = "", level: int = 1) -> Item:
    return Item(pattern, space, default, level=level, record=True)


def items(profile: DeviceProfile) -> tuple[Item, ...]:
    """All items of an appliance of that profile, in the order it lists them."""
    peer_space = _s(0, 128) if profile.peers_by_name else _ADDRESS
    dns = "IP DNS Server" if profile.dns_servers_below_ip else "DNS Server"
    account = "Authentication Account Admin Account [1..100]"
    zone = "Zones Zone [1..1000]"
    rule = "Policy SearchRules Rule [1..2000]"
    return (
        _peer("Administration HTTP Mode", _ON_OFF, "On", 25017),
        _peer("Administration HTTPS Mode", _ON_OFF, "On", 25011),
        _peer("Administration LCDPanel Mode", _ON_OFF, "On"),
        _peer("Administration SSH Mode", _ON_OFF, "On", 25015),
        _peer("Alternates Cluster Name", _s(0, 128)),
        _peer(f"Alternates {profile.master_item}", _n(1, 6), "1"),
        _peer("Alternates Peer [1..6] Address", peer_space),
        _record(f"{account} AccessAPI", _ON_OFF, "On", NEVER),
        _record(f"{account} AccessWeb", _ON_OFF, "On", NEVER),
        _record(f"{account} Enabled", _ON_OFF, "On", NEVER),
        _record(f"{account} Name", _s(1, 128), level=NEVER),
        Item("Bandwidth Default", _n(64, 65535), "384"),
        _record("Bandwidth Link [1..3000] Name", _s(1, 50)),
        _record("Bandwidth Link [1..3000] Node1 Name", _s(0, 50)),
        _record("Bandwidth Link [1..3000] Node2 Name", _s(0, 50)),
        _record("Bandwidth Link [1..3000] Pipe1 Name", _s(0, 50)),
        _record("Bandwidth Link [1..3000] Pipe2 Name", _s(0, 50)),
        _record("Bandwidth Pipe [1..1000] Name", _s(1, 50)),
        Item("Call Loop Detection Mode", _ON_OFF, "On"),
        Item("Call Routed Mode", Space(options=("Always", "Optimal")), "Always"),
        _peer("Ethernet [1..2] IP V4 Address", _ADDRESS, restart=25010),
        _peer("Ethernet [1..2] IP V4 StaticNAT Address", _ADDRESS, restart=25010),
        _peer("Ethernet [1..2] IP V4 StaticNAT Mode", _ON_OFF, "Off", 25010),
        _peer("Ethernet [1..2] IP V4 SubnetMask", _ADDRESS, "255.255.255.0", 25010),
        _peer("Ethernet [1..2] IP V6 Address", _ADDRESS, restart=25010),
        _peer("Ethernet [1..2] Speed", _SPEED, "Auto", 25009),
        Item("ExternalManager Address", _s(0, 128)),
        Item(
            "ExternalManager Path",
            _s(0, 255),
            "tms/public/external/management/SystemManagementService.asmx",
        ),
        Item("ExternalManager Protocol", Space(options=("HTTP", "HTTPS")), "HTTPS"),
        Item("H323 Mode", _ON_OFF, "On"),
        _peer("IP DNS Domain Name", _s(0, 128)),
        _peer("IP DNS Hostname", _s(0, 63)),
        _peer("IP DNS SearchDomains", _s(0, 1024)),
        _peer(f"{dns} [1..5] Address", _ADDRESS),
        _peer("IP External Interface", Space(options=("LAN1", "LAN2")), "LAN1"),
        _peer("IP Gateway", Space(text=(7, 15), address=True), "127.0.0.1", 25010),
        Item("IP Route [1..50] Address", _ADDRESS, shared=False, level=3, record=True),
        Item("IP Route [1..50] Gateway", _ADDRESS, shared=False, level=3, record=True),
        Item(
            "IP Route [1..50] Interface",
            Space(options=("Auto", "LAN1", "LAN2")),
            "Auto",
            shared=False,
            level=3,
            record=True,
        ),
        Item("IP Route [1..50] PrefixLength", _n(0, 128), "32", shared=False, level=3, record=True),
        _peer("IP V6 Gateway", _ADDRESS, restart=25010),
        Item("IPProtocol", Space(options=("Both", "IPv4", "IPv6")), "IPv4", level=3, restart=25010),
        Item("Interworking Mode", Space(options=("On", "Off", "RegisteredOnly")), "RegisteredOnly"),
        _peer("Log Level", _n(1, 4), "1"),
        Item("Login Remote LDAP BaseDN Accounts", _s(0, 255), level=2),
        Item("Login Remote LDAP Server Address", _s(0, 128), level=2),
        Item(
            "Login Source Admin",
            Space(options=("LocalOnly", "RemoteOnly", "Both")),
            "LocalOnly",
            level=2,
        ),
        Item("Management Session InactivityTimeout", _n(0, 65535), "30"),
        Item("Management Session MaxConcurrentSessionsTotal", _n(0, 480), "0"),
        Item("Management Session MaxConcurrentSessionsUser", _n(0, 480), "0"),
        _peer("NTP Server [1..5] Address", _s(0, 128)),
        Item("Option [1..64] Key", _s(0, 90), shared=False, level=NEVER, record=True),
        _record(f"{rule} Name", _s(0, 50)),
        _record(f"{rule} Priority", _n(1, 65534), "100"),
        _record(f"{rule} Target Name", _s(0, 50)),
        _peer("RemoteSyslog Server [1..4] Address", _s(0, 128)),
        Item("SIP Mode", _ON_OFF, "On"),
        Item("SIP TCP Mode", _ON_OFF, "On"),
        Item("SIP TLS Mode", _ON_OFF, "On"),
        Item("SIP UDP Mode", _ON_OFF, "Off"),
        _record("SIP Domains Domain [1..200] Name", _s(0, 128)),
        _peer("SNMP CommunityName", _s(0, 16)),
        _peer("SNMP SystemContact", _s(0, 70), "Administrator"),
        _peer("SNMP SystemLocation", _s(0, 70)),
        _peer("SNMP V2cMode", _ON_OFF, "Off"),
        _peer("SNMP V3Mode", _ON_OFF, "Off"),
        Item("SystemUnit Maintenance Mode", _ON_OFF, "Off", shared=False, level=NEVER),
        _peer("SystemUnit Name", _s(0, 50)),
        _peer("TimeZone Name", _s(0, 64), "GMT"),
        _record("Transform [1..100] Pattern String", _s(0, 60)),
        _record("Transform [1..100] Priority", _n(1, 65534), "1"),
        Item("Zones DefaultZone SIP TLS Verify Mode", _ON_OFF, "Off"),
        _record(f"{zone} DNS SIP TLS Verify Mode", _ON_OFF, "Off"),
        _record(f"{zone} H323 Mode", _ON_OFF, "On"),
        _record(f"{zone} HopCount", _n(1, 255), "15"),
        _record(f"{zone} Name", _s(1, 50)),
        _record(f"{zone} Neighbor Peer [1..6] Address", _s(0, 128)),
        _record(f"{zone} SIP Mode", _ON_OFF, "On"),
        _record(f"{zone} TraversalClient Peer [1..6] Address", _s(0, 128)),
        _record(f"{zone} Type", Space(options=ZONE_TYPES)),
    )


ZONE_TYPES = ("Neighbor", "TraversalClient", "TraversalServer", "ENUM", "DNS")
