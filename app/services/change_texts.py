"""A plan and a finished job in the words a change form asks for. Plain text, no secrets."""

from __future__ import annotations

from dataclasses import dataclass

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


def of_plan(plan: Plan) -> ChangeTexts:
    """What to paste into the change before it is approved."""
    lines: list[str] = []
    for number, stage in enumerate(plan.stages, start=1):
        page = f" (guide p.{stage.page})" if stage.page else ""
        lines.append(f"{number}. {stage.title}{page}")
        for step in stage.steps:
            mark = " [an operator states this]" if step.attestation else ""
            lines.append(f"   - {step.title} [{', '.join(step.requirements)}]{mark}")
    risks = [f"{entry.peer_id}: {entry.summary}" for entry in plan.impact]
    risks += [f"{f.severity.value}: {f.message} Remedy: {f.remedy}" for f in plan.findings]
    tests = [
        f"- {step.title}"
        for step in plan.steps
        if step.kind.startswith(("verify", "check", "wait"))
    ]
    return ChangeTexts(
        implementation_plan="\n".join(lines),
        backout_plan="\n".join(f"- {line}" for line in plan.back_out),
        test_plan="\n".join(tests or ["- every step reads back what it changed"]),
        risk_and_impact="\n".join(risks) or "No impact expected.",
    )


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
