"""recover-database on the simulated fleet, in both forms, with and without handing over first."""

from typing import Any

import pytest

from app.domain.job import JobState
from app.domain.observation import Observation
from app.guide import requirements
from app.procedures.recover_database import Parameters
from tests.support.rehearsal import Rehearsal
from tests.unit.procedures.test_everyday import cluster_of, ended
from tests.unit.procedures.test_survival import MortalTransport, Scythe
from transports.mock.virtual_time import run


async def failed(size: int, peer: str = "exp2", **more: Any) -> tuple[Rehearsal, str]:
    """A cluster with a backup of every member, in which then the database of one peer fails."""
    rehearsal = await cluster_of(size, **more)
    job = await rehearsal.run("backup")
    rehearsal.fleet[peer].alarms.want(15005, wanted=True)
    await rehearsal.clock.sleep(60)
    return rehearsal, f"{job.id}/back-up-{peer}"


async def well(rehearsal: Rehearsal, primary: str = "192.0.2.11") -> None:
    addresses = [member.address for member in rehearsal.cluster.members]
    assert sorted(addresses) == sorted(peer.address for peer in rehearsal.peers.values())
    for name in rehearsal.peers:
        view = await rehearsal.observe(name)
        assert isinstance(view, Observation)
        assert list(view.clustering.addresses) == addresses
        assert view.clustering.primary_address == primary
        assert view.clustering.database_status == "Active"
        assert view.alarms == ()
    assert rehearsal.witness.violations == []


@pytest.mark.parametrize("size", range(2, 7))
@pytest.mark.parametrize("purge", [False, True])
def test_the_peer_is_back_with_a_sound_database(size, purge):
    async def story() -> None:
        rehearsal, backup_id = await failed(size)
        device = rehearsal.fleet["exp2"]
        rehearsal.when_step_starts("attest-purged", device.purge_cluster_database)
        more = {"purge": True, "support_case": "SR-1"} if purge else {}
        job = await rehearsal.run("recover-database", peer_id="exp2", backup_id=backup_id, **more)
        assert ended(job) == (JobState.SUCCEEDED, ""), (job.failure, job.wait)
        restored = next(step for step in job.steps if step.key == "restore-exp2")
        assert restored.outcome == "acted"
        await well(rehearsal)

    run(story())


def test_a_failed_primary_hands_over_first():
    async def story() -> list[str]:
        rehearsal, backup_id = await failed(3, "exp1")
        given = {"peer_id": "exp1", "backup_id": backup_id}
        refused = await rehearsal.plan("recover-database", **given)
        job = await rehearsal.run("recover-database", **given, new_primary_peer_id="exp2")
        assert ended(job) == (JobState.SUCCEEDED, ""), (job.failure, job.wait)
        await well(rehearsal, "192.0.2.12")
        return [finding.code for finding in refused.blockers]

    assert "peer-is-primary" in run(story())


@pytest.mark.parametrize(
    ("wrong", "code"),
    [("none", "backup-missing"), ("other", "backup-does-not-fit"), ("old", "backup-does-not-fit")],
)
def test_a_backup_that_does_not_fit_stops_the_job_before_the_peer_leaves(wrong, code):
    async def story() -> tuple[JobState, str]:
        rehearsal, backup_id = await failed(2)
        device = rehearsal.fleet["exp2"]
        if wrong == "none":
            backup_id = "job-9/back-up-exp2"
        elif wrong == "other":
            backup_id = backup_id.replace("exp2", "exp1")
        else:
            for other in rehearsal.fleet:
                other.version = "X8.1"
        job = await rehearsal.run("recover-database", peer_id="exp2", backup_id=backup_id)
        assert device.cluster.saved().listed == ("192.0.2.11", "192.0.2.12")
        assert device.restarts == 0
        return ended(job)

    assert run(story()) == (JobState.FAILED, code)


def test_a_purge_without_a_support_case_cannot_even_be_asked_for():
    with pytest.raises(ValueError, match="support case"):
        Parameters("exp2", "backup-1", purge=True)


def test_the_purge_is_never_the_services_own_act():
    async def story() -> list[tuple[str, str]]:
        rehearsal, backup_id = await failed(2)
        plan = await rehearsal.plan(
            "recover-database",
            peer_id="exp2",
            backup_id=backup_id,
            purge=True,
            support_case="SR-1",
        )
        assert all("clusterdb" not in str(step.params) for step in plan.steps)
        return [(s.key, s.kind) for s in plan.steps if "clusterdb" in s.statement]

    assert run(story()) == [("attest-purge-instructed", "attest"), ("attest-purged", "attest")]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_worker_that_dies_around_the_restore_ends_the_job_right(after):
    async def story() -> None:
        rehearsal, backup_id = await failed(2)
        dying = [True]

        class Once(Scythe):
            async def over(self, what, call):
                self.calls += 1
                self.at = self.calls if what == "RestoreBackup" and dying and dying.pop() else 0
                return await super().over(what, call)

        scythe = Once(0, after=after)
        job = await rehearsal.start("recover-database", peer_id="exp2", backup_id=backup_id)
        rehearsal.transport = lambda endpoint: MortalTransport(endpoint, scythe)
        for _ in range(3):
            await rehearsal.wakeups.until_idle()
            await rehearsal.journal.reclaim(job.id)
        done = await rehearsal.journal.load(job.id)
        assert ended(done) == (JobState.SUCCEEDED, ""), done.failure
        await well(rehearsal)

    run(story())


def test_both_forms_cite_their_sentences_of_page_28():
    async def story() -> list[set[str]]:
        rehearsal, backup_id = await failed(2)
        plans = [
            await rehearsal.plan("recover-database", peer_id="exp2", backup_id=backup_id, **more)
            for more in ({}, {"purge": True, "support_case": "SR-1"})
        ]
        for plan in plans:
            keys = [step.key for step in plan.steps]
            assert len(keys) == len(set(keys))
        return [{r for step in plan.steps for r in step.requirements} for plan in plans]

    first, second = run(story())
    assert {f"ALM-{n}" for n in range(25, 31)} - first == set()
    assert {"ALM-25", "ALM-26", *(f"ALM-{n}" for n in range(31, 38))} - second == set()
    assert (first | second) - set(requirements()) == set()
