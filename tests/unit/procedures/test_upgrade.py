"""Upgrade on the simulated fleet: order, calls, image, alarms, resumption, death of a worker."""

import hashlib
from collections.abc import Mapping
from typing import Any

import pytest

from app.domain.job import JobState
from app.domain.observation import Observation
from app.domain.plan import Plan
from app.guide import requirements
from tests.support.rehearsal import Rehearsal, WorkerDied
from tests.unit.procedures.test_everyday import cluster_of, ended
from tests.unit.procedures.test_survival import MortalTransport, Scythe
from transports.mock.faults import Fault, FaultKind
from transports.mock.virtual_time import run
from transports.mock.web import image

IMAGE = "s42700x8_2_0.tar.gz"
TO = {"to_version": "X8.2", "image": IMAGE}


async def old_cluster(size: int, **more: Any) -> Rehearsal:
    """A healthy cluster that runs X8.1, and the image of X8.2."""
    rehearsal = await cluster_of(size, version="X8.1", **more)
    rehearsal.images.files[IMAGE] = image("X8.2")
    return rehearsal


async def all_well(rehearsal: Rehearsal) -> None:
    for name in rehearsal.peers:
        view = await rehearsal.observe(name)
        assert isinstance(view, Observation)
        assert view.software_version == "X8.2"
        assert view.clustering.database_status == "Active"
        assert view.alarms == ()
        assert view.maintenance_mode is False
    assert rehearsal.witness.violations == []
    assert rehearsal.witness.disagreements(*rehearsal.peers) == []


@pytest.mark.parametrize("size", range(1, 7))
def test_a_cluster_of_any_size_is_upgraded_primary_first_and_one_at_a_time(size):
    async def story() -> None:
        rehearsal = await old_cluster(size)
        versions: list[tuple[str, ...]] = []

        def note(_: object, what: str) -> None:
            now = tuple(device.version for device in rehearsal.fleet)
            if not versions or versions[-1] != now:
                versions.append(now)

        rehearsal.fleet.on_change(note)
        job = await rehearsal.run("upgrade", **TO)
        assert ended(job) == (JobState.SUCCEEDED, ""), job.failure
        await all_well(rehearsal)
        expected = [("X8.2",) * n + ("X8.1",) * (size - n) for n in range(size + 1)]
        assert versions == expected[-len(versions) :]
        assert [device.restarts for device in rehearsal.fleet] == [1] * size
        kept = rehearsal.backups[job.id].kept
        for name in rehearsal.peers:
            taken = [key for key, (owner, _, _) in kept.items() if owner == name]
            assert taken == [f"back-up-{name}", f"back-up-after-{name}"]

    run(story())


def test_the_primary_is_upgraded_first_wherever_it_stands_in_the_list():
    async def story() -> list[str | None]:
        rehearsal = await old_cluster(3)
        for device in rehearsal.fleet:
            device.configuration.put("Alternates ConfigurationMaster", "2")
        await rehearsal.registry.record_members(tuple(rehearsal.peers), "exp2")
        plan = await rehearsal.plan("upgrade", **TO)
        return [step.peer_id for step in plan.steps if step.kind == "install-software"]

    assert run(story()) == ["exp2", "exp1", "exp3"]


def test_an_upgrade_that_stopped_half_way_is_finished_by_planning_it_again():
    async def story() -> None:
        rehearsal = await old_cluster(3)
        rehearsal.fleet.faults.add(Fault(FaultKind.IMAGE_CORRUPT, "exp2", times=9))
        first = await rehearsal.run("upgrade", **TO)
        assert ended(first) == (JobState.FAILED, "peer-refused")
        assert [device.version for device in rehearsal.fleet] == ["X8.2", "X8.1", "X8.1"]
        rehearsal.fleet.faults.clear()
        plan = await rehearsal.plan("upgrade", **TO)
        assert "cluster-partitioned" in {finding.code for finding in plan.findings}
        again = await rehearsal.run("upgrade", **TO)
        assert ended(again) == (JobState.SUCCEEDED, ""), again.failure
        assert rehearsal.fleet["exp1"].restarts == 1
        await all_well(rehearsal)

    run(story())


def test_calls_are_drained_and_disconnected_only_when_allowed():
    async def story(disconnect: bool) -> tuple[JobState, str]:
        rehearsal = await old_cluster(2, exp2={"calls": [60, "forever"]})
        job = await rehearsal.run(
            "upgrade", **TO, call_drain_seconds=600, disconnect_remaining_calls=disconnect
        )
        assert rehearsal.witness.violations == []
        return ended(job)

    assert run(story(True)) == (JobState.SUCCEEDED, "")
    assert run(story(False)) == (JobState.FAILED, "calls-left")


