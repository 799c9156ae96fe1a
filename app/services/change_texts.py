"""A plan and a finished job in the words a change form asks for. Plain text, no secrets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from app.domain.finding import Severity
from app.domain.job import StepState
from app.domain.plan import Plan
from app.engine.records import JobRecord


@dataclass(frozen=True, slots=True)
class ChangeTexts:
    """The fields of a change form."""

    implementation_plan: str
    backout_plan: str
    test_plan: str
    risk_and_impact: str
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
    impact = [f"{entry.peer_id}: {entry.summary}" for entry in plan.impact]
    report = preflight(plan)
    size = f"{len(plan.steps)} step(s), about {plan.expected / 60:.0f} min"
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
        approval_text="\n".join(
            [
                f"{plan.procedure} on cluster {plan.cluster_id}: {size}.",
                f"An approval is for digest {plan.digest}.",
                *impact,
                report,
            ]
        ),
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


def close_notes(job: JobRecord) -> str:
    """What to paste into the change when it is closed."""
    titles = {step.key: step.title for step in job.plan.steps}
    lines = [f"Job {job.id} ({job.plan.procedure}) ended: {job.state.value}."]
    for record in job.steps:
        if record.state is StepState.PENDING:
            continue
        outcome = f" ({record.outcome})" if record.outcome else ""
        lines.append(f"- {record.state.value}: {titles[record.key]}{outcome}")
    if job.failure is not None:
        lines.append(f"Failure: {job.failure.message} Remedy: {job.failure.remedy}")
    return "\n".join(lines)
