"""A wrong password is sent once, whoever wants to use it, and root's is not the admin's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from app.domain.observation import NotObserved, Observation
from app.services.access import Access, Root
from app.services.appliances import ConnectedPeers
from app.services.open_sessions import OpenSessions
from simulation.rehearsal import Rehearsal
from transports import registry
from transports.base import FactoryReset
from transports.errors import AuthenticationFailed
from transports.mock.scenario import REHEARSAL_PASSWORD, ROOT_PASSWORD
from transports.mock.virtual_time import run

ROOTED = {"expressways": [{"name": "exp1", "address": "10.0.1.11", "root": True}]}
WISH = FactoryReset(True, True, True, True, False, False)


@dataclass
class Shared:
    """What all processes see: the endpoints, and what was declined."""

    rehearsal: Rehearsal
    password: str = REHEARSAL_PASSWORD
    root_password: str = ROOT_PASSWORD
    declined: set[tuple[str, str, int]] = field(default_factory=set)
    version: int = 1
    slow: float = 0.0

    async def endpoints(self, peer_id: str) -> tuple[Access, ...]:
        endpoint = replace(
            self.rehearsal.endpoint(peer_id, self.password),
            root_password=self.root_password,
            options={"fleet": "rehearsal", "root": "true"},
        )
        access = Access("mock", endpoint, peer_id, "cred-1", self.version, rejected=False)
        rooted = replace(access, root=Root("cred-1", self.version, rejected=False))
        return (
            replace(
                rooted,
                rejected=rooted.login() in self.declined,
                root=Root("cred-1", self.version, rooted.login(root=True) in self.declined),
            ),
        )

    async def credential_rejected(self, access: Access, *, root: bool = False) -> bool:
        return access.login(root=root) in self.declined

    async def mark_rejected(self, access: Access, *, root: bool = False) -> None:
        await asyncio.sleep(self.slow)
        self.declined.add(access.login(root=root))

    def process(self) -> ConnectedPeers:
        return ConnectedPeers(self, registry.create, self.rehearsal.clock, OpenSessions(10))


def counted(rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The account of every log-in that reaches exp1, in order."""
    device = rehearsal.fleet.at(rehearsal.peers["exp1"].address)
    asked, log_in = [], device.log_in

    def counting(username, password, **more):
        asked.append(username)
        return log_in(username, password, **more)

    monkeypatch.setattr(device, "log_in", counting)
    return asked


@pytest.mark.parametrize("slow", [0.0, 5.0])
def test_a_wrong_password_is_sent_once_by_many_at_the_same_time(monkeypatch, slow):
    async def story():
        shared = Shared(Rehearsal(), password="wrong", slow=slow)
        asked, process = counted(shared.rehearsal, monkeypatch), shared.process()
        views = await asyncio.gather(*(process.observe("exp1") for _ in range(8)))
        assert asked == ["admin"]
        assert {type(view) for view in views} == {NotObserved}
        assert {view.code for view in views} == {"authentication-failed"}
        await shared.process().observe("exp1")
        assert asked == ["admin"]
        shared.password, shared.version = REHEARSAL_PASSWORD, 2
        assert isinstance(await process.observe("exp1"), Observation)

    run(story())


def test_a_wrong_password_is_not_forgotten_by_a_caller_who_gives_up(monkeypatch):
    async def story():
        shared = Shared(Rehearsal(), password="wrong", slow=1000.0)
        asked, process = counted(shared.rehearsal, monkeypatch), shared.process()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(100):
                await process.observe("exp1")
        await process.observe("exp1")
        assert asked == ["admin"]

    run(story())


def test_what_another_process_was_declined_meanwhile_is_not_tried_here(monkeypatch):
    async def story():
        shared = Shared(Rehearsal(), password="wrong")
        asked = counted(shared.rehearsal, monkeypatch)
        async with shared.process().sessions() as sessions:
            appliance = await sessions.appliance("exp1")
            await shared.process().observe("exp1")
            with pytest.raises(AuthenticationFailed):
                await appliance.observe()
        assert asked == ["admin"]

    run(story())


def test_the_right_password_is_used_by_many_at_the_same_time():
    async def story():
        process = Shared(Rehearsal()).process()
        views = await asyncio.gather(*(process.observe("exp1") for _ in range(4)))
        assert {type(view) for view in views} == {Observation}

    run(story())


def test_a_wrong_root_password_blocks_only_what_needs_root(monkeypatch):
    async def story():
        shared = Shared(Rehearsal(ROOTED), root_password="wrong")
        asked, process = counted(shared.rehearsal, monkeypatch), shared.process()
        for _ in range(2):
            async with process.sessions() as sessions:
                appliance = await sessions.appliance("exp1")
                with pytest.raises(AuthenticationFailed) as declined:
                    await appliance.factory_reset(WISH)
                assert declined.value.account == "root"
                assert isinstance(await appliance.observe(), Observation)
        assert asked.count("root") == 1
        assert isinstance(await shared.process().observe("exp1"), Observation)

    run(story())