def test_an_image_with_another_digest_is_refused_before_any_peer_is_touched():
    async def story() -> tuple[str, list[int]]:
        rehearsal = await old_cluster(2)
        job = await rehearsal.run("upgrade", **TO, image_sha256=hashlib.sha256(b"").hexdigest())
        assert not any(device.maintenance for device in rehearsal.fleet)
        return ended(job)[1], [len(device.backups) for device in rehearsal.fleet]

    assert run(story()) == ("image-altered", [0, 0])


def test_an_image_that_changes_under_the_job_never_reaches_a_peer_whole():
    async def story() -> tuple[str, list[str]]:
        rehearsal = await old_cluster(2)

        def swap() -> None:
            rehearsal.images.files[IMAGE] = image("X8.2.7")

        rehearsal.when_step_starts("install-exp1", swap)
        job = await rehearsal.run("upgrade", **TO)
        return ended(job)[1], [device.pending_version for device in rehearsal.fleet]

    assert run(story()) == ("image-altered", ["", ""])


def test_without_a_way_to_install_an_operator_does_it_and_the_job_goes_on():
    async def story() -> None:
        rehearsal = await old_cluster(2)
        plan = await rehearsal.plan("upgrade", to_version="X8.2")
        assert [s.attestation for s in plan.steps if "software" in s.attestation] == [
            "software-installed-exp1",
            "software-installed-exp2",
        ]
        for name in rehearsal.peers:
            device = rehearsal.fleet[name]
            rehearsal.when_step_starts(
                f"attest-software-installed-{name}",
                lambda device=device: setattr(device, "pending_version", "X8.2"),
            )
        job = await rehearsal.run("upgrade", to_version="X8.2")
        assert ended(job) == (JobState.SUCCEEDED, ""), job.failure
        await all_well(rehearsal)

    run(story())


def test_a_peer_that_comes_back_with_the_old_software_stops_the_upgrade():
    async def story() -> tuple[JobState, str]:
        rehearsal = await old_cluster(2)
        job = await rehearsal.run("upgrade", to_version="X8.2")
        assert rehearsal.fleet["exp2"].restarts == 0
        return ended(job)

    assert run(story()) == (JobState.FAILED, "version-not-running")


@pytest.mark.parametrize(
    ("kind", "seconds", "outcome"),
    [
        ("slow", 1200.0, (JobState.SUCCEEDED, "")),
        # What became of a restart that was sent cannot be seen: an operator is waited for.
        ("never", 0.0, (JobState.WAITING, "")),
    ],
)
def test_a_restart_that_hangs_keeps_all_others_up(kind, seconds, outcome):
    async def story() -> tuple[JobState, str]:
        rehearsal = await old_cluster(3)
        rehearsal.fleet.faults.add(Fault(FaultKind.RESTART_HANGS, "exp2", value=seconds))
        job = await rehearsal.run("upgrade", **TO)
        assert rehearsal.witness.violations == []
        assert rehearsal.fleet["exp3"].restarts == (1 if kind == "slow" else 0)
        return ended(job)

    assert run(story()) == outcome


def test_an_alarm_of_clustering_is_ignored_under_way_and_must_be_gone_at_the_end():
    async def story() -> tuple[JobState, str]:
        rehearsal = await old_cluster(2)
        rehearsal.fleet.faults.add(Fault(FaultKind.ALARM_STICKS, "exp1", "20004"))
        job = await rehearsal.run("upgrade", **TO)
        assert [device.version for device in rehearsal.fleet] == ["X8.2", "X8.2"]
        return ended(job)

    assert run(story()) == (JobState.FAILED, "alarms-left")


BLOCKED: Mapping[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "an open alarm": ({"exp2": {"ntp_reachable": False}}, {}, "alarms-open"),
    "a release the guide does not cover": ({}, {"to_version": "X8.11"}, "upgrade-path-not-covered"),
    "a downgrade": ({"version": "X8.2"}, {"to_version": "X8.1"}, "downgrade"),
    "an image that is not there": ({}, {"image": "other.tar.gz"}, "image-missing"),
}


