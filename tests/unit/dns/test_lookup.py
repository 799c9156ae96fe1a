"""Look-ups against a name server that is not ours, over real sockets."""

import asyncio

import pytest

from app.dns.lookup import NameServers
from app.dns.naptr import dialable, enum_name, in_order
from app.domain.dns import Answer, Lookup, Question
from tests.support.name_server import name_server
from tests.unit.dns.zones import COMPANY, EXAMPLE, HOSTS, NAPTR, ODD

SERVER = "192.0.2.53"
QUICK = {"timeout": 0.1, "tries": 1}

pytestmark = pytest.mark.sockets


@pytest.fixture(scope="module")
def server():
    with name_server(COMPANY + HOSTS + EXAMPLE + NAPTR + ODD) as running:
        yield running


def look_up(place, name, kind, **options):
    servers = NameServers(instead={SERVER: place}, **{"timeout": 10.0, **options})
    (found,) = asyncio.run(servers.ask({SERVER: [Question.of(name, kind)]}))
    return found


def test_srv_records_come_back_as_the_guide_prints_them(server):
    found = look_up(server.place, "_sip._tcp.example.com", "SRV")
    assert found.answer is Answer.RECORDS
    assert {(r.ttl, r.data) for r in found.records} == {
        (1183, "1 0 5060 expe1.example.com."),
        (1183, "1 0 5060 expe2.example.com."),
    }
    assert found.resolver == SERVER


def test_name_servers_and_addresses_that_come_along_are_kept_apart_from_the_answer(server):
    found = look_up(server.place, "_sip._tcp.example.com", "SRV")
    assert {r.data for r in found.authority} == {"ns1.mydyndns.org.", "ns2.mydyndns.org."}
    assert ("ns1.mydyndns.org.", "204.13.248.76") in {(r.name, r.data) for r in found.additional}
    assert {r.type for r in found.records} == {"SRV"}


def test_every_question_can_be_repeated_in_a_terminal(server):
    found = look_up(server.place, "_sip._tcp.example.com", "SRV")
    assert found.command == "dig @192.0.2.53 _sip._tcp.example.com SRV"
    hostile = Lookup(SERVER, Question.of("a; reboot", "A"), Answer.MALFORMED)
    assert hostile.command == "dig @192.0.2.53 'a; reboot' A"


def test_ipv6_addresses_and_reverse_names_are_found(server):
    assert look_up(server.place, "expe1.company.com", "AAAA").data() == ("2001:db8::11",)
    found = look_up(server.place, "11.2.0.192.in-addr.arpa", "PTR")
    assert found.data() == ("expe1.company.com.",)


def test_a_name_that_is_not_there_differs_from_one_without_such_records(server):
    nothing = look_up(server.place, "nobody.company.com", "A")
    other = look_up(server.place, "expe2.company.com", "AAAA")
    assert (nothing.answer, other.answer) == (Answer.NO_SUCH_NAME, Answer.NO_RECORDS)
    assert nothing.answer.settled
    assert other.answer.settled


def test_a_server_failure_settles_nothing(server):
    found = look_up(server.place, "expe1.servfail.company.com", "A")
    assert found.answer is Answer.SERVER_FAILURE
    assert not found.answer.settled


def test_a_server_that_refuses_settles_nothing():
    with name_server(COMPANY, refuse=True) as closed:
        found = look_up(closed.place, "expe1.company.com", "A")
    assert found.answer is Answer.REFUSED
    assert not found.answer.settled


def test_silence_is_bounded_and_settles_nothing(server):
    found = look_up(server.place, "expe1.silent.company.com", "A", **QUICK)
    assert found.answer is Answer.NO_ANSWER


def test_all_questions_together_end_within_the_limit(server):
    servers = NameServers(instead={SERVER: server.place}, timeout=30.0, limit=0.05)
    questions = [Question.of(f"n{i}.silent.company.com", "A") for i in range(40)]
    found = asyncio.run(servers.ask({SERVER: questions}))
    assert [lookup.question for lookup in found] == questions
    assert {lookup.answer for lookup in found} == {Answer.NO_ANSWER}


