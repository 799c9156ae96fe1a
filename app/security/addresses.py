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

    def check(self, text: str) -> str:
        """The address in its canonical form. Raises AddressRefused with the reason."""
        try:
            address = ip_address(text)
        except ValueError:
            raise AddressRefused("is not an IPv4 or IPv6 address") from None
        if isinstance(address, IPv6Address):
            if address.scope_id is not None:
                raise AddressRefused("names an interface; a zone index is not allowed")
            address = address.ipv4_mapped or address
        if address.is_loopback:
            # A rehearsal on this machine says so by CLUSTERWAY_ALLOW_LOOPBACK_PEERS; the list of
            # networks then speaks about the other addresses only.
            if self.allow_loopback:
                return str(address)
            raise AddressRefused(
                "is a loopback address; CLUSTERWAY_ALLOW_LOOPBACK_PEERS allows it for rehearsals"
            )
        for refused, name in (
            (address.is_unspecified, "the unspecified address"),
            (address.is_link_local, "a link-local address"),
            (address.is_multicast, "a multicast address"),
            (str(address) == "255.255.255.255", "the broadcast address"),
        ):
            if refused:
                raise AddressRefused(f"is {name}")
        if self.networks and not any(_within(address, network) for network in self.networks):
            raise AddressRefused("is in none of the networks of CLUSTERWAY_PEER_NETWORKS")
        return str(address)


def _within(address: IPv4Address | IPv6Address, network: IPv4Network | IPv6Network) -> bool:
    return address.version == network.version and address in network
