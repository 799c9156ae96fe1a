"""The part of the transport contract that things go wrong in: every fault the fleet can play.

Each test plans one fault on the fleet and says what a caller of any transport meets: which error,
whether the request may have arrived, and that the next call is none the worse for it.
"""

# ruff: noqa: D102, S101  # tests: their names are their docstrings, their asserts the verdict
from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from transports import base, errors
from transports.base import Capability, Limits
from transports.command import Command, Setting
from transports.contract_rig import ALTERNATES, NAME, Rig, answers, facts, is_down, needs, until
from transports.document import WHOLE, Path
from transports.mock import Fault, FaultKind
from transports.mock.web import image

LINKS = Command("DefaultLinksAdd")


class FaultContract:
    """A part of `transports.contract.TransportContract`; not to be derived from alone."""

    # Losses

    async def test_an_appliance_that_is_off_is_unreachable(self, rig: Rig) -> None:
        rig.device.lose_power()
        transport = rig.transport(limits=Limits(connect=1.0))
        for _ in range(2):
            with pytest.raises(errors.NotSent) as caught:
                await transport.read_status(ALTERNATES)
            assert caught.value.sent is False

    async def test_a_restart_ends_a_session_and_the_next_call_opens_another(self, rig: Rig) -> None:
        transport = rig.transport()
        await transport.write([Setting(NAME, "before")])
        with contextlib.suppress(errors.OutcomeUnknown):  # the link may die before the answer
            await transport.run(Command("Boot"))
        await until(lambda: is_down(rig.device))
        with pytest.raises((errors.NotSent, errors.OutcomeUnknown)):
            await transport.read_status(ALTERNATES)
        await until(lambda: answers(transport))
        assert (await transport.read_configuration(NAME)).get(NAME) == "before"
        assert rig.device.restarts == 1

    @pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
    async def test_a_link_that_dies_under_way_leaves_the_outcome_open(
        self, rig: Rig, kind: FaultKind
    ) -> None:
        rig.fleet.faults.add(Fault(kind, "exp1", "ZoneAdd"))
        transport = rig.transport()
        with pytest.raises(errors.ConnectionLost) as caught:
            await transport.run(Command("ZoneAdd", {"ZoneName": "z", "Type": "ENUM"}))
        assert caught.value.sent is None
        zones = rig.device.configuration.records("Zones Zone")
        assert bool(zones) is (kind is FaultKind.DROP_AFTER)
        assert (await transport.read_configuration(NAME)).get(NAME) == "exp1"

    async def test_an_answer_cut_off_is_no_answer(self, rig: Rig) -> None:
        rig.fleet.faults.add(Fault(FaultKind.DROP_AT_BYTE, "exp1", "Ethernet", value=40))
        transport = rig.transport()
        with pytest.raises((errors.ConnectionLost, errors.Garbled)):
            await transport.read_configuration(Path.parse("Ethernet"))
        tree = await transport.read_configuration(Path.parse("Ethernet"))
        assert facts(tree) == facts(rig.device.configuration.tree(["Ethernet"]))

    async def test_an_answer_that_does_not_come_is_a_timeout(self, rig: Rig) -> None:
        rig.fleet.faults.add(Fault(FaultKind.DELAY, "exp1", "Ethernet", value=1e6))
        transport = rig.transport(limits=Limits(connect=5.0, reply=1.5))
        with pytest.raises(errors.ReplyTimeout) as caught:
            await transport.read_configuration(Path.parse("Ethernet"))
        assert caught.value.sent is None
        assert (await transport.read_configuration(NAME)).get(NAME) == "exp1"

    async def test_a_cancelled_call_does_not_disturb_the_next(self, rig: Rig) -> None:
        transport = rig.transport()
        for wait in (0.0, 0.001, 0.01, 0.05):
            call = asyncio.ensure_future(transport.read_configuration(Path.parse("Ethernet")))
            await asyncio.sleep(wait)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            assert (await transport.read_configuration(NAME)).get(NAME) == "exp1"

    async def test_a_restart_that_hangs_is_no_more_than_out_of_reach(self, rig: Rig) -> None:
        rig.fleet.faults.add(Fault(FaultKind.RESTART_HANGS, "exp1"))
        transport = rig.transport(limits=Limits(connect=1.0))
        with contextlib.suppress(errors.OutcomeUnknown):  # the link may die before the answer
            await transport.run(Command("Boot"))
        await until(lambda: is_down(rig.device))
        await rig.fleet.clock.sleep(rig.device.profile.reboot + 10)
        with pytest.raises((errors.NotSent, errors.OutcomeUnknown)):
            await transport.read_status(ALTERNATES)
        with pytest.raises(errors.NotSent):
            await transport.read_status(ALTERNATES)

    async def test_a_ban_is_told_or_the_appliance_is_out_of_reach(self, rig: Rig) -> None:
        """An appliance that blocks an address may say so or just drop what comes from it."""
        rig.fleet.faults.add(Fault(FaultKind.BAN, "exp1"))
        transport = rig.transport()
        for _ in range(2):
            with pytest.raises((errors.Banned, errors.Unreachable, errors.ConnectionLost)) as got:
                await transport.read_status(ALTERNATES)
            assert not isinstance(got.value, errors.AuthenticationFailed)
        fails = [row.total_fails for row in rig.device.protection.categories.values()]
        assert sum(fails) <= rig.device.profile.ban_after, "a banned client does not knock on"

    # Answers

    async def test_a_slow_answer_is_waited_for(self, rig: Rig) -> None:
        rig.fleet.faults.add(Fault(FaultKind.DELAY, "exp1", "Ethernet", value=9.0))
        tree = await rig.transport().read_configuration(Path.parse("Ethernet"))
        assert facts(tree) == facts(rig.device.configuration.tree(["Ethernet"]))

    async def test_an_answer_larger_than_agreed_is_not_taken(self, rig: Rig) -> None:
        transport = rig.transport(limits=Limits(connect=5.0, reply=10.0, max_reply_bytes=4096))
        with pytest.raises(errors.ReplyTooLarge):
            await transport.read_configuration(WHOLE)
        assert (await transport.read_configuration(NAME)).get(NAME) == "exp1"

    async def test_an_answer_deeper_than_agreed_is_not_taken(self, rig: Rig) -> None:
        transport = rig.transport(limits=Limits(connect=5.0, reply=10.0, max_depth=2))
        with pytest.raises(errors.ReplyTooLarge):
            await transport.read_configuration(Path.parse("Ethernet 1 IP V4 Address"))

    async def test_noise_is_no_answer(self, rig: Rig) -> None:
        rig.fleet.faults.add(Fault(FaultKind.GARBAGE, "exp1", "Ethernet"))
        transport = rig.transport(limits=Limits(connect=5.0, reply=2.0))
        with pytest.raises((errors.Garbled, errors.OutcomeUnknown)):
            await transport.read_configuration(Path.parse("Ethernet"))
        tree = await transport.read_configuration(Path.parse("Ethernet"))
        assert facts(tree) == facts(rig.device.configuration.tree(["Ethernet"]))

    async def test_a_wrong_answer_is_a_refusal_and_the_next_one_counts(self, rig: Rig) -> None:
        rig.fleet.faults.add(Fault(FaultKind.WRONG_ANSWER, "exp1", "DefaultLinksAdd"))
        transport = rig.transport()
        with pytest.raises(errors.CommandRejected):
            await transport.run(LINKS)
        await transport.run(LINKS)

    async def test_a_write_that_is_not_kept_shows_when_it_is_read_back(self, rig: Rig) -> None:
        rig.fleet.faults.add(Fault(FaultKind.IGNORED_WRITE, "exp1", "Name"))
        transport = rig.transport()
        for kept in ("exp1", "new"):
            await transport.write([Setting(NAME, "new")])
            assert (await transport.read_configuration(NAME)).get(NAME) == kept

    # States

    async def test_a_clock_that_is_wrong_shows(self, rig: Rig) -> None:
        rig.fleet.faults.add(Fault(FaultKind.CLOCK_SKEW, "exp1", value=-86400.0))
        path = Path.parse("SystemUnit SystemTime")
        told = (await rig.transport().read_status(path)).get(path)
        assert told is not None
        assert told.startswith("2026-01-04 ")

    async def test_a_call_that_never_ends_stays(self, rig: Rig) -> None:
        rig.fleet.faults.add(Fault(FaultKind.CALL_NEVER_ENDS, "exp1"))
        rig.device.calls.start(1.0)
        transport = rig.transport()
        with contextlib.suppress(errors.CommandRejected):
            await transport.run(Command("DisconnectCall", {"Call": "1"}))
        tree = await transport.read_status(Path.parse("Calls"))
        assert tree.find("Calls Call 1") is not None

    async def test_an_alarm_that_never_clears_stays(self, rig: Rig) -> None:
        rig.fleet.faults.add(Fault(FaultKind.ALARM_STICKS, "exp1", "15015"))
        transport = rig.transport()
        for mode in ("On", "Off"):
            await transport.write([Setting.of("SystemUnit Maintenance Mode", mode)])
            await rig.fleet.clock.sleep(rig.device.profile.alarm_clear_delay + 1)
        tree = await transport.read_status(Path.parse("Warnings"))
        assert any("aintenance mode" in value for value in facts(tree).values())

    async def test_replication_that_is_stuck_shows_on_the_other_peer(self, rig: Rig) -> None:
        rig.fleet.faults.add(Fault(FaultKind.REPLICATION_STUCK, "exp3"))
        mode = Path.parse("Call Routed Mode")
        primary, other = rig.transport(peer="exp2"), rig.transport(peer="exp3")
        await primary.write([Setting(mode, "Optimal")])
        await rig.fleet.clock.sleep(rig.device.profile.replication_period + 10)
        assert (await other.read_configuration(mode)).get(mode) == "Always"
        rig.fleet.faults.clear()
        await rig.fleet.clock.sleep(rig.device.profile.replication_period + 10)
        assert (await other.read_configuration(mode)).get(mode) == "Optimal"

    # Operations, where the transport has them

    async def test_a_backup_that_fails_is_no_backup(self, rig: Rig) -> None:
        rig.fleet.faults.add(Fault(FaultKind.DISK_FULL, "exp1"))
        transport = rig.transport()
        needs(transport, Capability.BACKUP)

        async def keep(piece: bytes) -> None:
            del piece

        with pytest.raises(errors.TransportError):
            await transport.perform(base.CreateBackup(keep))

    async def test_a_corrupt_image_is_not_installed(self, rig: Rig) -> None:
        rig.fleet.faults.add(Fault(FaultKind.IMAGE_CORRUPT, "exp1"))
        transport = rig.transport()
        needs(transport, Capability.INSTALL_SOFTWARE)

        async def pieces() -> AsyncIterator[bytes]:
            yield image("X8.2.2")

        with pytest.raises(errors.Refused):
            await transport.perform(base.InstallSoftware("s42700x8_2_2.tar.gz", pieces))
        assert rig.device.pending_version == ""
