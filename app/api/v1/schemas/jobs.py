"""Jobs: a plan being carried out, step by step."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from app.api.v1.schemas.plans import DIGEST, PlannedStepRead
from app.api.v1.schemas.starting import Change, Correlation
from app.api.v1.schemas.words import (
    CLUSTER,
    JOB,
    LINES,
    PLAN,
    TIME,
    Asked,
    Flag,
    Line,
    NextCursor,
    Told,
    Words,
)
from app.domain.job import JobState, StepState, WaitReason
from app.domain.terms import ApprovalState


class FailureRead(Told):
    """Why a step or job ended badly."""

    code: str = Field(description="Stable code.", examples=["restart-took-too-long"])
    message: str = Field(description="What happened.", examples=["exp2 did not come back."])
    remedy: str = Field(description="What to do.", examples=["Look at the console of exp2."])
    requirements: list[str] = Field(description="The guide's requirements.", examples=[["NEW-07"]])


class JobStepRead(Told):
    """A step and where it stands."""

    key: str = Field(description="Unique in the job.", examples=["backup-exp1"])
    title: str = Field(description="What is done.", examples=["Back up exp1"])
    peer_id: str | None = Field(description="The peer it is done on.")
    requirements: list[str] = Field(description="The guide's requirements.", examples=[["NEW-07"]])
    state: StepState = Field(description="Where it stands.", examples=["done"])
    attempt: int = Field(description="How often it has acted.", examples=[1])
    outcome: str = Field(description="How it ended.", examples=["already_true"])
    progress: float = Field(description="From 0 to 1.", examples=[1.0])
    note: str = Field(description="One line for people.", examples=["3 calls left"])
    attestation: str | None = Field(description="The gate it waits for, if any.")
    statement: str | None = Field(description="What an operator states there.")
    started_at: datetime | None = Field(description="When it began.")
    acted_at: datetime | None = Field(description="When it last acted on the peer.")
    finished_at: datetime | None = Field(description="When it ended.")
    seen_before: dict[str, Any] = Field(description="What was seen before it acted.")
    seen_last: dict[str, Any] = Field(description="What was seen last.")
    failure: FailureRead | None = Field(description="Why it failed.")


class JobStageRead(Told):
    """Steps that belong together."""

    key: str = Field(description="Unique in the job.", examples=["prepare"])
    title: str = Field(description="The guide's heading.", examples=["Prerequisites"])
    page: str = Field(description="The guide's page.", examples=["5"])
    steps: list[JobStepRead] = Field(description="In the order they run.")


class WaitingRead(Told):
    """What a waiting job waits for."""

    reason: WaitReason = Field(description="The kind of wait.", examples=["attestation"])
    note: str = Field(description="In one line.", examples=["waits for firewall-open"])
    step: str = Field(description="The step that waits.", examples=["attest-firewall"])
    since: datetime | None = Field(
        description="Since when it waits for this at this step. A restart of the service, or of "
        "the worker that has the job, does not change it."
    )
    until: datetime | None = Field(description="When it looks again; null: when somebody acts.")


class AttestationRead(Told):
    """What an operator stated."""

    gate: str = Field(description="The gate.", examples=["firewall-open"])
    by: str = Field(description="Who states it.", examples=["A. Operator"])
    reason: str = Field(description="How they know.", examples=["Seen in the firewall's rules."])
    recorded_for: str = Field(description="The key that sent it.", examples=["key-1"])
    recorded_at: datetime = Field(description="When.", examples=[TIME])


class TermsRead(Told):
    """What must hold before the job begins and while it goes on; fixed when it was started."""

    approvals: int = Field(description="How many people must approve it.", examples=[1])
    four_eyes: bool = Field(description="Whether the requester may not decide.", examples=[True])
    approve_before: datetime | None = Field(description="Else it ends.", examples=[TIME])
    not_before: datetime | None = Field(description="The scheduled start.", examples=[TIME])
    enforce_window: bool = Field(description="Whether it goes on inside a window only.")
    window_ids: list[str] = Field(description="The windows it runs in.", examples=[[]])


class JobLinks(Told):
    """Where to go from here."""

    self: str = Field(description="This job.")
    events: str = Field(description="Its events.")
    result: str = Field(description="202 until it ends, then 200.")
    cancel: str = Field(description="POST stops it; GET says what that would mean.")
    plan: str = Field(description="Its plan.")
    cluster: str = Field(description="Its cluster.")
    backups: str = Field(description="Backups it took.")
    transcript: str = Field(description="What it and the peers said to each other.")
    evidence: str = Field(description="All of it, signed.")
    observations: str = Field(description="What its peers said of themselves before and after.")
    approvals: str = Field(description="Who has to agree, and who has.")
    reruns: str = Field(description="The jobs that run it again.")


class JobSummary(Told):
    """A job without its steps."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": JOB,
                    "cluster_id": CLUSTER,
                    "procedure": "create-cluster",
                    "plan_id": PLAN,
                    "plan_digest": DIGEST,
                    "state": "running",
                    "waiting": None,
                    "progress": 0.25,
                    "cancel_requested": False,
                    "pause_requested": False,
                    "actions": ["cancel", "pause"],
                    "rerun_of": None,
                    "bulk_job_id": None,
                    "failure": None,
                    "attestations": [],
                    "terms": {
                        "approvals": 0,
                        "four_eyes": False,
                        "approve_before": None,
                        "not_before": None,
                        "enforce_window": False,
                        "window_ids": [],
                    },
                    "approval": None,
                    "change": {"system": "servicenow", "number": "CHG0031234"},
                    "correlation": {"id": "9d385017c611228701d22104cc95c371"},
                    "requested_by": "key-1",
                    "created_at": TIME,
                    "started_at": TIME,
                    "finished_at": None,
                    "last_event_seq": 4,
                    "links": {
                        name: f"https://clusterway.example.com/v1/{path}"
                        for name, path in {
                            "self": f"jobs/{JOB}",
                            "events": f"jobs/{JOB}/events",
                            "result": f"jobs/{JOB}/result",
                            "cancel": f"jobs/{JOB}/cancel",
                            "plan": f"plans/{PLAN}",
                            "cluster": f"clusters/{CLUSTER}",
                            "backups": f"jobs/{JOB}/backups",
                            "transcript": f"jobs/{JOB}/transcript",
                            "evidence": f"jobs/{JOB}/evidence",
                            "observations": f"jobs/{JOB}/observations",
                            "approvals": f"jobs/{JOB}/approvals",
                            "reruns": f"jobs?rerun_of={JOB}",
                        }.items()
                    },
                }
            ]
        }
    )

    id: str = Field(description="The job.")
    cluster_id: str = Field(description="The cluster it changes.")
    procedure: str = Field(description="The procedure.")
    plan_id: str = Field(description="The plan it carries out.")
    plan_digest: str = Field(description="The digest of that plan.")
    state: JobState = Field(description="Where it stands.")
    waiting: WaitingRead | None = Field(description="What it waits for, in state waiting.")
    progress: float = Field(description="Steps over, from 0 to 1.")
    cancel_requested: bool = Field(description="Whether it will stop at the next safe point.")
    pause_requested: bool = Field(description="Whether it will wait at the next safe point.")
    actions: list[str] = Field(description="What may be done with it as it stands.")
    rerun_of: str | None = Field(description="The job that it runs again.")
    bulk_job_id: str | None = Field(description="The bulk job that it is part of.")
    failure: FailureRead | None = Field(description="Why it failed, or was not begun.")
    attestations: list[AttestationRead] = Field(description="What operators stated.")
    terms: TermsRead = Field(description="What must hold before it begins.")
    approval: ApprovalState | None = Field(
        description="Where its request for approval stands; null where none is needed."
    )
    change: Change | None = Field(description="The caller's change record, untouched.")
    correlation: Correlation | None = Field(description="The caller's block, untouched.")
    requested_by: str = Field(description="The key that started it.")
    created_at: datetime = Field(description="When it was asked for.")
    started_at: datetime | None = Field(description="When it began.")
    finished_at: datetime | None = Field(description="When it ended.")
    last_event_seq: int = Field(description="Number of its newest event.")
    links: JobLinks = Field(description="Where to go from here.")


