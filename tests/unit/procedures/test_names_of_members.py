"""Every procedure that changes members ends only when DNS, where it can be asked, follows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.domain.dns import Answer, Question, reverse_name
from app.domain.job import JobState, StepState
from app.engine.records import JobRecord
from tests.support.clusters import assert_cluster, assert_done, cluster_of
from tests.support.rehearsal import Rehearsal
from tests.support.zone import SIPS, Zone
from transports.mock.virtual_time import run


def zone_of(*names: str, also: tuple[str, ...] = ()) -> Zone:
    """A zone that leads to these Expressways and knows the addresses of some more."""
    zone = Zone()
    zone.lead_to(*names)
    for name in (*names, *also):
        zone.know(name, f"192.0.2.{10 + int(name[-1])}")
    zone.records[Question("ntp.example.com", "A")] = ["192.0.2.123"]
    return zone


async def played(
    rehearsal: Rehearsal,
    zone: Zone,
    at: str,
    change: Callable[[], object],
    slug: str,
    **parameters: Any,
) -> tuple[JobRecord, StepState, str]:
    """The job, where `change` happens as step `at` begins; with that step's state and note."""
    rehearsal.names = zone
    rehearsal.when_step_starts(at, change)
    job = await rehearsal.run(slug, **parameters)
    (step,) = (step for step in job.steps if step.key == at)
    return job, step.state, step.note


async def adding(zone: Zone, change: Callable[[], object]) -> tuple[JobRecord, StepState, str]:
    rehearsal = await cluster_of(2, spare=1)
    done = await played(rehearsal, zone, "in-dns-exp3", change, "add-peer", peer_id="exp3")
    assert_cluster(rehearsal, ["exp1", "exp2", "exp3"], "exp1")
    return done


def test_an_added_peer_is_looked_up_when_it_has_joined():
    zone = zone_of("exp1", "exp2", "exp3")
    job, state, note = run(adding(zone, lambda: None))
    assert_done(job)
    assert (state, note.startswith("asked ")) == (StepState.DONE, True)
    assert job.steps[-1].key == "in-dns-exp3"


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (Question(SIPS, "SRV"), f"{SIPS} at"),
        (Question("exp3.example.com", "A"), "Add an A record exp3.example.com 192.0.2.13."),
        (
            Question.of(reverse_name("192.0.2.13"), "PTR"),
            "Add a PTR record 13.2.0.192.in-addr.arpa exp3.example.com.",
        ),
    ],
)
def test_records_that_went_meanwhile_are_named_and_fail_the_job(lost, said):
    zone = zone_of("exp1", "exp2", "exp3")

    def lose() -> None:
        kept = [data for data in zone.records[lost] if lost.type == "SRV" and "exp3" not in data]
        zone.records[lost] = kept

    job, _, note = run(adding(zone, lose))
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert job.failure.code == "still-waiting"
    assert said in note
    assert said in job.failure.message


def test_a_name_server_that_falls_silent_leaves_what_was_compared_before():
    zone = zone_of("exp1", "exp2", "exp3")

    def fall_silent() -> None:
        zone.records.clear()
        zone.answer = Answer.NO_ANSWER

    job, state, note = run(adding(zone, fall_silent))
    assert_done(job)
    assert state is StepState.SKIPPED
    assert "what was seen or stated before the job stands" in note


def test_a_new_cluster_is_looked_up_under_its_name():
    async def story(*, keep: bool) -> tuple[JobState, StepState]:
        rehearsal = Rehearsal({"expressways": [{"name": "exp1", "address": "192.0.2.11"}]})
        zone = zone_of("exp1")
        job, state, _ = await played(
            rehearsal,
            zone,
            "in-dns-exp1",
            lambda: None if keep else zone.lead_to(),
            "create-cluster",
            primary_peer_id="exp1",
        )
        assert_cluster(rehearsal, ["exp1"], "exp1")
        return job.state, state

    assert run(story(keep=True)) == (JobState.SUCCEEDED, StepState.DONE)
    assert run(story(keep=False))[0] is JobState.FAILED


async def removing_the_dead(names: tuple[str, ...]) -> tuple[JobRecord, StepState, str]:
    rehearsal = await cluster_of(3, off=("exp3",))
    zone = zone_of("exp1", "exp2", "exp3")
    done = await played(
        rehearsal,
        zone,
        "not-in-dns-exp3",
        lambda: zone.lead_to(*names),
        "remove-dead-peer",
        peer_ids=("exp3",),
    )
    assert_cluster(rehearsal, ["exp1", "exp2"], "exp1")
    return done


def test_a_dead_peer_is_found_in_dns_by_its_address():
    job, state, _ = run(removing_the_dead(("exp1", "exp2")))
    assert_done(job)
    assert state is StepState.DONE
    job, _, note = run(removing_the_dead(("exp1", "exp2", "exp3")))
    assert job.state is JobState.FAILED
    assert f"{SIPS} SRV exp3.example.com" in note


@pytest.mark.parametrize(
    ("rename", "left", "ends"),
    [
        (False, ("exp1",), JobState.SUCCEEDED),
        (False, ("exp1", "exp2"), JobState.FAILED),
        (True, (), JobState.SUCCEEDED),
        (True, ("exp1",), JobState.FAILED),
    ],
)
def test_a_disbanded_clusters_name_leads_to_nobody_but_who_keeps_it(rename, left, ends):
    async def story() -> tuple[JobState, str]:
        rehearsal = await cluster_of(2)
        zone = zone_of("exp1", "exp2")
        job, _, _ = await played(
            rehearsal,
            zone,
            "not-in-dns-exp1" if rename else "not-in-dns-exp2",
            lambda: zone.lead_to(*left),
            "disband",
            rename_primary=rename,
        )
        assert rehearsal.witness.violations == []
        return job.state, job.failure.message if job.failure else ""

    state, message = run(story())
    assert state is ends
    assert (f"SRV {left[-1]}.example.com" in message) if ends is JobState.FAILED else not message


@pytest.mark.parametrize(
    ("slug", "size", "spare", "parameters", "kinds"),
    [
        ("create-cluster", 0, 1, {"primary_peer_id": "exp1"}, set()),
        ("add-peer", 2, 1, {"peer_id": "exp3"}, set()),
        ("remove-peer", 3, 0, {"peer_id": "exp3"}, {"dns-records-updated"}),
        ("disband", 3, 0, {}, {"dns-records-updated"}),
        (
            "replace-peer",
            2,
            1,
            {"peer_id": "exp2", "replacement_peer_id": "exp3"},
            {"remove-dns-records-updated"},
        ),
        (
            "change-peer-address",
            3,
            0,
            {"peer_id": "exp3", "new_address": "192.0.2.33"},
            {"remove-dns-records-updated"},
        ),
    ],
)
def test_where_nobody_can_be_asked_the_statement_is_all_there_is(
    slug, size, spare, parameters, kinds
):
    async def story() -> tuple[set[str], set[str]]:
        rehearsal = (
            await cluster_of(size, spare=spare)
            if size
            else Rehearsal({"expressways": [{"name": "exp1", "address": "192.0.2.11"}]})
        )
        plan = await rehearsal.plan(slug, **parameters)
        gates = {s.attestation for s in plan.steps if s.attestation and "dns" in s.attestation}
        return {step.kind for step in plan.steps}, gates

    planned, gates = run(story())
    assert not planned & {"in-dns", "not-in-dns"}
    assert kinds <= gates
    assert gates
