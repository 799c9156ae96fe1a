"""The everyday procedures on the simulated fleet: backup, restart, maintenance mode."""

from dataclasses import replace
from typing import Any

import pytest

from app.domain.job import JobState, StepState, WaitReason
from app.domain.observation import Observation
from app.engine.records import JobRecord
from tests.support.rehearsal import CLUSTER, KEY, Rehearsal
from transports.mock.faults import Fault, FaultKind
from transports.mock.virtual_time import run


async def cluster_of(size: int, **more: Any) -> Rehearsal:
    """A healthy cluster of that size, already registered."""
    names = [f"exp{n}" for n in range(1, size + 1)]
    devices = [
        {"name": name, "address": f"192.0.2.{10 + n}", **more.pop(name, {})}
        for n, name in enumerate(names, start=1)
    ]
    rehearsal = Rehearsal(
        {
            "expressways": devices,
            "clusters": [{"name": CLUSTER, "key": KEY, "members": names}],
            **more,
        }
    )
    await rehearsal.registry.record_members(tuple(names), "exp1")
    return rehearsal


def ended(job: JobRecord) -> tuple[JobState, str]:
    return job.state, job.failure.code if job.failure else ""


@pytest.mark.parametrize("size", range(1, 7))
def test_a_backup_of_all_members_is_kept_and_nothing_else_changes(size):
    async def story() -> None:
        rehearsal = await cluster_of(size)
        job = await rehearsal.run("backup")
        assert ended(job) == (JobState.SUCCEEDED, "")
        kept = rehearsal.backups[job.id].kept
        assert {owner for owner, _, _ in kept.values()} == set(rehearsal.peers)
        assert all(device.restarts == 0 for device in rehearsal.fleet)
        assert rehearsal.witness.violations == []

    run(story())


def test_a_backup_of_a_stranger_is_refused_by_name():
    async def story() -> list[str]:
        rehearsal = await cluster_of(2)
        await rehearsal.registry.record_members(("exp1",), "exp1")
        plan = await rehearsal.plan("backup", peer_ids=("exp2",))
        return [finding.code for finding in plan.blockers]

    assert run(story()) == ["not-a-member"]


@pytest.mark.parametrize("size", range(1, 7))
def test_a_restarted_member_is_back_with_its_configuration_and_the_cluster_is_active(size):
    async def story() -> None:
        rehearsal = await cluster_of(size, exp1={"calls": [300]})
        job = await rehearsal.run("restart-peer", peer_id="exp1", call_drain_seconds=900)
        assert ended(job) == (JobState.SUCCEEDED, "")
        assert [device.restarts for device in rehearsal.fleet] == [1] + [0] * (size - 1)
        for name in rehearsal.peers:
            view = await rehearsal.observe(name)
            assert isinstance(view, Observation)
            assert view.maintenance_mode is False
            assert view.alarms == ()
            assert view.clustering.database_status == "Active"
        assert rehearsal.witness.violations == []

    run(story())


def test_a_restart_that_hangs_in_a_disk_check_is_waited_for_and_said_so():
    async def story() -> tuple[JobRecord, list[str]]:
        rehearsal = await cluster_of(2)
        rehearsal.fleet.faults.add(Fault(FaultKind.RESTART_HANGS, "exp2", value=900.0))
        job = await rehearsal.run("restart-peer", peer_id="exp2")
        events = await rehearsal.journal.events(job.id)
        notes = [str(event.data.get("note", "")) for event in events]
        assert rehearsal.witness.violations == []
        return job, notes

    job, notes = run(story())
    assert ended(job) == (JobState.SUCCEEDED, "")
    assert any("disk check" in note for note in notes)


def test_a_peer_that_never_comes_back_holds_the_job_and_is_restarted_only_once():
    async def story() -> tuple[JobRecord, int]:
        rehearsal = await cluster_of(2)
        rehearsal.fleet.faults.add(Fault(FaultKind.RESTART_HANGS, "exp2", value=0.0))
        job = await rehearsal.run("restart-peer", peer_id="exp2")
        assert rehearsal.witness.violations == []
        return job, rehearsal.fleet["exp2"].restarts

    job, restarts = run(story())
    assert job.state is JobState.WAITING
    assert job.wait is not None
    assert (job.wait.reason, job.wait.step) == (WaitReason.HOLD, "restart-exp2")
    assert job.wait.note
    assert job.current is not None
    assert job.current.state is StepState.UNKNOWN
    assert restarts == 1


def test_the_last_member_that_serves_is_not_taken_away():
    async def story() -> list[str]:
        rehearsal = await cluster_of(2)
        first = await rehearsal.run("maintenance-mode", peer_ids=("exp1",), enabled=True)
        assert ended(first) == (JobState.SUCCEEDED, "")
        assert rehearsal.fleet["exp1"].maintenance
        codes = []
        for slug, parameters in (
            ("maintenance-mode", {"peer_ids": ("exp2",), "enabled": True}),
            ("restart-peer", {"peer_id": "exp2"}),
        ):
            plan = await rehearsal.plan(slug, **parameters)
            codes += [finding.code for finding in plan.blockers]
        back = await rehearsal.run("maintenance-mode", peer_ids=("exp1",), enabled=False)
        assert ended(back) == (JobState.SUCCEEDED, "")
        assert not rehearsal.fleet["exp1"].maintenance
        return codes

    assert run(story()) == ["nobody-serves", "nobody-serves"]


def test_maintenance_mode_can_wait_until_the_calls_are_gone():
    async def story() -> tuple[JobState, str, int]:
        rehearsal = await cluster_of(2, exp2={"calls": [300, "forever"]})
        job = await rehearsal.run(
            "maintenance-mode",
            peer_ids=("exp2",),
            enabled=True,
            wait_for_calls=True,
            call_drain_seconds=600,
        )
        return *ended(job), len(await rehearsal.appliance("exp2").live_calls())

    assert run(story()) == (JobState.FAILED, "calls-left", 1)


def test_an_expressway_in_no_cluster_is_taken_out_of_maintenance_mode_and_never_put_into_it():
    """A job that stops before its peer joins leaves it in maintenance mode and no member."""

    async def story() -> list[list[str]]:
        rehearsal = await cluster_of(2)
        await rehearsal.registry.record_members(("exp1",), "exp1")
        rehearsal.fleet["exp2"].write(["SystemUnit", "Maintenance", "Mode"], "On")
        on = await rehearsal.plan("maintenance-mode", peer_ids=("exp2",), enabled=True)
        job = await rehearsal.run("maintenance-mode", peer_ids=("exp2",), enabled=False)
        assert ended(job) == (JobState.SUCCEEDED, "")
        assert rehearsal.fleet["exp2"].configuration.get("SystemUnit Maintenance Mode") == "Off"
        situation = await rehearsal.situation()
        elsewhere = replace(situation, memberships={"exp2": "cluster-2"})
        off = rehearsal.plan_over(
            elsewhere, "maintenance-mode", {"peer_ids": ("exp2",), "enabled": False}
        )
        return [[finding.code for finding in plan.blockers] for plan in (on, off)]

    assert run(story()) == [["not-a-member"], ["not-a-member"]]
