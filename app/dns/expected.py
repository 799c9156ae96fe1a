"""Which records a cluster needs (guide p.5 and p.31-33), and the zone-file text to paste.

The values are those of the guide's example: TTL 86400, priority 1 and weight 1 for every peer. Any
other priority and weight is as good as long as all peers have the same (SRV-27, SRV-30).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.domain.dns import Record, folded, reverse_name
from app.domain.observation import Observation

_NAME = re.compile(r"([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
TTL = 86400
PRIORITY = 1
WEIGHT = 1


@dataclass(frozen=True, slots=True)
class Service:
    """One kind of SRV record. `port` is the standard one; `advice` says when not to have it."""

    label: str
    port: int
    purpose: str
    requirements: str
    advice: str = ""

    def name(self, domain: str) -> str:
        """`_sip._tcp.<domain>` (SRV-06)."""
        return f"{self.label}.{folded(domain)}"


SERVICES = (
    Service("_sips._tcp", 5061, "SIP over TLS", "SRV-07 SRV-12 SRV-23"),
    Service("_sip._tcp", 5060, "SIP over TCP", "SRV-08 SRV-13 SRV-24"),
    Service(
        "_sip._udp",
        5060,
        "SIP over UDP",
        "SRV-09 SRV-14 SRV-19",
        advice="audio-only: SIP messages of video systems are too large for datagrams",
    ),
    Service("_h323ls._udp", 1719, "H.323 location (RAS), such as LRQ", "SRV-10 SRV-15 SRV-25"),
    Service("_h323cs._tcp", 1720, "H.323 call signalling", "SRV-11 SRV-16 SRV-26"),
)


@dataclass(frozen=True, slots=True)
class Host:
    """A peer as DNS should know it: its FQDN and its LAN 1 addresses."""

    peer_id: str
    fqdn: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """The records of a cluster, in the order of a zone file."""

    domain: str
    services: tuple[Record, ...]
    addresses: tuple[Record, ...]
    reverse: tuple[Record, ...]
    optional: tuple[Record, ...]
    """The `_sip._udp` records: for audio-only calls, not recommended for video (SRV-09, SRV-19)."""


def hosts(peers: Iterable[Observation]) -> tuple[Host, ...]:
    """The peers' names and their LAN 1 addresses, IPv4 and IPv6 (guide p.28: LAN 1 only).

    What a peer has for a name and is none counts as no name: it goes into zone text that people
    paste.
    """
    return tuple(Host(seen.peer_id, _name(seen.dns.fqdn), lan_1(seen)) for seen in peers)


def _name(text: str) -> str:
    name = folded(text)
    return name if len(name) <= 253 and _NAME.fullmatch(name) else ""


def lan_1(seen: Observation) -> tuple[str, ...]:
    """The usable addresses of LAN 1 in canonical spelling."""
    found = []
    for lan in seen.lans:
        if lan.index == 1:
            for text in (lan.ipv4, lan.ipv6):
                try:
                    found.append(str(ipaddress.ip_address(text)))
                except ValueError:
                    continue
    return tuple(found)


def expected(domain: str, of: Sequence[Host]) -> Expected:
    """All records for these peers; a peer without an FQDN has none to expect."""
    named = [host for host in of if host.fqdn]

    def srv(service: Service) -> list[Record]:
        name = f"{service.name(domain)}."
        data = f"{PRIORITY} {WEIGHT} {service.port}"
        return [Record(name, "SRV", TTL, f"{data} {host.fqdn}.") for host in named]

    return Expected(
        domain=folded(domain),
        services=tuple(r for s in SERVICES if not s.advice for r in srv(s)),
        addresses=tuple(
            Record(f"{host.fqdn}.", _kind(address), TTL, address)
            for host in named
            for address in host.addresses
        ),
        reverse=tuple(
            Record(f"{reverse_name(address)}.", "PTR", TTL, f"{host.fqdn}.")
            for host in named
            for address in host.addresses
        ),
        optional=tuple(r for s in SERVICES if s.advice for r in srv(s)),
    )


def zone_text(of: Expected) -> str:
    """The records as an administrator pastes them; what is optional is commented out."""
    lines = [f"; SRV records of {of.domain} (guide p.31-32)"]
    lines += [str(record) for record in of.services]
    if of.optional:
        advice = next(service.advice for service in SERVICES if service.advice)
        lines += [f"; optional, {advice}:", *(f"; {record}" for record in of.optional)]
    lines += ["", "; addresses of the peers (guide p.5: forward look-ups)"]
    lines += [str(record) for record in of.addresses]
    lines += ["", "; in the reverse zones (guide p.5: reverse look-ups)"]
    lines += [str(record) for record in of.reverse]
    return "\n".join(lines) + "\n"


def _kind(address: str) -> str:
    return "AAAA" if ":" in address else "A"
