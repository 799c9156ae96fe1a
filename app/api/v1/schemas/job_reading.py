"""Jobs, events and backups of the services, in the words of the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.api.v1.schemas.jobs import (
    AttestationRead,
    BackupRead,
    CancelPreview,
    EventRead,
    FailureRead,
    JobLinks,
    JobRead,
    JobResult,
    JobStageRead,
    JobStepRead,
    JobSummary,
    TermsRead,
    WaitingRead,
)
from app.api.v1.schemas.plans import PlannedStepRead, planned_step_read
from app.domain.job import Event, JobState, StepFailure, StepRecord, StepState
from app.services import change_texts
from app.services.jobs import JobRecord, Preview, legal_actions
from app.services.records import Backup

_OVER = frozenset({StepState.DONE, StepState.SKIPPED})


def job_read(job: JobRecord, base: str) -> JobRead:
    """With stages and steps."""
    records = {record.key: record for record in job.steps}
    stages = [
        JobStageRead(
            key=stage.key,
            title=stage.title,
            page=stage.page,
            steps=[_step(planned_step_read(step), records[step.key]) for step in stage.steps],
        )
        for stage in job.plan.stages
    ]
    return JobRead(**_fields(job, base), stages=stages, work_notes=change_texts.work_notes(job))


def job_summary(job: JobRecord, base: str) -> JobSummary:
    """Without stages and steps."""
    return JobSummary(**_fields(job, base))


def job_result(job: JobRecord) -> JobResult:
    """How it ended."""
    return JobResult(
        job_id=job.id,
        state=job.state,
        succeeded=job.state is JobState.SUCCEEDED,
        finished_at=job.finished_at,
        steps_done=sum(step.state in _OVER for step in job.steps),
        steps_total=len(job.steps),
        failure=_failure(job.failure),
        close_notes=change_texts.close_notes(job),
    )


def cancel_preview(preview: Preview) -> CancelPreview:
    """As a reader sees it."""
    after = preview.stops_after
    return CancelPreview(
        job_id=preview.job.id,
        possible=not preview.job.state.ended,
        stops_at_once=after is None,
        stops_after=None if after is None else planned_step_read(after),
        still_run=[planned_step_read(step) for step in preview.still_run],
        left_undone=[planned_step_read(step) for step in preview.undone],
    )


def event_read(event: Event) -> EventRead:
    """As a reader sees it."""
    return EventRead(
        job_id=event.job_id, seq=event.seq, at=event.at, type=event.type, data=dict(event.data)
    )


def backup_read(backup: Backup) -> BackupRead:
    """As a reader sees it."""
    return BackupRead(
        id=backup.id,
        job_id=backup.job_id,
        peer_id=backup.peer_id,
        step=backup.step_key,
        file_name=backup.file_name,
        size=backup.size,
        sha256=backup.sha256,
    )


def _fields(job: JobRecord, base: str) -> dict[str, Any]:
    here = f"{base}/v1/jobs/{job.id}"
    waiting: WaitingRead | None = None
    if job.wait is not None and job.state is JobState.WAITING:
        waiting = WaitingRead(
            reason=job.wait.reason,
            note=job.wait.note,
            step=job.wait.step,
            since=job.wait.since,
            until=job.wake_at,
        )
    details: Mapping[str, Any] = job.details
    over = sum(step.state in _OVER for step in job.steps)
    return {
        "id": job.id,
        "cluster_id": job.cluster_id,
        "procedure": job.plan.procedure,
        "plan_id": job.plan.id,
        "plan_digest": job.plan.digest,
        "state": job.state,
        "waiting": waiting,
        "progress": over / len(job.steps) if job.steps else 1.0,
        "cancel_requested": job.cancel_requested,
        "pause_requested": job.pause_requested,
        "actions": list(legal_actions(job)),
        "rerun_of": details.get("rerun_of"),
        "bulk_job_id": details.get("bulk_job_id"),
        "failure": _failure(job.failure),
        "attestations": [
            AttestationRead.model_validate(attestation) for attestation in job.attestations.values()
        ],
        "terms": TermsRead.model_validate(job.terms),
        "approval": job.approval,
        "change": details.get("change"),
        "correlation": details.get("correlation"),
        "requested_by": job.requested_by,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "last_event_seq": job.last_event_seq,
        "links": JobLinks(
            self=here,
            events=f"{here}/events",
            result=f"{here}/result",
            cancel=f"{here}/cancel",
            plan=f"{base}/v1/plans/{job.plan.id}",
            cluster=f"{base}/v1/clusters/{job.cluster_id}",
            backups=f"{here}/backups",
            transcript=f"{here}/transcript",
            evidence=f"{here}/evidence",
            observations=f"{here}/observations",
            approvals=f"{here}/approvals",
            reruns=f"{base}/v1/jobs?rerun_of={job.id}",
        ),
    }


def _step(planned: PlannedStepRead, record: StepRecord) -> JobStepRead:
    return JobStepRead(
        key=planned.key,
        title=planned.title,
        peer_id=planned.peer_id,
        requirements=planned.requirements,
        state=record.state,
        attempt=record.attempt,
        outcome=record.outcome,
        progress=record.progress,
        note=record.note,
        attestation=planned.attestation,
        statement=planned.statement,
        started_at=record.started_at,
        acted_at=record.acted_at,
        finished_at=record.finished_at,
        seen_before=dict(record.before),
        seen_last=dict(record.seen),
        failure=_failure(record.failure),
    )


def _failure(failure: StepFailure | None) -> FailureRead | None:
    if failure is None:
        return None
    return FailureRead(
        code=failure.code,
        message=failure.message,
        remedy=failure.remedy,
        requirements=list(failure.requirements),
    )
