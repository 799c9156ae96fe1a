"""What a plan and a job say in the fields of a change form."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.domain.finding import Finding, Severity
from app.domain.job import JobState, StepFailure, StepRecord, StepState, WaitReason
from app.domain.plan import Impact, Stage
from app.domain.terms import Decision, Verdict
from app.engine.records import JobRecord, Wait
from app.engine.skipping import SKIPPED_BY_OPERATOR
from app.services import change_texts
from tests.support.engine_bench import EPOCH, plan, statement, step

GATE = step("gate", "attest", attestation="firewall-open", statement="The ports are open.")
PLAN = plan(GATE, step("set", expected=600.0), step("look", "verify", expected=30.0))


def job(state: JobState, *states: StepState, **more: Any) -> JobRecord:
    """A job of PLAN whose steps stand there."""
    records = tuple(
        StepRecord(number, planned.key, where, outcome="done" if where is StepState.DONE else "")
        for number, (planned, where) in enumerate(zip(PLAN.steps, states, strict=True), start=1)
    )
    return JobRecord(
        "job-1", PLAN, state, records, ("peer-1",), "key-1", EPOCH, started_at=EPOCH, **more
    )


DONE, PENDING = StepState.DONE, StepState.PENDING


def test_the_estimated_duration_is_told_by_stage_and_says_what_is_not_in_it() -> None:
    two = replace(
        PLAN,
        stages=(Stage("a", "Before", PLAN.steps[:1]), Stage("b", "The change", PLAN.steps[1:])),
    )
    first, *stages = change_texts.of_plan(two).estimated_duration.splitlines()
    assert first == (
        "About 11 min. Waits for people, approvals and windows are not in it;"
        " 1 step(s) may wait for a person's word."
    )
    assert stages == ["- Before      1 s", "- The change  10 min"]
    nobody = change_texts.of_plan(plan(step("set"))).estimated_duration
    assert nobody.startswith("About 1 s. Waits for people, approvals and windows are not in it.\n")


def test_a_plan_gives_every_text_of_the_form() -> None:
    finding = Finding("clock", Severity.WARNING, "The clock is off.", "Set it.", ("NEW-M-14",))
    texts = change_texts.of_plan(
        replace(PLAN, findings=(finding,), impact=(Impact("peer-1", "exp1 restarts."),))
    )
    assert "Step set [ADD-J-22]" in texts.implementation_plan
    assert "[an operator states this]" in texts.implementation_plan
    assert texts.backout_plan.startswith("- remove the peer again")
    assert texts.test_plan == "- Step look"
    assert "peer-1: exp1 restarts." in texts.risk_and_impact
    assert "The clock is off. (remedy: Set it.)" in texts.risk_and_impact
    assert PLAN.digest in texts.approval_text


def test_work_notes_say_what_the_job_is_at_and_who_said_what() -> None:
    running = job(
        JobState.RUNNING, DONE, StepState.RUNNING, PENDING,
        attestations={"firewall-open": statement("firewall-open")},
        decisions=(Decision("key-2", Verdict.APPROVED, "B. Approver", "CAB 12", "d" * 64, EPOCH),),
    )  # fmt: skip
    assert change_texts.work_notes(running).splitlines() == [
        "Job job-1 (add-peer) is running: 1 of 3 step(s) over.",
        "At: Step set",
        "Approved by B. Approver at 2026-01-01 00:00 UTC (plan dddddddddddd): CAB 12",
        "Stated by Ann at 2026-01-01 00:00 UTC: firewall-open: I saw it",
    ]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"pause_requested": True}, "A pause was asked for: it waits at the next safe point."),
        ({"cancel_requested": True}, "A cancel was asked for: it stops at the next safe point."),
    ],
)
def test_work_notes_say_what_people_asked_for(asked: dict[str, bool], words: str) -> None:
    running = job(JobState.RUNNING, DONE, StepState.RUNNING, PENDING, **asked)
    assert words in change_texts.work_notes(running)


def test_work_notes_of_a_waiting_job_say_for_what() -> None:
    waiting = job(
        JobState.WAITING, StepState.WAITING, PENDING, PENDING,
        wait=Wait(WaitReason.ATTESTATION, "waits for firewall-open", "gate"),
    )  # fmt: skip
    notes = change_texts.work_notes(waiting)
    assert "Waits for attestation: waits for firewall-open" in notes
    assert "Recovery" not in notes


def test_close_notes_hold_approvals_statements_and_skips_with_their_reasons() -> None:
    ended = job(
        JobState.SUCCEEDED, DONE, StepState.SKIPPED, DONE,
        finished_at=EPOCH + timedelta(minutes=12),
        attestations={"firewall-open": statement("firewall-open")},
        decisions=(Decision("key-2", Verdict.APPROVED, "B. Approver", "CAB 12", "d" * 64, EPOCH),),
    )  # fmt: skip
    aside = replace(
        ended.steps[1],
        outcome=SKIPPED_BY_OPERATOR,
        note="Set at its console.",
        finished_at=EPOCH + timedelta(minutes=5),
    )
    ended = replace(ended, steps=(ended.steps[0], aside, ended.steps[2]))
    assert change_texts.close_notes(ended).splitlines() == [
        "Job job-1 (add-peer) ended: succeeded.",
        "From 2026-01-01 00:00 UTC to 2026-01-01 00:12 UTC (12 min).",
        "Approved by B. Approver at 2026-01-01 00:00 UTC (plan dddddddddddd): CAB 12",
        "Stated by Ann at 2026-01-01 00:00 UTC: firewall-open: I saw it",
        "Set aside by an operator at 2026-01-01 00:05 UTC: Step set: Set at its console.",
        "- done: Step gate (done)",
        "- skipped: Step set (skipped_by_operator)",
        "- done: Step look (done)",
        "Evidence: /v1/jobs/job-1/evidence",
    ]


def test_a_step_that_found_its_effect_already_there_was_set_aside_by_nobody() -> None:
    ended = job(JobState.SUCCEEDED, DONE, StepState.SKIPPED, DONE)
    assert "Set aside" not in change_texts.close_notes(ended)


def test_a_job_that_failed_says_why_and_where_the_way_out_is() -> None:
    failed = job(
        JobState.FAILED, DONE, StepState.FAILED, PENDING,
        failure=StepFailure("lost", "exp1 did not come back.", "Look at its console."),
    )  # fmt: skip
    for notes in (change_texts.close_notes(failed), change_texts.work_notes(failed)):
        assert "Failure: exp1 did not come back. Remedy: Look at its console." in notes
        assert "Recovery: /v1/jobs/job-1/recovery" in notes
    assert "Step look" not in change_texts.close_notes(failed)


def test_a_rejection_is_in_the_notes_of_the_job_that_was_not_begun() -> None:
    no = Decision("key-2", Verdict.REJECTED, "B. Approver", "Freeze.", "d" * 64, EPOCH)
    ended = job(JobState.CANCELLED, PENDING, PENDING, PENDING, decisions=(no,))
    notes = change_texts.close_notes(replace(ended, started_at=None))
    assert "Rejected by B. Approver at 2026-01-01 00:00 UTC (plan dddddddddddd): Freeze." in notes
    assert "From " not in notes


def test_a_job_under_way_has_no_close_notes_that_could_be_taken_for_an_end() -> None:
    running = job(JobState.RUNNING, DONE, StepState.RUNNING, PENDING)
    assert change_texts.close_notes(running) == "Job job-1 (add-peer) has not ended: running."
