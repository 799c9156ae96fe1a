"""What may be set aside, and what never."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.domain.job import JobState, StepFailure, StepRecord, StepState, WaitReason
from app.domain.skipping import BACK_UP, RECORDS, why_not
from app.engine import transitions
from app.engine.errors import IllegalTransition, SkipRefused
from app.engine.records import JobRecord, Wait
from app.engine.skipping import Skip, skipped
from app.procedures.registry import HANDLERS
from tests.support.engine_bench import new_job, plan, step

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FAILURE = StepFailure("not-verified", "not there", "look", ("ADD-J-22",))
WIPE = step("wipe", "factory-reset", destructive=True)


def records(*steps: Any, acted: bool = False) -> list[StepRecord]:
    return [
        StepRecord(number, one.key, StepState.PENDING, acted_at=NOW if acted else None)
        for number, one in enumerate(steps, start=1)
    ]


@pytest.mark.parametrize(
    ("steps", "acted", "acts", "settled", "words"),
    [
        ([step("calls", "calls-clear")], False, False, False, ""),
        ([step("set")], False, True, False, "settled"),
        ([step("set")], False, True, True, ""),
        ([step("set")], True, False, False, "settled"),
        ([step("gate", "attest", attestation="door")], False, False, True, "attest"),
        ([step("b", BACK_UP), WIPE], False, True, True, "backup"),
        ([step("b", BACK_UP), step("x"), WIPE], False, True, True, "backup"),
        ([step("b", BACK_UP), replace(WIPE, peer_id="peer-2")], False, True, True, ""),
        ([step("b", BACK_UP), step("x")], False, True, True, ""),
        ([step("record-members", "record-members")], False, True, True, "recorded"),
    ],
)
def test_the_rule(steps: list[Any], acted: bool, acts: bool, settled: bool, words: str) -> None:
    told = why_not(plan(*steps), records(*steps, acted=acted), 0, acts=acts, settled=settled)
    assert words in told
    assert bool(told) == bool(words)


def test_the_kinds_that_the_rule_names_exist() -> None:
    assert {BACK_UP, *RECORDS} <= set(HANDLERS)


def job(**more: Any) -> JobRecord:
    made = transitions.new_job(new_job(step("a"), step("b")), holds=True, now=NOW).job
    return replace(made, **more)


def test_a_failed_step_is_skipped_and_the_job_has_its_cluster_again() -> None:
    failed = job(
        state=JobState.FAILED,
        holds=False,
        failure=FAILURE,
        wake_at=None,
        steps=(
            replace(job().steps[0], state=StepState.FAILED, failure=FAILURE),
            job().steps[1],
        ),
    )
    change = skipped(failed, Skip("a", "key-1", "done by hand", settled=True), NOW)
    assert (change.job.state, change.job.holds, change.wake) == (JobState.QUEUED, True, True)
    assert change.job.failure is None
    first = change.job.steps[0]
    assert (first.state, first.note, first.failure) == (StepState.SKIPPED, "done by hand", None)
    assert change.job.current is not None
    assert change.job.current.key == "b"
    told = change.events[0]
    assert (told.type, told.data["reason"], told.data["state"]) == (
        "job.step.skipped",
        "done by hand",
        "failed",
    )


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"state": JobState.RUNNING, "owner": "w"},
        {"state": JobState.WAITING, "wait": Wait(WaitReason.APPROVAL, "")},
        {"state": JobState.WAITING, "wait": Wait(WaitReason.PEER, "", "a"), "owner": "w"},
        {"state": JobState.CANCELLING},
        {"state": JobState.SUCCEEDED},
    ],
)
def test_a_step_that_nobody_is_stuck_at_is_not_skipped(more: dict[str, Any]) -> None:
    with pytest.raises(IllegalTransition):
        skipped(job(**more), Skip("a", "key-1", "why", settled=True), NOW)


def test_no_step_is_set_aside_beforehand() -> None:
    waiting = job(state=JobState.WAITING, wait=Wait(WaitReason.PEER, "", "a"))
    with pytest.raises(IllegalTransition):
        skipped(waiting, Skip("b", "key-1", "why", settled=True), NOW)
    with pytest.raises(SkipRefused, match="settled"):
        skipped(waiting, Skip("a", "key-1", "why"), NOW)
