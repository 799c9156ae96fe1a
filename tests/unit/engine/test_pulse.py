"""A worker that could not show that it lives takes itself for dead."""

import asyncio
from dataclasses import dataclass
from typing import Any, cast

import pytest

from app.engine.errors import LeaseLost
from app.engine.guarded import guarded
from app.engine.ports import Tools
from app.engine.pulse import Pulse
from transports.mock.virtual_time import run


def test_a_thawed_worker_that_beats_first_is_interrupted_all_the_same():
    async def story() -> list[str]:
        interrupted: list[str] = []
        pulse = Pulse(5.0, lambda: interrupted.append("now"))
        loop = asyncio.get_running_loop()
        pulse.beaten(loop.time())
        await asyncio.sleep(4)
        pulse.beaten(loop.time())
        assert not interrupted
        await asyncio.sleep(60)
        pulse.beaten(loop.time())
        pulse.check()
        return interrupted

    assert run(story()) == ["now"]


def test_without_a_good_beat_everything_is_interrupted_once_and_nothing_may_be_touched():
    async def story() -> list[str]:
        interrupted: list[str] = []
        pulse = Pulse(5.0, lambda: interrupted.append("now"))
        with pytest.raises(LeaseLost):
            pulse.check()
        assert not pulse.watch()
        pulse.beaten(asyncio.get_running_loop().time())
        await asyncio.sleep(6)
        assert pulse.watch()
        assert not pulse.watch()
        with pytest.raises(LeaseLost):
            pulse.check()
        pulse.beaten(asyncio.get_running_loop().time())
        pulse.check()
        return interrupted

    assert run(story()) == ["now"]


@dataclass
class Link:
    """The connection that shows that a worker lives."""

    broken: bool = False

    def cut(self) -> bool:
        return self.broken


def test_a_worker_whose_connection_broke_stops_before_others_may_take_its_jobs():
    async def story() -> list[str]:
        interrupted: list[str] = []
        link = Link()
        pulse = Pulse(5.0, lambda: interrupted.append("now"), gone=0.6, cut=link.cut)
        pulse.beaten(asyncio.get_running_loop().time())
        await asyncio.sleep(0.5)
        pulse.check()
        link.broken = True
        await asyncio.sleep(0.5)
        pulse.check()
        assert not pulse.watch()
        await asyncio.sleep(0.2)
        with pytest.raises(LeaseLost):
            pulse.check()
        assert pulse.watch()
        return interrupted

    assert run(story()) == ["now"]


def test_a_connection_that_broke_while_nobody_looked_counts_from_when_it_was_last_whole():
    async def story() -> None:
        link = Link()
        pulse = Pulse(5.0, lambda: None, gone=0.6, cut=link.cut)
        pulse.beaten(asyncio.get_running_loop().time())
        await asyncio.sleep(3)
        link.broken = True
        with pytest.raises(LeaseLost):
            pulse.check()

    run(story())


def test_a_connection_that_came_back_too_late_interrupts_what_was_under_way():
    async def story() -> list[str]:
        interrupted: list[str] = []
        link = Link()
        loop = asyncio.get_running_loop()
        pulse = Pulse(5.0, lambda: interrupted.append("now"), gone=0.6, cut=link.cut)
        pulse.beaten(loop.time())
        link.broken = True
        await asyncio.sleep(0.3)
        assert not pulse.watch()
        link.broken = False
        pulse.beaten(loop.time())
        assert interrupted == []
        link.broken = True
        await asyncio.sleep(0.7)
        assert pulse.watch()
        link.broken = False
        pulse.beaten(loop.time())
        pulse.check()
        return interrupted

    assert run(story()) == ["now"]


async def test_registry_and_backups_are_not_written_without_a_lease():
    written: list[Any] = []

    class Store:
        async def record_members(self, members: tuple[str, ...], primary: str | None) -> None:
            written.append(members)

        async def receive(self, *args: object) -> None:
            written.append(args)

    def gone() -> None:
        raise LeaseLost

    async def appliance(peer_id: str) -> Any:
        written.append(peer_id)

    store = cast("Any", Store())
    tools = guarded(Tools(appliance, store, store), gone)
    for use in (
        lambda: tools.registry.record_members(("a",), "a"),
        lambda: tools.backups.receive("step", "peer", cast("Any", None)),
        lambda: tools.appliances("a"),
    ):
        with pytest.raises(LeaseLost):
            await use()
    assert written == []
