"""All peers side by side: what each holds for itself, what must agree, what was edited wrongly."""

from __future__ import annotations

from typing import Any

import pytest

from app.appliance.settings_table import Rule
from app.checks.settings_matrix import SettingsMatrix, Verdict, settings_matrix
from app.domain.settings import PeerSettings
from app.guide import requirements
from tests.support.rehearsal import CLUSTER, KEY, Rehearsal
from transports.mock.virtual_time import run


def compared(*edits: tuple[str, str, str], **devices: Any) -> SettingsMatrix:
    """The matrix of a healthy cluster of three, after edits (peer, path, value) on the devices."""
    names = ("exp1", "exp2", "exp3")

    async def story() -> SettingsMatrix:
        rehearsal = Rehearsal(
            {
                "expressways": [
                    {"name": name, "address": f"192.0.2.{n}", **devices.get(name, {})}
                    for n, name in enumerate(names, start=11)
                ],
                "clusters": [{"name": CLUSTER, "key": KEY, "members": list(names)}],
            }
        )
        for name, path, value in edits:
            rehearsal.fleet[name].configuration.put(path, value)
            rehearsal.fleet[name].after_configuration()
        read: dict[str, PeerSettings | None] = {}
        for name in names:
            if rehearsal.fleet[name].up:
                read[name] = await rehearsal.appliance(name).all_settings(name)
            else:
                read[name] = None
        return settings_matrix(read, "exp1")

    return run(story())


def row(matrix: SettingsMatrix, label: str) -> Any:
    (found,) = [entry for entry in matrix.rows if entry.row.label == label]
    return found


def test_a_healthy_cluster_has_every_row_of_the_guide_and_nothing_wrong():
    matrix = compared()
    cited = {r for entry in matrix.rows for r in entry.row.requirements.split()}
    wanted = {r for r in requirements() if r.startswith("PSI-")}
    assert wanted - cited == {"PSI-01", "PSI-02", "PSI-40", "PSI-41", "PSI-42"}
    assert {entry.verdict for entry in matrix.rows} <= {Verdict.GOOD, Verdict.UNKNOWN}
    assert (matrix.shared, matrix.findings) == ((), ())
    assert row(matrix, "IPv4 address").values["exp2"] == {"Ethernet 1 IP V4 Address": "192.0.2.12"}


def test_what_cannot_be_read_is_unknown_and_never_taken_for_good():
    assert row(compared(), "Cluster pre-shared key").verdict is Verdict.UNKNOWN
    matrix = compared(exp3={"power": "off"})
    assert row(matrix, "Cluster name").verdict is Verdict.UNKNOWN
    assert "exp3" not in row(matrix, "Cluster name").values


@pytest.mark.parametrize(
    ("label", "path", "value", "requirement"),
    [
        ("Peer IP addresses", "Alternates Peer 3 Address", "192.0.2.99", "PSI-04"),
        ("Cluster name", "Alternates Cluster Name", "other.example.com", "PSI-05"),
        ("Configuration master", "Alternates ConfigurationMaster", "2", "PSI-03"),
    ],
)
def test_what_must_be_equal_is_marked_on_the_peer_that_stands_out(label, path, value, requirement):
    matrix = compared(("exp2", path, value))
    assert row(matrix, label).marked == ("exp2",)
    assert row(matrix, label).row.rule is Rule.EQUAL
    (finding,) = matrix.findings
    assert finding.peer_id == "exp2"
    assert requirement in finding.requirements


@pytest.mark.parametrize(
    ("label", "path", "value"),
    [
        ("System name", "SystemUnit Name", "EXP1"),
        ("System host name", "IP DNS Hostname", "exp1"),
        ("IPv4 address", "Ethernet 1 IP V4 Address", "192.0.2.11"),
    ],
)
def test_what_must_differ_is_marked_on_all_that_are_alike(label, path, value):
    matrix = compared(("exp2", path, value))
    assert row(matrix, label).marked == ("exp1", "exp2")
    assert [finding.code for finding in matrix.findings] == ["peer-setting-wrong"]


def test_what_may_differ_is_never_wrong():
    matrix = compared(("exp2", "TimeZone Name", "Europe/Oslo"), ("exp3", "Log Level", "3"))
    assert matrix.findings == ()
    assert row(matrix, "Time zone").values["exp2"] == {"TimeZone Name": "Europe/Oslo"}


def test_a_shared_setting_edited_on_a_peer_that_is_not_the_primary_is_found():
    matrix = compared(("exp2", "SIP UDP Mode", "On"))
    (difference,) = matrix.shared
    assert (difference.peer_id, difference.path) == ("exp2", "SIP UDP Mode")
    assert (difference.value, difference.on_primary) == ("On", "Off")
    (finding,) = matrix.findings
    assert finding.code == "shared-setting-differs"
    assert "PSI-42" in finding.requirements


def test_a_shared_setting_edited_on_the_primary_shows_on_the_others_until_it_is_replicated():
    matrix = compared(("exp1", "SIP UDP Mode", "On"))
    assert [difference.peer_id for difference in matrix.shared] == ["exp2", "exp3"]


def test_other_option_keys_are_fine_and_other_features_are_not():
    keys = ["116341G00-1-11111111", "116341E00-1-22222222"]
    matrix = compared(exp2={"option_keys": keys})
    assert row(matrix, "What the option keys switch on").verdict is Verdict.GOOD
    matrix = compared(exp2={"option_keys": keys[:1]})
    assert row(matrix, "What the option keys switch on").marked == ("exp2",)


def test_no_community_name_or_password_is_shown():
    matrix = compared(("exp1", "SNMP CommunityName", "canary-community"))
    assert "canary-community" not in repr(matrix)
