"""Sessions with peers stay within their numbers, and nobody waits for ever or acts too late."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from app.engine.errors import LeaseLost
from app.engine.under_way import UNDER_WAY, UnderWay
from app.services.open_sessions import Limited, OpenSessions
from transports.base import Endpoint
from transports.document import WHOLE, Node
from transports.errors import Unreachable
from transports.mock.virtual_time import run


@dataclass
class Peers:
    """Counts who is open: in all, and with each peer."""

    limit: int
    talk: float = 1.0
    close: float = 0.1
    open: dict[int, str] = field(default_factory=dict)
    most: int = 0
    most_of_one: int = 0
    opened: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sessions = OpenSessions(self.limit)

    def session(self, peer: str) -> Limited:
        endpoint = Endpoint(host=peer, port=22, username="admin", password="word", trust=None)
        return self.sessions.limited(Talking(self, peer), endpoint)

    def seen(self) -> None:
        self.most = max(self.most, len(self.open))
        of_one = max((list(self.open.values()).count(p) for p in self.open.values()), default=0)
        self.most_of_one = max(self.most_of_one, of_one)


class Talking:
    """A transport that opens with its first exchange and takes a while for everything."""

    name = "ssh"

    def __init__(self, peers: Peers, peer: str) -> None:
        self._peers = peers
        self._peer = peer

    async def read_status(self, path: object) -> Node:
        if id(self) not in self._peers.open:
            self._peers.open[id(self)] = self._peer
            self._peers.opened.append(self._peer)
        self._peers.seen()
        await asyncio.sleep(self._peers.talk)
        if self._peer == "silent":
            raise Unreachable("nobody there")
        return Node("")

    async def close(self) -> None:
        await asyncio.sleep(self._peers.close if id(self) in self._peers.open else 0)
        self._peers.open.pop(id(self), None)


def test_one_access_path_has_one_open_transport_however_many_want_it():
    async def story():
        peers = Peers(limit=100)
        sessions = [peers.session("exp1") for _ in range(12)]
        await asyncio.gather(*(one.read_status(WHOLE) for one in sessions))
        return peers

    peers = run(story())
    assert (peers.most, peers.most_of_one) == (1, 1)
    assert len(peers.opened) == 12


def test_jobs_with_many_peers_share_few_places_and_none_waits_for_another_for_ever():
    async def job(peers: Peers, number: int) -> None:
        sessions = [peers.session(f"exp{number}-{n}") for n in range(6)]
        for _ in range(3):
            await asyncio.gather(*(one.read_status(WHOLE) for one in sessions))
        await asyncio.gather(*(one.close() for one in sessions))

    async def story():
        peers = Peers(limit=5)
        async with asyncio.timeout(3600):
            await asyncio.gather(*(job(peers, number) for number in range(20)))
        return peers

    peers = run(story())
    assert peers.most == 5
    assert (peers.open, peers.sessions.count) == ({}, 0)


def test_the_session_that_rests_longest_gives_its_place_and_one_that_talks_keeps_it():
    async def story():
        peers = Peers(limit=3)
        first, second, third = (peers.session(f"exp{n}") for n in (1, 2, 3))
        await first.read_status(WHOLE)
        await second.read_status(WHOLE)
        talking = asyncio.create_task(first.read_status(WHOLE))
        await third.read_status(WHOLE)
        await peers.session("exp4").read_status(WHOLE)
        await talking
        return sorted(peers.open.values()), peers.opened

    assert run(story()) == (["exp1", "exp3", "exp4"], ["exp1", "exp2", "exp3", "exp4"])


def test_who_gives_up_waiting_or_fails_takes_no_place():
    async def story():
        peers = Peers(limit=2, talk=60.0)
        busy = [asyncio.create_task(peers.session(p).read_status(WHOLE)) for p in ("exp1", "exp2")]
        await asyncio.sleep(1)
        waiting = [
            asyncio.create_task(peers.session(p).read_status(WHOLE)) for p in ("exp1", "exp3")
        ]
        await asyncio.sleep(1)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.gather(*busy)
        silent = peers.session("silent")
        with pytest.raises(Unreachable):
            await silent.read_status(WHOLE)
        await peers.session("exp1").read_status(WHOLE)
        await peers.session("exp3").read_status(WHOLE)
        return peers.most, peers.sessions.count

    assert run(story()) == (2, 2)


def test_a_worker_whose_lease_went_while_it_waited_sends_nothing():
    async def story():
        peers = Peers(limit=1)
        lost: list[bool] = []

        def check() -> None:
            if lost:
                raise LeaseLost("gone")

        async def leased() -> None:
            UNDER_WAY.set(UnderWay("step", check))
            await peers.session("exp2").read_status(WHOLE)

        busy = asyncio.create_task(peers.session("exp1").read_status(WHOLE))
        await asyncio.sleep(0.5)
        ours = asyncio.create_task(leased())
        await asyncio.sleep(0.1)
        lost.append(True)
        await busy
        with pytest.raises(LeaseLost):
            await ours
        return peers.opened

    assert run(story()) == ["exp1"]


def test_a_closed_session_opens_again_and_is_counted_again():
    async def story():
        peers = Peers(limit=2)
        session = peers.session("exp1")
        await session.read_status(WHOLE)
        await session.close()
        await session.close()
        await session.read_status(WHOLE)
        return peers.opened, peers.sessions.count

    assert run(story()) == (["exp1", "exp1"], 1)
