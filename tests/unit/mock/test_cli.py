from __future__ import annotations

import pytest

from transports.mock.cli import CommandLine

SETTING = 'xConfiguration Alternates Peer 1 Address: "{}"'


def say(lab, line: str, name: str = "exp1") -> list[str]:
    return list(CommandLine(lab[name]).execute(line).lines)


def test_a_status_is_a_block_that_ends_with_its_marker_a_blank_line_and_ok(lab):
    lines = say(lab(), "xStatus SystemUnit")
    assert lines[0] == "*s SystemUnit: /"
    assert '  Product: "TANDBERG VCS"' in lines
    assert "  Uptime: 7200" in lines
    assert '    Version: "X8.2"' in lines
    assert '      ExpresswaySeries: "True"' in lines
    assert lines[-3:] == ["*s/end", "", "OK"]


def test_the_whole_status_has_every_top_level_element_of_the_recording(lab):
    lines = say(lab(), "xstatus")
    found = [line.split()[1].rstrip(":") for line in lines if line.startswith("*s ")]
    expected = (
        "SystemUnit Ethernet IP ResourceUsage Calls Zones Alternates Links Registrations SIP H323 "
        "IntrusionProtection Warnings"
    )
    for name in expected.split():
        assert name in found


def test_reading_settings_gives_one_line_for_each_value_with_its_whole_path(lab):
    one = lab(clusters=[{"name": "c.example.com", "key": "k-1234567", "members": ["exp1", "exp2"]}])
    assert say(one, "xConfiguration Alternates") == [
        '*c xConfiguration Alternates Cluster Name: "c.example.com"',
        '*c xConfiguration Alternates ConfigurationMaster: "1"',
        '*c xConfiguration Alternates Peer 1 Address: "192.0.2.11"',
        '*c xConfiguration Alternates Peer 2 Address: "192.0.2.12"',
        *[f'*c xConfiguration Alternates Peer {n} Address: ""' for n in range(3, 7)],
        "",
        "OK",
    ]


def test_a_path_may_stop_anywhere_and_leave_an_index_out(lab):
    one = lab()
    assert len(say(one, "xConfiguration alternates PEER 2")) == 3
    assert len(say(one, "xConfiguration Alternates Peer")) == 8
    assert say(one, "xConfiguration Alternates Peer 7")[-1] != "OK"
    assert say(one, "xConfiguration Alternat")[-1] != "OK", "half a word is no path"


def test_the_whole_configuration_is_in_the_order_of_its_records(lab):
    zones = [{"name": f"z{n}", "peers": [f"10.0.0.{n}"]} for n in range(1, 4)]
    one = lab(expressways=[{"name": "exp1", "address": "192.0.2.11", "zones": zones}])
    lines = say(one, "xConfiguration Zones Zone")
    numbers = [line.split()[4] for line in lines if line.startswith("*c")]
    assert numbers == sorted(numbers)
    zone_two = say(one, "xConfiguration Zones Zone 2")
    assert {line.split()[4] for line in zone_two if line.startswith("*c")} == {"2"}


def test_writing_answers_ok_and_nothing_else(lab):
    one = lab()
    assert say(one, 'XCONFIGURATION systemunit name: "exp one"') == ["", "OK"]
    assert one["exp1"].configuration.get("SystemUnit Name") == "exp one"


@pytest.mark.parametrize(
    "line",
    [
        SETTING.format("exp2.example.com"),
        SETTING.format("192.0.2.999"),
        'xConfiguration Alternates Peer 7 Address: "192.0.2.12"',
        'xConfiguration Alternates 1 Peer Address: "192.0.2.12"',
        "xConfiguration Alternates Peer Address: 192.0.2.12",
        "xConfiguration Alternates ConfigurationMaster: 7",
        "xConfiguration Alternates ConfigurationPrimary: 1",
        "xConfiguration H323 Mode: Maybe",
        "xConfiguration Nothing Like It: 1",
        "xConfiguration Zones Zone 4 Name: ghost",
        'xConfiguration SystemUnit Name: "open',
        "xConfiguration SystemUnit Name: two words",
        f'xConfiguration SystemUnit Name: "{"x" * 51}"',
    ],
)
def test_a_write_the_appliance_would_refuse_is_refused_and_changes_nothing(lab, line):
    one = lab()
    before = one["exp1"].configuration.entries()
    lines = say(one, line)
    assert "OK" not in lines
    assert lines
    assert one["exp1"].configuration.entries() == before


