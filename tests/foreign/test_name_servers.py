"""The guide's zones on authoritative name servers of others: NSD and Knot DNS, as master files.

Runs where one of them is installed (Debian: `nsd`, `knot`); `tests/unit/dns` asks the same of a
server that comes with the development tools everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.dns.naptr import dialable, enum_name, in_order
from app.domain.dns import Answer
from tests.support.authoritative import PLACES, SERVER, authoritative, knotd, look_up, nsd
from tests.unit.dns.judging import judge
from tests.unit.dns.zones import COMPANY, EXAMPLE, HOSTS, NAPTR

ZONES = ("company.com", "example.com", "mydyndns.org", "enum.lookup.com", "2.0.192.in-addr.arpa",
         "8.b.d.0.1.0.0.2.ip6.arpa")  # fmt: skip
MANY = "".join(f"_many._tcp.company.com. 60 IN SRV 1 1 {n} expe1.company.com.\n" for n in range(60))
"""An answer that fits in no datagram of the usual size."""
ALIAS = "alias.company.com. 60 IN CNAME expe1.company.com.\n"

pytestmark = [
    pytest.mark.sockets,
    pytest.mark.skipif(not any(PLACES.values()), reason="neither nsd nor knotd is installed"),
]


def master_files(folder: Path) -> dict[str, Path]:
    """The guide's records, each in the file of its zone, with the SOA that a zone needs."""
    folder.mkdir()
    records = (COMPANY + HOSTS + EXAMPLE + NAPTR + MANY + ALIAS).splitlines()
    files = {}
    for zone in ZONES:
        of_zone = [r for r in records if r.split(" ")[0].rstrip(".").endswith(zone)]
        head = [f"{zone}. 60 IN SOA ns.{zone}. admin.{zone}. 1 60 60 600 60"]
        if not any(f"{zone}. " in r and " NS " in r for r in of_zone):
            head.append(f"{zone}. 60 IN NS ns1.mydyndns.org.")
        files[zone] = folder / f"{zone}.zone"
        files[zone].write_text("\n".join([*head, *of_zone, ""]))
    return files


@pytest.fixture(scope="module", params=[nsd, knotd])
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a running server on 127.0.0.1 and ::1."""
    build = request.param
    if PLACES[build.__name__] is None:
        pytest.skip(f"{build.__name__} is not installed")
    folder = tmp_path_factory.mktemp(build.__name__)
    with authoritative(build, folder, master_files(folder / "zones")) as number:
        yield number


def test_the_guides_cluster_is_judged_good(port: int) -> None:
    assert judge({SERVER: f"127.0.0.1:{port}"}) == {}
    assert judge({SERVER: f"[::1]:{port}"}) == {}


def test_the_answer_of_page_33_comes_as_it_is_printed(port: int) -> None:
    found = look_up(port, "_sip._tcp.example.com", "SRV")
    assert {(r.ttl, r.data) for r in found.records} == {
        (1183, "1 0 5060 expe1.example.com."),
        (1183, "1 0 5060 expe2.example.com."),
    }
    assert {r.data for r in found.authority} <= {"ns1.mydyndns.org.", "ns2.mydyndns.org."}


def test_naptr_and_enum_of_page_34_and_35(port: int) -> None:
    entries = in_order(look_up(port, "example.com", "NAPTR"))
    assert [(n.order, n.service) for n in entries] == [
        (10, "SIPS+D2T"),
        (12, "SIP+D2T"),
        (14, "SIP+D2U"),
    ]
    outside = in_order(look_up(port, "outside.example.com", "NAPTR"))
    assert [(n.order, n.flags) for n in outside] == [(50, "se"), (90, "se"), (100, "se")]
    number = look_up(port, enum_name("557120", "enum.lookup.com"), "NAPTR")
    assert {d.uri for d in dialable("557120", number)} == {
        "john.smith@tandberg.com",
        "mailto:john.smith@tandberg.com",
    }
    bob = look_up(port, enum_name("8734", "enum4.example.com"), "NAPTR")
    assert [d.uri for d in dialable("8734", bob)] == ["bob@example.com"] * 2


def test_a_long_answer_is_fetched_whole_over_tcp(port: int) -> None:
    assert len(look_up(port, "_many._tcp.company.com", "SRV").data()) == 60


def test_missing_names_missing_types_aliases_and_strange_zones_are_told_apart(port: int) -> None:
    assert look_up(port, "nobody.company.com", "A").answer is Answer.NO_SUCH_NAME
    assert look_up(port, "expe2.company.com", "AAAA").answer is Answer.NO_RECORDS
    assert look_up(port, "elsewhere.test", "A").answer is Answer.REFUSED
    alias = look_up(port, "alias.company.com", "A")
    assert ("CNAME", "expe1.company.com.") in {(r.type, r.data) for r in alias.records}
    assert alias.data() == ("192.0.2.11",)


def test_ipv6_addresses_and_names_of_both_families(port: int) -> None:
    assert look_up(port, "expe1.company.com", "AAAA", host="[::1]").data() == ("2001:db8::11",)
    name = "1.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
    assert look_up(port, name, "PTR").data() == ("expe1.company.com.",)
