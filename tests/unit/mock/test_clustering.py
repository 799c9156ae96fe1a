from __future__ import annotations

import pytest

from transports.base import SetPreSharedKey
from transports.command import Command, Setting
from transports.mock.virtual_time import run

CLUSTER = "cluster1.example.com"
A, B, C = "192.0.2.11", "192.0.2.12", "192.0.2.13"


async def add_exp3(lab) -> None:
    """The guide's order (p.13-14): primary, other members, then the joiner, then its restart."""
    everyone = ["exp1", "exp2", "exp3"]
    await lab.back_up("exp3")
    for name in ("exp1", "exp2", "exp3"):
        await lab.save_list(name, everyone)
    await lab.restart("exp3")


def test_a_cluster_of_one_comes_up_after_its_restart(lab):
    async def story():
        one = lab()
        await one.save_list("exp1", ["exp1"])
        await one.wait(1)
        assert one.alarms("exp1") == {20007}
        assert await one.words("exp1") == {A: "This system"}
        await one.restart("exp1")
        await one.wait(200)
        assert one.alarms("exp1") == set()
        assert (await one.page("exp1")).database_status == "Active"
        assert one.witness.violations == []

    run(story())


def test_a_new_peer_is_unknown_then_failed_then_active(pair):
    async def story():
        await pair.save_list("exp1", ["exp1", "exp2", "exp3"])
        assert (await pair.words("exp1"))[C] == "Unknown"
        await pair.wait(10)
        assert (await pair.words("exp1"))[C] == "Failed"
        assert {20004, 20006} <= pair.alarms("exp1")
        await pair.save_list("exp2", ["exp1", "exp2", "exp3"])
        await pair.save_list("exp3", ["exp1", "exp2", "exp3"])
        await pair.wait(30)
        assert (await pair.words("exp1"))[C] == "Failed", "not before its restart"
        await pair.restart("exp3")
        await pair.wait(600)
        for name in ("exp1", "exp2", "exp3"):
            assert set((await pair.words(name)).values()) == {"This system", "Active"}
            assert (await pair.page(name)).database_status == "Active"
        assert pair.alarms("exp3") == set()
        assert pair.witness.violations == []

    run(story())


def test_a_corrected_name_or_key_counts_from_the_next_restart(pair):
    async def story():
        everyone = ["exp1", "exp2", "exp3"]
        await pair.save_list("exp1", everyone)
        await pair.save_list("exp2", everyone)
        await pair.save_list("exp3", everyone)
        wrong = Setting.of("Alternates Cluster Name", "cluster2.example.com")
        await pair.transport("exp3").write([wrong])
        await pair.restart("exp3")
        await pair.save_list("exp3", everyone)
        await pair.wait(600)
        assert (await pair.words("exp1"))[C] == "Failed"
        assert 20007 in pair.alarms("exp3")
        await pair.restart("exp3")
        await pair.wait(600)
        assert (await pair.words("exp1"))[C] == "Active"

    run(story())


def test_without_pre_shared_keys_too_a_peer_joins_only_by_its_restart(lab):
    async def story():
        later = lab(
            version="X8.11.3",
            clusters=[{"name": CLUSTER, "members": ["exp1", "exp2"]}],
        )
        fields = [Setting.of("Alternates Cluster Name", CLUSTER)]
        await later.transport("exp3").write(fields)
        await later.restart("exp3")
        fields += [
            Setting.of(f"Alternates Peer {n} Address", a) for n, a in enumerate((A, B, C), 1)
        ]
        for name in ("exp1", "exp2", "exp3"):
            await later.transport(name).write(fields)
        await later.wait(600)
        assert (await later.words("exp1"))[C] == "Failed"
        await later.restart("exp3")
        await later.wait(600)
        assert (await later.words("exp1"))[C] == "Active"

    run(story())