def test_nobody_listening_is_no_answer():
    assert look_up("127.0.0.1:1", "expe1.company.com", "A", **QUICK).answer is Answer.NO_ANSWER


def test_an_answer_cut_short_is_asked_again_over_tcp(server):
    assert look_up(server.place, "big.cut.company.com", "A").data() == ("192.0.2.77",)


def test_an_answer_cut_short_without_tcp_is_not_taken_for_an_empty_one():
    with name_server(ODD, tcp=False) as only_udp:
        found = look_up(only_udp.place, "big.cut.company.com", "A", **QUICK)
    assert not found.answer.settled


def test_an_alias_shows_as_one(server):
    found = look_up(server.place, "alias.company.com", "A")
    assert [(r.type, r.data) for r in found.records] == [
        ("CNAME", "expe1.company.com."),
        ("A", "192.0.2.11"),
    ]


def test_nothing_is_sent_to_example_addresses_or_where_look_ups_are_off(server):
    before = len(server.zone.asked)
    question = [Question.of("expe1.company.com", "A")]
    anywhere = NameServers(allowed=lambda address: True, timeout=0.1)
    (example,) = asyncio.run(anywhere.ask({SERVER: question}))
    off = NameServers(enabled=False, instead={SERVER: server.place})
    (disabled,) = asyncio.run(off.ask({SERVER: question}))
    refused = NameServers(allowed=lambda address: False)
    (guarded,) = asyncio.run(refused.ask({"127.0.0.1": question}))
    (no_address,) = asyncio.run(NameServers().ask({"ns.example.com": question}))
    answers = {found.answer for found in (example, disabled, guarded, no_address)}
    assert answers == {Answer.NOT_ASKED}
    assert len(server.zone.asked) == before


@pytest.mark.parametrize("name", ["", "a" * 64 + ".example.com", "a..b", "x" * 300])
def test_a_name_that_cannot_be_asked_is_malformed_and_raises_nothing(server, name):
    found = look_up(server.place, name, "A", **QUICK)
    assert not found.answer.settled or not found.records


def test_domain_naptr_records_come_in_the_order_they_are_used(server):
    entries = in_order(look_up(server.place, "example.com", "NAPTR"))
    assert [(n.order, n.service, n.leads_to, n.replacement) for n in entries] == [
        (10, "SIPS+D2T", "SRV", "_sips._tcp.example.com"),
        (12, "SIP+D2T", "SRV", "_sip._tcp.example.com"),
        (14, "SIP+D2U", "SRV", "_sip._udp.example.com"),
    ]


def test_the_external_flag_still_leads_to_srv_records(server):
    entries = in_order(look_up(server.place, "outside.example.com", "NAPTR"))
    assert [(n.order, n.flags, n.leads_to) for n in entries] == [
        (50, "se", "SRV"),
        (90, "se", "SRV"),
        (100, "se", "SRV"),
    ]


@pytest.mark.parametrize(
    ("number", "zone", "expected"),
    [
        (
            "557120",
            "enum.lookup.com",
            [
                ("E2U+sip", "john.smith@tandberg.com"),
                ("mailto+E2U", "mailto:john.smith@tandberg.com"),
                ("E2U+h323", "john.smith@tandberg.com"),
            ],
        ),
        ("557121", "enum.lookup.com", [("E2U+sip", "mary.jones@tandberg.com")]),
        ("557122", "enum.lookup.com.", [("E2U+h323", "peter.archibald@myco.com")]),
        (
            "8734",
            "enum4.example.com",
            [("E2U+sip", "bob@example.com"), ("E2U+h323", "bob@example.com")],
        ),
    ],
)
def test_enum_turns_the_guides_numbers_into_what_can_be_dialled(server, number, zone, expected):
    found = dialable(number, look_up(server.place, enum_name(number, zone), "NAPTR"))
    assert sorted((d.order, d.service, d.uri) for d in found) == sorted(
        (12 if s == "E2U+h323" and number == "557120" else 10, s, u) for s, u in expected
    )
    assert [d.order for d in found] == sorted(d.order for d in found)
