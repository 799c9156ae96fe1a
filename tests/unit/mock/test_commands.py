from __future__ import annotations

import math

import pytest

from transports.base import CheckWebLogin, SetPreSharedKey
from transports.command import Command, Setting
from transports.errors import CommandRejected, ConnectionLost, Unreachable
from transports.mock import Power
from transports.mock.virtual_time import run


def test_default_values_level_2_leaves_nothing_of_the_shared_configuration(lab):
    async def story(level: str):
        one = lab(
            expressways=[
                {
                    "name": "exp1",
                    "address": "192.0.2.11",
                    "optimized": True,
                    "ldap": "ldap.example.com",
                    "accounts": ["bob"],
                    "zones": [{"name": "hq", "peers": ["10.0.0.1"]}],
                }
            ]
        )
        await one.transport("exp1").run(Command("DefaultValuesSet", {"Level": level}))
        return one["exp1"].configuration

    for level in ("1", "2", "3"):
        left = run(story(level))
        assert left.records("Zones Zone") == left.records("Bandwidth Link") == []
        assert left.get("Call Routed Mode") == "Always"
        ldap = left.get("Login Remote LDAP Server Address")
        assert ldap == ("ldap.example.com" if level == "1" else "")
        assert left.get("NTP Server 1 Address") == ("" if level == "3" else "192.0.2.123")
        assert left.get("Ethernet 1 IP V4 Address") == "192.0.2.11"
        assert left.records("Authentication Account Admin Account") == [1], "the guide deletes them"


def test_default_links_come_back_once(lab):
    async def story():
        one = lab()
        transport = one.transport("exp1")
        await transport.run(Command("DefaultValuesSet", {"Level": "2"}))
        await transport.run(Command("DefaultLinksAdd"))
        await transport.run(Command("DefaultLinksAdd"))
        get = one["exp1"].configuration.get
        names = [get(f"Bandwidth Link {n} Name") for n in (1, 2, 3, 4)]
        assert "DefaultSZtoTraversalSZ" in names
        assert one["exp1"].configuration.records("Bandwidth Link") == [1, 2, 3, 4]

    run(story())


def test_a_boot_drops_calls_ends_maintenance_and_takes_its_time(lab):
    async def story():
        one = lab()
        device, transport = one["exp1"], one.transport("exp1")
        device.calls.start(math.inf)
        await transport.write([Setting.of("SystemUnit Maintenance Mode", "On")])
        await one.wait(1)
        assert one.alarms("exp1") == {15015}
        assert device.call_arrives() is False
        await transport.run(Command("Boot"))
        await one.wait(3)
        assert device.power is Power.RESTARTING
        assert device.calls.live == {}
        with pytest.raises(Unreachable):
            await transport.run(Command("Boot"))
        await one.wait(290)
        assert not device.up
        await one.wait(10)
        assert device.up
        assert await transport.perform(CheckWebLogin()) is False, "the web follows a little later"
        await one.wait(15)
        assert await transport.perform(CheckWebLogin()) is True
        assert device.maintenance is False
        assert one.alarms("exp1") == set()

    run(story())


def test_a_power_cut_takes_the_place_of_whatever_was_due(lab):
    async def story():
        one = lab()
        device = one["exp1"]
        device.gain_power()
        await one.wait(400)
        assert device.uptime > 7500, "power for one that has power changes nothing"
        await one.restart("exp1", wait=100)
        device.lose_power()
        await one.wait(500)
        assert device.power is Power.OFF, "the restart that was under way does not end it"
        device.gain_power()
        await one.wait(200)
        device.gain_power()
        await one.wait(200)
        assert not device.up, "it starts anew"
        await one.wait(101)
        assert device.up
        device.factory_reset()
        device.lose_power()
        await one.wait(2000)
        assert device.power is Power.OFF

    run(story())


def test_every_thirtieth_restart_checks_the_disk(lab):
    async def story():
        one = lab()
        one["exp1"].supply.restarts = 29
        await one.restart("exp1", wait=700)
        assert not one["exp1"].up
        await one.wait(100)
        assert one["exp1"].up

    run(story())


def test_calls_end_by_themselves_or_by_command(lab):
    async def story():
        one = lab(expressways=[{"name": "exp1", "address": "192.0.2.11", "calls": [60, "forever"]}])
        live, transport = one["exp1"].calls.live, one.transport("exp1")
        await one.wait(61)
        assert list(live) == [2]
        await one.wait(100_000)
        assert list(live) == [2]
        await transport.run(Command("DisconnectCall", {"Call": "2"}))
        assert live == {}
        with pytest.raises(CommandRejected, match="Call not found"):
            await transport.run(Command("DisconnectCall", {"Call": "2"}))

    run(story())


def test_accounts_zones_and_option_keys_come_and_go(lab):
    async def story():
        one = lab()
        device, transport = one["exp1"], one.transport("exp1")
        await transport.run(Command("AdminAccountAdd", {"Name": "bob", "Password": "Secret-bob-1"}))
        with pytest.raises(CommandRejected):
            await transport.run(Command("AdminAccountAdd", {"Name": "bob", "Password": "x"}))
        assert device.accounts.names() == ["admin", "bob"]
        await transport.run(Command("AdminAccountDelete", {"Name": "bob"}))
        assert device.accounts.names() == ["admin"]
        made = await transport.run(Command("ZoneAdd", {"ZoneName": "hq", "Type": "Neighbor"}))
        assert made.get("ZoneId") == "1"
        await transport.run(Command("ZoneDelete", {"ZoneId": "1"}))
        with pytest.raises(CommandRejected):
            await transport.run(Command("ZoneDelete", {"ZoneId": "1"}))
        keys = len(device.option_keys)
        await transport.run(Command("OptionKeyAdd", {"Key": "1X4757T5-1-60BAD5CD-1"}))
        assert len(device.option_keys) == keys + 1
        await one.wait(1)
        assert 30025 in one.alarms("exp1")
        assert one.witness.violations == []

    run(story())


def test_accounts_may_be_deleted_by_number_instead(lab):
    async def story():
        one = lab(
            profile={"account_deleted_by": "AdminAccountId"},
            expressways=[{"name": "exp1", "address": "192.0.2.11", "accounts": ["bob", "eve"]}],
        )
        transport = one.transport("exp1")
        for wrong in ({"Name": "bob"}, {"AdminAccountId": "7"}, {}):
            with pytest.raises(CommandRejected):
                await transport.run(Command("AdminAccountDelete", wrong))
        await transport.run(Command("AdminAccountDelete", {"AdminAccountId": "1"}))
        assert one["exp1"].accounts.names() == ["admin", "eve"]

    run(story())


def test_a_changed_address_is_in_force_after_the_restart(lab):
    async def story():
        one = lab()
        before = one.transport("exp1")
        await before.write([Setting.of("Ethernet 1 IP V4 Address", "192.0.2.99")])
        await one.wait(1)
        assert 25010 in one.alarms("exp1")
        assert one["exp1"].address == "192.0.2.11"
        await one.restart("exp1")
        assert one["exp1"].address == "192.0.2.99"
        with pytest.raises(Unreachable):
            await before.run(Command("DefaultLinksAdd"))
        await one.transport("exp1").run(Command("DefaultLinksAdd"))

    run(story())


def test_a_restart_in_mid_command_loses_the_connection(lab):
    async def story():
        one = lab()
        transport = one.transport("exp1")
        await transport.perform(SetPreSharedKey("irrelevant-key"))
        one["exp1"].restart(reboot=False)
        with pytest.raises(ConnectionLost):
            await one.back_up("exp1")

    run(story())