def test_replication_brings_the_primary_s_configuration_within_two_minutes(pair):
    async def story():
        await pair.transport("exp1").write([Setting.of("Call Routed Mode", "Optimal")])
        await add_exp3(pair)
        await pair.wait(130)
        assert pair["exp3"].configuration.get("Call Routed Mode") == "Optimal"
        assert pair["exp3"].configuration.get("SystemUnit Name") == "exp3", "peer-specific"

    run(story())


def test_nothing_is_replicated_while_a_listed_peer_has_not_joined(pair):
    async def story():
        await pair.save_list("exp1", ["exp1", "exp2", "exp3"])
        await pair.save_list("exp2", ["exp1", "exp2", "exp3"])
        await pair.transport("exp1").write([Setting.of("Call Routed Mode", "Optimal")])
        await pair.wait(400)
        assert pair["exp2"].configuration.get("Call Routed Mode") == "Always"
        await pair.save_list("exp3", ["exp1", "exp2", "exp3"])
        await pair.restart("exp3")
        await pair.wait(400)
        assert pair["exp2"].configuration.get("Call Routed Mode") == "Optimal"

    run(story())


@pytest.mark.parametrize("wrong", ["key", "name", "list", "primary", "version", "no restart"])
def test_a_peer_that_disagrees_does_not_join(pair, wrong):
    async def story():
        if wrong == "version":
            pair["exp3"].version = "X8.1"
        everyone = ["exp1", "exp2", "exp3"]
        await pair.save_list("exp1", everyone)
        await pair.save_list("exp2", everyone)
        match wrong:
            case "list":
                await pair.save_list("exp3", ["exp1", "exp3", "exp2"])
            case "key":
                await pair.save_list("exp3", everyone, key="Another-key-1")
            case "primary":
                await pair.save_list("exp3", everyone, primary="exp2")
            case _:
                await pair.save_list("exp3", everyone)
        if wrong == "name":
            other = Setting.of("Alternates Cluster Name", "cluster2.example.com")
            await pair.transport("exp3").write([other])
        if wrong != "no restart":
            await pair.restart("exp3")
        await pair.wait(900)
        assert (await pair.words("exp1"))[C] == "Failed"
        assert (await pair.page("exp1")).database_status != "Active"
        assert 20004 in pair.alarms("exp1")
        assert pair["exp3"].configuration.get("Alternates Peer 1 Address") == A

    run(story())


@pytest.mark.parametrize(
    ("amiss", "number"),
    [("h323", 20018), ("ntp", 20010), ("version", 20014), ("list", 20012), ("unlisted", 20015)],
)
def test_what_stands_in_the_way_of_replication_is_raised_and_clears(trio, amiss, number):
    async def story():
        peer = trio["exp3"]
        transport = trio.transport("exp3")
        match amiss:
            case "h323":
                await transport.write([Setting.of("H323 Mode", "Off")])
            case "ntp":
                peer.set_ntp_reachable(reachable=False)
                peer.configuration.put("NTP Server 1 Address", "")
            case "version":
                peer.version = "X8.1"
            case "list":
                await trio.save_list("exp3", ["exp1", "exp3"])
            case "unlisted":
                await trio.save_list("exp3", ["exp1", "exp2"])
        trio["exp1"].configuration.put("Call Loop Detection Mode", "Off")
        await trio.wait(200)
        assert number in trio.alarms("exp3")
        assert peer.configuration.get("Call Loop Detection Mode") == "On", "nothing is copied"
        match amiss:
            case "h323":
                await transport.write([Setting.of("H323 Mode", "On")])
            case "ntp":
                peer.configuration.put("NTP Server 1 Address", "192.0.2.123")
                peer.set_ntp_reachable(reachable=True)
            case "version":
                peer.version = "X8.2"
                trio.fleet.reconsider(peer)
            case _:
                await trio.save_list("exp3", ["exp1", "exp2", "exp3"])
        await trio.wait(400)
        assert number not in trio.alarms("exp3")
        assert peer.configuration.get("Call Loop Detection Mode") == "Off"

    run(story())


