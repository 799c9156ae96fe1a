"""What every journal does with a job's terms. A test module inherits this beside JournalSuite."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.job import JobState, WaitReason
from app.domain.terms import ApprovalState, Decision, Terms, Verdict
from app.domain.window import Blackout, Calendar, Window
from app.engine.errors import DecisionRefused, IllegalTransition
from app.engine.records import JobFilter, JobRecord, Leave, NewJob
from tests.support.engine_bench import new_job, step
from tests.support.journals import Place

TWO = Terms(approvals=2, four_eyes=True)


def soon(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def word(job: NewJob | JobRecord, principal: str = "key-2", **more: Any) -> Decision:
    return Decision(
        principal=principal,
        verdict=more.pop("verdict", Verdict.APPROVED),
        by=more.pop("by", "Bea"),
        reason="Agreed in the board.",
        digest=more.pop("digest", job.plan.digest),
        at=datetime(2026, 3, 1, tzinfo=UTC),
    )


NIGHTS = Window(
    "nights",
    "Europe/Berlin",
    datetime.fromisoformat("2026-01-03T22:00"),
    datetime.fromisoformat("2026-01-04T04:00"),
    "FREQ=WEEKLY",
    (Blackout(datetime.fromisoformat("2026-12-24"), datetime.fromisoformat("2027-01-02"), "x"),),
)


class TermsSuite:
    async def test_a_job_outside_its_window_waits_for_it_as_a_row_with_a_time(
        self, place: Place
    ) -> None:
        opens = soon(3600)
        terms = Terms(enforce_window=True, calendar=Calendar((), (), (opens, None)))
        made = await place.create(new_job(step("a"), terms=terms))
        assert (made.state, made.wake_at) == (JobState.WAITING, opens)
        assert made.wait is not None
        assert made.wait.reason is WaitReason.WINDOW
        assert await place.journal.claim("job-1", "w") is None
        assert (await place.wakeups.stats())["waiting"] == 1
        second = await place.create(new_job(step("a"), job_id="job-2", terms=terms), queue=True)
        assert (second.state, second.wake_at, second.holds) == (JobState.WAITING, None, False)
        await place.journal.request_cancel("job-1", by="ann")
        turn = await place.journal.load("job-2")
        assert (turn.state, turn.wake_at, turn.holds) == (JobState.WAITING, opens, True)

    async def test_a_job_without_any_window_left_ends_where_it_is_made(self, place: Place) -> None:
        terms = Terms(enforce_window=True, calendar=Calendar((), (), (None, soon(-5))))
        made = await place.create(new_job(step("a"), terms=terms))
        assert (made.state, made.holds) == (JobState.CANCELLED, False)
        assert made.failure is not None
        assert made.failure.code == "window-never-opens"

    async def test_terms_and_decisions_come_back_as_they_were_made(self, place: Place) -> None:
        terms = Terms(
            approvals=3,
            four_eyes=True,
            approve_before=soon(60),
            not_before=soon(3600),
            enforce_window=True,
            window_ids=("window-1",),
            calendar=Calendar((NIGHTS,), (NIGHTS,), (soon(10), None)),
            pace=2.5,
        )
        made = await place.create(new_job(step("a"), terms=terms))
        assert made.terms == terms
        said = [word(made, "key-3"), word(made, "key-2", by="Cid")]
        for one in said:
            await place.journal.decide("job-1", one)
        assert (await place.journal.load("job-1")).terms == terms
        assert (await place.journal.load("job-1")).decisions == tuple(said)

    async def test_a_job_begins_when_as_many_people_agree_as_its_terms_ask_for(
        self, place: Place
    ) -> None:
        made = await place.create(new_job(step("a"), terms=TWO))
        assert (made.state, made.approval) == (JobState.WAITING, ApprovalState.PENDING)
        assert made.wait is not None
        assert (made.wait.reason, made.wake_at) == (WaitReason.APPROVAL, None)
        assert (await place.wakeups.stats())["waiting"] == 0
        assert await place.journal.claim("job-1", "w") is None
        once = await place.journal.decide("job-1", word(made, "key-2"))
        assert (once.state, once.wait and once.wait.note) == (
            JobState.WAITING,
            "1 of 2 approvals given",
        )
        assert await place.journal.claim("job-1", "w") is None
        twice = await place.journal.decide("job-1", word(made, "key-3"))
        assert (twice.state, twice.approval) == (JobState.QUEUED, ApprovalState.APPROVED)
        assert (await place.wakeups.stats())["waiting"] == 1
        assert (await place.claim()).state is JobState.RUNNING
        assert (await place.types())[:6] == [
            "job.queued",
            "approval.requested",
            "job.waiting",
            "approval.given",
            "approval.given",
            "job.queued",
        ]

    @pytest.mark.parametrize(
        ("principal", "digest", "code"),
        [
            ("tester", None, "four-eyes"),
            ("key-3", "0" * 64, "approval-mismatch"),
            ("key-2", None, "already-decided"),
        ],
    )
    async def test_a_word_that_does_not_count_changes_nothing(
        self, place: Place, principal: str, digest: str | None, code: str
    ) -> None:
        made = await place.create(new_job(step("a"), terms=TWO))
        before = await place.journal.decide("job-1", word(made, "key-2"))
        said = word(made, principal, digest=digest or made.plan.digest)
        with pytest.raises(DecisionRefused) as refused:
            await place.journal.decide("job-1", said)
        assert refused.value.code == code
        assert await place.journal.load("job-1") == before

    async def test_who_asked_may_decide_where_four_eyes_are_not_asked_for(
        self, place: Place
    ) -> None:
        made = await place.create(new_job(step("a"), terms=Terms(approvals=1)))
        await place.journal.decide("job-1", word(made, "tester"))
        await place.claim()

    async def test_one_rejection_ends_the_job_and_frees_its_cluster(self, place: Place) -> None:
        made = await place.create(new_job(step("a"), terms=TWO))
        await place.journal.decide("job-1", word(made, "key-2"))
        no = word(made, "key-3", verdict=Verdict.REJECTED, by="Cid")
        ended = await place.journal.decide("job-1", no)
        assert (ended.state, ended.holds) == (JobState.CANCELLED, False)
        assert (ended.approval, ended.failure and ended.failure.code) == (
            ApprovalState.REJECTED,
            "approval-rejected",
        )
        assert ended.failure is not None
        assert "Cid" in ended.failure.message
        assert (await place.types())[-2:] == ["approval.rejected", "job.cancelled"]
        with pytest.raises(DecisionRefused) as refused:
            await place.journal.decide("job-1", word(made, "key-4"))
        assert refused.value.code == "approval-closed"
        assert (await place.create(new_job(step("a"), job_id="job-2"))).holds

    async def test_a_job_that_nobody_has_to_approve_takes_no_word(self, place: Place) -> None:
        made = await place.create(new_job(step("a")))
        with pytest.raises(DecisionRefused) as refused:
            await place.journal.decide("job-1", word(made))
        assert refused.value.code == "approval-closed"

    async def test_decisions_made_at_once_all_count_once(self, place: Place) -> None:
        made = await place.create(new_job(step("a"), terms=Terms(approvals=3)))
        answers = await asyncio.gather(
            *(place.journal.decide("job-1", word(made, f"key-{n % 4}")) for n in range(12)),
            return_exceptions=True,
        )
        counted = [answer for answer in answers if isinstance(answer, JobRecord)]
        assert len(counted) == 3
        job = await place.journal.load("job-1")
        assert (job.state, len(job.decisions)) == (JobState.QUEUED, 3)
        assert len({decision.principal for decision in job.decisions}) == 3
        assert (await place.types()).count("approval.given") == 3

    async def test_a_rejection_and_an_approval_at_once_end_in_one_of_the_two(
        self, place: Place
    ) -> None:
        made = await place.create(new_job(step("a"), terms=Terms(approvals=1)))
        no = word(made, "key-3", verdict=Verdict.REJECTED)
        answers = await asyncio.gather(
            place.journal.decide("job-1", word(made)),
            place.journal.decide("job-1", no),
            return_exceptions=True,
        )
        assert sum(isinstance(answer, DecisionRefused) for answer in answers) == 1
        job = await place.journal.load("job-1")
        ends = (
            (ApprovalState.APPROVED, JobState.QUEUED),
            (
                ApprovalState.REJECTED,
                JobState.CANCELLED,
            ),
        )
        assert (job.approval, job.state) in ends

    async def test_what_is_not_approved_in_time_ends_and_nothing_was_done(
        self, place: Place
    ) -> None:
        made = await place.create(new_job(step("a"), terms=Terms(2, approve_before=soon(1.0))))
        assert made.wake_at == made.terms.approve_before
        await place.journal.decide("job-1", word(made))
        await asyncio.sleep(1.01)
        with pytest.raises(DecisionRefused) as refused:
            await place.journal.decide("job-1", word(made, "key-3"))
        assert refused.value.code == "approval-closed"
        assert await place.journal.claim("job-1", "w") is None
        ended = await place.journal.load("job-1")
        assert (ended.state, ended.approval) == (JobState.CANCELLED, ApprovalState.EXPIRED)
        assert ended.failure is not None
        assert "1 of 2" in ended.failure.message
        assert (await place.types())[-2:] == ["approval.expired", "job.cancelled"]

    async def test_a_resume_leads_past_no_approval(self, place: Place) -> None:
        await place.create(new_job(step("a"), terms=TWO))
        with pytest.raises(IllegalTransition) as refused:
            await place.journal.resume("job-1", by="Ann")
        assert refused.value.legal == ("cancel", "pause", "approve", "reject")
        await place.journal.request_pause("job-1", by="Ann")
        resumed = await place.journal.resume("job-1", by="Ann")
        assert (resumed.state, resumed.wait and resumed.wait.reason) == (
            JobState.WAITING,
            WaitReason.APPROVAL,
        )
        assert await place.journal.claim("job-1", "w") is None

    async def test_a_scheduled_start_is_waited_for_and_woken(self, place: Place) -> None:
        made = await place.create(new_job(step("a"), terms=Terms(not_before=soon(3600))))
        assert made.wait is not None
        assert (made.wait.reason, made.wake_at) == (WaitReason.WINDOW, made.terms.not_before)
        assert (await place.wakeups.stats())["waiting"] == 1
        assert await place.journal.claim("job-1", "w") is None
        with pytest.raises(IllegalTransition):
            await place.journal.resume("job-1", by="Ann")

    async def test_a_wake_up_that_comes_too_early_is_asked_for_again(self, place: Place) -> None:
        await place.create(new_job(step("a"), terms=Terms(not_before=soon(0.5))))
        assert await place.journal.claim("job-1", "w") is None
        assert (await place.journal.load("job-1")).state is JobState.WAITING
        await asyncio.sleep(0.51)
        assert (await place.claim()).state is JobState.RUNNING

    async def test_after_the_approvals_comes_the_scheduled_start(self, place: Place) -> None:
        made = await place.create(new_job(step("a"), terms=Terms(1, not_before=soon(3600))))
        job = await place.journal.decide("job-1", word(made))
        assert job.wait is not None
        assert (job.wait.reason, job.wake_at) == (WaitReason.WINDOW, made.terms.not_before)

    async def test_a_job_in_line_is_approved_there_and_begins_at_its_turn(
        self, place: Place
    ) -> None:
        await place.create(new_job(step("a")))
        first = await place.claim()
        made = await place.create(
            new_job(step("a"), job_id="job-2", terms=Terms(1, four_eyes=True)), queue=True
        )
        assert (made.holds, made.state) == (False, JobState.WAITING)
        in_line = await place.journal.decide("job-2", word(made))
        assert (in_line.holds, in_line.state) == (False, JobState.QUEUED)
        assert await place.journal.claim("job-2", "w") is None
        await place.journal.leave(first.lease, Leave(JobState.SUCCEEDED))
        assert (await place.claim("job-2")).state is JobState.RUNNING

    async def test_a_job_whose_turn_comes_before_its_approval_goes_on_waiting(
        self, place: Place
    ) -> None:
        await place.create(new_job(step("a")))
        first = await place.claim()
        made = await place.create(new_job(step("a"), job_id="job-2", terms=TWO), queue=True)
        await place.journal.leave(first.lease, Leave(JobState.SUCCEEDED))
        its_turn = await place.journal.load("job-2")
        assert (its_turn.holds, its_turn.state) == (True, JobState.WAITING)
        assert its_turn.wait == made.wait
        assert await place.journal.claim("job-2", "w") is None

    async def test_a_job_in_line_that_is_not_approved_in_time_ends_there(
        self, place: Place
    ) -> None:
        await place.create(new_job(step("a")))
        terms = Terms(1, approve_before=soon(1.0))
        made = await place.create(new_job(step("a"), job_id="job-2", terms=terms), queue=True)
        assert (made.holds, made.wake_at) == (False, terms.approve_before)
        await asyncio.sleep(1.01)
        assert await place.journal.claim("job-2", "w") is None
        assert (await place.journal.load("job-2")).approval is ApprovalState.EXPIRED
        assert (await place.claim("job-1")).holds

    async def test_requests_for_approval_are_listed_by_where_they_stand(self, place: Place) -> None:
        for number in range(4):
            made = new_job(
                step("a", peer_id=f"peer-{number}"),
                job_id=f"job-{number}",
                cluster=f"cluster-{number}",
                terms=Terms(approvals=min(number, 1)),
            )
            await place.create(made)
        second = await place.journal.load("job-2")
        await place.journal.decide("job-2", word(second))
        await place.journal.request_cancel("job-3", by="Ann")
        for state, found in [
            (None, ["job-3", "job-2", "job-1"]),
            (ApprovalState.PENDING, ["job-1"]),
            (ApprovalState.APPROVED, ["job-2"]),
            (ApprovalState.WITHDRAWN, ["job-3"]),
            (ApprovalState.REJECTED, []),
        ]:
            wanted = JobFilter(approval=state, asked_for_approval=True)
            page = await place.journal.list_jobs(wanted)
            assert [job.id for job in page.items] == found