class JobRead(JobSummary):
    """A job with its stages and steps."""

    stages: list[JobStageRead] = Field(default_factory=list, description="In the order they run.")
    work_notes: str = Field(
        default="",
        description="For the change record, as the job stands now: what it is at or waits for, "
        "who approved, stated and set aside what, and why.",
        examples=["Job job-1 (add-peer) is running: 4 of 36 step(s) over."],
    )


class JobList(Told):
    """A page of jobs."""

    items: list[JobSummary] = Field(description="Newest first.")
    next_cursor: NextCursor = None


class JobResult(Told):
    """How a job ended."""

    job_id: str = Field(description="The job.", examples=[JOB])
    state: JobState = Field(description="How it ended.", examples=["succeeded"])
    succeeded: bool = Field(description="Whether everything was done.", examples=[True])
    finished_at: datetime | None = Field(description="When it ended.", examples=[TIME])
    steps_done: int = Field(description="Steps done or found already true.", examples=[21])
    steps_total: int = Field(description="Steps of the plan.", examples=[21])
    failure: FailureRead | None = Field(description="Why it failed.")
    close_notes: str = Field(
        description="For the change record: how it ended, who approved, stated and set aside what, "
        "and why, every step, and where evidence and recovery are.",
        examples=["Job job-1 (add-peer) ended: succeeded."],
    )


