"""What a name server says, judged: the guide's zone is good, and each mistake in it is named."""

from contextlib import ExitStack
from dataclasses import replace

import pytest

from app.dns.expected import expected, hosts, zone_text
from app.domain.dns import Record
from app.domain.finding import Severity
from app.domain.observation import Dns, Zone
from tests.support.name_server import name_server
from tests.unit.dns.judging import FIRST, SECOND, SERVER, judge, peer
from tests.unit.dns.zones import COMPANY, HOSTS, NAPTR

OTHER_SERVER = "192.0.2.54"
GOOD = COMPANY + HOSTS

pytestmark = pytest.mark.sockets


def judged(zones, peers=(FIRST, SECOND), memberships=None, **options):
    """The findings of look-ups at servers with this zone text: one, or by the server's address."""
    zones = {SERVER: zones} if isinstance(zones, str) else zones
    with ExitStack() as running:
        places = {a: running.enter_context(name_server(t)).place for a, t in zones.items()}
        return judge(places, peers, memberships, **options)


def test_the_guides_own_records_are_as_they_should_be():
    assert judged(GOOD) == {}


def test_the_zone_text_we_offer_is_judged_good_by_the_same_check():
    text = zone_text(expected("company.com", hosts((FIRST, SECOND))))
    assert judged(text) == {}
    assert "_sips._tcp.company.com. 86400 IN SRV 1 1 5061 expe1.company.com." in text
    assert "; _sip._udp.company.com. 86400 IN SRV 1 1 5060 expe1.company.com." in text


def test_a_name_that_somebody_asks_about_must_have_an_address():
    assert judged(GOOD, names=["expe1.company.com"]) == {}
    (finding,) = judged(GOOD, names=["lync.company.com"]).values()
    assert (finding.code, finding.severity) == ("dns-name-unresolved", Severity.BLOCKER)
    assert "lync.company.com" in finding.message
    assert "PRE-28" in finding.requirements


@pytest.mark.parametrize("host_name", ["exp 1", "expe1 A 192.0.2.66\nevil", "-expe1", "", "é"])
def test_a_host_name_that_is_none_gets_no_line_in_the_zone_text(host_name):
    strange = replace(FIRST, dns=Dns(host_name, "company.com", (SERVER,)))
    lines = zone_text(expected("company.com", hosts((strange, SECOND)))).splitlines()
    records = [line for line in lines if line and not line.startswith(";")]
    assert records
    assert all("expe2.company.com." in line for line in records)
    assert all(len(line.split()) in {5, 8} for line in records)


def test_the_expected_records_are_those_the_guide_prints():
    found = expected("company.com", hosts((FIRST, SECOND))).services
    assert {str(record) for record in found} == set(COMPANY.split("\n")) - {""}
    assert all(isinstance(record, Record) for record in found)


SIPS_1 = "_sips._tcp.company.com. 86400 IN SRV 1 1 5061 expe1.company.com.\n"
SIPS_2 = "_sips._tcp.company.com. 86400 IN SRV 1 1 5061 expe2.company.com.\n"
A_2 = "expe2.company.com. 1376 IN A 192.0.2.12"
AAAA_1 = "expe1.company.com. 1536 IN AAAA 2001:db8::11"
FOREIGN = SIPS_2.replace("expe2", "web") + "web.company.com. 60 IN A 192.0.2.80\n"
ALIAS = SIPS_2.replace("expe2", "alias") + "alias.company.com. 60 IN CNAME expe2.company.com.\n"
UDP = SIPS_1.replace("_sips._tcp", "_sip._udp").replace("5061", "5060")


@pytest.mark.parametrize(
    ("code", "severity", "before", "after"),
    [
        ("srv-target-missing", "blocker", SIPS_2, ""),
        ("srv-service-missing", "warning", "_h323cs._tcp", "_other._tcp"),
        ("srv-priorities-differ", "warning", SIPS_2, SIPS_2.replace("SRV 1", "SRV 2")),
        ("srv-weights-differ", "warning", SIPS_2, SIPS_2.replace("1 5061", "7 5061")),
        ("srv-port-unusual", "warning", "1719 expe2", "1718 expe2"),
        ("srv-target-unresolved", "blocker", SIPS_2, SIPS_2.replace("expe2", "nobody")),
        ("srv-target-foreign", "warning", SIPS_2, SIPS_2 + FOREIGN),
        ("srv-target-alias", "warning", SIPS_2, ALIAS),
        ("srv-sip-udp", "info", SIPS_1, SIPS_1 + UDP),
        ("dns-forward-missing", "blocker", A_2, A_2.replace(".12", ".99")),
        ("dns-forward-missing", "blocker", AAAA_1, ""),
        ("dns-reverse-missing", "blocker", "12.2.0.192.in-addr", "13.2.0.192.in-addr"),
        ("dns-reverse-missing", "blocker", ".ip6.arpa.", ".ip5.arpa."),
        ("dns-reverse-differs", "warning", "300 IN PTR expe2.", "300 IN PTR old-name."),
    ],
)
def test_a_mistake_in_the_zone_is_named(code, severity, before, after):
    assert before in GOOD
    found = judged(GOOD.replace(before, after))
    assert found[code].severity == severity, list(found)
    assert found[code].requirements
    assert found[code].evidence["resolver"] == SERVER


