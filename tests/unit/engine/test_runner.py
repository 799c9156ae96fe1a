"""How a job runs, is interrupted and goes on, in virtual time over the journal in memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from app.domain.job import JobState, StepFailure, StepState, WaitReason
from app.engine.errors import LeaseLost, SkipRefused
from app.engine.records import JobRecord
from app.engine.skipping import Skip
from app.engine.transitions import legal_actions
from app.procedures.base import Handler, Look, StepContext, StepFailed
from tests.support.engine_bench import Bench, Peer, new_job, statement, step
from transports.errors import (
    AuthenticationFailed,
    CommandRejected,
    ConnectionLost,
    Garbled,
    TransportError,
    Unreachable,
)
from transports.mock.virtual_time import run


def failing(error: TransportError, times: int = 1_000_000) -> Callable[[StepContext], None]:
    left = [times]

    def fault(context: StepContext) -> None:
        if left[0] > 0:
            left[0] -= 1
            raise error

    return fault


def carry(bench: Bench, *steps: Any) -> JobRecord:
    return run(bench.run(new_job(*steps)))


def test_a_step_whose_effect_is_there_is_done_without_an_act() -> None:
    bench = Bench(Peer(done={"a"}))
    job = carry(bench, step("a"))
    assert job.state is JobState.SUCCEEDED
    assert (job.steps[0].state, job.steps[0].outcome) == (StepState.DONE, "already_true")
    assert bench.peer.acts == []


def test_a_step_is_looked_at_then_acted_on_then_looked_at_again() -> None:
    bench = Bench()
    job = carry(bench, step("a"), step("b"))
    assert job.state is JobState.SUCCEEDED
    assert bench.peer.acts == ["a", "b"]
    assert bench.peer.looks == ["a", "a", "b", "b"]
    assert job.steps[1].before == {"done": ["a"]}
    assert job.steps[1].seen == {"done": ["a", "b"]}
    assert job.steps[1].outcome == "acted"


def test_what_was_seen_before_the_act_is_not_overwritten_by_later_looks() -> None:
    uptime = iter([5000, 3, 4, 5])

    async def look(context: StepContext) -> Look:
        seen = {"uptime": next(uptime)}
        return Look(met=seen["uptime"] == 5, seen=seen)

    bench = Bench()
    handler = Handler("boot", look, bench.peer.act)
    job = carry(Bench(handlers={"boot": handler}), step("a", "boot"))
    assert job.steps[0].before == {"uptime": 5000}
    assert job.steps[0].seen == {"uptime": 5}


def test_events_tell_the_whole_job_without_gaps() -> None:
    bench = Bench()

    async def story() -> list[tuple[int, str]]:
        await bench.run(new_job(step("a")))
        return [(event.seq, event.type) for event in await bench.journal.events("job-1")]

    assert run(story()) == [
        (1, "job.queued"),
        (2, "job.started"),
        (3, "job.step.started"),
        (4, "job.step.finished"),
        (5, "job.succeeded"),
    ]


def test_about_to_act_is_written_down_before_the_act() -> None:
    bench = Bench()
    seen: list[tuple[StepState, bool, int]] = []

    async def act(context: StepContext) -> None:
        record = (await bench.journal.load("job-1")).steps[0]
        seen.append((record.state, record.acted_at is not None, record.attempt))

    bench.peer.act_work = act
    carry(bench, step("a"))
    assert seen == [(StepState.RUNNING, True, 1)]


def test_a_guard_that_refuses_prevents_the_act() -> None:
    async def guard(context: StepContext) -> None:
        raise StepFailed(StepFailure("unsafe", "no backup", "take one"))

    bench = Bench()
    bench = Bench(handlers={"careful": Handler("careful", bench.peer.look, bench.peer.act, guard)})
    job = carry(bench, step("a", "careful"))
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert job.failure.code == "unsafe"
    assert job.steps[0].acted_at is None


def test_a_step_whose_condition_does_not_hold_is_skipped() -> None:
    async def look(context: StepContext) -> Look:
        return Look(met=False, skipped=True)

    job = carry(Bench(handlers={"maybe": Handler("maybe", look)}), step("a", "maybe"), step("b"))
    assert job.state is JobState.SUCCEEDED
    assert (job.steps[0].state, job.steps[0].outcome) == (StepState.SKIPPED, "condition_not_met")


def test_an_effect_that_never_shows_fails_the_step_at_its_limit() -> None:
    bench = Bench()

    async def act(context: StepContext) -> None:
        bench.peer.acts.append("a")

    bench = Bench(bench.peer, handlers={"set": Handler("set", bench.peer.look, act)})
    job = carry(bench, step("a", limit=30, poll=2))
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert job.failure.code == "not-verified"
    assert job.failure.requirements == ("ADD-J-22",)
    assert bench.peer.acts == ["a"]
    assert job.steps[0].acted_at is not None
    assert job.finished_at is not None
    assert (job.finished_at - job.steps[0].acted_at).total_seconds() == pytest.approx(30, abs=0.1)


def test_limits_are_appliance_seconds() -> None:
    async def look(context: StepContext) -> Look:
        return Look(met=False)

    bench = Bench(pace=60.0, handlers={"wait": Handler("wait", look)})
    job = carry(bench, step("a", "wait", limit=600, poll=30))
    assert job.started_at is not None
    assert job.finished_at is not None
    assert (job.finished_at - job.started_at).total_seconds() == pytest.approx(10, abs=0.1)


def test_a_wrong_password_is_never_tried_twice() -> None:
    bench = Bench(Peer(look_fault=failing(AuthenticationFailed("declined"))))
    job = carry(bench, step("a"))
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert job.failure.code == "authentication-failed"
    assert bench.peer.looks == ["a"]


def test_a_refused_act_fails_the_step_with_the_peers_own_words() -> None:
    bench = Bench(Peer(act_fault=failing(CommandRejected("value out of range"))))
    job = carry(bench, step("a"))
    assert job.failure is not None
    assert job.failure.code == "peer-refused"
    assert "value out of range" in job.failure.message
    assert bench.peer.acts == ["a"]


def test_a_question_that_the_peer_declines_is_asked_once_more() -> None:
    bench = Bench(Peer(look_fault=failing(CommandRejected("not recognized"), times=1)))
    assert carry(bench, step("a")).state is JobState.SUCCEEDED
    bench = Bench(Peer(look_fault=failing(CommandRejected("not recognized"))))
    job = carry(bench, step("a"))
    assert job.failure is not None
    assert job.failure.code == "peer-refused"
    assert (bench.peer.looks, bench.peer.acts) == (["a", "a"], [])


def test_an_unreachable_peer_is_waited_for() -> None:
    bench = Bench(Peer(look_fault=failing(Unreachable("no route"), times=6)))

    async def story() -> tuple[JobRecord, list[str]]:
        return await bench.run(new_job(step("a", limit=600))), await bench.types()

    job, types = run(story())
    assert job.state is JobState.SUCCEEDED
    assert types.count("job.waiting") == 1
    assert bench.peer.acts == ["a"]


def test_a_peer_that_stays_unreachable_fails_the_step_at_its_limit_with_a_remedy() -> None:
    bench = Bench(Peer(look_fault=failing(Unreachable("no route"))))
    job = carry(bench, step("a", limit=300))
    assert job.failure is not None
    assert job.failure.code == "peer-unreachable"
    assert "reached" in job.failure.remedy
    assert len(bench.peer.looks) < 40


def test_an_act_that_was_not_sent_is_sent_later_and_counted_once() -> None:
    bench = Bench(Peer(act_fault=failing(Unreachable("no route"), times=2)))
    job = carry(bench, step("a"))
    assert job.state is JobState.SUCCEEDED
    assert job.steps[0].attempt == 1
    assert bench.peer.acts == ["a", "a", "a"]


def test_an_interrupted_act_that_worked_is_not_repeated() -> None:
    bench = Bench()

    def fault(context: StepContext) -> None:
        bench.peer.done.add("a")
        raise ConnectionLost("link died")

    bench.peer.act_fault = fault
    job = carry(bench, step("a", "restart"))
    assert job.state is JobState.SUCCEEDED
    assert bench.peer.acts == ["a"]


def test_an_interrupted_act_is_repeated_only_after_the_settle_time() -> None:
    bench = Bench(Peer(act_fault=failing(ConnectionLost("link died"), times=1)))
    times: list[float] = []

    async def act(context: StepContext) -> None:
        times.append(asyncio.get_running_loop().time())
        await bench.peer.act(context)

    bench = Bench(
        bench.peer, handlers={"restart": Handler("restart", bench.peer.look, act, settle=120)}
    )
    job = carry(bench, step("a", "restart", limit=600))
    assert job.state is JobState.SUCCEEDED
    assert len(times) == 2
    assert times[1] - times[0] >= 120
    assert job.steps[0].attempt == 2


def test_an_act_interrupted_three_times_waits_for_an_operator_and_keeps_what_was_seen() -> None:
    bench = Bench(Peer(act_fault=failing(ConnectionLost("link died"))))
    job = carry(bench, step("a", limit=600))
    assert bench.peer.acts == ["a"] * 3
    assert (job.state, job.holds, job.owner, job.wake_at) == (JobState.WAITING, True, None, None)
    assert job.wait is not None
    assert (job.wait.reason, job.wait.step) == (WaitReason.HOLD, "a")
    assert "interrupted 3 times" in job.wait.note
    assert job.unsettled
    stuck = job.steps[0]
    assert (stuck.state, stuck.attempt, stuck.act_returned) == (StepState.UNKNOWN, 3, False)
    assert (stuck.before, stuck.seen) == ({"done": []}, {"done": []})
    assert stuck.acted_at is not None
    assert {"retry", "skip", "cancel"} <= set(legal_actions(job))


def test_a_look_that_settles_it_ends_the_wait_without_another_act() -> None:
    bench = Bench(Peer(act_fault=failing(ConnectionLost("link died"))))

    async def story() -> JobRecord:
        assert (await bench.run(new_job(step("a", limit=600), step("b")))).unsettled
        await asyncio.sleep(86_400)
        bench.peer.act_fault = None
        bench.peer.done.add("a")
        await bench.journal.retry("job-1", by="Ann")
        await bench.wakeups.until_idle()
        return await bench.journal.load("job-1")

    job = run(story())
    assert job.state is JobState.SUCCEEDED
    assert bench.peer.acts == ["a", "a", "a", "b"]


def test_a_resume_of_an_unsettled_step_looks_again_and_never_acts_again() -> None:
    bench = Bench(Peer(act_fault=failing(ConnectionLost("link died"))))

    async def story() -> JobRecord:
        assert (await bench.run(new_job(step("a", limit=600)))).unsettled
        await bench.journal.resume("job-1", by="Ann")
        await bench.wakeups.until_idle()
        return await bench.journal.load("job-1")

    assert run(story()).unsettled
    assert bench.peer.acts == ["a"] * 3


def test_a_cancelled_job_that_cannot_settle_a_step_ends_and_says_what_is_not_known() -> None:
    bench = Bench(Peer(act_fault=failing(ConnectionLost("link died"))))

    async def story() -> JobRecord:
        assert (await bench.run(new_job(step("a", limit=600)))).unsettled
        await bench.journal.request_cancel("job-1", by="Ann")
        await bench.wakeups.until_idle()
        return await bench.journal.load("job-1")

    job = run(story())
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert job.failure.code == "outcome-unknown"
    assert bench.peer.acts == ["a"] * 3


def test_an_operator_who_settled_a_step_by_hand_skips_it_and_the_job_goes_on() -> None:
    bench = Bench(Peer(act_fault=failing(ConnectionLost("link died"), times=3)))

    async def story() -> JobRecord:
        assert (await bench.run(new_job(step("a", limit=600), step("b")))).unsettled
        with pytest.raises(SkipRefused):
            await bench.journal.skip("job-1", Skip("a", "Ann", "seen"))
        await bench.journal.skip("job-1", Skip("a", "Ann", "done by hand", settled=True))
        await bench.wakeups.until_idle()
        return await bench.journal.load("job-1")

    job = run(story())
    assert job.state is JobState.SUCCEEDED
    assert (job.steps[0].state, job.steps[0].outcome) == (StepState.SKIPPED, "skipped_by_operator")
    assert bench.peer.acts == ["a"] * 3 + ["b"]
    assert "job.step.skipped" in [event.type for event in bench.journal.events_of("job-1")]


def after_the_act(error: TransportError) -> Bench:
    """A peer that takes the act, says that it did, and can no longer be looked at."""
    bench = Bench()

    def fault(context: StepContext) -> None:
        if bench.peer.acts:
            raise error

    bench.peer.look_fault = fault
    return bench


@pytest.mark.parametrize(
    ("error", "looks"),
    [
        (Unreachable("no route"), None),
        (ConnectionLost("link died"), None),
        (Garbled("not XML"), 3),
        (CommandRejected("not recognized"), 3),
        (AuthenticationFailed("declined"), 2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_act_whose_effect_cannot_be_seen_waits_for_an_operator_and_never_fails_the_job(
    error: TransportError, looks: int | None
) -> None:
    bench = after_the_act(error)

    async def story() -> tuple[JobRecord, JobRecord]:
        held = await bench.run(new_job(step("a", limit=300), step("b")))
        await asyncio.sleep(86_400)
        bench.peer.look_fault = None
        await bench.journal.resume("job-1", by="Ann")
        await bench.wakeups.until_idle()
        return held, await bench.journal.load("job-1")

    seen_looks = bench.peer.looks
    held, job = run(story())
    assert held.unsettled
    assert (held.holds, held.owner, held.wake_at, held.failure) == (True, None, None, None)
    assert held.wait is not None
    assert str(error) in held.wait.note
    assert "skip it, or cancel" in held.wait.note
    assert held.steps[0].seen == {"done": []}
    assert (job.state, bench.peer.acts) == (JobState.SUCCEEDED, ["a", "b"])
    if looks is not None:
        assert seen_looks[:looks] == ["a"] * looks
        assert seen_looks[looks:] == ["a", "b", "b"]


def test_a_cancel_of_a_job_whose_act_cannot_be_seen_says_what_is_not_known() -> None:
    bench = after_the_act(Unreachable("no route"))

    async def story() -> JobRecord:
        assert (await bench.run(new_job(step("a", limit=300)))).unsettled
        await bench.journal.request_cancel("job-1", by="Ann")
        await bench.wakeups.until_idle()
        return await bench.journal.load("job-1")

    job = run(story())
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert job.failure.code == "outcome-unknown"
    assert "no route" in job.failure.message


def test_an_act_answered_in_garble_whose_effect_does_not_show_is_not_sent_again() -> None:
    bench = Bench(Peer(act_fault=failing(Garbled("not XML"))))
    job = carry(bench, step("a", limit=300))
    assert job.unsettled
    assert bench.peer.acts == ["a"]
    assert job.wait is not None
    assert "not XML" in job.wait.note


def test_an_act_that_is_refused_after_an_interrupted_one_fails_with_the_peers_words() -> None:
    errors = [ConnectionLost("link died"), CommandRejected("value out of range")]

    def fault(context: StepContext) -> None:
        raise errors.pop(0)

    bench = Bench(Peer(act_fault=fault))
    job = carry(bench, step("a", limit=300))
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert job.failure.code == "peer-refused"
    assert bench.peer.acts == ["a", "a"]


def test_a_garbled_reply_gets_one_more_look() -> None:
    once = Bench(Peer(look_fault=failing(Garbled("not XML"), times=1)))
    assert carry(once, step("a")).state is JobState.SUCCEEDED
    always = Bench(Peer(look_fault=failing(Garbled("not XML"))))
    job = carry(always, step("a"))
    assert job.failure is not None
    assert job.failure.code == "reply-not-understood"
    assert always.peer.looks == ["a", "a"]


def test_a_mistake_of_ours_fails_the_step_and_tells_no_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def look(context: StepContext) -> Look:
        raise ValueError("hunter2")

    with caplog.at_level(logging.DEBUG):
        job = carry(Bench(handlers={"bad": Handler("bad", look)}), step("a", "bad"))
    assert job.failure is not None
    assert job.failure.code == "internal-error"
    assert "ValueError" in caplog.text
    assert "hunter2" not in caplog.text + str(job)


def test_a_step_kind_nobody_knows_fails_the_job() -> None:
    job = carry(Bench(), step("a", "from-the-future"))
    assert job.failure is not None
    assert job.failure.code == "unknown-step-kind"


def test_a_long_poll_gives_the_job_back_and_holds_nothing() -> None:
    bench = Bench()

    async def story() -> JobRecord:
        await bench.journal.create(new_job(step("a", "wait", poll=120, limit=3600), step("b")))
        await bench.runner.advance("job-1")
        parked = await bench.journal.load("job-1")
        assert (parked.state, parked.owner) == (JobState.WAITING, None)
        assert parked.wait is not None
        assert parked.wait.reason is WaitReason.PEER
        bench.peer.done.add("a")
        await bench.wakeups.until_idle()
        return await bench.journal.load("job-1")

    job = run(story())
    assert job.state is JobState.SUCCEEDED


def test_a_gate_waits_for_a_statement_without_a_wake_up() -> None:
    bench = Bench()

    async def story() -> JobRecord:
        gate = step("gate", "attest", attestation="firewall-open", statement="The firewall is open")
        parked = await bench.run(new_job(step("a"), gate, step("b")))
        assert parked.state is JobState.WAITING
        assert parked.wait is not None
        assert (parked.wait.reason, parked.wake_at) == (WaitReason.ATTESTATION, None)
        await asyncio.sleep(86_400 * 3)
        await bench.journal.attest("job-1", statement("firewall-open", bench.clock.now()))
        await bench.wakeups.until_idle()
        return await bench.journal.load("job-1")

    job = run(story())
    assert job.state is JobState.SUCCEEDED
    assert job.steps[1].outcome == "attested"


def test_a_cancelled_job_stops_at_the_next_safe_point() -> None:
    bench = Bench()

    async def cancel(context: StepContext) -> None:
        if context.step.key == "a":
            await bench.journal.request_cancel("job-1", by="Ann")

    bench.peer.act_work = cancel
    job = carry(bench, step("a"), step("b", safe_after=True), step("c"))
    assert job.state is JobState.CANCELLED
    assert bench.peer.acts == ["a", "b"]
    assert job.steps[2].state is StepState.PENDING


def test_a_poll_before_the_first_act_ends_soon_after_a_cancel() -> None:
    bench = Bench()

    async def story() -> JobRecord:
        await bench.journal.create(new_job(step("a", "wait", poll=2, limit=3600), step("b")))
        task = asyncio.create_task(bench.wakeups.until_idle())
        await asyncio.sleep(60)
        await bench.journal.request_cancel("job-1", by="Ann")
        await asyncio.sleep(10)
        assert task.done()
        return await bench.journal.load("job-1")

    job = run(story())
    assert job.state is JobState.CANCELLED
    assert bench.peer.acts == []


def test_a_paused_job_keeps_its_cluster_until_it_is_resumed() -> None:
    bench = Bench()

    async def story() -> JobRecord:
        await bench.journal.create(new_job(step("a", safe_after=True), step("b")))
        await bench.journal.request_pause("job-1", by="Ann")
        await bench.wakeups.until_idle()
        paused = await bench.journal.load("job-1")
        assert paused.wait is not None
        assert (paused.wait.reason, paused.holds) == (WaitReason.HOLD, True)
        await asyncio.sleep(86_400)
        await bench.journal.resume("job-1", by="Ann")
        await bench.wakeups.until_idle()
        return await bench.journal.load("job-1")

    assert run(story()).state is JobState.SUCCEEDED


def test_a_retry_goes_on_from_the_failed_step_and_keeps_what_was_seen_before() -> None:
    bench = Bench(Peer(act_fault=failing(ConnectionLost("link died"), times=4)))

    async def story() -> JobRecord:
        stuck = await bench.run(new_job(step("a", limit=600), step("b")))
        assert stuck.unsettled
        assert stuck.steps[0].attempt == 3
        await asyncio.sleep(86_400)
        await bench.journal.retry("job-1", by="Ann")
        await bench.wakeups.until_idle()
        return await bench.journal.load("job-1")

    job = run(story())
    assert job.state is JobState.SUCCEEDED
    assert job.steps[0].attempt == 5
    assert job.steps[0].before == {"done": []}
    assert job.failure is None


def test_a_worker_killed_in_mid_act_leaves_a_job_that_another_finishes_by_looking() -> None:
    bench = Bench()

    async def hang(context: StepContext) -> None:
        bench.peer.done.add("a")
        await asyncio.Event().wait()

    async def story() -> JobRecord:
        bench.peer.act_work = hang
        await bench.journal.create(new_job(step("a", "restart")))
        first = asyncio.create_task(bench.runner.advance("job-1"))
        await asyncio.sleep(1)
        await bench.journal.reclaim("job-1")
        second = bench.worker("worker-2", dict(bench.runner.handlers))
        await second.advance("job-1")
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        return await bench.journal.load("job-1")

    job = run(story())
    assert job.state is JobState.SUCCEEDED
    assert bench.peer.acts == ["a"]


def test_a_fenced_worker_neither_writes_nor_starts_another_step() -> None:
    bench = Bench()

    async def lose(context: StepContext) -> None:
        await bench.journal.reclaim("job-1")

    async def story() -> JobRecord:
        bench.peer.act_work = lose
        await bench.journal.create(new_job(step("a"), step("b")))
        await bench.runner.advance("job-1")
        return await bench.journal.load("job-1")

    job = run(story())
    assert bench.peer.acts == ["a"]
    assert job.steps[0].state is StepState.RUNNING
    assert job.state is JobState.QUEUED


def test_a_worker_without_a_fresh_beat_does_not_act() -> None:
    bench = Bench()

    def stale() -> None:
        raise LeaseLost("no beat for 6 s")

    async def story() -> None:
        bench.runner.lease_check = stale
        await bench.journal.create(new_job(step("a")))
        await bench.runner.advance("job-1")

    run(story())
    assert bench.peer.acts == []


def test_a_draining_worker_gives_its_job_back_at_the_next_poll() -> None:
    bench = Bench()

    async def story() -> JobRecord:
        await bench.journal.create(new_job(step("a", "wait", poll=4, limit=3600)))
        task = asyncio.create_task(bench.runner.advance("job-1"))
        await asyncio.sleep(30)
        bench.runner.drain()
        await asyncio.sleep(0.01)
        assert task.done()
        return await bench.journal.load("job-1")

    job = run(story())
    assert (job.state, job.owner) == (JobState.QUEUED, None)


def test_an_interrupted_advance_queues_its_job_again() -> None:
    bench = Bench()

    async def story() -> JobRecord:
        await bench.journal.create(new_job(step("a", "wait", poll=4, limit=3600)))
        task = asyncio.create_task(bench.runner.advance("job-1"))
        await asyncio.sleep(30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await bench.journal.load("job-1")

    job = run(story())
    assert (job.state, job.owner) == (JobState.QUEUED, None)


def test_a_job_interrupted_twice_is_given_back_before_the_worker_is_finished() -> None:
    bench = Bench()
    leave = bench.journal.leave

    async def slow(*args: Any) -> None:
        await asyncio.sleep(1)
        await leave(*args)

    async def story() -> JobRecord:
        bench.journal.leave = slow  # type: ignore[method-assign]  # a database that takes its time
        await bench.journal.create(new_job(step("a", "wait", poll=4, limit=3600)))
        task = asyncio.create_task(bench.runner.advance("job-1"))
        await asyncio.sleep(30)
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0.1)
        await bench.runner.finish(5)
        return await bench.journal.load("job-1")

    job = run(story())
    assert (job.state, job.owner) == (JobState.QUEUED, None)


def test_a_time_slice_ends_between_looks_and_the_job_goes_on() -> None:
    bench = Bench()

    async def look(context: StepContext) -> Look:
        return Look(met=asyncio.get_running_loop().time() > 1500)

    async def story() -> list[str]:
        await bench.run(new_job(step("a", "wait", poll=4, limit=3600)))
        return await bench.types()

    bench = Bench(handlers={"wait": Handler("wait", look)})
    types = run(story())
    assert types.count("job.started") == 3
    assert types[-1] == "job.succeeded"


def test_progress_is_told_at_most_once_a_second() -> None:
    calls = [0]

    async def look(context: StepContext) -> Look:
        calls[0] += 1
        return Look(met=calls[0] > 100, note=f"{100 - calls[0]} calls left")

    bench = Bench(handlers={"wait": Handler("wait", look)})

    async def story() -> list[str]:
        await bench.run(new_job(step("a", "wait", poll=0.1, limit=3600)))
        return await bench.types()

    assert 5 <= run(story()).count("job.step.progress") <= 11


def test_since_when_a_peer_is_silent_is_kept_over_tries_to_act_and_over_workers() -> None:
    """The look of such a step asks nobody, so every try to act is a try to reach the peer."""
    bench = Bench()
    silent = [Unreachable("no route")] * 40

    async def act(context: StepContext) -> None:
        if silent:
            raise silent.pop()
        await bench.peer.act(context)

    async def told() -> JobRecord:
        await asyncio.sleep(100)
        return await bench.journal.load("job-1")

    async def story() -> list[JobRecord]:
        await bench.journal.create(new_job(step("a", "set", limit=10**6)))
        serving = asyncio.create_task(bench.wakeups.until_idle())
        seen = [await told(), await told()]
        lost = await bench.journal.load("job-1")
        if lost.owner is not None:
            await bench.journal.reclaim("job-1")
        seen += [await told(), await told()]
        await serving
        return [*seen, await bench.journal.load("job-1")]

    bench = Bench(bench.peer, handlers={"set": Handler("set", bench.peer.look, act)})
    *waiting, ended = run(story())
    waits = {
        (job.state, job.wait and job.wait.reason, job.wait and job.wait.since) for job in waiting
    }
    assert len(waits) == 1, waits
    assert {job.wait.reason for job in waiting if job.wait} == {WaitReason.PEER}
    assert ended.state is JobState.SUCCEEDED
    assert ended.wait is None
