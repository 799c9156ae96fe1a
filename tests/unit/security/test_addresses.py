from __future__ import annotations

from ipaddress import ip_network

import pytest

from app.security.addresses import AddressGuard, AddressRefused


def test_an_address_is_given_back_in_one_form() -> None:
    assert AddressGuard().check("2001:DB8:0::1") == "2001:db8::1"
    assert AddressGuard().check("::ffff:192.0.2.1") == "192.0.2.1"


def test_only_listed_networks_are_allowed_where_some_are_listed() -> None:
    guard = AddressGuard([ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")])
    assert guard.check("192.0.2.7") == "192.0.2.7"
    assert guard.check("2001:db8::7") == "2001:db8::7"
    with pytest.raises(AddressRefused, match="none of the networks"):
        guard.check("198.51.100.7")


def test_loopback_is_allowed_for_rehearsals_only() -> None:
    with pytest.raises(AddressRefused, match="ALLOW_LOOPBACK"):
        AddressGuard().check("127.0.0.1")
    assert AddressGuard(allow_loopback=True).check("127.0.0.1") == "127.0.0.1"


@pytest.mark.parametrize("text", ["169.254.1.1", "fe80::1", "fe80::1%e", "ff02::1", "::", "x", ""])
def test_a_listed_network_does_not_open_special_ranges(text: str) -> None:
    everything = [ip_network("0.0.0.0/0"), ip_network("::/0")]
    with pytest.raises(AddressRefused):
        AddressGuard(everything, allow_loopback=True).check(text)
