"""Which setting is whose, by the guide's own sentences (p.16-17) and not by the service's table.

The rule of each setting is read out of the words of its requirement. The paths are those of the
device facts. On a cluster of three each setting is then changed on a member that is not the
primary, and the matrix has to say what the guide says of it.
"""

from __future__ import annotations

import re

import pytest

from app.guide import requirements
from tests.unit.checks.test_settings_matrix import compared
from transports.mock.profile import DeviceProfile
from transports.mock.schema import Item, items

GUIDE = {name: r.text for name, r in requirements().items() if name.startswith("PSI-")}
EQUAL = re.compile(r"identical|be the same everywhere")
DIFFERENT = re.compile(r"differs on (each|every) peer")
SHARED = re.compile(r"is a shared setting|cluster-wide configuration")
OWN = re.compile(r"per peer|set on every peer separately|its own set|of its own|individually")

RULES = {"shared": SHARED, "equal": EQUAL, "different": DIFFERENT, "own": OWN}

PATHS: dict[str, tuple[str, ...]] = {
    "PSI-04": ("Alternates Peer 3 Address=192.0.2.99", "Alternates Peer 4 Address=192.0.2.99"),
    "PSI-05": ("Alternates Cluster Name=other.example.com",),
    "PSI-07": ("Ethernet 1 Speed=100full", "Ethernet 2 Speed=100full"),
    "PSI-10": ("Ethernet 1 IP V4 Address=192.0.2.11",),
    "PSI-11": ("Ethernet 1 IP V6 Address=2001:db8::11",),
    "PSI-12": ("IP Gateway=192.0.2.2", "IP V6 Gateway=2001:db8::1"),
    "PSI-13": ("IP Route 2 Address=198.51.100.0",),
    "PSI-14": ("IPProtocol=Both",),
    "PSI-15": ("SystemUnit Name=exp1",),
    "PSI-16": ("IP DNS Server 1 Address=192.0.2.54", "IP DNS Server 3 Address=192.0.2.55"),
    "PSI-18": ("IP DNS Domain Name=other.example.com",),
    "PSI-19": ("NTP Server 1 Address=192.0.2.124",),
    "PSI-20": ("NTP Server 2 Address=192.0.2.124",),
    "PSI-21": ("TimeZone Name=Europe/Oslo",),
    "PSI-22": ("SNMP V3Mode=On", "SNMP SystemContact=Anna", "SNMP SystemLocation=Oslo"),
    "PSI-24": ("Log Level=3",),
    "PSI-25": ("RemoteSyslog Server 1 Address=192.0.2.60",),
    "PSI-30": ("Administration LCDPanel Mode=Off",),
    "PSI-31": ("Administration SSH Mode=Off",),
    "PSI-32": ("Administration HTTPS Mode=Off",),
    "PSI-33": ("Administration HTTP Mode=Off",),
}
"""Where the device facts have the setting of each sentence, and another value for one member."""

NO_PATH = {
    "PSI-03": "the list itself, by PSI-04",
    "PSI-06": "the key cannot be read back; its row stays unknown",
    "PSI-17": "the guide asks for a name of its own elsewhere (NEW-M-21), tried below",
    "PSI-27": "certificates are no configuration values",
    "PSI-28": "certificates are no configuration values",
    "PSI-29": "certificates are no configuration values",
    "PSI-34": "no path on record",
    "PSI-36": "option keys are compared by what they switch on (test_settings_matrix)",
}
"""Sentences with a rule of which no path is on record, and why."""


def rule_of(text: str) -> str:
    """What a sentence of the guide says of its setting; "" where it gives no rule."""
    return next((rule for rule, words in RULES.items() if words.search(text)), "")


def test_every_sentence_with_a_rule_is_tried_or_says_why_not():
    ruled = {name for name, text in GUIDE.items() if rule_of(text)} - {"PSI-01", "PSI-02"}
    about_all = {"PSI-40"}
    general = {"PSI-09"}  # LAN settings as a whole: its parts are PSI-10 to PSI-14
    without_rule = {name for name in {*PATHS, *NO_PATH} if not rule_of(GUIDE[name])}
    assert without_rule == {"PSI-03"}
    assert ruled - about_all - general == {*PATHS, *NO_PATH} - without_rule


@pytest.mark.parametrize(
    ("name", "setting"), [(name, one) for name, some in PATHS.items() for one in some]
)
def test_a_member_that_differs_is_judged_as_the_guide_says(name, setting):
    path, value = setting.split("=")
    rule = rule_of(GUIDE[name])
    same = {"PSI-11": [("exp1", path, value)]}.get(name, [])
    matrix = compared(*same, ("exp2", path, value))
    (row,) = [r for r in matrix.rows if any(path in own for own in r.values.values())]
    assert name in row.row.requirements.split(), "the row cites the sentence"
    found = {(finding.code, finding.peer_id) for finding in matrix.findings}
    if rule == "own":
        assert (row.marked, found) == ((), set())
    elif rule == "different":
        assert row.marked == ("exp1", "exp2")
    elif rule == "equal":
        assert row.marked == ("exp2",)
        assert ("peer-setting-wrong", "exp2") in found
    else:
        assert row.marked == ("exp2",)
        assert ("shared-setting-differs", "exp2") in found


def test_a_host_name_is_each_peers_own_and_must_differ():
    assert rule_of(GUIDE["PSI-17"]) == "own"
    assert "unique" in requirements()["NEW-M-21"].text
    other = compared(("exp2", "IP DNS Hostname", "edge"))
    assert other.findings == ()
    same = compared(("exp2", "IP DNS Hostname", "exp1"))
    assert any("NEW-M-21" in finding.requirements for finding in same.findings)


ITS_OWN = ("Alternates", "Ethernet", "IP", "SystemUnit", "DNS", "NTP", "TimeZone", "SNMP", "Log",
           "RemoteSyslog", "Administration", "Option")  # fmt: skip
"""The first words of the paths above, and option keys; `SystemUnit` has its name and maintenance
mode, which is switched on one peer at a time (UPG-M-06)."""


def shared_items() -> list[Item]:
    """Everything that an appliance has beside the settings of the guide's list (PSI-01)."""
    own = [i for i in items(DeviceProfile()) if i.pattern.split()[0] not in ITS_OWN]
    return [item for item in own if not item.record]


@pytest.mark.parametrize("item", shared_items(), ids=lambda item: item.pattern)
def test_any_other_setting_that_is_edited_on_a_non_primary_is_found(item):
    """PSI-40 to PSI-42: the master overwrites it at best, replication fails at worst."""
    path = re.sub(r"\[(\d+)\.\.\d+\]", r"\1", item.pattern)
    matrix = compared(("exp2", path, other_than(item)))
    found = [d.path for d in matrix.shared if d.peer_id == "exp2"]
    assert path in found
    assert any({"PSI-40", "PSI-42"} <= set(found.requirements) for found in matrix.findings)


def other_than(item: Item) -> str:
    """A value that the setting takes and does not have."""
    if item.space.options:
        return next(option for option in item.space.options if option != item.default)
    if item.space.numbers:
        return "77"
    return "192.0.2.77" if item.space.address else "edited"