@pytest.mark.parametrize(
    "line",
    [
        "xCommand DefaultValueSet Level: 2",
        "xCommand Restart",
        "xCommand Nonsense",
        "show version",
        "x" * 5000,
        "xCommand Boot\x07",
        "xStatus Nothing",
        "xStatus 7",
    ],
)
def test_what_it_does_not_know_is_not_answered_with_ok(lab, line):
    assert say(lab(), line) == ["Command not recognized."]


@pytest.mark.parametrize(
    "line",
    [
        "xCommand DefaultValuesSet",
        "xCommand DefaultValuesSet Level: 4",
        "xCommand DefaultValuesSet 2",
        "xCommand DefaultValuesSet Level: 2 Level: 2",
        "xCommand DefaultValuesSet Level: 2 Extra: 1",
        "xCommand ForceConfigUpdate",
        "xCommand DisconnectCall Call: 5",
        "xCommand OptionKeyDelete OptionKeyId: 9",
        "xCommand OptionKeyAdd Key: nonsense",
        "xCommand AdminAccountDelete Name: admin",
        "xCommand ZoneAdd ZoneName: z Type: Nonsense",
        "xCommand Ping Hostname: 192.0.2.99",
        "xCommand DNSLookup Hostname: nowhere.example.com",
    ],
)
def test_a_declined_command_says_cause_and_description(lab, line):
    one = lab()
    before = one["exp1"].configuration.entries()
    lines = say(one, line)
    assert lines[0] == "*r Result (status=Error):"
    assert lines[1].startswith("  Cause: ")
    assert lines[2].startswith('  Description: "')
    assert one["exp1"].configuration.entries() == before


def test_a_command_that_was_carried_out_shows_its_results(lab):
    assert say(lab(), 'xCommand ZoneAdd ZoneName: "to hq" Type: Neighbor') == [
        "*r Result (status=OK):",
        "  ZoneId: 1",
        "*r/end",
        "",
        "OK",
    ]


def test_help_names_parameters_and_which_are_required(lab):
    assert say(lab(), "xCommand defaultvaluesset ?") == [
        "*h xCommand DefaultValuesSet",
        "     Level(r): <1..3>",
        "",
        "OK",
    ]


def test_the_recorded_status_has_no_cluster_words(trio):
    assert say(trio, "xStatus Alternates") == ["*s Alternates: /", "*s/end", "", "OK"]
    assert say(trio, "xStatus NTP") == ["Command not recognized."]


def test_every_unrecorded_behaviour_is_a_setting_of_the_profile(lab):
    other = lab(
        profile={
            "unknown_command": "Unknown command",
            "unknown_command_ok": True,
            "has_restart_command": True,
            "accepts_misspelt_default_value_set": True,
            "error_result_ok": False,
            "status_shows_cluster": True,
            "ntp_status_path": "Time",
            "dns_servers_below_ip": False,
            "master_item": "ConfigurationPrimary",
            "banner": "",
        },
        clusters=[{"name": "c.example.com", "key": "k-1234567", "members": ["exp1", "exp2"]}],
    )
    assert say(other, "nonsense") == ["Unknown command", "", "OK"]
    assert say(other, "xCommand DefaultValuesSet")[-1] != "OK"
    assert '    Status: "Active"' in say(other, "xStatus Alternates")
    assert '  State: "Synchronized"' in say(other, "xStatus Time")
    assert say(other, "xConfiguration DNS Server 1 Address")[0].endswith('"192.0.2.53"')
    assert say(other, "xConfiguration Alternates ConfigurationPrimary")[-1] == "OK"
    assert CommandLine(other["exp1"]).banner() == []
    assert say(other, "xCommand DefaultValueSet Level: 2")[0] == "*r Result (status=OK):"
    assert say(other, "xCommand Restart")[0] == "*r Result (status=OK):"
