"""The suite that every transport passes: same documents, same errors, same manners.

A transport is exchangeable only as far as a test says so. Whoever writes one (this project's own
three, or a third party's) derives a test class from `TransportContract`, says in `reaching` how
the transport gets to the appliances of a simulated fleet, and lets pytest run it:

    class TestTelnet(TransportContract):
        @asynccontextmanager
        async def reaching(self, fleet: Fleet) -> AsyncIterator[Reach]:
            async with serve_telnet(fleet) as ports:
                def reach(device: Expressway, access: Access) -> Transport:
                    return create(Endpoint(host="127.0.0.1", port=ports[device.name], ...))
                yield reach

Needs pytest with pytest-asyncio in its automatic mode. The fleet's clock runs `rate` times as fast
as the real one, so a restart of minutes takes a fraction of a second.
"""

# ruff: noqa: D102, S101  # tests: their names are their docstrings, their asserts the verdict
from __future__ import annotations

import abc
import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from transports import base, errors
from transports.base import Capability
from transports.command import Command, Setting
from transports.contract_faults import FaultContract
from transports.contract_operations import one_of_each
from transports.contract_rig import ALTERNATES, NAME, Access, Reach, Rig, facts, needs
from transports.document import Node, Path, Segment
from transports.mock import Fleet, FleetClock

__all__ = ["Access", "Reach", "Rig", "TransportContract"]


