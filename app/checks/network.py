"""Ethernet, IP, NAT and H.323 of one peer, and addresses between peers (guide p.5, 9, 12)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from app.checks.findings import blocker, unknown
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
    if speed is None:
        yield unknown(
            "ethernet-speed",
            f"{seen.label} does not say which Ethernet speed LAN 1 has.",
            f"System > Ethernet of {seen.label} shows a valid speed for LAN 1.",
            "NEW-M-04 ADD-X-04",
            peer_id=seen.peer_id,
        )
    elif speed.casefold() not in ETHERNET_SPEEDS:
        yield blocker(
            "ethernet-speed-invalid",
            f"LAN 1 of {seen.label} reports Ethernet speed {speed}.",
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
    elif not networks:
        yield unknown(
            "gateway",
            f"{seen.label} does not say in which networks its interfaces are.",
            f"The IP gateway {way} on System > IP of {seen.label} is a router of its LAN.",
            "NEW-M-06 ADD-X-06",
            peer_id=seen.peer_id,
        )
        return
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
    """Static NAT is off on the interface that replicates (PRE-10, NEW-M-40, ADD-M-09).

    With Advanced Networking there is a second interface for it; without, LAN 1 is the only one.
    """
    cites = "PRE-10 NEW-M-40 ADD-M-09 ALM-41 ALM-42 ALM-44 ALM-46"
    nat = next((lan.static_nat for lan in seen.lans if lan.index == 1), None)
    if nat is None:
        yield unknown(
            "static-nat",
            f"{seen.label} does not say whether LAN 1 has static NAT.",
            f"IPv4 static NAT mode is Off for LAN 1 on System > IP of {seen.label}.",
            cites,
            peer_id=seen.peer_id,
        )
    elif nat:
        second = "; LAN 2 may have it" if seen.dual_interfaces else ""
        yield blocker(
            "static-nat-on-lan-1",
            f"LAN 1 of {seen.label} has static NAT on; peers cannot reach each other over NAT.",
            f"Switch static NAT off on LAN 1 (System > IP){second}.",
            cites,
            peer_id=seen.peer_id,
            evidence={"advanced_networking": _told(seen.dual_interfaces)},
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


def _told(fact: bool | None) -> str:
    return {True: "yes", False: "no", None: "not known"}[fact]
