"""Rotating the pre-shared key: all peers have the new one, nobody sees it, nobody is lost."""

import pytest

from app.domain.job import JobState
from app.domain.observation import Observation
from tests.support.rehearsal import KEY, Rehearsal
from tests.unit.procedures.test_everyday import cluster_of, ended
from tests.unit.procedures.test_survival import MortalTransport, Scythe
from transports.mock.virtual_time import run


async def well(rehearsal: Rehearsal, key: str) -> None:
    assert {device.cluster.key for device in rehearsal.fleet} == {key}
    for name in rehearsal.peers:
        view = await rehearsal.observe(name)
        assert isinstance(view, Observation)
        assert view.clustering.database_status == "Active"
        assert view.alarms == ()
        assert view.maintenance_mode is False
    assert rehearsal.witness.violations == []


@pytest.mark.parametrize("size", range(1, 7))
def test_every_peer_has_the_new_key_and_restarts_once_in_turn(size):
    async def story() -> str:
        rehearsal = await cluster_of(size)
        job = await rehearsal.run("rotate-pre-shared-key")
        assert ended(job) == (JobState.SUCCEEDED, ""), job.failure
        new = rehearsal.registry.keys[-1]
        assert rehearsal.registry.keys == [KEY, new]
        assert [device.restarts for device in rehearsal.fleet] == [1] * size
        await well(rehearsal, new)
        said = repr(job) + repr(await rehearsal.journal.events(job.id))
        assert new not in said
        return said

    assert KEY not in run(story())


def test_a_key_that_was_registered_anew_is_entered_as_it_is():
    async def story() -> None:
        rehearsal = await cluster_of(2)
        rehearsal.registry.keys.append("another key, registered by hand")
        job = await rehearsal.run("rotate-pre-shared-key", use_registered_key=True)
        assert ended(job) == (JobState.SUCCEEDED, ""), job.failure
        assert len(rehearsal.registry.keys) == 2
        await well(rehearsal, "another key, registered by hand")

    run(story())


def test_peers_that_had_different_keys_find_each_other_again():
    async def story() -> None:
        rehearsal = await cluster_of(3)
        rehearsal.fleet["exp2"].cluster.set_key("somebody else's key")
        rehearsal.fleet["exp2"].cluster.boot()
        await rehearsal.clock.sleep(600)
        job = await rehearsal.run("rotate-pre-shared-key")
        assert ended(job) == (JobState.SUCCEEDED, ""), job.failure
        await well(rehearsal, rehearsal.registry.keys[-1])

    run(story())


@pytest.mark.parametrize("act", ["SetPreSharedKey", "RestartSystem"])
def test_a_worker_that_dies_in_between_makes_no_second_key(act):
    async def story() -> None:
        rehearsal = await cluster_of(2)
        dying = [True]

        class Once(Scythe):
            async def over(self, what, call):
                self.calls += 1
                self.at = self.calls if what == act and dying and dying.pop() else 0
                return await super().over(what, call)

        scythe = Once(0, after=True)
        job = await rehearsal.start("rotate-pre-shared-key")
        rehearsal.transport = lambda endpoint: MortalTransport(endpoint, scythe)
        for _ in range(3):
            await rehearsal.wakeups.until_idle()
            await rehearsal.journal.reclaim(job.id)
        assert ended(await rehearsal.journal.load(job.id)) == (JobState.SUCCEEDED, "")
        assert len(rehearsal.registry.keys) == 2
        await well(rehearsal, rehearsal.registry.keys[-1])

    run(story())


def test_peers_replicate_side_by_side_so_one_interval_is_waited_for_and_not_one_each():
    async def story() -> None:
        rehearsal = await cluster_of(4)
        job = await rehearsal.run("rotate-pre-shared-key")
        assert ended(job) == (JobState.SUCCEEDED, ""), job.failure
        waits = [record for record in job.steps if record.key.startswith("replication-")]
        first, last = waits[0].started_at, waits[-1].finished_at
        assert len(waits) == 3
        assert first is not None
        assert last is not None
        # The interval itself is waited out: equal before it is over proves nothing (guide p.14).
        assert 120 <= (last - first).total_seconds() < 140

    run(story())
