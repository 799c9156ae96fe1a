"""Ethernet, IP, NAT and H.323 of one peer, and addresses between peers (guide p.5, 9, 12)."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator, Mapping, Sequence

from app.appliance.profiles import profile_for
from app.checks.findings import blocker, unknown, warning
from app.domain.finding import Finding
from app.domain.observation import Lan, Observation
from app.domain.peer import Peer

ETHERNET_SPEEDS = frozenset(
    {"auto", "10half", "10full", "100half", "100full", "1000full", "10000full"}
)
"""Values of `Ethernet n Speed`, and what a virtual machine reports (device facts 2, 4.1)."""


def ethernet_speed(seen: Observation) -> Iterator[Finding]:
    """LAN 1 has a valid Ethernet speed (NEW-M-04, ADD-X-04)."""
    speed = next((lan.speed for lan in seen.lans if lan.index == 1), None)
    if speed is None or speed.casefold() not in ETHERNET_SPEEDS:
        yield blocker(
            "ethernet-speed-invalid",
            f"LAN 1 of {seen.label} reports Ethernet speed {speed or 'nothing'}.",
            "Set a valid speed on System > Ethernet.",
            "NEW-M-04 ADD-X-04",
            peer_id=seen.peer_id,
        )


def lan_address(seen: Observation, registered: Peer) -> Iterator[Finding]:
    """LAN 1 has a usable address, the registered one (NEW-M-05, NEW-M-39, ADD-X-05, ADD-M-08)."""
    address = _parse(seen.address)
    if address is None or address.is_unspecified or address.is_multicast or address.is_loopback:
        yield blocker(
            "lan-address-invalid",
            f"LAN 1 of {seen.label} has no usable address ({seen.address or 'none'}).",
            "Set the address on System > IP.",
            "NEW-M-05 ADD-X-05",
            peer_id=seen.peer_id,
        )
    elif address != _parse(registered.address):
        yield blocker(
            "lan-address-differs",
            f"{seen.label} has LAN 1 address {seen.address}, registered is {registered.address}.",
            "Peer lists must name the LAN 1 address: correct the registered address.",
            "NEW-M-39 ADD-M-08 NEW-M-05 ADD-X-05 ALM-38 ALM-39 ALM-40 ALM-43 ALM-45",
            peer_id=seen.peer_id,
            evidence={"lan_1": seen.address, "registered": registered.address},
        )


def gateway(seen: Observation) -> Iterator[Finding]:
    """The gateway is set and in the network of an interface (NEW-M-06, ADD-X-06)."""
    way = _parse(seen.gateway)
    networks = [network for lan in seen.lans if (network := _network(lan)) is not None]
    if way is None or way.is_loopback or way.is_unspecified:
        problem = f"{seen.label} has no IP gateway ({seen.gateway or 'none'})."
    elif networks and not any(way in network for network in networks):
        problem = f"The gateway {way} of {seen.label} is in no network of its interfaces."
    else:
        return
    yield blocker(
        "gateway-invalid",
        problem,
        "Set IP gateway on System > IP to a router of the LAN.",
        "NEW-M-06 ADD-X-06",
        peer_id=seen.peer_id,
        evidence={"gateway": seen.gateway},
    )


def no_nat_on_lan_1(seen: Observation) -> Iterator[Finding]:
    """Static NAT is off on the interface that replicates (PRE-10, NEW-M-40, ADD-M-09)."""
    if any(lan.index == 1 and lan.static_nat for lan in seen.lans):
        yield blocker(
            "static-nat-on-lan-1",
            f"LAN 1 of {seen.label} has static NAT on; peers cannot reach each other over NAT.",
            "Switch static NAT off on LAN 1 (System > IP), or use LAN 2 for it.",
            "PRE-10 NEW-M-40 ADD-M-09 ALM-41 ALM-42 ALM-44 ALM-46",
            peer_id=seen.peer_id,
        )


def h323_on(seen: Observation) -> Iterator[Finding]:
    """H.323 is on, even where all endpoints are SIP (PRE-20, PRE-21)."""
    if seen.h323_on is None:
        yield unknown(
            "h323-mode",
            f"{seen.label} does not say whether H.323 mode is on.",
            f"H.323 mode is On on {seen.label} (Configuration > Protocols > H.323).",
            "PRE-20 PRE-21",
            peer_id=seen.peer_id,
        )
    elif not seen.h323_on:
        yield blocker(
            "h323-off",
            f"H.323 mode is off on {seen.label}; peers use H.323 between themselves.",
            "Set H.323 mode to On on Configuration > Protocols > H.323.",
            "PRE-20 PRE-21 ALM-23 ALM-24",
            peer_id=seen.peer_id,
        )


def different_addresses(peers: Sequence[Observation]) -> Iterator[Finding]:
    """No IPv4 or IPv6 address is used twice (PRE-06, PRE-07)."""
    users: dict[str, Observation] = {}
    for seen in peers:
        for lan in seen.lans:
            # One spelling for each: 2001:DB8::1 and 2001:db8:0::1 are the same address.
            spellings = (str(_parse(text) or text) for text in (lan.ipv4, lan.ipv6))
            for address in filter(None, spellings):
                other = users.setdefault(address, seen)
                if other.peer_id != seen.peer_id:
                    yield blocker(
                        "address-used-twice",
                        f"{other.label} and {seen.label} both use {address}.",
                        "Give each peer addresses of its own on System > IP.",
                        "PRE-06" if ":" not in address else "PRE-07",
                        peer_id=seen.peer_id,
                        evidence={"address": address},
                    )


def routing(
    peers: Sequence[Observation], round_trips: Mapping[tuple[str, str], float | None]
) -> Iterator[Finding]:
    """Peers reach each other directly within 15 ms a hop, 30 ms round trip (PRE-08 to PRE-11)."""
    yield unknown(
        "firewall-open",
        "The service cannot see firewalls between peers, nor the peers' own Firewall rules.",
        "Every firewall between the peers lets the traffic of Appendix 2 (guide p.29) through, and"
        " no Firewall rule of a peer itself drops or rejects UDP 4369 to 4380.",
        "PRE-11 NEW-P-01 NET-02 NET-07",
    )
    pairs = list(itertools.permutations(peers, 2))
    if not pairs:
        return
    for one, other in pairs:
        if (one.peer_id, other.peer_id) in round_trips:
            yield from _round_trip(one, other, round_trips[one.peer_id, other.peer_id])
    names = ", ".join(seen.label for seen in peers)
    if all(round_trips.get((one.peer_id, other.peer_id)) is not None for one, other in pairs):
        yield unknown(
            "direct-routing",
            "The round trips are measured; address translation on the way cannot be seen.",
            f"No address translation (NAT) stands between {names}.",
            "PRE-09 PRE-10 NET-10",
        )
    else:
        yield unknown(
            "direct-routing",
            "Not all round trips between the peers can be measured from here.",
            f"Each of {names} reaches each other directly, without NAT, within 15 ms a hop and"
            " 30 ms round trip.",
            "PRE-08 PRE-09 PRE-10 NET-10",
        )


def _round_trip(
    one: Observation, other: Observation, milliseconds: float | None
) -> Iterator[Finding]:
    limit = profile_for(one.software_version).max_round_trip_ms
    evidence = {"from": one.address, "to": other.address}
    if milliseconds is None:
        # Not a blocker: a firewall may drop the echo and let the cluster's own traffic through.
        yield warning(
            "peer-does-not-answer-peer",
            f"{one.label} gets no echo from {other.address} ({other.label}).",
            "Make sure that the peers are directly routable to each other, without NAT, and that"
            " the ports of Appendix 2 (guide p.29) are open between them.",
            "PRE-09 PRE-11",
            peer_id=one.peer_id,
            evidence=evidence,
        )
    elif milliseconds > limit:
        yield blocker(
            "round-trip-too-long",
            f"The round trip from {one.label} to {other.label} takes {milliseconds:g} ms; at most"
            f" {limit:g} ms are allowed.",
            "Cluster only peers that are close to each other, or better the path between them.",
            "PRE-08",
            peer_id=one.peer_id,
            evidence={**evidence, "milliseconds": f"{milliseconds:g}"},
        )


def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _network(lan: Lan) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(f"{lan.ipv4}/{lan.ipv4_mask}", strict=False)
    except ValueError:
        return None
