"""A worker may die at any moment; the next one looks first and ends the job right.

Death is a BaseException out of the transport, so nothing of the dying worker writes another word,
as after SIGKILL. It strikes before a call reaches the device, or after the device has carried it
out and before the answer is heard: the two ends of "was it sent?".
"""

from collections.abc import Sequence
from typing import Any

import pytest

from app.domain.job import JobState
from app.domain.observation import Observation
from tests.support.rehearsal import CLUSTER, KEY, Rehearsal, WorkerDied
from transports import mock
from transports.base import Capability, Endpoint, Operation
from transports.command import Command, Setting
from transports.document import Node, Path
from transports.mock.virtual_time import run
from transports.mock.witness import Witness


class Scythe:
    """Counts calls to devices over all transports and strikes once, at call `at`."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.at, self.after, self.calls, self.struck = at, after, 0, ""

    async def over(self, what: str, call: Any) -> Any:
        self.calls += 1
        mine = self.calls == self.at
        if mine and not self.after:
            self.struck = what
            call.close()
            raise WorkerDied
        try:
            return await call
        finally:
            if mine:
                self.struck = what
                raise WorkerDied


class MortalTransport:
    """The mock transport under a scythe."""

    name = "mock"

    def __init__(self, endpoint: Endpoint, scythe: Scythe) -> None:
        self._inner = mock.create(endpoint)
        self._scythe = scythe

    @property
    def capabilities(self) -> frozenset[Capability]:
        return self._inner.capabilities

    async def read_status(self, path: Path) -> Node:
        return await self._scythe.over("read", self._inner.read_status(path))

    async def read_configuration(self, path: Path) -> Node:
        return await self._scythe.over("read", self._inner.read_configuration(path))

    async def write(self, settings: Sequence[Setting]) -> None:
        # One at a time, as they travel: a worker may die between any two.
        for setting in settings:
            await self._scythe.over("write", self._inner.write([setting]))

    async def run(self, command: Command) -> Node:
        return await self._scythe.over(command.name, self._inner.run(command))

    async def perform(self, operation: Operation[Any]) -> Any:
        what = type(operation).__name__
        return await self._scythe.over(what, self._inner.perform(operation))

    async def close(self) -> None:
        await self._inner.close()


async def add_peer_with_a_death(at: int, *, after: bool) -> tuple[Rehearsal, Scythe]:
    rehearsal = Rehearsal()
    await rehearsal.build_cluster(2)
    scythe = Scythe(at, after=after)
    job = await rehearsal.start("add-peer", peer_id="exp3")
    rehearsal.transport = lambda endpoint: MortalTransport(endpoint, scythe)
    while not (await rehearsal.journal.load(job.id)).state.ended:
        await rehearsal.wakeups.until_idle()
        reclaimed = await rehearsal.journal.reclaim(job.id)
        rehearsal.new_worker(f"worker-{reclaimed.epoch + 1}")
    return rehearsal, scythe


def assert_three_peers_agree(rehearsal: Rehearsal, views: Sequence[object]) -> None:
    addresses = ("192.0.2.11", "192.0.2.12", "192.0.2.13")
    for view in views:
        assert isinstance(view, Observation)
        assert view.clustering.addresses == addresses
        assert view.clustering.primary_address == "192.0.2.11"
        assert view.clustering.database_status == "Active"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 185, 11))
def test_a_worker_that_dies_around_any_call_leaves_a_job_that_ends_right(at, after):
    async def story() -> None:
        rehearsal, scythe = await add_peer_with_a_death(at, after=after)
        job = (await rehearsal.journal.list_jobs(rehearsal.all_jobs)).items[0]
        assert scythe.struck
        assert job.state is JobState.SUCCEEDED, (scythe.struck, job.failure)
        assert_three_peers_agree(rehearsal, [await rehearsal.observe(n) for n in rehearsal.peers])
        assert rehearsal.witness.violations == []
        assert all(step.attempt <= 2 for step in job.steps)

    run(story())


CHANGES: dict[str, tuple[dict[str, Any], tuple[str, ...], str]] = {
    "remove-peer": ({"peer_id": "exp1"}, ("192.0.2.12", "192.0.2.13"), "192.0.2.13"),
    "change-primary": (
        {"peer_id": "exp2"},
        ("192.0.2.11", "192.0.2.12", "192.0.2.13"),
        "192.0.2.12",
    ),
    "change-peer-address": (
        {"peer_id": "exp2", "new_address": "192.0.2.99"},
        ("192.0.2.11", "192.0.2.13", "192.0.2.99"),
        "192.0.2.13",
    ),
}
"""Procedure -> parameters on a cluster of three led by exp3, list and primary at its end."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("slug", "at"),
    [
        *(("remove-peer", at) for at in range(1, 80, 7)),
        *(("change-primary", at) for at in range(1, 34, 2)),
        *(("change-peer-address", at) for at in range(84, 112, 4)),
    ],
)
def test_a_worker_that_dies_while_the_members_change_leaves_them_as_the_guide_wants(
    slug, at, after
):
    async def story() -> None:
        parameters, addresses, primary = CHANGES[slug]
        names = ["exp1", "exp2", "exp3"]
        rehearsal = Rehearsal(
            {"clusters": [{"name": CLUSTER, "key": KEY, "members": names, "primary": "exp3"}]}
        )
        await rehearsal.registry.record_members(tuple(names), "exp3")
        strict = Witness(rehearsal.fleet, two_primaries_for=60.0)
        scythe = Scythe(at, after=after)
        job = await rehearsal.start(slug, **parameters)
        rehearsal.transport = lambda endpoint: MortalTransport(endpoint, scythe)
        while not job.state.ended:
            await rehearsal.wakeups.until_idle()
            job = await rehearsal.journal.reclaim(job.id)
            rehearsal.new_worker(f"worker-{job.epoch + 1}")
        assert scythe.struck
        assert job.state is JobState.SUCCEEDED, (scythe.struck, job.failure)
        for member in rehearsal.cluster.members:
            view = await rehearsal.observe(member.id)
            assert isinstance(view, Observation)
            assert view.clustering.addresses == addresses
            assert view.clustering.primary_address == primary
            assert view.clustering.database_status == "Active"
        assert rehearsal.witness.violations == strict.violations == []
        assert sum(device.restarts for device in rehearsal.fleet) == RESTARTS[slug]

    run(story())


