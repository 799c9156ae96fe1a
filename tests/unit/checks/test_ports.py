"""The port matrix of the guide, p.29, as data and as rules."""

import csv
import io
import re

import pytest

from app.appliance.profiles import profile_for
from app.checks.port_rules import RuleFormat, own_firewall_note, render
from app.checks.ports import flows, rules
from app.domain.peer import Peer

PEERS = [Peer(f"p{n}", f"exp{n}", f"192.0.2.1{n}") for n in (1, 2, 3)]
X8_2 = profile_for("X8.2")


def labels(version: str) -> set[str]:
    return {flow.label for flow in flows(profile_for(version))}


def test_the_matrix_of_x8_2_is_the_guides():
    assert (
        labels("X8.2")
        == labels("X8.1")
        == {
            "UDP 500",
            "IP protocol 51 (AH)",
            "UDP 1719",
            "TCP 1720",
            "TCP 5060-5061",
            "UDP 5060",
        }
    )


def test_later_versions_have_the_ports_of_tls_and_no_ipsec():
    assert {"TCP 4369-4380", "UDP 4371", "UDP 500"} <= labels("X8.6")
    assert "TCP 4371-4372" in labels("X8.8") & labels("X14.0")
    assert not {"UDP 500", "IP protocol 51 (AH)"} & labels("X8.11.3")


def test_every_pair_has_every_flow_in_both_directions():
    found = rules(PEERS, X8_2)
    assert len(found) == 3 * 2 * len(flows(X8_2))
    pairs = {(rule.source.id, rule.destination.id) for rule in found}
    assert pairs == {(a.id, b.id) for a in PEERS for b in PEERS if a is not b}
    assert rules(PEERS[:1], X8_2) == ()


def test_the_csv_has_one_row_a_rule_and_reads_back():
    rows = list(csv.DictReader(io.StringIO(render(RuleFormat.CSV, "c.example.com", PEERS, X8_2))))
    assert len(rows) == len(rules(PEERS, X8_2))
    assert {"51"} == {row["protocol"] for row in rows if not row["first_port"]}


@pytest.mark.parametrize("of", [RuleFormat.NFTABLES, RuleFormat.ASA])
def test_rules_to_paste_name_every_peer_once_and_every_flow(of):
    text = render(of, "cluster1.example.com", PEERS, X8_2)
    for peer in PEERS:
        assert len(re.findall(rf"{re.escape(peer.address)}\b", text)) == 1
    accepted = [line for line in text.splitlines() if " accept " in line or "permit" in line]
    assert len(accepted) == len(flows(X8_2))
    assert not re.search(r"\b(drop|reject|deny)\b", text)


def test_nftables_keeps_the_address_families_apart():
    both = [*PEERS, Peer("p6", "exp6", "2001:db8::16")]
    text = render(RuleFormat.NFTABLES, "c.example.com", both, X8_2)
    assert "elements = { 2001:db8::16 }" in text
    assert "ip6 saddr @peers6 ip6 daddr @peers6 udp dport 500 accept" in text
    assert "ip saddr @peers4 ip daddr @peers4 meta l4proto ah accept" in text
    assert text.count("{") == text.count("}")


def test_asa_rules_are_object_groups_and_ranges():
    lines = render(RuleFormat.ASA, "c.example.com", PEERS, X8_2).splitlines()
    group = "object-group CW-C-EXAMPLE-COM"
    assert f"access-list CW-C-EXAMPLE-COM-PEERS extended permit ah {group} {group}" in lines
    assert any(line.endswith("range 5060 5061") for line in lines)


def test_a_name_cannot_break_out_of_the_rules():
    text = render(RuleFormat.NFTABLES, 'x"\n}; drop', PEERS, X8_2)
    assert text.splitlines()[2] == "table inet cw_x_drop {"
    assert len(text.splitlines()[0]) < 120


def test_the_text_names_the_peers_own_firewall_rules():
    text = render(RuleFormat.TEXT, "c.example.com", PEERS, X8_2)
    assert own_firewall_note(X8_2) in text
    assert "UDP 4369 to 4380" in text