def test_an_upgrade_suspends_replication_and_each_side_says_so(trio):
    async def story():
        trio["exp1"].version = "X8.2.1"
        trio.fleet.reconsider(trio["exp1"])
        await trio.wait(130)
        assert 20008 in trio.alarms("exp1")
        assert 20014 in trio.alarms("exp2")
        for name in ("exp2", "exp3"):
            trio[name].version = "X8.2.1"
            trio.fleet.reconsider(trio[name])
        await trio.wait(600)
        assert {n for e in trio.fleet for n in e.alarms.raised} == set(), "within ten minutes"

    run(story())


def test_a_primary_that_is_away_is_missed(trio):
    async def story():
        trio["exp1"].lose_power()
        await trio.wait(130)
        assert 20016 in trio.alarms("exp2")
        trio["exp1"].gain_power()
        await trio.wait(600)
        assert trio.alarms("exp2") == set()

    run(story())


def test_a_list_without_oneself_and_a_missing_name_are_invalid(lab):
    async def story():
        one = lab(expressways=[{"name": "exp1", "address": A, "peers": [B]}])
        await one.wait(1)
        assert {20003, 20019} <= one.alarms("exp1")
        transport = one.transport("exp1")
        await transport.write(
            [
                Setting.of("Alternates Peer 1 Address", A),
                Setting.of("Alternates Cluster Name", CLUSTER),
            ]
        )
        await one.wait(60)
        assert {20003, 20019} & one.alarms("exp1") == set()

    run(story())


@pytest.mark.parametrize(
    ("wish", "added", "removed"),
    [("additions", True, False), ("any-change", True, True), ("own-membership", False, False)],
)
def test_which_list_changes_ask_members_for_a_restart_is_a_setting(lab, wish, added, removed):
    async def story():
        one = lab(
            profile={"restart_alarm_for": wish},
            clusters=[{"name": CLUSTER, "key": "Key-1234", "members": ["exp1", "exp2"]}],
        )
        await one.save_list("exp1", ["exp1", "exp2", "exp3"], key="Key-1234")
        await one.wait(1)
        assert (20007 in one.alarms("exp1")) is added
        await one.save_list("exp2", ["exp1"], key="Key-1234")
        await one.wait(1)
        assert (20007 in one.alarms("exp2")) is removed

    run(story())


def test_two_primaries_are_a_mismatch_until_all_agree(trio):
    async def story():
        master = Setting.of("Alternates ConfigurationMaster", "2")
        await trio.transport("exp2").write([master])
        await trio.wait(130)
        assert 20017 in trio.alarms("exp1") | trio.alarms("exp2")
        titles = {a.title for n in ("exp1", "exp2") for a in trio[n].alarms.listed()}
        assert "Cluster master mismatch" in titles
        for name in ("exp1", "exp3"):
            await trio.transport(name).write([master])
        await trio.wait(170)
        for name in ("exp1", "exp2", "exp3"):
            assert 20017 not in trio.alarms(name)
            assert (await trio.page(name)).database_status == "Active"
        assert trio.witness.violations == []

    run(story())


def test_a_lost_peer_is_noticed_in_half_a_second(trio):
    async def story():
        await trio.wait(1)
        trio["exp3"].lose_power()
        await trio.wait(0.3)
        assert trio.alarms("exp1") == {20006}
        await trio.wait(0.2)
        assert trio.alarms("exp1") == trio.alarms("exp2") == {20004, 20006}
        trio["exp3"].gain_power()
        await trio.wait(300 + 300)
        assert trio.alarms("exp1") == set()

    run(story())


def test_a_cut_link_is_noticed_on_both_sides(trio):
    async def story():
        await trio.wait(1)
        trio.fleet.cut("exp1", "exp3")
        await trio.wait(1)
        assert 20004 in trio.alarms("exp1")
        assert 20004 in trio.alarms("exp3")
        assert trio.alarms("exp2") == set()

    run(story())


