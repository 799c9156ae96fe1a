"""force-config-update and align-clustering: broken clusters are well again, and nothing is lost."""

from collections.abc import Callable
from typing import Any

import pytest

from app.domain.job import JobState
from app.domain.observation import Observation
from tests.support.rehearsal import CLUSTER, KEY, Rehearsal
from tests.unit.procedures.test_everyday import cluster_of, ended
from transports.mock.fleet import Fleet
from transports.mock.virtual_time import run


async def well_again(rehearsal: Rehearsal) -> None:
    views = [await rehearsal.observe(name) for name in rehearsal.peers]
    for view in views:
        assert isinstance(view, Observation)
        assert view.clustering.cluster_name == CLUSTER
        assert view.clustering.primary_address == "192.0.2.11"
        assert view.clustering.database_status == "Active"
        assert view.alarms == ()
        assert isinstance(views[0], Observation)
        assert view.shared_digest == views[0].shared_digest
    assert rehearsal.witness.disagreements(*rehearsal.peers) == []
    assert rehearsal.witness.violations == []


def edit(fleet: Fleet, name: str, path: str, value: str) -> None:
    fleet[name].write(path.split(), value)


async def conflicting(size: int) -> Rehearsal:
    """exp2's shared configuration was edited, and its replication stands still."""
    rehearsal = await cluster_of(size, profile={"local_edits_conflict": True})
    edit(rehearsal.fleet, "exp2", "Call Routed Mode", "Optimal")
    await rehearsal.clock.sleep(300)
    return rehearsal


@pytest.mark.parametrize("size", range(2, 7))
def test_a_forced_update_ends_the_conflict_on_the_peer_that_has_it(size):
    async def story() -> None:
        rehearsal = await conflicting(size)
        seen = await rehearsal.observe("exp2")
        assert isinstance(seen, Observation)
        assert [alarm.number for alarm in seen.alarms] == [20011]
        job = await rehearsal.run("force-config-update", peer_id="exp2")
        assert ended(job) == (JobState.SUCCEEDED, ""), job.failure
        forced = next(step for step in job.steps if step.key == "force-update-exp2")
        assert forced.outcome == "acted"
        await well_again(rehearsal)

    run(story())


def test_a_peer_that_is_in_step_is_not_forced():
    async def story() -> str:
        rehearsal = await cluster_of(2)
        job = await rehearsal.run("force-config-update", peer_id="exp2")
        assert ended(job) == (JobState.SUCCEEDED, "")
        return next(step.outcome for step in job.steps if step.key == "force-update-exp2")

    assert run(story()) == "already_true"


def test_the_primary_is_never_forced():
    async def story() -> list[str]:
        rehearsal = await conflicting(2)
        plan = await rehearsal.plan("force-config-update", peer_id="exp1")
        return [finding.code for finding in plan.blockers]

    assert run(story()) == ["peer-is-primary"]


def test_a_peer_that_takes_itself_for_primary_meanwhile_is_not_forced():
    async def story() -> tuple[JobState, str]:
        rehearsal = await conflicting(2)
        job = await rehearsal.start("force-config-update", peer_id="exp2")
        rehearsal.when_step_starts(
            "force-update-exp2",
            lambda: edit(rehearsal.fleet, "exp2", "Alternates ConfigurationMaster", "2"),
        )
        await rehearsal.wakeups.until_idle()
        assert rehearsal.witness.violations == []
        return ended(await rehearsal.journal.load(job.id))

    assert run(story()) == (JobState.FAILED, "peer-is-primary")


def restarted_alone(fleet: Fleet) -> None:
    for n in (1, 2, 3):
        edit(fleet, "exp3", f"Alternates Peer {n} Address", "")
    fleet["exp3"].cluster.boot()


def other_name(fleet: Fleet) -> None:
    edit(fleet, "exp2", "Alternates Cluster Name", "cluster2.example.com")
    fleet["exp2"].cluster.boot()


