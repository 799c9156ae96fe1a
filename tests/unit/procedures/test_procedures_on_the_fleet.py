"""Create a cluster and add peers on the simulated fleet, in virtual time."""

import pytest

from app.domain.job import JobState, WaitReason
from app.domain.observation import Observation
from tests.support.rehearsal import CLUSTER, KEY, Rehearsal
from transports.mock.virtual_time import run


@pytest.mark.parametrize("size", range(1, 7))
def test_a_cluster_of_any_size_is_built_and_every_peer_says_so(size):
    async def story() -> tuple[list[Observation], Rehearsal]:
        rehearsal = Rehearsal(
            {
                "expressways": [
                    {"name": f"exp{n}", "address": f"192.0.2.{10 + n}"} for n in range(1, size + 1)
                ]
            }
        )
        await rehearsal.build_cluster(size)
        views = [await rehearsal.observe(name) for name in rehearsal.peers]
        return [view for view in views if isinstance(view, Observation)], rehearsal

    views, rehearsal = run(story())
    addresses = tuple(f"192.0.2.{10 + n}" for n in range(1, size + 1))
    assert len(views) == size
    for view in views:
        assert view.clustering.cluster_name == CLUSTER
        assert view.clustering.addresses == addresses
        assert view.clustering.primary_address == "192.0.2.11"
        assert view.clustering.database_status == "Active"
        assert view.maintenance_mode is False
        assert view.alarms == ()
        assert view.shared_digest == views[0].shared_digest
    assert rehearsal.witness.violations == []
    assert [member.id for member in rehearsal.cluster.members] == list(rehearsal.peers)


def test_the_new_peer_takes_the_primarys_configuration_and_keeps_its_own_identity():
    async def story() -> tuple[Observation, Observation]:
        rehearsal = Rehearsal(
            {
                "expressways": [
                    {
                        "name": "exp1",
                        "address": "192.0.2.11",
                        "zones": [{"name": "to-cucm", "peers": ["192.0.2.200"]}],
                    },
                    {
                        "name": "exp2",
                        "address": "192.0.2.12",
                        "zones": [{"name": "old", "peers": ["192.0.2.201"]}],
                        "accounts": ["alice", "bob"],
                        "ldap": "ldap.example.com",
                    },
                ]
            }
        )
        await rehearsal.build_cluster(2)
        first, second = await rehearsal.observe("exp1"), await rehearsal.observe("exp2")
        assert isinstance(first, Observation)
        assert isinstance(second, Observation)
        assert rehearsal.witness.violations == []
        return first, second

    first, second = run(story())
    assert [zone.name for zone in second.zones] == ["to-cucm"]
    assert second.zones == first.zones
    assert second.admin_accounts == ()
    assert second.ldap_login is False
    assert (second.system_name, second.dns.fqdn) == ("exp2", "exp2.example.com")


def test_calls_are_waited_for_and_disconnected_only_when_allowed():
    async def story(disconnect: bool) -> tuple[JobState, str, int]:
        rehearsal = Rehearsal(
            {"expressways": [{"name": "exp1", "address": "192.0.2.11", "calls": [300, "forever"]}]}
        )
        job = await rehearsal.run(
            "create-cluster",
            primary_peer_id="exp1",
            call_drain_seconds=900,
            disconnect_remaining_calls=disconnect,
        )
        calls = await rehearsal.appliance("exp1").live_calls()
        code = job.failure.code if job.failure else ""
        return job.state, code, len(calls)

    assert run(story(True)) == (JobState.SUCCEEDED, "", 0)
    assert run(story(False)) == (JobState.FAILED, "calls-left", 1)


def test_a_job_waits_for_what_only_people_know_and_goes_on_when_they_say_so():
    async def story() -> tuple[list[str], JobState]:
        rehearsal = Rehearsal()
        plan = await rehearsal.plan("create-cluster", primary_peer_id="exp1")
        given = rehearsal.attestations(plan)
        job = await rehearsal.start_unattested(plan)
        waited_for = []
        for attestation in given:
            await rehearsal.wakeups.until_idle()
            job = await rehearsal.journal.load(job.id)
            assert job.wait is not None
            assert job.wait.reason is WaitReason.ATTESTATION
            waited_for.append(job.wait.step)
            await rehearsal.journal.attest(job.id, attestation)
        await rehearsal.wakeups.until_idle()
        job = await rehearsal.journal.load(job.id)
        record = next(s for s in job.steps if s.key == "attest-firewall-open")
        assert record.seen["by"] == "Ann Operator"
        assert record.seen["reason"] == "seen it"
        return waited_for, job.state

    waited_for, state = run(story())
    assert "attest-maintenance-window" in waited_for
    assert "attest-neighbours-updated" in waited_for
    assert state is JobState.SUCCEEDED


def test_no_step_of_the_fleet_ever_shows_the_pre_shared_key():
    async def story() -> str:
        rehearsal = Rehearsal()
        await rehearsal.build_cluster(2)
        jobs = await rehearsal.journal.list_jobs(rehearsal.all_jobs)
        events = [await rehearsal.journal.events(job.id) for job in jobs.items]
        return repr(jobs) + repr(events)

    assert KEY not in run(story())


def test_a_restart_is_refused_while_another_member_is_down():
    async def story() -> tuple[JobState, str]:
        rehearsal = Rehearsal()
        await rehearsal.build_cluster(2)
        job = await rehearsal.start("add-peer", peer_id="exp3")
        rehearsal.when_step_starts("restart-exp3", rehearsal.fleet["exp2"].lose_power)
        await rehearsal.wakeups.until_idle()
        job = await rehearsal.journal.load(job.id)
        assert rehearsal.witness.violations == []
        return job.state, job.failure.code if job.failure else ""

    assert run(story()) == (JobState.FAILED, "another-peer-down")


def test_a_restart_by_hand_does_not_pass_for_the_one_the_job_sends():
    async def story() -> int:
        rehearsal = Rehearsal()
        await rehearsal.build_cluster(2)
        job = await rehearsal.start("add-peer", peer_id="exp3")
        rehearsal.when_step_starts("restart-exp3", rehearsal.fleet["exp2"].lose_power)
        await rehearsal.wakeups.until_idle()
        rehearsal.fleet["exp2"].gain_power()
        rehearsal.fleet["exp3"].restart(reboot=False)
        await rehearsal.fleet.clock.sleep(900)
        await rehearsal.journal.retry(job.id, by="tester")
        await rehearsal.wakeups.until_idle()
        job = await rehearsal.journal.load(job.id)
        assert job.state is JobState.SUCCEEDED, job.failure
        assert rehearsal.witness.violations == []
        return int(next(s for s in job.steps if s.key == "restart-exp3").seen["uptime"])

    assert run(story()) < 300


def test_a_peer_that_has_calls_again_is_not_reset():
    async def story() -> tuple[JobState, str]:
        rehearsal = Rehearsal()
        await rehearsal.build_cluster(1)
        job = await rehearsal.start("add-peer", peer_id="exp2")
        device = rehearsal.fleet["exp2"]
        rehearsal.when_step_starts("defaults-exp2", lambda: device.calls.start(1e6))
        await rehearsal.wakeups.until_idle()
        job = await rehearsal.journal.load(job.id)
        return job.state, job.failure.code if job.failure else ""

    assert run(story()) == (JobState.FAILED, "calls-left")
