"""Whether DNS still sends callers to a removed peer is looked up, not taken on somebody's word."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.domain.dns import Answer, DnsView, Lookup, Question
from app.domain.job import JobState, StepState
from app.engine.records import JobRecord, NewJob
from app.procedures.base import NoNames
from tests.support.clusters import assert_cluster, cluster_of
from tests.support.rehearsal import Rehearsal
from tests.support.zone import SIPS, Zone
from transports.mock.virtual_time import run


async def removing(zone: Zone, rehearsal: Rehearsal) -> str:
    """A job that removes exp3, planned while names could be looked up, with every gate stated."""
    rehearsal.names = zone
    view = DnsView((Lookup("192.0.2.53", Question(SIPS, "SRV"), Answer.RECORDS),))
    situation = replace(await rehearsal.situation(), dns=view)
    plan = rehearsal.plan_over(situation, "remove-peer", {"peer_id": "exp3"})
    new = NewJob("job-1", plan, "tester", attestations=rehearsal.attestations(plan))
    await rehearsal.journal.create(new)
    return new.id


async def removed(zone: Zone) -> tuple[JobRecord, StepState, str]:
    rehearsal = await cluster_of(3)
    job_id = await removing(zone, rehearsal)
    await rehearsal.wakeups.until_idle()
    job = await rehearsal.journal.load(job_id)
    assert_cluster(rehearsal, ["exp1", "exp2"], "exp1")
    (step,) = (step for step in job.steps if step.key == "not-in-dns-exp3")
    return job, step.state, step.note


def test_a_peer_that_dns_no_longer_names_is_removed_for_good():
    zone = Zone()
    zone.srv("exp1.example.com", "exp2.example.com")
    job, state, note = run(removed(zone))
    assert (job.state, state) == (JobState.SUCCEEDED, StepState.DONE)
    assert "asked" in note


@pytest.mark.parametrize("by", ["its own name", "its address"])
def test_a_job_does_not_call_a_peer_removed_while_dns_leads_to_it(by):
    zone = Zone()
    host = "exp3.example.com" if by == "its own name" else "another.example.com"
    zone.srv("exp1.example.com", host)
    zone.records[Question("another.example.com", "A")] = ["192.0.2.13"]
    job, _, note = run(removed(zone))
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert job.failure.code == "still-waiting"
    assert f"{SIPS} SRV {host}" in note
    assert f"{SIPS} SRV {host}" in job.failure.message
    assert "RML-11" in job.failure.requirements


def test_it_goes_on_when_the_records_are_gone():
    async def story() -> tuple[JobState, float]:
        zone = Zone()
        zone.srv("exp1.example.com", "exp3.example.com")
        rehearsal = await cluster_of(3)
        job_id = await removing(zone, rehearsal)
        rehearsal.when_step_starts(
            "not-in-dns-exp3",
            lambda: rehearsal.fleet.clock.call_later(900, lambda: zone.srv("exp1.example.com")),
        )
        await rehearsal.wakeups.until_idle()
        job = await rehearsal.journal.load(job_id)
        step = next(step for step in job.steps if step.key == "not-in-dns-exp3")
        assert step.started_at is not None
        assert step.finished_at is not None
        return job.state, (step.finished_at - step.started_at).total_seconds()

    state, waited = run(story())
    assert state is JobState.SUCCEEDED
    assert 900 <= waited <= 1000


@pytest.mark.parametrize("answer", [Answer.SERVER_FAILURE, Answer.NO_ANSWER, Answer.NOT_ASKED])
def test_a_name_server_that_settles_nothing_leaves_the_operators_word(answer):
    job, state, note = run(removed(Zone(answer=answer)))
    assert (job.state, state) == (JobState.SUCCEEDED, StepState.SKIPPED)
    assert "the operator's word stands" in note
    assert answer.value.replace("-", " ") in note


def test_where_names_cannot_be_looked_up_the_plan_does_not_promise_it():
    async def story() -> set[str]:
        rehearsal = await cluster_of(3)
        plan = await rehearsal.plan("remove-peer", peer_id="exp3")
        return {step.kind for step in plan.steps}

    assert "not-in-dns" not in run(story())


async def test_who_can_ask_nobody_says_so():
    (lookup,) = await NoNames().ask({"192.0.2.53": [Question(SIPS, "SRV")]})
    assert lookup.answer is Answer.NOT_ASKED
