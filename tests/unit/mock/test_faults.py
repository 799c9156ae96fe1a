from __future__ import annotations

import math

import pytest

from transports.base import CheckWebLogin, CreateBackup, InstallSoftware, Limits
from transports.command import Command, Setting
from transports.document import Path
from transports.errors import (
    Banned,
    CommandRejected,
    ConnectionLost,
    ReplyTimeout,
)
from transports.mock import Fault, FaultKind, Faults
from transports.mock.virtual_time import run
from transports.mock.web import image

NAME = Path.parse("SystemUnit Name")


def with_fault(lab, kind: FaultKind, **words: object):
    return lab(faults=[{"kind": kind.value, "peer": "exp1", **words}])


async def name_of(one, name: str = "exp1") -> str:
    return (await one.transport(name).read_configuration(NAME)).get(NAME)


def test_a_connection_may_die_before_or_after_the_command_was_carried_out(lab):
    async def story(kind: FaultKind) -> str:
        one = with_fault(lab, kind, matching="SystemUnit Name", occurrence=1)
        with pytest.raises(ConnectionLost):
            await one.transport("exp1").write([Setting.of("SystemUnit Name", "new")])
        return one["exp1"].configuration.get("SystemUnit Name")

    assert run(story(FaultKind.DROP_BEFORE)) == "exp1"
    assert run(story(FaultKind.DROP_AFTER)) == "new"
    assert run(story(FaultKind.DROP_AT_BYTE)) == "new"


def test_a_fault_strikes_at_its_occasion_and_no_other(lab):
    async def story():
        one = with_fault(lab, FaultKind.DROP_BEFORE, occurrence=2)
        transport = one.transport("exp1")
        assert await name_of(one, "exp2") == "exp2", "another appliance is no occasion"
        await transport.read_configuration(NAME)
        with pytest.raises(ConnectionLost):
            await transport.read_configuration(NAME)
        await transport.read_configuration(NAME)
        assert [(peer, fault.kind) for peer, fault, _ in one.fleet.faults.struck] == [
            ("exp1", FaultKind.DROP_BEFORE)
        ]

    run(story())


def test_a_late_answer_is_waited_for_only_so_long(lab):
    async def story(seconds: float) -> float:
        one = with_fault(lab, FaultKind.DELAY, value=seconds)
        transport = one.transport("exp1", limits=Limits(reply=30))
        await transport.read_configuration(NAME)
        return one.fleet.clock.now()

    assert 20 <= run(story(20)) < 21
    with pytest.raises(ReplyTimeout):
        run(story(40))


def test_a_wrong_answer_once_and_the_right_one_then(lab):
    async def story():
        one = with_fault(lab, FaultKind.WRONG_ANSWER, matching="DefaultLinksAdd")
        transport = one.transport("exp1")
        with pytest.raises(CommandRejected):
            await transport.run(Command("DefaultLinksAdd"))
        await transport.run(Command("DefaultLinksAdd"))

    run(story())


def test_a_write_may_be_answered_and_not_kept(lab):
    async def story():
        one = with_fault(lab, FaultKind.IGNORED_WRITE, matching="Name")
        transport = one.transport("exp1")
        await transport.write([Setting.of("SystemUnit Name", "new")])
        assert await name_of(one) == "exp1"
        await transport.write([Setting.of("SystemUnit Name", "new")])
        assert await name_of(one) == "new"

    run(story())


@pytest.mark.parametrize(("value", "back"), [(600.0, True), (0.0, False)])
def test_a_restart_may_take_long_or_for_ever(lab, value, back):
    async def story():
        one = with_fault(lab, FaultKind.RESTART_HANGS, value=value)
        await one.restart("exp1", wait=700)
        assert not one["exp1"].up
        await one.wait(10_000)
        assert one["exp1"].up is back

    run(story())


