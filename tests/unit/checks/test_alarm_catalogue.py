"""Alarms are recognised by number, UUID or text, in the words of any version and of the guide."""

from __future__ import annotations

import pytest

from app.appliance.alarm_catalogue import CATALOGUE, kind_of_alarm, search
from app.appliance.alarms import is_cluster_alarm, read_alarm
from app.domain.observation import Alarm
from app.guide import requirements
from transports.mock.alarms import _WORDS

GUIDE = {
    "Cluster name not configured: if clustering are in use a cluster name must be defined": 20019,
    "Cluster replication error: cannot find master or this slave's peer configuration file,"
    " manual synchronization of configuration is required": 20014,
    "Cluster replication error: configuration master ID is inconsistent, manual synchronization"
    " of configuration is required": 20017,
    "Cluster replication error: this peer's configuration conflicts with the master's"
    " configuration, manual synchronization of configuration is required": 20011,
    "Cluster replication error: the local Expressway does not appear in the list of peers": 20015,
    "Cluster replication error: automatic replication of configuration has been temporarily"
    " disabled because an upgrade is in progress": 20008,
    "Invalid clustering configuration: H.323 mode must be turned On - clustering uses H.323"
    " communications between peers": 20018,
    "Expressway database failure: Please contact your Cisco support representative": 15005,
}
"""The guide's own headings (p.27-28)."""
MASTER = {"master": "master", "slave": "slave"}
PRIMARY = {"master": "primary", "slave": "subordinate"}


@pytest.mark.parametrize("words", [MASTER, PRIMARY], ids=["master", "primary"])
@pytest.mark.parametrize("number", sorted(_WORDS))
def test_an_alarm_of_the_fleet_is_recognised_by_its_text(
    number: int, words: dict[str, str]
) -> None:
    title, description = _WORDS[number]
    alarm = read_alarm("", f"{title} - {description}".format(**words), "Unacknowledged")
    kind = kind_of_alarm(alarm)
    assert kind is not None
    assert number in kind.numbers
    assert alarm.number in {number, None}


@pytest.mark.parametrize("text", GUIDE)
def test_an_alarm_of_the_guide_is_found_by_its_heading(text: str) -> None:
    (kind,) = search(f"\u201c{text}\u201d")
    assert kind.number == GUIDE[text]
    assert any(cited.startswith("ALM-") for cited in kind.requirements)


def test_the_guides_alarm_without_a_number_is_found_too() -> None:
    (plain,) = search(
        "Cluster replication error: manual synchronization of configuration is required"
    )
    assert plain.key == "manual-synchronisation"
    (ntp,) = search("Cluster replication error: the NTP server is unreachable")
    assert ntp.numbers == (20010, 20013)
    assert not ntp.verified


def test_a_uuid_on_record_outweighs_the_words() -> None:
    uuid = "3BCA6888-f622-11df-93be-07cc953d7b99"
    alarm = read_alarm(uuid, "Fehler in der Clusterkommunikation - ...", "")
    assert alarm.number == 20004
    (kind,) = search(uuid)
    assert kind.number == 20004


def test_an_alarm_read_elsewhere_is_recognised_by_its_number() -> None:
    kind = kind_of_alarm(Alarm("", "?", "", acknowledged=False, number=20004))
    assert kind is not None
    assert kind.key == "cluster-communication"


def test_an_unknown_alarm_is_nobodys_guess() -> None:
    alarm = read_alarm("", "Fan failure - fan 3 has stopped", "Acknowledged")
    assert (alarm.number, alarm.acknowledged) == (None, True)
    assert kind_of_alarm(alarm) is None
    assert not is_cluster_alarm(alarm)
    assert list(search("no such words anywhere")) == []


def test_a_number_finds_every_entry_it_may_be() -> None:
    assert [kind.key for kind in search("15022")] == ["restart-for-software", "restart-required"]


def test_every_entry_says_what_to_do_and_cites_what_exists() -> None:
    known = requirements()
    for kind in CATALOGUE:
        assert kind.cause
        assert kind.action
        assert set(kind.requirements) <= known.keys(), kind.key
    assert len({kind.key for kind in CATALOGUE}) == len(CATALOGUE)


def test_every_number_of_the_device_facts_is_there() -> None:
    on_record = {
        15004, 15005, 15006, 15014, 15022, 15028, 15007, 15008, 15009, 15013, 15015, 15023,
        *range(20003, 20020), 20020, 20021, 20024, 20025, 20026, 25001, 25009, 25010, 25011,
        25015, 25017, 25002, 25016, 25020, 25021, *range(30012, 30018), 30025, 40003, 40005,
    }  # fmt: skip
    assert {number for kind in CATALOGUE for number in kind.numbers} >= on_record
