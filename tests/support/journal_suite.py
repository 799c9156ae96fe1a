"""What every journal does. A test module inherits this and provides the fixture `place`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from app.domain.cluster import Cluster
from app.domain.job import JobState, StepFailure, StepState, WaitReason
from app.domain.peer import Peer
from app.engine.clock import SystemClock
from app.engine.errors import (
    ClusterBusy,
    IllegalTransition,
    LeaseLost,
    NoSuchGate,
    NoSuchJob,
    PeerBusy,
)
from app.engine.ports import Tools
from app.engine.records import STEP_PROGRESS, JobFilter, JobRecord, Leave, NewEvent, Wait
from app.engine.runner import Runner
from app.procedures.base import Handler, Look, StepContext
from tests.support.engine_bench import new_job, statement, step
from tests.support.journals import Place, stale

GATE = step("gate", "attest", attestation="firewall-open")
FAILURE = StepFailure("not-verified", "not there", "look", ("ADD-J-22",))


@dataclass
class Registered:
    """The part of the registry that a job looks at before its first step."""

    present: Cluster

    async def cluster(self) -> Cluster:
        return self.present


class JournalSuite:
    async def test_a_job_comes_back_as_it_was_made(self, place: Place) -> None:
        made = await place.create(
            new_job(
                step("a", params={"x": [1, 2]}),
                GATE,
                details={"change": {"number": "CHG1"}},
                attestations=(statement("firewall-open"),),
            )
        )
        loaded = await place.journal.load("job-1")
        assert loaded == made
        assert loaded.plan.digest == new_job(step("a", params={"x": [1, 2]}), GATE).plan.digest
        assert loaded.details == {"change": {"number": "CHG1"}}
        assert loaded.attestations["firewall-open"].by == "Ann"
        assert [s.state for s in loaded.steps] == [StepState.PENDING] * 2
        assert (loaded.state, loaded.holds) == (JobState.QUEUED, True)

    async def test_a_job_nobody_made_is_not_found(self, place: Place) -> None:
        with pytest.raises(NoSuchJob):
            await place.journal.load("nothing")
        with pytest.raises(NoSuchJob):
            await place.journal.events("nothing")
        with pytest.raises(NoSuchJob):
            await place.journal.request_cancel("nothing", by="Ann")

    async def test_a_second_job_of_a_cluster_is_refused_and_told_who_holds_it(
        self, place: Place
    ) -> None:
        await place.create(new_job(step("a")))
        with pytest.raises(ClusterBusy) as refused:
            await place.create(new_job(step("a"), job_id="job-2"))
        assert refused.value.job_id == "job-1"
        with pytest.raises(NoSuchJob):
            await place.journal.load("job-2")

    async def test_a_peer_cannot_be_worked_on_for_two_clusters_at_once(self, place: Place) -> None:
        await place.create(new_job(step("a")))
        with pytest.raises(PeerBusy) as refused:
            await place.create(new_job(step("a"), job_id="job-2", cluster="cluster-2"))
        assert (refused.value.peer_id, refused.value.job_id) == ("peer-1", "job-1")
        other = new_job(step("a", peer_id="peer-9"), job_id="job-3", cluster="cluster-3")
        assert (await place.create(other)).holds

    async def test_it_is_known_which_job_of_a_cluster_has_not_ended(self, place: Place) -> None:
        await place.create(new_job(step("a")))
        await place.create(new_job(step("a"), job_id="job-2"), queue=True)
        assert await place.journal.unended("cluster-2") is None
        await place.journal.request_cancel("job-1", by="Ann")
        assert await place.journal.unended("cluster-1") == "job-2"
        await place.journal.request_cancel("job-2", by="Ann")
        assert await place.journal.unended("cluster-1") is None

    async def test_it_is_known_which_job_holds_a_peer(self, place: Place) -> None:
        await place.create(new_job(step("a")))
        assert await place.journal.holder_of("peer-1") == "job-1"
        assert await place.journal.holder_of("peer-9") is None
        await place.journal.request_cancel("job-1", by="Ann")
        assert await place.journal.holder_of("peer-1") is None

    async def test_two_jobs_at_the_same_moment_do_not_both_get_the_cluster(
        self, place: Place
    ) -> None:
        jobs = [new_job(step("a"), job_id=f"job-{n}") for n in range(8)]
        results = await asyncio.gather(*(place.create(j) for j in jobs), return_exceptions=True)
        assert sum(not isinstance(result, BaseException) for result in results) == 1
        assert sum(isinstance(result, ClusterBusy) for result in results) == 7

    async def test_a_job_in_line_gets_its_turn_when_the_first_ends(self, place: Place) -> None:
        await place.create(new_job(step("a")))
        behind = await place.create(new_job(step("a"), job_id="job-2"), queue=True)
        last = await place.create(new_job(step("a"), job_id="job-3"), queue=True)
        assert (behind.holds, last.holds) == (False, False)
        assert await place.journal.claim("job-2", "w") is None
        first = await place.claim()
        await place.journal.leave(first.lease, Leave(JobState.SUCCEEDED))
        assert (await place.journal.load("job-2")).holds
        assert not (await place.journal.load("job-3")).holds
        await place.claim("job-2")
        assert await place.types("job-2") == ["job.queued", "job.queued", "job.started"]

    @pytest.mark.parametrize("changed", [True, False])
    async def test_a_job_in_line_does_not_begin_on_a_cluster_that_changed_meanwhile(
        self, place: Place, changed: bool
    ) -> None:
        before = Cluster("cluster-1", "c.example.com", (Peer("peer-1", "exp1", "10.0.1.11"),))
        now = replace(before, primary_id="peer-1") if changed else before
        behind = new_job(step("a", kind="wait"), job_id="job-2")
        relied = {**behind.plan.fingerprint, "cluster-1": before.membership}
        await place.create(new_job(step("a")))
        await place.create(
            replace(behind, plan=replace(behind.plan, fingerprint=relied)), queue=True
        )
        await place.journal.request_cancel("job-1", by="Ann")
        looked = []

        async def look(context: StepContext) -> Look:
            looked.append(context.step.key)
            return Look(met=True)

        @asynccontextmanager
        async def equip(job: JobRecord) -> AsyncIterator[Tools]:
            nothing = cast("Any", None)
            registry = cast("Any", Registered(now))
            yield Tools(appliances=nothing, registry=registry, backups=nothing)

        handlers = {"wait": Handler("wait", look)}
        await Runner(place.journal, handlers, equip, SystemClock(), "w").advance("job-2")
        job = await place.journal.load("job-2")
        if not changed:
            assert (job.state, looked) == (JobState.SUCCEEDED, ["a"])
            return
        assert (job.state, looked) == (JobState.FAILED, [])
        assert job.failure is not None
        assert job.failure.code == "plan-drifted"
        assert "primary none; now: members peer-1, primary peer-1" in job.failure.message
        assert "new plan" in job.failure.remedy
        assert [s.state for s in job.steps] == [StepState.PENDING]
        assert not job.holds

    async def test_a_job_is_claimed_once(self, place: Place) -> None:
        await place.create(new_job(step("a")))
        claims = await asyncio.gather(
            *(place.journal.claim("job-1", f"worker-{n}") for n in range(8))
        )
        assert sum(claim is not None for claim in claims) == 1

    async def test_events_are_numbered_without_gaps_whoever_writes(self, place: Place) -> None:
        await place.create(new_job(step("a")))
        job = await place.claim()
        told = [NewEvent(STEP_PROGRESS, {"n": n}) for n in range(3)]
        running = replace(job.steps[0], state=StepState.RUNNING)
        await asyncio.gather(
            place.journal.record(job.lease, running, told),
            place.journal.request_pause("job-1", by="Ann"),
            place.journal.record(job.lease, running, told),
            place.journal.request_cancel("job-1", by="Ann"),
        )
        events = await place.events()
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert (await place.journal.load("job-1")).last_event_seq == len(events)
        assert [e.seq for e in await place.journal.events("job-1", after=3, limit=2)] == [4, 5]

    async def test_a_step_is_kept_with_all_that_was_seen(self, place: Place) -> None:
        await place.create(new_job(step("a")))
        job = await place.claim()
        at = datetime(2026, 3, 1, 12, tzinfo=UTC)
        written = replace(
            job.steps[0],
            state=StepState.FAILED,
            attempt=2,
            before={"calls": 3},
            seen={"calls": 0, "names": ["x"]},
            outcome="acted",
            progress=0.5,
            note="half way",
            started_at=at,
            acted_at=at + timedelta(seconds=1),
            act_returned=True,
            finished_at=at + timedelta(seconds=2),
            failure=FAILURE,
        )
        await place.journal.record(job.lease, written)
        assert (await place.journal.load("job-1")).steps[0] == written

    async def test_a_worker_whose_lease_is_lost_writes_nothing(self, place: Place) -> None:
        await place.create(new_job(step("a")))
        job = await place.claim()
        await place.journal.reclaim("job-1")
        before = await place.events()
        done = replace(job.steps[0], state=StepState.DONE)
        with pytest.raises(LeaseLost):
            await place.journal.record(job.lease, done, [NewEvent(STEP_PROGRESS)])
        with pytest.raises(LeaseLost):
            await place.journal.leave(job.lease, Leave(JobState.SUCCEEDED))
        again = await place.claim(owner="w")
        with pytest.raises(LeaseLost):
            await place.journal.record(stale(again.lease), done)
        assert (await place.journal.load("job-1")).steps[0].state is StepState.PENDING
        assert (await place.events())[: len(before)] == before

    async def test_jobs_of_a_worker_that_is_gone_are_in_anothers_hands_at_once(
        self, place: Place
    ) -> None:
        for name in ("job-1", "job-2"):
            await place.create(new_job(step("a", peer_id=name), job_id=name, cluster=name))
        lost = [await place.claim(name, "gone") for name in ("job-1", "job-2")]
        taken = await place.journal.take_over([job.lease for job in lost], "w")
        assert [(job.id, job.owner, job.state) for job in taken] == [
            ("job-1", "w", JobState.RUNNING),
            ("job-2", "w", JobState.RUNNING),
        ]
        for old, new in zip(lost, taken, strict=True):
            assert new.epoch > old.epoch
            assert new == await place.journal.load(old.id)
            with pytest.raises(LeaseLost):
                await place.journal.record(old.lease, old.steps[0])
            await place.journal.record(new.lease, new.steps[0], [NewEvent(STEP_PROGRESS)])
        events = await place.events()
        assert [event.type for event in events][2:] == [
            "job.queued",
            "job.started",
            "job.step.progress",
        ]
        assert (events[2].data["why"], events[3].data["resumed"]) == ("worker-lost", True)
        assert await place.journal.claim("job-1", "x") is None

    async def test_a_job_that_changed_hands_meanwhile_is_not_taken_over(self, place: Place) -> None:
        await place.create(new_job(step("a")))
        old = (await place.claim()).lease
        await place.journal.reclaim("job-1")
        assert await place.journal.take_over([old], "x") == []
        new = await place.claim(owner="w")
        assert await place.journal.take_over([old], "x") == []
        assert await place.journal.take_over([], "x") == []
        await place.journal.record(new.lease, new.steps[0])

    async def test_a_job_that_is_being_cancelled_stays_so_when_it_is_taken_over(
        self, place: Place
    ) -> None:
        await place.create(new_job(step("a")))
        job = await place.claim()
        await place.journal.request_cancel("job-1", by="Ann")
        (taken,) = await place.journal.take_over([job.lease], "w")
        assert (taken.state, taken.cancel_requested) == (JobState.CANCELLING, True)

    async def test_a_lease_can_be_demanded_for_a_write_beside_the_journal(
        self, place: Place
    ) -> None:
        await place.create(new_job(step("a")))
        job = await place.claim()
        await place.journal.demand(job.lease)
        await place.journal.reclaim("job-1")
        with pytest.raises(LeaseLost):
            await place.journal.demand(job.lease)

    async def test_a_waiting_job_counts_as_waiting_until_it_goes_on(self, place: Place) -> None:
        await place.create(new_job(step("a")))
        job = await place.claim()
        wait = Wait(WaitReason.PEER, "no route", "a")
        await place.journal.record(job.lease, job.steps[0], wait=wait)
        waiting = await place.journal.load("job-1")
        assert (waiting.state, waiting.wait) == (JobState.WAITING, wait)
        await place.journal.record(job.lease, job.steps[0])
        going = await place.journal.load("job-1")
        assert (going.state, going.wait) == (JobState.RUNNING, None)

    async def test_a_job_that_polls_is_claimed_again_when_it_is_due(self, place: Place) -> None:
        await place.create(new_job(step("a")))
        job = await place.claim()
        wait = Wait(WaitReason.PEER, "3 calls left", "a")
        later = Leave(JobState.WAITING, wait=wait, wake_in=3600)
        await place.journal.leave(job.lease, later)
        assert await place.journal.claim("job-1", "w") is None
        parked = await place.journal.load("job-1")
        assert (parked.owner, parked.holds) == (None, True)
        assert parked.wake_at is not None

    async def test_a_due_job_goes_on_waiting_while_it_polls(self, place: Place) -> None:
        await place.create(new_job(step("a")))
        job = await place.claim()
        wait = Wait(WaitReason.PEER, "3 calls left", "a")
        await place.journal.leave(job.lease, Leave(JobState.WAITING, wait=wait, wake_in=0.0))
        job = await place.claim()
        assert (job.state, job.wait) == (JobState.WAITING, wait)
        await place.journal.leave(job.lease, Leave(JobState.WAITING, wait=wait, wake_in=0.0))
        assert (await place.types()).count("job.waiting") == 1

    async def test_since_when_a_job_waits_is_kept_until_it_waits_for_something_else(
        self, place: Place
    ) -> None:
        job = await place.create(new_job(step("a")))
        assert job.wait is None
        job = await place.claim()
        silent = Wait(WaitReason.PEER, "no answer", "a")
        await place.journal.record(job.lease, job.steps[0], (), silent)
        first = (await place.journal.load("job-1")).wait
        assert first is not None
        assert first.since is not None
        assert first.since >= job.created_at
        later = Wait(WaitReason.PEER, "still no answer", "a")
        await place.journal.record(job.lease, job.steps[0], (), later)
        await place.journal.leave(job.lease, Leave(JobState.WAITING, wait=later, wake_in=0.0))
        waiting = await place.claim(owner="other")
        assert waiting.wait is not None
        assert (waiting.wait.note, waiting.wait.since) == ("still no answer", first.since)
        await place.journal.record(job_lease := waiting.lease, job.steps[0])
        assert (await place.journal.load("job-1")).wait is None
        await asyncio.sleep(0.01)
        await place.journal.record(job_lease, job.steps[0], (), silent)
        again = (await place.journal.load("job-1")).wait
        assert again is not None
        assert again.since is not None
        assert again.since > first.since

    @pytest.mark.parametrize("how", ["taken over", "reclaimed", "draining", "cancelled"])
    async def test_a_job_whose_peer_is_silent_waits_on_whoever_has_it(
        self, place: Place, how: str
    ) -> None:
        await place.create(new_job(step("a")))
        job = await place.claim()
        silent = Wait(WaitReason.PEER, "no answer", "a")
        await place.journal.record(job.lease, job.steps[0], (), silent)
        before = await place.journal.load("job-1")
        told = len(await place.events())
        match how:
            case "taken over":
                (after,) = await place.journal.take_over([job.lease], "other")
            case "reclaimed":
                after = await place.journal.reclaim("job-1")  # type: ignore[assignment]
            case "draining":
                after = await place.journal.leave(job.lease, Leave(JobState.QUEUED, why=how))
            case _:
                await place.journal.request_cancel("job-1", by="Ann")
                after = await place.journal.leave(job.lease, Leave(JobState.QUEUED, why=how))
                assert (after.state, after.wait) == (JobState.CANCELLING, None)
                return
        assert before.wait is not None
        assert before.wait.since is not None
        assert after.wait is not None
        assert after.wait.since == before.wait.since
        assert (after.state, after.wait) == (JobState.WAITING, before.wait)
        why = {"taken over": "worker-lost", "reclaimed": "worker-lost"}.get(how, how)
        (event,) = (await place.events())[told:]
        assert (event.type, event.data["reason"], event.data["why"]) == ("job.waiting", "peer", why)
        if how != "taken over":
            assert (await place.claim(owner="other")).state is JobState.WAITING

    async def test_a_gate_opens_with_a_statement_and_only_once(self, place: Place) -> None:
        await place.create(new_job(GATE))
        job = await place.claim()
        wait = Wait(WaitReason.ATTESTATION, "is it open?", "gate")
        await place.journal.leave(job.lease, Leave(JobState.WAITING, wait=wait))
        assert await place.journal.claim("job-1", "w") is None
        with pytest.raises(NoSuchGate):
            await place.journal.attest("job-1", statement("moon-full"))
        opened = await place.journal.attest("job-1", statement("firewall-open"))
        assert opened.state is JobState.QUEUED
        with pytest.raises(IllegalTransition):
            await place.journal.attest("job-1", statement("firewall-open"))
        assert "firewall-open" in (await place.claim()).attestations

    async def test_a_statement_made_while_the_job_was_about_to_wait_is_not_missed(
        self, place: Place
    ) -> None:
        await place.create(new_job(GATE))
        job = await place.claim()
        await place.journal.attest("job-1", statement("firewall-open"))
        wait = Wait(WaitReason.ATTESTATION, "is it open?", "gate")
        await place.journal.leave(job.lease, Leave(JobState.WAITING, wait=wait))
        assert (await place.claim()).state is JobState.RUNNING

    async def test_a_cancel_asked_while_the_job_was_about_to_wait_is_not_missed(
        self, place: Place
    ) -> None:
        await place.create(new_job(step("a")))
        job = await place.claim()
        await place.journal.request_cancel("job-1", by="Ann")
        wait = Wait(WaitReason.PEER, "", "a")
        later = Leave(JobState.WAITING, wait=wait, wake_in=3600)
        await place.journal.leave(job.lease, later)
        job = await place.claim()
        assert (job.state, job.cancel_requested) == (JobState.CANCELLING, True)

    async def test_a_job_that_never_acted_is_cancelled_at_once(self, place: Place) -> None:
        await place.create(new_job(step("a")))
        job = await place.journal.request_cancel("job-1", by="Ann", reason="wrong night")
        assert (job.state, job.holds) == (JobState.CANCELLED, False)
        assert (await place.types())[-2:] == ["job.cancelling", "job.cancelled"]
        assert (await place.create(new_job(step("a"), job_id="job-2"))).holds

    async def test_a_running_job_is_asked_to_stop_and_asked_once(self, place: Place) -> None:
        await place.create(new_job(step("a")))
        job = await place.claim()
        await place.journal.request_cancel("job-1", by="Ann")
        asked = await place.journal.request_cancel("job-1", by="Bob")
        assert asked.state is JobState.CANCELLING
        assert (await place.types()).count("job.cancelling") == 1
        flags = await place.journal.record(job.lease, job.steps[0])
        assert flags.cancel
        assert (await place.journal.load("job-1")).state is JobState.CANCELLING

    async def test_an_ended_job_says_what_is_still_possible(self, place: Place) -> None:
        await place.create(new_job(step("a")))
        job = await place.claim()
        await place.journal.leave(job.lease, Leave(JobState.SUCCEEDED))
        with pytest.raises(IllegalTransition) as refused:
            await place.journal.request_cancel("job-1", by="Ann")
        assert (refused.value.state, refused.value.legal) == ("succeeded", ("rerun",))

    async def test_a_failed_job_frees_its_cluster_and_can_be_retried(self, place: Place) -> None:
        await place.create(new_job(step("a")))
        job = await place.claim()
        at = datetime(2026, 3, 1, tzinfo=UTC)
        failed = replace(
            job.steps[0],
            state=StepState.FAILED,
            attempt=3,
            before={"x": 1},
            acted_at=at,
            started_at=at,
            finished_at=at,
            failure=FAILURE,
        )
        ended = await place.journal.leave(
            job.lease, Leave(JobState.FAILED, failure=FAILURE, step=failed)
        )
        assert (ended.state, ended.holds, ended.failure) == (JobState.FAILED, False, FAILURE)
        again = await place.journal.retry("job-1", by="Ann")
        assert (again.state, again.failure, again.holds) == (JobState.QUEUED, None, True)
        retried = again.steps[0]
        assert (retried.state, retried.failure) == (StepState.PENDING, None)
        assert (retried.attempt, retried.before, retried.acted_at) == (3, {"x": 1}, at)
        assert retried.attempts_allowed == 6
        assert await place.journal.load("job-1") == again
        await place.claim()

    async def test_a_retry_waits_for_no_one_and_is_refused_while_another_job_runs(
        self, place: Place
    ) -> None:
        await place.create(new_job(step("a")))
        job = await place.claim()
        await place.journal.leave(job.lease, Leave(JobState.FAILED, failure=FAILURE))
        await place.create(new_job(step("a"), job_id="job-2"))
        with pytest.raises(ClusterBusy):
            await place.journal.retry("job-1", by="Ann")
        assert (await place.journal.load("job-1")).state is JobState.FAILED

    async def test_jobs_are_listed_newest_first_page_by_page(self, place: Place) -> None:
        for number in range(5):
            made = new_job(
                step("a", peer_id=f"peer-{number}"),
                job_id=f"job-{number}",
                cluster=f"cluster-{number}",
                details={"change": {"number": f"CHG{number}", "system": "x"}},
            )
            await place.create(made)
        first = await place.journal.list_jobs(JobFilter(), limit=3)
        assert [job.id for job in first.items] == ["job-4", "job-3", "job-2"]
        rest = await place.journal.list_jobs(JobFilter(), cursor=first.next_cursor, limit=3)
        assert [job.id for job in rest.items] == ["job-1", "job-0"]
        assert rest.next_cursor is None
        await place.journal.request_cancel("job-2", by="Ann")
        for wanted, found in [
            (JobFilter(states=frozenset({JobState.CANCELLED})), ["job-2"]),
            (JobFilter(cluster_id="cluster-1"), ["job-1"]),
            (JobFilter(procedure="upgrade"), []),
            (JobFilter(details={"change": {"number": "CHG3"}}), ["job-3"]),
        ]:
            page = await place.journal.list_jobs(wanted)
            assert [job.id for job in page.items] == found
        with pytest.raises(ValueError, match="cursor"):
            await place.journal.list_jobs(JobFilter(), cursor="*?*")

    async def test_a_new_job_has_one_wake_up_and_a_job_at_a_gate_has_none(
        self, place: Place
    ) -> None:
        await place.create(new_job(GATE))
        assert (await place.wakeups.stats())["waiting"] == 1
        await place.wakeups.wake("job-1")
        await place.wakeups.wake("job-1", 60)
        assert (await place.wakeups.stats())["waiting"] == 1
