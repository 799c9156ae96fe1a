"""What a change of membership refuses, in its plan and in the middle of a job, and what it asks."""

import asyncio
from dataclasses import replace

import pytest

from app.domain.job import JobState, WaitReason
from app.domain.plan import Plan
from tests.support.clusters import assert_cluster, assert_done, cluster_of, without
from tests.support.rehearsal import CLUSTER, Rehearsal
from transports.mock.faults import Fault, FaultKind
from transports.mock.virtual_time import run

REFUSED = {
    "the primary is not removed": ("remove-peer", {"peer_id": "exp1"}, "peer-is-primary", "RML-07"),
    "a stranger is not removed": ("remove-peer", {"peer_id": "exp4"}, "not-a-member", "RML-01"),
    "a live peer is not removed as dead": (
        "remove-dead-peer",
        {"peer_ids": ("exp2",)},
        "peer-answers",
        "RMD-04",
    ),
    "the cluster's name is not a unit's own": (
        "remove-peer",
        {"peer_id": "exp2", "own_cluster_name": CLUSTER},
        "own-cluster-name-invalid",
        "RML-10",
    ),
    "a member is not reset": (
        "recover-removed-peer",
        {"peer_id": "exp2"},
        "peer-in-cluster",
        "RMD-R-01",
    ),
    "the primary cannot follow itself": (
        "change-primary",
        {"peer_id": "exp1"},
        "already-primary",
        "CHM-03",
    ),
    "a stranger does not become primary": (
        "change-primary",
        {"peer_id": "exp4"},
        "not-a-member",
        "CHM-04",
    ),
    "a unit does not replace itself": (
        "replace-peer",
        {"peer_id": "exp2", "replacement_peer_id": "exp2"},
        "replacement-is-the-same",
        "REP-06",
    ),
    "a primary is not replaced": (
        "replace-peer",
        {"peer_id": "exp1", "replacement_peer_id": "exp4"},
        "peer-is-primary",
        "REP-02",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_must_not_be_is_refused_with_rule_requirement_and_remedy(case):
    slug, parameters, code, requirement = REFUSED[case]

    async def story() -> Plan:
        rehearsal = await cluster_of(3, spare=1)
        return await rehearsal.plan(slug, **parameters)

    found = [finding for finding in run(story()).blockers if finding.code == code]
    assert requirement in {r for finding in found for r in finding.requirements}
    assert all(finding.remedy and finding.pointer for finding in found)


@pytest.mark.parametrize(
    ("slug", "parameters", "code", "procedure"),
    [
        ("remove-peer", {"peer_id": "exp3"}, "peer-unreachable", "remove-dead-peer"),
        ("disband", {}, "peer-unreachable", "remove-dead-peer"),
        ("change-primary", {"peer_id": "exp3"}, "peer-unreachable", "another member"),
    ],
)
def test_a_peer_that_does_not_answer_is_refused_and_the_right_procedure_named(
    slug, parameters, code, procedure
):
    async def story() -> Plan:
        rehearsal = await cluster_of(3, off=("exp3",))
        return await rehearsal.plan(slug, **parameters)

    (finding,) = [f for f in run(story()).blockers if f.code == code]
    assert procedure in finding.remedy


@pytest.mark.parametrize("slug", ["remove-peer", "disband"])
def test_a_peer_that_leaving_would_wipe_is_left_alone(slug):
    """From X8.11 on an emptied peer list makes the next restart a factory reset."""

    async def story() -> tuple[set[str], str, str]:
        rehearsal = await cluster_of(2)
        asked = {} if slug == "disband" else {"peer_id": "exp2"}
        job = await rehearsal.start(slug, **asked)
        rehearsal.fleet["exp2"].version = "X8.11.3"
        plan = await rehearsal.plan(slug, **asked)
        await rehearsal.wakeups.until_idle()
        job = await rehearsal.journal.load(job.id)
        assert rehearsal.fleet["exp2"].cluster.saved().listed == ("192.0.2.11", "192.0.2.12")
        assert rehearsal.witness.violations == []
        return {f.code for f in plan.blockers}, job.state.value, job.failure.code

    codes, state, failure = run(story())
    assert "software-version-not-covered" in codes
    assert (state, failure) == ("failed", "leaving-wipes-peer")


def test_between_the_first_and_the_last_write_of_a_new_primary_nothing_stops_the_job():
    async def story() -> None:
        rehearsal = await cluster_of(4)
        job = await rehearsal.start("change-primary", peer_id="exp3")
        kinds = [step.kind for step in job.plan.steps]
        first = kinds.index("set-primary")
        assert kinds[first : first + 5] == [*["set-primary"] * 4, "record-members"]
        assert [s.peer_id for s in job.plan.steps[first : first + 2]] == ["exp3", "exp1"]
        assert not any(s.safe_after or s.attestation for s in job.plan.steps[first : first + 4])

        stopping: list[object] = []

        def stop() -> None:
            stopping.append(asyncio.ensure_future(cancel()))

        async def cancel() -> None:
            await rehearsal.journal.request_cancel(job.id, by="tester")

        rehearsal.when_step_starts("primary-exp1", stop)
        await rehearsal.wakeups.until_idle()
        job = await rehearsal.journal.load(job.id)
        assert stopping
        assert job.state is JobState.CANCELLED
        assert_cluster(rehearsal, without(4), "exp3")

    run(story())


def test_a_value_that_is_not_accepted_is_entered_again_at_once():
    async def story(times: int) -> tuple[JobState, str, set[str]]:
        rehearsal = await cluster_of(3)
        ignored = Fault(
            FaultKind.IGNORED_WRITE, "exp1", matching="ConfigurationMaster", times=times
        )
        rehearsal.fleet.faults.add(ignored)
        job = await rehearsal.run("change-primary", peer_id="exp2")
        names = {e.cluster.saved().master_address for e in rehearsal.fleet}
        assert rehearsal.witness.violations == []
        return job.state, job.failure.code if job.failure else "", names

    assert run(story(2)) == (JobState.SUCCEEDED, "", {"192.0.2.12"})
    assert run(story(99))[:2] == (JobState.FAILED, "primary-not-accepted")


def test_a_new_primary_is_not_begun_while_somebody_else_does_not_answer():
    async def story() -> None:
        rehearsal = await cluster_of(3)
        job = await rehearsal.start("change-primary", peer_id="exp2")
        rehearsal.when_step_starts("primary-exp2", rehearsal.fleet["exp3"].lose_power)
        await rehearsal.wakeups.until_idle()
        job = await rehearsal.journal.load(job.id)
        assert job.failure.code == "another-peer-down"
        assert {e.cluster.saved().master_address for e in rehearsal.fleet} == {"192.0.2.11"}

    run(story())


async def _old_primary_away(rehearsal: Rehearsal) -> str:
    """Exp2 is told that it is the primary; exp1 loses power before it is told."""
    job = await rehearsal.start("change-primary", peer_id="exp2")
    rehearsal.when_step_starts("primary-exp1", rehearsal.fleet["exp1"].lose_power)
    return job.id


def test_an_old_primary_is_told_whenever_it_comes_back():
    async def story() -> None:
        rehearsal = await cluster_of(3)
        job_id = await _old_primary_away(rehearsal)
        rehearsal.fleet.clock.call_later(20 * 3600.0, rehearsal.fleet["exp1"].gain_power)
        carrying = asyncio.create_task(rehearsal.wakeups.until_idle())
        await rehearsal.clock.sleep(10 * 3600.0)
        waiting = await rehearsal.journal.load(job_id)
        assert waiting.state is JobState.WAITING
        assert "two peers may take themselves for primary" in waiting.wait.note
        await carrying
        assert_done(await rehearsal.journal.load(job_id))
        # The witness allows two primaries for five minutes, and saw no breach.
        assert_cluster(rehearsal, without(3), "exp2")

    run(story())


def test_an_old_primary_that_is_given_up_is_to_be_kept_off_the_network():
    async def story() -> None:
        rehearsal = await cluster_of(3)
        job_id = await _old_primary_away(rehearsal)
        carrying = asyncio.create_task(rehearsal.wakeups.until_idle())
        await rehearsal.clock.sleep(10 * 3600.0)
        await rehearsal.journal.request_cancel(job_id, by="tester")
        await carrying
        job = await rehearsal.journal.load(job_id)
        assert (job.state, job.failure.code) == (JobState.FAILED, "primary-not-told")
        assert "Keep exp1 off the network" in job.failure.remedy
        assert f"/v1/jobs/{job_id}/recovery" in job.failure.remedy
        assert rehearsal.witness.violations == []

    run(story())


def test_a_peer_that_comes_back_in_time_is_not_removed_as_dead():
    async def story() -> str:
        rehearsal = await cluster_of(2, off=("exp2",))
        job = await rehearsal.start("remove-dead-peer", peer_ids=("exp2",))
        rehearsal.fleet["exp2"].gain_power()
        await rehearsal.clock.sleep(400)
        await rehearsal.wakeups.until_idle()
        job = await rehearsal.journal.load(job.id)
        assert len(rehearsal.fleet["exp1"].cluster.saved().listed) == 2
        return job.failure.code

    assert run(story()) == "peer-answers"


def test_a_list_that_somebody_else_edits_meanwhile_is_not_overwritten():
    async def story() -> str:
        rehearsal = await cluster_of(3)
        primary = rehearsal.fleet["exp1"]
        job = await rehearsal.start("remove-peer", peer_id="exp2")
        rehearsal.when_step_starts(
            "clustering-exp1",
            lambda: primary.write(["Alternates", "Peer", "4", "Address"], "192.0.2.77"),
        )
        await rehearsal.wakeups.until_idle()
        assert "192.0.2.77" in primary.cluster.saved().listed
        return (await rehearsal.journal.load(job.id)).failure.code

    assert run(story()) == "peer-list-changed"


def test_lync_is_disabled_where_it_is_enabled_and_asked_for_where_nobody_can_see():
    async def story() -> None:
        rehearsal = await cluster_of(3, exp2={"lync_b2bua": True}, exp3={"lync_b2bua": True})
        assert_done(await rehearsal.run("remove-peer", peer_id="exp2"))
        assert not rehearsal.fleet["exp2"].lync_b2bua
        assert rehearsal.fleet["exp3"].lync_b2bua
        situation = await rehearsal.situation()
        blind = replace(situation, capabilities={"exp3": frozenset({"administration"})})
        plan = rehearsal.plan_over(blind, "remove-peer", {"peer_id": "exp3"})
        gates = {step.attestation for step in plan.steps if step.attestation}
        assert {"lync-b2bua-disabled-exp3", "pre-shared-key-deleted-exp3"} <= gates

    run(story())


def test_the_gates_name_exactly_what_others_have_to_change():
    async def story() -> None:
        rehearsal = await cluster_of(3)
        plan = await rehearsal.plan("remove-peer", peer_id="exp3")
        job = await rehearsal.start_unattested(plan)
        await rehearsal.wakeups.until_idle()
        job = await rehearsal.journal.load(job.id)
        assert job.wait.reason is WaitReason.ATTESTATION
        assert "192.0.2.13" in job.wait.note
        # The cluster is whole, and recorded, before anybody is waited for.
        assert_cluster(rehearsal, ["exp1", "exp2"], "exp1")

    run(story())
