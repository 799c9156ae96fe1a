from __future__ import annotations

import asyncio
import hashlib

import pytest

from transports import mock, registry
from transports.base import (
    Capability,
    CreateBackup,
    DeleteAdminAccount,
    Endpoint,
    FactoryReset,
    InstallSoftware,
    PingFromPeer,
    PurgeClusterDatabase,
    ReadAdminAccounts,
    ReadLyncB2bua,
    ReadTimeState,
    RestoreBackup,
    SetLyncB2bua,
    SetPreSharedKey,
)
from transports.command import Command, Setting
from transports.document import Path
from transports.errors import (
    AuthenticationFailed,
    Banned,
    Busy,
    CommandRejected,
    ConnectionLost,
    InvalidRequest,
    NotSupported,
    Unreachable,
)
from transports.mock.virtual_time import run
from transports.mock.web import ClusteringForm, WebInterface, image

VERSION = Path.parse("SystemUnit Software Version")


def test_it_is_installed_under_its_name(lab):
    one = lab()
    endpoint = Endpoint("192.0.2.11", 0, "admin", "x", None, {"fleet": one.name})
    assert registry.create("mock", endpoint).name == "mock"


def test_an_unknown_fleet_or_option_is_refused(lab):
    with pytest.raises(InvalidRequest, match="no fleet named"):
        mock.create(Endpoint("192.0.2.11", 0, "admin", "x", None, {"fleet": "nowhere"}))
    with pytest.raises(InvalidRequest, match="unknown options colour"):
        lab().transport("exp1", options={"colour": "blue"})


def test_a_path_reads_just_that_part(lab):
    async def story():
        transport = lab().transport("exp1")
        root = await transport.read_status(VERSION)
        assert [(str(path), value) for path, value in root.leaves()] == [(str(VERSION), "X8.2")]
        assert (await transport.read_status(Path.parse("Nothing Here"))).children == []
        with pytest.raises(NotSupported):
            await transport.read_configuration(Path.parse("Nothing Here"))
        lans = await transport.read_configuration(Path.parse("Ethernet"))
        assert [lan.index for lan in lans.all("Ethernet")] == [1, 2]

    run(story())


def test_wrong_passwords_are_declined_and_then_banned(lab):
    async def story():
        one = lab()
        for count in range(1, 6):
            wrong = one.transport("exp1", password="Wrong-1")
            for _ in range(3):
                with pytest.raises(AuthenticationFailed):
                    await wrong.read_status(VERSION)
            fails = one["exp1"].protection.categories["ssh-auth"].total_fails
            assert fails == count, "never the same password twice"
        with pytest.raises(Banned):
            await one.transport("exp1").read_status(VERSION)
        await one.transport("exp1", options={"client": "198.51.100.8"}).read_status(VERSION)
        await one.wait(3601)
        root = await one.transport("exp1").read_status(Path.parse("IntrusionProtection"))
        rows = root.find("IntrusionProtection").all("Category")
        bans = {row.get("Name"): (row.get("TotalBans"), row.get("CurrentBans")) for row in rows}
        assert bans["ssh-auth"] == ("1", "0")

    run(story())


def test_one_log_in_serves_until_the_appliance_restarts(lab):
    async def story():
        one = lab()
        transport = one.transport("exp1")
        await transport.read_status(VERSION)
        one["exp1"].accounts.admin_password = "Changed-1"
        await transport.read_status(VERSION)
        await one.transport("exp1", password="Changed-1").read_status(VERSION)
        one["exp1"].restart(reboot=False)
        await one.wait(200)
        with pytest.raises(AuthenticationFailed):
            await transport.read_status(VERSION)

    run(story())


def test_sessions_are_limited_and_closing_gives_one_back(lab):
    async def story():
        one = lab(profile={"session_limit": 1})
        first, second = one.transport("exp1"), one.transport("exp1")
        await first.read_status(VERSION)
        with pytest.raises(Busy):
            await second.read_status(VERSION)
        await first.close()
        await first.close()
        await second.read_status(VERSION)

    run(story())