def name_lost_everywhere(fleet: Fleet) -> None:
    for device in fleet:
        edit(fleet, device.name, "Alternates Cluster Name", "")
        device.cluster.boot()


BROKEN: dict[str, Callable[[Fleet], object]] = {
    "a wrong address": lambda f: edit(f, "exp3", "Alternates Peer 2 Address", "192.0.2.99"),
    "itself missing": lambda f: edit(f, "exp3", "Alternates Peer 3 Address", ""),
    "a hole in the list": lambda f: edit(f, "exp1", "Alternates Peer 2 Address", ""),
    "the primary's list wrong": lambda f: edit(f, "exp1", "Alternates Peer 3 Address", ""),
    "a stranger listed": lambda f: edit(f, "exp1", "Alternates Peer 4 Address", "192.0.2.14"),
    "no list": restarted_alone,
    "another name": other_name,
    "no name anywhere": name_lost_everywhere,
    "itself as primary": lambda f: edit(f, "exp3", "Alternates ConfigurationMaster", "3"),
    "another primary": lambda f: edit(f, "exp2", "Alternates ConfigurationMaster", "3"),
    "H.323 off": lambda f: edit(f, "exp2", "H323 Mode", "Off"),
    "H.323 off on the primary": lambda f: edit(f, "exp1", "H323 Mode", "Off"),
    "nothing wrong": lambda f: None,
}


@pytest.mark.parametrize("case", BROKEN)
def test_alignment_mends(case):
    async def story() -> None:
        rehearsal = await cluster_of(3)
        BROKEN[case](rehearsal.fleet)
        await rehearsal.clock.sleep(60)
        job = await rehearsal.run("align-clustering")
        assert ended(job) == (JobState.SUCCEEDED, ""), (job.failure, [s.key for s in job.steps])
        await well_again(rehearsal)
        if case == "nothing wrong":
            assert all(step.outcome != "acted" for step in job.steps)

    run(story())


def test_a_time_server_that_answers_is_set_where_the_old_one_does_not():
    async def story() -> tuple[list[str], tuple[JobState, str]]:
        rehearsal = await cluster_of(2)
        edit(rehearsal.fleet, "exp2", "NTP Server 1 Address", "")
        await rehearsal.clock.sleep(300)
        refused = await rehearsal.plan("align-clustering")
        job = await rehearsal.run("align-clustering", ntp_servers=("192.0.2.124",))
        await well_again(rehearsal)
        return [f.code for f in refused.blockers], ended(job)

    assert run(story()) == (["ntp-server-missing"], (JobState.SUCCEEDED, ""))


def test_a_lost_pre_shared_key_is_entered_when_that_is_asked_for():
    async def story() -> tuple[list[str], tuple[JobState, str]]:
        rehearsal = await cluster_of(3)
        rehearsal.fleet["exp2"].cluster.set_key("")
        rehearsal.fleet["exp2"].cluster.boot()
        await rehearsal.clock.sleep(300)
        refused = await rehearsal.plan("align-clustering")
        job = await rehearsal.run("align-clustering", enter_pre_shared_key=True)
        await well_again(rehearsal)
        assert {device.cluster.key for device in rehearsal.fleet} == {KEY}
        return [f.code for f in refused.blockers], ended(job)

    assert run(story()) == (["pre-shared-key-missing"], (JobState.SUCCEEDED, ""))


@pytest.mark.parametrize(
    ("world", "code"),
    [
        ({"exp2": {"static_nat": True}}, "static-nat-on-lan-1"),
        ({"exp2": {"power": "off"}}, "peer-unreachable"),
    ],
)
def test_alignment_is_refused_with(world: dict[str, Any], code: str):
    async def story() -> set[str]:
        rehearsal = await cluster_of(2, **world)
        plan = await rehearsal.plan("align-clustering")
        return {finding.code for finding in plan.blockers}

    assert code in run(story())