def test_a_peer_that_leaves_keeps_its_configuration(pair):
    async def story():
        pair["exp1"].configuration.put("Call Routed Mode", "Optimal")
        await pair.wait(150)
        transport = pair.transport("exp2")
        blank = [Setting.of(f"Alternates Peer {n} Address", "") for n in range(1, 7)]
        await transport.write([Setting.of("Alternates Cluster Name", "exp2.example.com"), *blank])
        await transport.perform(SetPreSharedKey(""))
        await pair.wait(1)
        assert 20007 in pair.alarms("exp2")
        await pair.restart("exp2")
        assert pair.alarms("exp2") == set()
        assert pair["exp2"].configuration.get("Call Routed Mode") == "Optimal"
        pair["exp1"].configuration.put("Call Routed Mode", "Always")
        await pair.wait(400)
        assert pair["exp2"].configuration.get("Call Routed Mode") == "Optimal"

    run(story())


def test_clearing_all_peers_of_a_later_version_wipes_it_at_the_next_restart(lab):
    async def story():
        later = lab(
            version="X8.11.3",
            clusters=[{"name": "c.example.com", "members": ["exp1", "exp2"]}],
            expressways=[
                {"name": "exp1", "address": A},
                {"name": "exp2", "address": B, "optimized": True},
            ],
        )
        later["exp2"].configuration.put("Transform 1 Pattern String", "x")
        transport = later.transport("exp2")
        await transport.write([Setting.of(f"Alternates Peer {n} Address", "") for n in range(1, 7)])
        await later.restart("exp2", wait=1500)
        assert later["exp2"].configuration.records("Transform") == []
        assert "wipe without a backup" in {v.rule for v in later.witness.violations}

    run(story())


def test_putting_the_peers_back_before_the_restart_saves_it(lab):
    async def story():
        later = lab(version="X8.11.3", clusters=[{"name": CLUSTER, "members": ["exp1", "exp2"]}])
        transport = later.transport("exp2")
        fields = [(1, A), (2, B)]
        await transport.write([Setting.of(f"Alternates Peer {n} Address", "") for n, _ in fields])
        await transport.write([Setting.of(f"Alternates Peer {n} Address", a) for n, a in fields])
        await later.restart("exp2", wait=600)
        assert later.witness.violations == []
        assert (await later.words("exp1"))[B] == "Active"

    run(story())


def test_force_config_update_heals_a_peer(trio):
    async def story():
        trio["exp2"].configuration.put("Zones Zone 5 Name", "stray")
        await trio.back_up("exp2")
        await trio.transport("exp2").run(Command("ForceConfigUpdate"))
        assert trio["exp2"].configuration.records("Zones Zone") == []
        assert trio["exp2"].configuration.records("Bandwidth Link") == []
        await trio.wait(10)
        assert len(trio["exp2"].configuration.records("Bandwidth Link")) == 4
        assert trio.witness.violations == []

    run(story())


def test_a_shared_edit_on_a_non_primary_is_overwritten_or_stops_replication(lab):
    async def story(conflict: bool):
        one = lab(
            profile={"local_edits_conflict": conflict},
            clusters=[{"name": "c.example.com", "key": "k-123456", "members": ["exp1", "exp2"]}],
        )
        await one.transport("exp2").write([Setting.of("SIP UDP Mode", "On")])
        await one.wait(200)
        return one["exp2"].configuration.get("SIP UDP Mode"), 20011 in one.alarms("exp2")

    assert run(story(conflict=False)) == ("Off", False)
    assert run(story(conflict=True)) == ("On", True)


def test_static_nat_on_lan_1_keeps_a_peer_out(pair):
    async def story():
        pair["exp3"].configuration.put("Ethernet 1 IP V4 StaticNAT Mode", "On")
        await add_exp3(pair)
        await pair.wait(600)
        assert (await pair.words("exp1"))[C] == "Failed"

    run(story())