RESTARTS = {"remove-peer": 1, "change-primary": 0, "change-peer-address": 5}
"""How often all peers together restart, whatever dies: never twice for one step. A peer that is
added again makes the other two restart (ADD-F-01)."""

ACTS = ("DefaultValuesSet", "DefaultLinksAdd", "RestartSystem", "SetPreSharedKey", "CreateBackup")


@pytest.mark.parametrize("act", ACTS)
def test_a_worker_that_dies_after_an_act_took_effect_does_not_act_again_unseen(act):
    """The restart and the reset that happened are seen, and not sent a second time."""

    async def story() -> None:
        rehearsal = Rehearsal()
        await rehearsal.build_cluster(2)
        sent: list[str] = []
        dying = [True]

        class Once(Scythe):
            async def over(self, what: str, call: Any) -> Any:
                answer = await call
                if what == act:
                    sent.append(what)
                    if dying.pop() if dying else False:
                        raise WorkerDied
                return answer

        scythe = Once(0, after=True)
        job = await rehearsal.start("add-peer", peer_id="exp3")
        rehearsal.transport = lambda endpoint: MortalTransport(endpoint, scythe)
        for _ in range(3):
            await rehearsal.wakeups.until_idle()
            await rehearsal.journal.reclaim(job.id)
        record = await rehearsal.journal.load(job.id)
        assert record.state is JobState.SUCCEEDED, record.failure
        assert rehearsal.witness.violations == []
        harmless = {"SetPreSharedKey": 2, "CreateBackup": 1}
        own = [s for s in record.steps if s.attempt > 1]
        assert len(own) <= (1 if act in harmless else 0), [(s.key, s.attempt) for s in own]

    run(story())