def test_a_backup_restores_what_it_held(lab):
    async def story(password: str):
        one = lab()
        transport = one.transport("exp1")
        await transport.write([Setting.of("SystemUnit Name", "before")])
        data = bytearray()

        async def take(piece: bytes) -> None:
            data.extend(piece)

        receipt = await transport.perform(CreateBackup(take, password))
        assert receipt.sha256 == hashlib.sha256(data).hexdigest()
        assert receipt.size == len(data)
        assert receipt.file_name.startswith("X8.2_017DB2D0_2026_01_05_")
        assert receipt.file_name.endswith(".enc" if password else "_backup.tar.gz")
        await transport.write([Setting.of("SystemUnit Name", "after")])

        async def pieces():
            yield bytes(data)

        if password:
            with pytest.raises(CommandRejected, match="password"):
                await transport.perform(RestoreBackup(receipt.file_name, pieces, "Wrong-1"))
        await transport.perform(RestoreBackup(receipt.file_name, pieces, password))
        await one.wait(220)
        assert one["exp1"].configuration.get("SystemUnit Name") == "before"
        assert one["exp1"].uptime < 60
        one["exp1"].version = "X8.1"
        with pytest.raises(CommandRejected, match=r"X8\.2"):
            await transport.perform(RestoreBackup(receipt.file_name, pieces, password))

    run(story(""))
    run(story("Backup-password-1"))


def test_a_restore_refuses_nonsense_and_members(pair):
    async def story():
        async def nonsense():
            yield b"not a backup"

        for name, words in (("exp3", "not a valid"), ("exp2", "from its cluster")):
            with pytest.raises(CommandRejected, match=words):
                await pair.transport(name).perform(RestoreBackup("x", nonsense))

    run(story())


def test_new_software_is_used_after_a_reboot_and_not_after_a_restart(lab):
    async def story():
        one = lab()
        transport = one.transport("exp1")

        async def pieces():
            yield image("X8.2.1")

        await transport.perform(InstallSoftware("i.tar.gz", pieces))
        await one.restart("exp1")
        assert (await transport.read_status(VERSION)).get(VERSION) == "X8.2"
        await transport.run(Command("Boot"))
        await one.wait(320)
        assert (await transport.read_status(VERSION)).get(VERSION) == "X8.2.1"

    run(story())


def test_what_arrives_while_the_appliance_goes_down_is_not_carried_out(lab):
    async def story():
        one = lab()
        transport = one.transport("exp1")
        await transport.read_status(VERSION)
        one.fleet.clock.call_later(0.02, one["exp1"].lose_power)
        with pytest.raises(ConnectionLost):
            await transport.write([Setting.of("SystemUnit Name", "new")])
        assert one["exp1"].configuration.get("SystemUnit Name") == "exp1"

    run(story())


def test_an_installation_goes_on_when_the_caller_is_gone(lab):
    async def story():
        one = lab()

        async def pieces():
            yield image("X8.2.1")

        work = one.transport("exp1").perform(InstallSoftware("i.tar.gz", pieces))
        task = asyncio.ensure_future(work)
        await one.wait(60)
        task.cancel()
        assert one["exp1"].installing
        await one.wait(400)
        assert not one["exp1"].installing
        assert one["exp1"].pending_version == "X8.2.1"

    run(story())


def test_an_installation_does_not_survive_a_reboot(lab):
    async def story():
        one = lab()

        async def pieces():
            yield image("X8.2.1")

        work = one.transport("exp1").perform(InstallSoftware("i.tar.gz", pieces))
        task = asyncio.ensure_future(work)
        await one.wait(60)
        await one.transport("exp1").run(Command("Boot"))
        with pytest.raises(ConnectionLost):
            await task
        await one.wait(310)
        assert one["exp1"].up
        assert not one["exp1"].installing
        await one.wait(900)
        assert one["exp1"].version == "X8.2"
        assert one["exp1"].pending_version == ""

    run(story())