def test_a_name_with_addresses_only_is_round_robin_and_no_srv_set():
    found = judged(HOSTS + "company.com. 60 IN A 192.0.2.11\n")
    assert "round robin" in found["srv-records-missing"].message
    assert found["srv-records-missing"].severity is Severity.BLOCKER


def test_two_clusters_that_back_each_other_up_have_priorities_of_their_own():
    extra = (
        "_sips._tcp.company.com. 86400 IN SRV 2 1 5061 backup1.company.com.\n"
        "backup1.company.com. 60 IN A 192.0.2.91\n"
    )
    assert judged(GOOD + extra, memberships={"backup-1": "cluster-2"}) == {}
    same = judged(GOOD + extra.replace("SRV 2 1", "SRV 1 1"), memberships={"backup-1": "cluster-2"})
    assert set(same) == {"srv-failover-priority-same"}


@pytest.mark.parametrize("label", ["servfail", "silent"])
def test_a_server_that_does_not_speak_about_a_name_leaves_it_to_an_operator(label):
    strange = replace(FIRST, dns=Dns("expe1", f"{label}.company.com", (SERVER,)))
    found = judged(GOOD, (strange, SECOND), timeout=0.2, tries=1)
    assert found["dns-records"].severity is Severity.UNKNOWN
    assert "PRE-23" in found["dns-records"].requirements


def test_look_ups_that_are_off_leave_everything_to_an_operator():
    found = judged(GOOD, enabled=False)
    assert set(found) == {"dns-records"}
    assert "not asked" in found["dns-records"].message


def test_each_peer_is_judged_by_its_own_servers():
    second = peer(2, server=OTHER_SERVER)
    poor = GOOD.replace("12.2.0.192.in-addr.arpa. 300 IN PTR expe2.company.com.\n", "")
    found = judged({SERVER: GOOD, OTHER_SERVER: poor}, (FIRST, second))
    assert set(found) == {"dns-reverse-missing"}
    assert OTHER_SERVER in found["dns-reverse-missing"].message


@pytest.mark.parametrize(
    ("change", "requirement"),
    [
        ({"ntp": "ntp.company.com"}, "PRE-26"),
        ({"external_manager": "tms"}, "PRE-27"),
        ({"zone": "lync.company.com"}, "PRE-28"),
        ({"ldap": "ldap.company.com"}, "PRE-29"),
    ],
)
def test_every_other_name_a_peer_uses_must_have_an_address(change, requirement):
    seen = SECOND
    for what, name in change.items():
        if what == "ntp":
            seen = replace(seen, ntp=replace(seen.ntp, servers=(name,)))
        elif what == "external_manager":
            seen = replace(seen, external_manager=name)
        elif what == "zone":
            seen = replace(seen, zones=(Zone(1, "to-lync", "Neighbor", (name,)),))
        else:
            seen = replace(seen, ldap_login=True, ldap_server=name)
    found = judged(GOOD, (FIRST, seen))
    assert requirement in found["dns-name-unresolved"].requirements
    name = name if "." in name else f"{name}.company.com"
    records = f"{name}. 60 IN A 192.0.2.200\n200.2.0.192.in-addr.arpa. 60 IN PTR {name}.\n"
    assert judged(GOOD + records, (FIRST, seen)) == {}


def test_an_ldap_server_needs_both_directions():
    seen = replace(SECOND, ldap_login=True, ldap_server="ldap.company.com")
    found = judged(GOOD + "ldap.company.com. 60 IN A 192.0.2.200\n", (FIRST, seen))
    assert set(found) == {"ldap-reverse-missing"}


def test_naptr_records_are_optional_and_where_there_they_lead_somewhere_tls_first():
    naptr = NAPTR.replace("example.com.", "company.com.")
    rows = "".join(f"{line}\n" for line in naptr.split("\n") if line.startswith("company.com."))
    found = judged(GOOD + rows)
    assert set(found) == {"naptr-leads-nowhere"}
    assert "_sip._udp" in found["naptr-leads-nowhere"].message
    usual = "".join(f"{line}\n" for line in rows.split("\n") if line and "D2U" not in line)
    assert judged(GOOD + usual) == {}
    turned = usual.replace("NAPTR 10", "NAPTR 50")
    assert set(judged(GOOD + turned)) == {"naptr-order"}
