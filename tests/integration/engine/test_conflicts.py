"""Two processes are asked for what does not go together, at the same moment: one way is taken.

Each has connections of its own, as two API processes or an API process and a worker have. Whoever
comes second is told what the first has made of the job, not that the database is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.job import JobState, StepFailure, StepState, WaitReason
from app.domain.terms import ApprovalState, Decision, Terms, Verdict
from app.engine.errors import DecisionRefused, Held, IllegalTransition, LeaseLost
from app.engine.records import JobRecord, Leave, Wait
from app.engine.skipping import Skip
from app.storage.engine import PostgresEngine, open_engine
from tests.support.engine_bench import new_job, step
from tests.support.journals import register

pytestmark = pytest.mark.postgres
ROUNDS = 12
REFUSED = (IllegalTransition, DecisionRefused, LeaseLost, Held)
SKIP = Skip("a", "Ann", "no need", settled=True)


@pytest.fixture
async def two(database_url: str) -> AsyncIterator[tuple[PostgresEngine, PostgresEngine]]:
    async with open_engine(database_url) as one, open_engine(database_url) as other:
        yield one, other


async def at_once(*asked: Awaitable[Any]) -> list[Any]:
    """What each gave, or how it was refused; anything else that is raised is a fault."""
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    faults = [o for o in outcomes if isinstance(o, BaseException) and not isinstance(o, REFUSED)]
    assert faults == []
    return [None if isinstance(outcome, BaseException) else outcome for outcome in outcomes]


async def made(one: PostgresEngine, number: int, **more: Any) -> JobRecord:
    new = new_job(
        step("a", peer_id=f"peer-{number}"),
        job_id=f"job-{number}",
        cluster=f"cluster-{number}",
        **more,
    )
    await register(one.url, new)
    return await one.journal.create(new)


async def whole(one: PostgresEngine, job_id: str) -> JobRecord:
    """The job, whose events have no gap."""
    job = await one.journal.load(job_id)
    numbers = [event.seq for event in await one.journal.events(job_id)]
    assert numbers == list(range(1, job.last_event_seq + 1))
    return job


def word(job: JobRecord, by: str, verdict: Verdict) -> Decision:
    return Decision(by, verdict, by, "said so", job.plan.digest, datetime.now(UTC))


async def test_an_approval_a_rejection_a_cancel_and_the_end_of_the_time_meet(
    two: tuple[PostgresEngine, PostgresEngine],
) -> None:
    one, other = two
    seen = set()
    for number in range(ROUNDS):
        before = datetime.now(UTC) + timedelta(seconds=0.05)
        job = await made(one, number, terms=Terms(approvals=1, approve_before=before))
        await asyncio.sleep(max(0.0, (before - datetime.now(UTC)).total_seconds() - 0.01))
        approved, rejected, cancelled, claimed = await at_once(
            one.journal.decide(job.id, word(job, "Bea", Verdict.APPROVED)),
            other.journal.decide(job.id, word(job, "Cid", Verdict.REJECTED)),
            one.journal.request_cancel(job.id, by="Ann"),
            other.journal.claim(job.id, "worker"),
        )
        job = await whole(one, job.id)
        assert len(job.decisions) == (approved is not None) + (rejected is not None) <= 1
        if claimed is not None:
            assert job.approval is ApprovalState.APPROVED
        if approved is None:
            assert (job.state, job.started_at) == (JobState.CANCELLED, None)
        if rejected is not None:
            assert (job.approval, cancelled) == (ApprovalState.REJECTED, None)
        seen.add(job.approval)
    assert len(seen) > 1


async def test_a_skip_and_a_cancel_of_a_waiting_job_meet(
    two: tuple[PostgresEngine, PostgresEngine],
) -> None:
    """One asks for the job and then for its cluster; the other must not ask the other way round."""
    one, other = two
    for number in range(ROUNDS):
        job = await made(one, number)
        taken = await one.journal.claim(job.id, "worker")
        assert taken is not None
        wait = Wait(WaitReason.PEER, "silent", "a")
        await one.journal.leave(taken.lease, Leave(JobState.WAITING, wait=wait, wake_in=60))
        skipped, cancelled = await at_once(
            one.journal.skip(job.id, SKIP), other.journal.request_cancel(job.id, by="Bea")
        )
        job = await whole(one, job.id)
        assert cancelled is not None
        assert job.state is JobState.CANCELLED
        assert (job.steps[0].state is StepState.SKIPPED) == (skipped is not None)


async def test_a_retry_meets_the_end_it_is_asked_for_too_early(
    two: tuple[PostgresEngine, PostgresEngine],
) -> None:
    """Somebody retries a job while its worker writes that it has failed."""
    one, other = two
    failure = StepFailure("not-verified", "not there", "look")
    for number in range(ROUNDS):
        job = await made(one, number)
        taken = await one.journal.claim(job.id, "worker")
        assert taken is not None
        failed = replace(job.steps[0], state=StepState.FAILED, failure=failure)
        leave = Leave(JobState.FAILED, failure=failure, step=failed)
        left, retried = await at_once(
            other.journal.leave(taken.lease, leave), one.journal.retry(job.id, by="Ann")
        )
        job = await whole(one, job.id)
        assert left is not None
        assert job.state is (JobState.FAILED if retried is None else JobState.QUEUED)


async def test_of_two_failed_jobs_of_a_cluster_only_one_is_taken_up_again(
    two: tuple[PostgresEngine, PostgresEngine],
) -> None:
    one, other = two
    failure = StepFailure("not-verified", "not there", "look")
    jobs = []
    for name in ("job-1", "job-2"):
        new = new_job(step("a"), job_id=name)
        await register(one.url, new)
        await one.journal.create(new)
        taken = await one.journal.claim(name, "worker")
        assert taken is not None
        await one.journal.leave(taken.lease, Leave(JobState.FAILED, failure=failure))
        jobs.append(name)
    for _ in range(ROUNDS):
        again = await at_once(
            one.journal.retry(jobs[0], by="Ann"), other.journal.retry(jobs[1], by="Bea")
        )
        assert sum(outcome is not None for outcome in again) == 1
        (holds,) = [job for job in [await whole(one, name) for name in jobs] if job.holds]
        taken = await one.journal.claim(holds.id, "worker")
        assert taken is not None
        await one.journal.leave(taken.lease, Leave(JobState.FAILED, failure=failure))


async def test_a_pause_a_resume_and_the_worker_that_stops_for_it_meet(
    two: tuple[PostgresEngine, PostgresEngine],
) -> None:
    """However they fall, the job is not left paused by nobody or going on against a wish."""
    one, other = two
    for number in range(ROUNDS):
        job = await made(one, number)
        taken = await one.journal.claim(job.id, "worker")
        assert taken is not None
        flags = (await one.journal.request_pause(job.id, by="Ann")).flags
        hold = Leave(JobState.WAITING, wait=Wait(WaitReason.HOLD, "paused", "a"), flags=flags)
        left, resumed = await at_once(
            one.journal.leave(taken.lease, hold), other.journal.resume(job.id, by="Bea")
        )
        assert left is not None
        assert resumed is not None
        job = await whole(one, job.id)
        assert (job.state, job.pause_requested) == (JobState.QUEUED, False), number