def test_the_pages_say_what_they_say(lab):
    async def story():
        one = lab(
            expressways=[
                {"name": "exp1", "address": "192.0.2.11", "lync_b2bua": True, "accounts": ["bob"]},
                {"name": "exp2", "address": "192.0.2.12", "ntp_reachable": False},
            ],
            round_trips=[["exp1", "exp2", 42.0]],
        )
        transport = one.transport("exp1")
        assert await transport.perform(ReadTimeState()) == "Synchronized"
        assert await one.transport("exp2").perform(ReadTimeState()) == "Not synchronized"
        assert await transport.perform(ReadLyncB2bua()) is True
        await transport.perform(SetLyncB2bua(enabled=False))
        assert await transport.perform(ReadLyncB2bua()) is False
        assert await transport.perform(ReadAdminAccounts()) == ("admin", "bob")
        await transport.perform(DeleteAdminAccount("bob"))
        assert await transport.perform(ReadAdminAccounts()) == ("admin",)
        with pytest.raises(CommandRejected):
            await transport.perform(DeleteAdminAccount("admin"))
        assert await transport.perform(PingFromPeer("192.0.2.12")) == 42.0
        one.fleet.cut("exp1", "exp2")
        assert await transport.perform(PingFromPeer("192.0.2.12")) is None

    run(story())


def test_the_clustering_page_saves_all_or_nothing(lab):
    one = lab()
    web = WebInterface(one["exp1"])
    good = ("192.0.2.11", "192.0.2.12", "", "", "", "")
    for form in (
        ClusteringForm("c.example.com", 1, ("exp1.example.com",), "Key-123"),
        ClusteringForm("c.example.com", 1, ("192.0.2.11", "192.0.2.11"), "Key-123"),
        ClusteringForm("c.example.com", 7, good, "Key-123"),
        ClusteringForm("c.example.com", 1, good),
        ClusteringForm("x" * 129, 1, good, "Key-123"),
        ClusteringForm("c.example.com", 1, ("192.0.2.1",) * 7, "Key-123"),
    ):
        with pytest.raises(mock.configuration.DeviceRefusal):
            web.save_clustering(form)
        assert web.read_clustering().cluster_name == ""
        assert web.read_clustering().key_set is False
    web.save_clustering(ClusteringForm("c.example.com", 1, good, "Key-123"))
    shown = web.read_clustering()
    assert (shown.peers, shown.key, shown.key_set) == (good, None, True)
    web.save_clustering(ClusteringForm("d.example.com", 1, good))
    assert one["exp1"].cluster.key == "Key-123", "an untouched key field keeps the key"


def test_root_s_operations_need_the_option_and_the_grant(lab):
    async def story():
        one = lab(
            expressways=[
                {"name": "exp1", "address": "192.0.2.11", "optimized": True, "root": True},
                {"name": "exp2", "address": "192.0.2.12"},
            ]
        )
        reset = FactoryReset(True, True, False, True, False, False)
        assert Capability.FACTORY_RESET not in one.transport("exp1").capabilities
        with pytest.raises(NotSupported, match="root=true"):
            await one.transport("exp1").perform(reset)
        root = {"options": {"root": "true"}}
        with pytest.raises(NotSupported, match="does not grant root"):
            await one.transport("exp2", **root).perform(reset)
        await one.back_up("exp1")
        transport = one.transport("exp1", **root)
        await transport.perform(SetPreSharedKey("Key-of-old-cluster"))
        await transport.perform(reset)
        with pytest.raises(Unreachable):
            await transport.read_status(VERSION)
        await one.wait(1250)
        device = one["exp1"]
        assert device.configuration.get("Call Routed Mode") == "Always"
        assert device.configuration.records("Bandwidth Link") == [], "DefaultLinksAdd comes next"
        assert device.option_keys
        assert device.cluster.key == ""
        assert device.address == "192.0.2.11"
        await transport.perform(PurgeClusterDatabase("SR 612345678"))
        assert one.witness.violations == []

    run(story())


def test_a_later_version_has_no_pre_shared_key(lab):
    async def story():
        with pytest.raises(CommandRejected, match="no cluster pre-shared key"):
            await lab(version="X8.11.3").transport("exp1").perform(SetPreSharedKey("Key-123"))

    run(story())