class TransportContract(FaultContract, abc.ABC):
    """Derive from it, implement `reaching`, and name the class `Test...`."""

    rate: float = 500.0
    """Device seconds in one real second."""
    has_identity: bool = True
    """False for a transport without host key or certificate (in process)."""

    tells_round_trip: bool = False
    """True for a transport that knows after an exchange how far its appliance is."""

    @abc.abstractmethod
    def reaching(self, fleet: Fleet) -> AbstractAsyncContextManager[Reach]:
        """Serve the fleet; yields how to make a transport to one of its appliances."""

    def scenario(self) -> dict[str, Any]:
        """The fleet that the suite runs on."""
        return {
            "expressways": [
                {"name": "exp1", "address": "192.0.2.11", "accounts": ["operator"], "root": True},
                {"name": "exp2", "address": "192.0.2.12", "root": True},
                {"name": "exp3", "address": "192.0.2.13", "root": True},
            ],
            "clusters": [
                {"name": "cluster1.example.com", "key": "k-4711", "members": ["exp2", "exp3"]}
            ],
        }

    @pytest.fixture
    async def rig(self) -> AsyncIterator[Rig]:
        """A served fleet; closes every transport that the test opened."""
        fleet = Fleet.from_scenario(self.scenario(), clock=FleetClock(self.rate))
        async with self.reaching(fleet) as reach:
            rig = Rig(fleet, reach)
            yield rig
            for transport in rig.opened:
                await transport.close()

    # What it says about itself

    async def test_it_is_made_without_connecting(self, rig: Rig) -> None:
        rig.device.lose_power()
        transport = rig.transport()
        assert transport.name
        assert Capability.ADMINISTRATION in transport.capabilities

    async def test_it_does_not_show_its_password(self, rig: Rig) -> None:
        assert rig.device.accounts.admin_password not in repr(rig.transport())

    async def test_how_far_the_appliance_is_is_known_after_an_exchange_or_not_at_all(
        self, rig: Rig
    ) -> None:
        transport = rig.transport()
        if not isinstance(transport, base.KnowsRoundTrip):
            assert not self.tells_round_trip
            pytest.skip("it does not say how far its appliance is")
        before = transport.round_trip
        assert before is None
        await transport.read_status(Path.parse("SystemUnit"))
        took = transport.round_trip
        # In milliseconds: the sockets of these tests end in the same machine.
        assert not self.tells_round_trip if took is None else 0 < took < 1000

    # Documents

    async def test_a_status_is_the_appliances_own(self, rig: Rig) -> None:
        transport = rig.transport()
        for element in ("Alternates", "Ethernet", "IP", "Warnings", "Zones", "H323"):
            read = await transport.read_status(Path.parse(element))
            assert set(_top(read)) <= {element}
            assert facts(read) == facts(_only(rig.device.status(), element))

    async def test_a_status_path_leads_down_from_the_root(self, rig: Rig) -> None:
        tree = await rig.transport().read_status(Path.parse("SystemUnit Software Version"))
        assert _top(tree) == ["SystemUnit"]
        assert tree.get("SystemUnit Software Version") == rig.device.version

    async def test_a_configuration_is_the_appliances_own(self, rig: Rig) -> None:
        transport = rig.transport()
        for element in ("Alternates", "Ethernet", "NTP", "Option", "SystemUnit"):
            read = await transport.read_configuration(Path.parse(element))
            assert facts(read) == facts(rig.device.configuration.tree([element]))

    async def test_one_configured_value_can_be_read(self, rig: Rig) -> None:
        path = Path.parse("Ethernet 1 IP V4 Address")
        tree = await rig.transport().read_configuration(path)
        assert tree.get(path) == rig.device.address

    async def test_what_is_written_is_read_back(self, rig: Rig) -> None:
        transport = rig.transport()
        for value in ("plain", "two words", "a <b> & 'c'", "", "OK", "*s/end", "x: y", "z" * 50):
            await transport.write([Setting(NAME, value)])
            assert rig.device.configuration.get(str(NAME)) == value
            assert (await transport.read_configuration(NAME)).get(NAME) == value

    async def test_settings_are_written_in_order(self, rig: Rig) -> None:
        settings = [Setting(NAME, f"name {n}") for n in range(5)]
        await rig.transport().write(settings)
        assert rig.device.configuration.get(str(NAME)) == "name 4"

    async def test_a_command_returns_its_results(self, rig: Rig) -> None:
        command = Command("ZoneAdd", {"ZoneName": "to head office", "Type": "Neighbor"})
        result = await rig.transport().run(command)
        zone = result.get("ZoneId")
        assert rig.device.configuration.get(f"Zones Zone {zone} Name") == "to head office"

    async def test_a_command_without_results_is_simply_done(self, rig: Rig) -> None:
        result = await rig.transport().run(Command("DefaultLinksAdd"))
        assert result.children == []

    # Refusals

    async def test_a_refused_value_is_rejected_and_ends_the_writing(self, rig: Rig) -> None:
        transport = rig.transport()
        before = rig.device.configuration.values()
        with pytest.raises(errors.CommandRejected):
            await transport.write([Setting.of("H323 Mode", "Perhaps"), Setting(NAME, "never")])
        assert rig.device.configuration.values() == before
        await transport.write([Setting(NAME, "afterwards")])

    async def test_an_unknown_place_is_not_supported_or_rejected(self, rig: Rig) -> None:
        transport = rig.transport()
        with pytest.raises(errors.NotSupported):
            await transport.read_configuration(Path.parse("NoSuchThing Here"))
        with pytest.raises(errors.CommandRejected):
            await transport.write([Setting.of("NoSuchThing Here", "x")])
        with contextlib.suppress(errors.NotSupported):
            assert (await transport.read_status(Path.parse("NoSuchThing"))).children == []

    async def test_an_unknown_command_is_rejected(self, rig: Rig) -> None:
        transport = rig.transport()
        with pytest.raises(errors.CommandRejected):
            await transport.run(Command("NoSuchCommand"))
        with pytest.raises(errors.CommandRejected) as caught:
            await transport.run(Command("DefaultValuesSet", {"Level": "9"}))
        assert caught.value.sent is True
        with pytest.raises(errors.CommandRejected):
            await transport.run(Command("ZoneDelete", {"ZoneId": "77"}))

    async def test_what_would_break_out_of_its_place_is_never_sent(self, rig: Rig) -> None:
        transport = rig.transport()
        before = rig.device.configuration.values()
        for value in ("x\nxCommand Boot", "x\r", "x\x00", "\u2028"):
            with pytest.raises(errors.InvalidRequest):
                await transport.write([Setting(NAME, value)])
            with pytest.raises(errors.InvalidRequest):
                await transport.run(Command("ZoneAdd", {"ZoneName": value, "Type": "Neighbor"}))
        with pytest.raises(errors.InvalidRequest):
            await transport.run(Command("Boot\nxCommand Boot"))
        with contextlib.suppress(errors.TransportError):
            tree = await transport.read_status(Path((Segment("A\nxCommand Boot"),)))
            assert tree.children == []
        assert rig.device.configuration.values() == before
        assert rig.device.restarts == 0

    async def test_what_is_not_among_the_capabilities_is_not_supported(self, rig: Rig) -> None:
        transport = rig.transport()
        for operation in one_of_each():
            if operation.capability not in transport.capabilities:
                with pytest.raises(errors.NotSupported):
                    await transport.perform(operation)

    # Trust

    async def test_a_wrong_password_is_tried_once(self, rig: Rig) -> None:
        transport = rig.transport(wrong_password=True)
        for _ in range(3):
            with pytest.raises(errors.AuthenticationFailed) as caught:
                await transport.read_status(ALTERNATES)
            assert caught.value.sent is False
        fails = [row.total_fails for row in rig.device.protection.categories.values()]
        assert sum(fails) == 1

    async def test_a_changed_identity_is_told_before_any_log_in(self, rig: Rig) -> None:
        if not self.has_identity:
            pytest.skip("this transport has no identity to compare")
        transport = rig.transport(other_identity=True, wrong_password=True)
        with pytest.raises(errors.IdentityChanged) as caught:
            await transport.read_status(ALTERNATES)
        assert caught.value.pinned.startswith("SHA256:")
        assert caught.value.presented.startswith("SHA256:")
        assert caught.value.presented != caught.value.pinned
        fails = [row.total_fails for row in rig.device.protection.categories.values()]
        assert sum(fails) == 0

    # Sharing and closing

    async def test_many_tasks_may_use_one_transport(self, rig: Rig) -> None:
        transport = rig.transport()
        paths = [Path.parse(p) for p in ("SystemUnit", "Ethernet", "NTP", "Alternates")] * 5
        trees = await asyncio.gather(*(transport.read_configuration(path) for path in paths))
        for path, tree in zip(paths, trees, strict=True):
            assert facts(tree) == facts(rig.device.configuration.tree([str(path)]))

    async def test_it_can_be_closed_twice_and_used_again(self, rig: Rig) -> None:
        transport = rig.transport()
        await transport.close()
        for _ in range(2):
            assert (await transport.read_configuration(NAME)).get(NAME) == "exp1"
            await transport.close()
            await transport.close()

    # Operations, where the transport has them

    async def test_a_backup_is_handed_over_whole(self, rig: Rig) -> None:
        transport = rig.transport()
        needs(transport, Capability.BACKUP)
        pieces: list[bytes] = []

        async def keep(piece: bytes) -> None:
            pieces.append(piece)

        receipt = await transport.perform(base.CreateBackup(keep))
        archive = b"".join(pieces)
        assert receipt.size == len(archive) > 0
        assert receipt.sha256 == hashlib.sha256(archive).hexdigest()
        assert "backup.tar.gz" in receipt.file_name
        assert archive == rig.device.backups[-1].data

    async def test_administrator_accounts_are_listed_and_deleted(self, rig: Rig) -> None:
        transport = rig.transport()
        needs(transport, Capability.ADMIN_ACCOUNTS)
        assert await transport.perform(base.ReadAdminAccounts()) == ("admin", "operator")
        await transport.perform(base.DeleteAdminAccount("operator"))
        assert await transport.perform(base.ReadAdminAccounts()) == ("admin",)
        for name in ("admin", "operator"):
            with pytest.raises(errors.Refused):
                await transport.perform(base.DeleteAdminAccount(name))


def _top(tree: Node) -> list[str]:
    return sorted({child.name for child in tree.children})


def _only(tree: Node, element: str) -> Node:
    return Node(tree.name, children=tree.all(element))
