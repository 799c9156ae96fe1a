"""A plan and a job in the words a change form asks for. Plain text, no secrets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from app.domain.finding import Severity
from app.domain.job import JobState, StepState
from app.domain.plan import Impact, Plan
from app.engine.records import OVER, JobRecord
from app.engine.skipping import SKIPPED_BY_OPERATOR


@dataclass(frozen=True, slots=True)
class ChangeTexts:
    """The fields of a change form."""

    implementation_plan: str
    backout_plan: str
    test_plan: str
    risk_and_impact: str
    estimated_duration: str
    approval_text: str


def of_plan(plan: Plan) -> ChangeTexts:
    """What to paste into the change before it is approved."""
    lines: list[str] = []
    for number, stage in enumerate(plan.stages, start=1):
        page = f" (guide p.{stage.page})" if stage.page else ""
        lines.append(f"{number}. {stage.title}{page}")
        for step in stage.steps:
            mark = " [an operator states this]" if step.attestation else ""
            lines.append(f"   - {step.title} [{', '.join(step.requirements)}]{mark}")
    impact = [f"{entry.peer_id}: {entry.summary} {_felt(entry)}" for entry in plan.impact]
    report = preflight(plan)
    size = f"{len(plan.steps)} step(s), about {_minutes(plan.expected)}"
    tests = [
        f"- {step.title}"
        for step in plan.steps
        if step.kind.startswith(("verify", "check", "wait"))
    ]
    return ChangeTexts(
        implementation_plan="\n".join(lines),
        backout_plan="\n".join(
            [
                *(f"- {line}" for line in plan.back_out),
                f"The state to come back to is the one that was observed then. {verdict(plan)}",
            ]
        ),
        test_plan="\n".join(tests or ["- every step reads back what it changed"]),
        risk_and_impact="\n".join([*(impact or ["No impact expected."]), report]),
        estimated_duration=estimated_duration(plan),
        approval_text="\n".join(
            [
                f"{plan.procedure} on cluster {plan.cluster_id}: {size}.",
                f"An approval is for digest {plan.digest}.",
                *impact,
                report,
            ]
        ),
    )


def _felt(impact: Impact) -> str:
    """The figures behind the sentence."""
    noticed = [
        f"new calls refused for about {_minutes(impact.refusing)}" if impact.calls_refused else "",
        "calls in progress may be dropped" if impact.calls_dropped else "",
        "registrations lost" if impact.registrations_lost else "",
        f"{impact.restarts} restart(s), away for about {_minutes(impact.outage)}"
        if impact.restarts
        else "",
    ]
    felt = "; ".join(filter(None, noticed)) or "nothing is refused or dropped"
    if not impact.demanded.restarts:
        return f"[{felt}]"
    dropped = " and drops calls" if impact.demanded.calls_dropped else ""
    return (
        f"[{felt}; where an alarm demands it, it restarts{dropped}, away for about"
        f" {_minutes(impact.demanded.outage)}]"
    )


def verdict(plan: Plan) -> str:
    """The preflight report in one line, and where it can be read."""
    count = Counter(finding.severity for finding in plan.findings)
    starts = "A finding forbids starting" if plan.blockers else "Nothing forbids starting"
    return (
        f"Preflight of {plan.created_at:%Y-%m-%d %H:%M} UTC: {starts};"
        f" {count[Severity.BLOCKER]} blocker(s), {count[Severity.WARNING]} warning(s),"
        f" {count[Severity.UNKNOWN]} point(s) that only people can state."
        f" Report: /v1/plans/{plan.id}/report"
    )


def preflight(plan: Plan) -> str:
    """The preflight report as text: the verdict, then each finding with what to do."""
    lines = [verdict(plan)]
    for finding in plan.findings:
        word = "to be stated" if finding.severity is Severity.UNKNOWN else "remedy"
        cites = f" [{', '.join(finding.requirements)}]" if finding.requirements else ""
        severity = finding.severity.value
        lines.append(f"- {severity}: {finding.message} ({word}: {finding.remedy}){cites}")
    return "\n".join(lines)


def estimated_duration(plan: Plan) -> str:
    """How long it takes, by stage, and what is not in the figure."""
    longest = max((len(stage.title) for stage in plan.stages), default=0)
    stages = [
        f"- {stage.title:{longest}}  {_minutes(sum(step.expected for step in stage.steps))}"
        for stage in plan.stages
    ]
    people = sum(1 for step in plan.steps if step.attestation)
    waits = f"; {people} step(s) may wait for a person's word" if people else ""
    about = f"About {_minutes(plan.expected)}."
    without = f"Waits for people, approvals and windows are not in it{waits}."
    return "\n".join([f"{about} {without}", *stages])


def work_notes(job: JobRecord) -> str:
    """What to write into the change while the job goes on: where it stands, who said what."""
    over = f"{sum(step.state in OVER for step in job.steps)} of {len(job.steps)} step(s) over"
    lines = [f"Job {job.id} ({job.plan.procedure}) is {job.state.value}: {over}."]
    titles = {step.key: step.title for step in job.plan.steps}
    if job.wait is not None and job.state is JobState.WAITING:
        lines.append(f"Waits for {job.wait.reason.value}: {job.wait.note}")
    elif job.current is not None and not job.state.ended:
        lines.append(f"At: {titles[job.current.key]}")
    lines += _asked(job)
    lines += _people(job)
    if job.state.ended:
        lines += _how_it_went(job)
    return "\n".join(lines)


def close_notes(job: JobRecord) -> str:
    """What to paste into the change when it is closed; of a job under way, that it is not over."""
    here = f"/v1/jobs/{job.id}"
    if not job.state.ended:
        return f"Job {job.id} ({job.plan.procedure}) has not ended: {job.state.value}."
    titles = {step.key: step.title for step in job.plan.steps}
    lines = [f"Job {job.id} ({job.plan.procedure}) ended: {job.state.value}."]
    if job.started_at is not None and job.finished_at is not None:
        seconds = (job.finished_at - job.started_at).total_seconds()
        lines.append(
            f"From {_time(job.started_at)} to {_time(job.finished_at)} ({_minutes(seconds)})."
        )
    lines += _people(job)
    for record in job.steps:
        if record.state is StepState.PENDING:
            continue
        outcome = f" ({record.outcome})" if record.outcome else ""
        lines.append(f"- {record.state.value}: {titles[record.key]}{outcome}")
    lines += _how_it_went(job)
    lines.append(f"Evidence: {here}/evidence")
    return "\n".join(lines)


def _how_it_went(job: JobRecord) -> Iterator[str]:
    """What went wrong and where the way out is; nothing where all is well."""
    if job.failure is not None:
        yield f"Failure: {job.failure.message} Remedy: {job.failure.remedy}"
    if job.state is not JobState.SUCCEEDED:
        yield f"Recovery: /v1/jobs/{job.id}/recovery"


def _asked(job: JobRecord) -> Iterator[str]:
    """What people have asked of a job that has not stopped yet."""
    if job.state.ended:
        return
    if job.cancel_requested:
        yield "A cancel was asked for: it stops at the next safe point."
    elif job.pause_requested:
        yield "A pause was asked for: it waits at the next safe point."


def _people(job: JobRecord) -> Iterator[str]:
    """Who approved, stated and set aside what, and why, in their own words."""
    for decision in job.decisions:
        yield (
            f"{decision.verdict.value.capitalize()} by {decision.by} at {_time(decision.at)}"
            f" (plan {decision.digest[:12]}): {decision.reason}"
        )
    for stated in job.attestations.values():
        yield (
            f"Stated by {stated.by} at {_time(stated.recorded_at)}: {stated.gate}: {stated.reason}"
        )
    titles = {step.key: step.title for step in job.plan.steps}
    for record in job.steps:
        if record.outcome == SKIPPED_BY_OPERATOR:
            when = f" at {_time(record.finished_at)}" if record.finished_at else ""
            yield f"Set aside by an operator{when}: {titles[record.key]}: {record.note}"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
