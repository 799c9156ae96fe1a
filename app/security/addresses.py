"""The address guard: which hosts the service may be told to connect to.

A caller that may register peers must not be able to aim the service at itself, at its
neighbours on the link or at a cloud's metadata address. Peers are named by IP address (the X8.2
peer list takes nothing else), so what is checked is what is connected to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address


class AddressRefused(ValueError):
    """The address is none, or not one the service may connect to."""


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """Allows the listed networks (all where none is listed), never the special ranges."""

    networks: Sequence[IPv4Network | IPv6Network] = ()
    allow_loopback: bool = False
    about: str = "PEER"
    """Whose settings they are: CLUSTERWAY_<about>_NETWORKS, CLUSTERWAY_ALLOW_LOOPBACK_<about>S."""

    def check(self, text: str) -> str:
        """The address in its canonical form. Raises AddressRefused with the reason."""
        try:
            address = ip_address(text)
        except ValueError:
            raise AddressRefused("is not an IPv4 or IPv6 address") from None
        if isinstance(address, IPv6Address):
            if address.scope_id is not None:
                raise AddressRefused("names an interface; a zone index is not allowed")
            address = _inside(address)
        if address.is_loopback:
            # A rehearsal on this machine says so by a setting; the list of networks then speaks
            # about the other addresses only.
            if self.allow_loopback:
                return str(address)
            raise AddressRefused(
                f"is a loopback address; CLUSTERWAY_ALLOW_LOOPBACK_{self.about}S allows it for"
                " rehearsals"
            )
        for refused, name in (
            (address.is_unspecified, "the unspecified address"),
            (address.is_link_local, "a link-local address"),
            (address.is_multicast, "a multicast address"),
            (address in _METADATA, "a cloud's metadata address"),
            (str(address) == "255.255.255.255", "the broadcast address"),
        ):
            if refused:
                raise AddressRefused(f"is {name}")
        if self.networks and not any(_within(address, network) for network in self.networks):
            raise AddressRefused(f"is in none of the networks of CLUSTERWAY_{self.about}_NETWORKS")
        return str(address)


_METADATA = frozenset({ip_address("fd00:ec2::254"), ip_address("100.100.100.200")})
"""Metadata addresses outside the link-local range (169.254.169.254 is inside it)."""
_NAT64 = IPv6Network("64:ff9b::/96")


def _inside(address: IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one leads to (mapped, NAT64, 6to4), else the address."""
    inner = address.ipv4_mapped or address.sixtofour
    if address in _NAT64:
        inner = IPv4Address(int(address) & 0xFFFFFFFF)
    if inner is None:
        return address
    harmful = inner.is_loopback or inner.is_link_local or inner.is_unspecified
    return inner if address.ipv4_mapped or harmful else address


def _within(address: IPv4Address | IPv6Address, network: IPv4Network | IPv6Network) -> bool:
    return address.version == network.version and address in network