def test_replication_may_be_stuck(lab):
    async def story():
        one = lab(
            clusters=[{"name": "c.example.com", "key": "k-123456", "members": ["exp1", "exp2"]}],
            faults=[{"kind": "replication-stuck", "peer": "exp2"}],
        )
        one["exp1"].configuration.put("Call Routed Mode", "Optimal")
        await one.wait(1000)
        assert one["exp2"].configuration.get("Call Routed Mode") == "Always"
        one.fleet.faults.clear()
        await one.wait(130)
        assert one["exp2"].configuration.get("Call Routed Mode") == "Optimal"

    run(story())


def test_an_alarm_may_never_clear(lab):
    async def story():
        one = with_fault(lab, FaultKind.ALARM_STICKS, matching="20007")
        await one.save_list("exp1", ["exp1"])
        await one.restart("exp1", wait=500)
        assert one.alarms("exp1") == {20007}

    run(story())


def test_a_call_may_never_end_even_when_disconnected(lab):
    async def story():
        one = with_fault(lab, FaultKind.CALL_NEVER_ENDS)
        one["exp1"].calls.start(10)
        one["exp1"].calls.start(math.inf)
        await one.wait(100)
        await one.transport("exp1").run(Command("DisconnectCall", {"Call": "2"}))
        assert len(one["exp1"].calls.live) == 2

    run(story())


def test_a_skewed_clock_shows_in_the_status(lab):
    async def story() -> str:
        one = with_fault(lab, FaultKind.CLOCK_SKEW, value=3600)
        root = await one.transport("exp1").read_status(Path.parse("SystemUnit SystemTime"))
        return root.get("SystemUnit SystemTime") or ""

    assert run(story()).startswith("2026-01-05 09:00:")


def test_a_ban_meets_the_right_password_too(lab):
    async def story():
        one = with_fault(lab, FaultKind.BAN)
        with pytest.raises(Banned):
            await one.transport("exp1").read_configuration(NAME)
        await one.wait(3601)
        await one.transport("exp1").read_configuration(NAME)

    run(story())


def test_a_full_disk_makes_no_backup_and_no_half_file(lab):
    async def story():
        one = with_fault(lab, FaultKind.DISK_FULL)
        taken = bytearray()

        async def take(piece: bytes) -> None:
            taken.extend(piece)

        with pytest.raises(CommandRejected, match="disk space"):
            await one.transport("exp1").perform(CreateBackup(take))
        assert not taken
        assert one["exp1"].backups == []

    run(story())


def test_a_corrupt_image_is_refused(lab):
    async def story():
        one = with_fault(lab, FaultKind.IMAGE_CORRUPT)

        async def pieces():
            yield image("X8.2.1")

        with pytest.raises(CommandRejected, match="not valid"):
            await one.transport("exp1").perform(InstallSoftware("i.tar.gz", pieces))
        assert one["exp1"].pending_version == ""

    run(story())


def test_random_faults_are_the_same_for_the_same_seed():
    names = ["exp1", "exp2"]
    plans = [Faults.at_random(seed, names, 12).plan for seed in (7, 7, 8)]
    assert plans[0] == plans[1] != plans[2]
    assert [Fault.of(fault.as_data()) for fault in plans[0]] == plans[0]


def test_a_misspelt_fault_is_refused():
    with pytest.raises(ValueError, match="no peers"):
        Fault.of({"kind": "delay", "peers": "exp1"})
    with pytest.raises(ValueError, match="drop-sometimes"):
        Fault.of({"kind": "drop-sometimes"})


def test_an_isolated_appliance_is_down_for_its_callers_only(pair):
    async def story():
        transport = pair.transport("exp2")
        await transport.perform(CheckWebLogin())
        pair.fleet.isolate("exp2")
        with pytest.raises(Exception, match="does not answer"):
            await transport.perform(CheckWebLogin())
        await pair.wait(1)
        assert 20004 in pair.alarms("exp1")
        assert pair["exp2"].up
        pair.fleet.mend_all()
        await transport.perform(CheckWebLogin())

    run(story())