@pytest.mark.parametrize("case", BLOCKED)
def test_an_upgrade_does_not_start_with(case):
    world, parameters, code = BLOCKED[case]

    async def story() -> set[str]:
        rehearsal = await old_cluster(2, **{k: v for k, v in world.items() if k != "version"})
        for device in rehearsal.fleet:
            device.version = world.get("version", device.version)
        await rehearsal.clock.sleep(5)
        plan = await rehearsal.plan("upgrade", **{**TO, **parameters})
        assert all(finding.requirements for finding in plan.blockers)
        return {finding.code for finding in plan.blockers}

    assert code in run(story())


def test_every_sentence_of_the_upgrade_chapter_is_cited_and_none_is_made_up():
    async def story() -> Plan:
        rehearsal = await old_cluster(2)
        plan = await rehearsal.plan("upgrade", **TO, disconnect_remaining_calls=True)
        keys = [step.key for step in plan.steps]
        assert len(keys) == len(set(keys))
        return plan

    plan = run(story())
    cited = {r for step in plan.steps for r in step.requirements}
    wanted = {r for r in requirements() if r.startswith("UPG-")} | {"PRE-03", "PRE-04"}
    assert wanted - cited == set()
    assert cited - set(requirements()) == set()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 88, 9))
def test_a_worker_that_dies_around_any_call_leaves_an_upgrade_that_ends_right(at, after):
    async def story() -> None:
        rehearsal = await old_cluster(2)
        scythe = Scythe(at, after=after)
        job = await rehearsal.start("upgrade", **TO)
        rehearsal.transport = lambda endpoint: MortalTransport(endpoint, scythe)
        while not (await rehearsal.journal.load(job.id)).state.ended:
            await rehearsal.wakeups.until_idle()
            reclaimed = await rehearsal.journal.reclaim(job.id)
            rehearsal.new_worker(f"worker-{reclaimed.epoch + 1}")
        done = await rehearsal.journal.load(job.id)
        assert scythe.struck
        assert done.state is JobState.SUCCEEDED, (scythe.struck, done.failure)
        assert [device.restarts for device in rehearsal.fleet] == [1, 1]
        await all_well(rehearsal)

    run(story())


def test_a_restart_is_refused_while_another_member_is_away():
    async def story() -> tuple[JobState, str]:
        rehearsal = await old_cluster(3)
        rehearsal.when_step_starts("restart-exp2", rehearsal.fleet["exp3"].lose_power)
        job = await rehearsal.run("upgrade", **TO)
        assert rehearsal.fleet["exp2"].restarts == 0
        assert rehearsal.witness.violations == []
        return ended(job)

    assert run(story()) == (JobState.FAILED, "another-peer-down")


def test_a_peer_that_is_away_as_long_as_expected_is_found_soon_after_it_is_back():
    async def story() -> None:
        rehearsal = await old_cluster(1)
        job = await rehearsal.run("upgrade", **TO)
        assert ended(job) == (JobState.SUCCEEDED, ""), job.failure
        kinds = {step.key: step for step in job.plan.steps}
        (reboot,) = (r for r in job.steps if kinds[r.key].kind == "restart")
        assert reboot.acted_at is not None
        assert reboot.finished_at is not None
        away = (reboot.finished_at - reboot.acted_at).total_seconds()
        profile = rehearsal.fleet["exp1"].profile
        needed = profile.shutdown_delay + profile.reboot + profile.web_after_boot
        assert needed <= away <= needed + 1.5 * kinds[reboot.key].poll

    run(story())


def test_a_reboot_of_a_dead_worker_is_not_sent_again_to_a_peer_whose_web_interface_is_not_up_yet():
    async def story() -> None:
        rehearsal = await old_cluster(1)
        dying = [True]

        class Once(Scythe):
            async def over(self, what, call):
                self.calls += 1
                self.at = self.calls if what == "Boot" and dying and dying.pop() else 0
                try:
                    return await call
                finally:
                    if self.at:
                        raise WorkerDied

        scythe = Once(0, after=True)
        job = await rehearsal.start("upgrade", **TO)
        rehearsal.transport = lambda endpoint: MortalTransport(endpoint, scythe)
        await rehearsal.wakeups.until_idle()
        device = rehearsal.fleet["exp1"]
        assert not dying
        while not (device.up and device.restarts):
            await rehearsal.fleet.clock.sleep(1.0)
        assert not device.web_up
        await rehearsal.journal.reclaim(job.id)
        await rehearsal.wakeups.until_idle()
        assert ended(await rehearsal.journal.load(job.id)) == (JobState.SUCCEEDED, "")
        assert device.restarts == 1

    run(story())