class CancelPreview(Told):
    """What a cancel would mean now."""

    job_id: str = Field(description="The job.", examples=[JOB])
    possible: bool = Field(description="Whether it can still be cancelled.", examples=[True])
    stops_at_once: bool = Field(description="Whether the cluster is consistent now.")
    stops_after: PlannedStepRead | None = Field(description="The next safe point.")
    still_run: list[PlannedStepRead] = Field(description="Steps that run until there.")
    left_undone: list[PlannedStepRead] = Field(description="Steps that would never run.")


class CancelCreate(Asked):
    """Why the job is to stop."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "window closed"}]})

    reason: str = Field(
        default="",
        max_length=4000,
        pattern=LINES,
        description="For the record.",
        examples=["window closed"],
    )


class SkipCreate(Asked):
    """Why a step is set aside."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"reason": "Restarted at its console, seen active.", "settled": True}]
        }
    )

    reason: Words = Field(description="For the record.", examples=["Restarted at its console."])
    settled: Flag = Field(
        default=False,
        description="An operator's word that the effect of a step that acts is there, or was "
        "brought about by hand.",
        examples=[True],
    )


class AttestCreate(Asked):
    """An operator's word for one gate."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"by": "A. Operator", "reason": "Seen in the firewall's rules."}]
        }
    )

    by: Line = Field(description="Who states it.", examples=["A. Operator"])
    reason: Words = Field(description="How they know.", examples=["Seen in the rules."])


class EventRead(Told):
    """One numbered row of a job."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"job_id": JOB, "seq": 1, "at": TIME, "type": "job.started", "data": {}}]
        }
    )

    job_id: str = Field(description="The job.")
    seq: int = Field(description="From 1, without gaps.")
    at: datetime = Field(description="When it happened.")
    type: str = Field(description="What happened.")
    data: dict[str, Any] = Field(description="Details, by type.")


class EventList(Told):
    """Some events."""

    items: list[EventRead] = Field(description="In their order.")
    last_seq: int = Field(description="Send it as `after` for the next ones.", examples=[4])


class BackupRead(Told):
    """A finished backup."""

    id: str = Field(description="The backup.", examples=["backup-1"])
    job_id: str = Field(description="The job that took it.", examples=[JOB])
    peer_id: str = Field(description="The peer it is of.")
    step: str = Field(description="The step that took it.", examples=["backup-exp1"])
    file_name: str = Field(description="The appliance's name for it.", examples=["b.tar.gz"])
    size: int = Field(description="Bytes.", examples=[48211])
    sha256: str = Field(description="Of the plain bytes.", examples=[DIGEST])


class BackupList(Told):
    """The backups of a job."""

    items: list[BackupRead] = Field(description="In the order they were taken.")
