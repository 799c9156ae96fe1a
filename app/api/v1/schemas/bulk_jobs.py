"""Bulk jobs as readers see them: the counts, the waves, and every child with its job."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from pydantic import ConfigDict, Field

from app.api.v1.schemas.bulk_starting import SELECTED
from app.api.v1.schemas.clusters import LabelRead
from app.api.v1.schemas.problem import ProblemError
from app.api.v1.schemas.starting import Change, Correlation
from app.api.v1.schemas.words import CLUSTER, JOB, LINES, PLAN, TIME, Asked, Flag, NextCursor, Told
from app.domain.bulk import BulkState, Child, ChildState, Counts, Stop, StopCode, Trouble
from app.domain.job import JobState, WaitReason
from app.services.bulk_jobs import BulkNow, would_not_begin
from app.services.bulk_records import BulkJob, ChildNow
from app.services.records import RegisteredCluster

BULK = "bulk-06f3k2m8q1v5x7z9b2d4f6h8j0"


class BulkCounts(Told):
    """How many clusters stand where."""

    total: int = Field(description="All.", examples=[6])
    pending: int = Field(description="Their turn has not come.", examples=[3])
    started: int = Field(description="Their job has not ended.", examples=[1])
    succeeded: int = Field(description="Their job did.", examples=[2])
    failed: int = Field(description="Their job failed.", examples=[0])
    cancelled: int = Field(description="Their job was cancelled.", examples=[0])
    refused: int = Field(description="Their start was refused.", examples=[0])
    not_started: int = Field(description="Stopped before their turn.", examples=[0])


class BulkStop(Told):
    """That no further cluster is begun, and why."""

    code: StopCode = Field(description="The kind of reason.", examples=["too-many-failures"])
    message: str = Field(description="In words.", examples=["1 did not succeed (1 failed)"])
    at: datetime = Field(description="Since when.", examples=[TIME])
    by: str = Field(description="Who cancelled it; empty: it stopped by itself.")
    cancel_running: bool = Field(description="Whether the jobs under way are cancelled too.")


class BulkTrouble(Told):
    """Why a child did not succeed."""

    code: str = Field(
        description="The code of its job's failure, or of the problem that refused its start.",
        examples=["plan-blocked"],
    )
    message: str = Field(description="In words.", examples=["1 finding(s) forbid starting"])
    remedy: str = Field(description="What to do.")
    findings: list[ProblemError] = Field(description="What was found, where it was refused.")


class BulkChildRead(Told):
    """One cluster of a bulk job."""

    cluster_id: str = Field(description="The cluster.", examples=[CLUSTER])
    cluster_name: str = Field(description="Its name.", examples=["cluster.example.com"])
    position: int = Field(description="Its place, from 1.", examples=[1])
    state: ChildState = Field(description="Where it stands.", examples=["started"])
    job_id: str | None = Field(description="Its job; null: none was made.", examples=[JOB])
    job_url: str | None = Field(description="Where to read that job.")
    job_state: JobState | None = Field(
        description="How its job stands now; a job that failed may have been retried since.",
        examples=["running"],
    )
    waiting_for: WaitReason | None = Field(description="What its job waits for.")
    plan_id: str | None = Field(description="The plan of that job.", examples=[PLAN])
    trouble: BulkTrouble | None = Field(description="Why it did not succeed.")
    decided_at: datetime | None = Field(description="When its job began, or else ended.")


class BulkWaveRead(Told):
    """Clusters that are worked on together."""

    number: int = Field(description="From 1; they come one after the other.", examples=[1])
    children: list[BulkChildRead] = Field(description="By position.")


class BulkLinks(Told):
    """Where to go from here."""

    self: str = Field(description="This bulk job.")
    cancel: str = Field(description="POST stops it; GET says what that would mean.")
    jobs: str = Field(description="The jobs it has started.")


_SUMMARY: dict[str, Any] = {
    "id": BULK,
    "procedure": "backup",
    "parameters": {"peer_ids": []},
    "selector": SELECTED,
    "wave_size": 2,
    "stop_after_failures": 1,
    "state": "running",
    "stop": None,
    "counts": {
        "total": 6,
        "pending": 3,
        "started": 1,
        "succeeded": 2,
        "failed": 0,
        "cancelled": 0,
        "refused": 0,
        "not_started": 0,
    },
    "change": {"system": "servicenow", "number": "CHG0031234"},
    "correlation": None,
    "requested_by": "key-1",
    "version": 7,
    "created_at": TIME,
    "finished_at": None,
    "links": {
        "self": f"https://clusterway.example.com/v1/bulk-jobs/{BULK}",
        "cancel": f"https://clusterway.example.com/v1/bulk-jobs/{BULK}/cancel",
        "jobs": f"https://clusterway.example.com/v1/jobs?bulk_job_id={BULK}",
    },
}


class SelectorRead(Told):
    """Which clusters were asked for."""

    labels: list[LabelRead] = Field(description="Clusters that have all of these.")
    cluster_ids: list[str] = Field(description="Clusters by id.", examples=[[CLUSTER]])


class BulkJobSummary(Told):
    """A bulk job without its children."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SUMMARY]})

    id: str = Field(description="The bulk job.")
    procedure: str = Field(description="The procedure.")
    parameters: dict[str, Any] = Field(description="Its parameters.")
    selector: SelectorRead = Field(description="Which clusters were asked for.")
    wave_size: int = Field(description="How many at once.")
    stop_after_failures: int = Field(description="How many failures stop it.")
    state: BulkState = Field(description="Where it stands.")
    stop: BulkStop | None = Field(description="Why no further cluster is begun.")
    counts: BulkCounts = Field(description="How many clusters stand where.")
    change: Change | None = Field(description="The caller's change record, on every job too.")
    correlation: Correlation | None = Field(description="The caller's block, on every job too.")
    requested_by: str = Field(description="The key that started it.")
    version: int = Field(description="One more with every change.")
    created_at: datetime = Field(description="When it was asked for.")
    finished_at: datetime | None = Field(description="When it ended.")
    links: BulkLinks = Field(description="Where to go from here.")


class BulkJobRead(BulkJobSummary):
    """A bulk job with its waves."""

    waves: list[BulkWaveRead] = Field(default_factory=list, description="In their order.")


class BulkJobList(Told):
    """A page of bulk jobs."""

    items: list[BulkJobSummary] = Field(description="Newest first.")
    next_cursor: NextCursor = None


class BulkPreviewCluster(Told):
    """A cluster that would be worked on."""

    cluster_id: str = Field(description="The cluster.", examples=[CLUSTER])
    cluster_name: str = Field(description="Its name.", examples=["cluster.example.com"])


class BulkPreviewWave(Told):
    """Clusters that would be worked on together."""

    number: int = Field(description="From 1.", examples=[1])
    clusters: list[BulkPreviewCluster] = Field(description="In their order.")


class BulkPreviewRead(Told):
    """The clusters a selector finds now, in their waves."""

    total: int = Field(description="How many clusters.", examples=[6])
    waves: list[BulkPreviewWave] = Field(description="In their order.")


class BulkCancelCreate(Asked):
    """Why a bulk job is to stop, and how far."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "window closed", "cancel_running": False}]}
    )

    reason: str = Field(
        default="", max_length=4000, pattern=LINES, description="For the record.",
        examples=["window closed"],
    )  # fmt: skip
    cancel_running: Flag = Field(
        default=False,
        description="Cancel the jobs that are under way too, each at its next safe point.",
        examples=[False],
    )


class BulkCancelPreview(Told):
    """What a cancel would mean now."""

    bulk_job_id: str = Field(description="The bulk job.", examples=[BULK])
    possible: bool = Field(description="Whether it can still be cancelled.", examples=[True])
    never_begun: list[BulkChildRead] = Field(description="Clusters that would not be begun.")
    under_way: list[BulkChildRead] = Field(
        description="Clusters whose job goes on to its end, or with `cancel_running` to its next "
        "safe point."
    )


def bulk_read(found: BulkNow, base: str) -> BulkJobRead:
    """With its waves."""
    waves = groupby(found.children, key=lambda one: one.child.wave)
    return BulkJobRead(
        **_fields(found.bulk, base),
        waves=[
            BulkWaveRead(number=number, children=[_child(one, base) for one in children])
            for number, children in waves
        ],
    )


def bulk_summary(bulk: BulkJob, base: str) -> BulkJobSummary:
    """Without its waves."""
    return BulkJobSummary(**_fields(bulk, base))


def bulk_preview(clusters: Sequence[RegisteredCluster], wave_size: int) -> BulkPreviewRead:
    """The clusters in their waves."""
    return BulkPreviewRead(
        total=len(clusters),
        waves=[
            BulkPreviewWave(
                number=number,
                clusters=[
                    BulkPreviewCluster(cluster_id=one.cluster.id, cluster_name=one.cluster.name)
                    for one in clusters[first : first + wave_size]
                ],
            )
            for number, first in enumerate(range(0, len(clusters), wave_size), start=1)
        ],
    )


def bulk_cancel_preview(found: BulkNow, base: str) -> BulkCancelPreview:
    """As a reader sees it."""
    never = {child.cluster_id for child in would_not_begin(found)}
    return BulkCancelPreview(
        bulk_job_id=found.bulk.id,
        possible=not found.bulk.state.ended,
        never_begun=[_child(one, base) for one in found.children if one.child.cluster_id in never],
        under_way=[
            _child(one, base) for one in found.children if one.child.state is ChildState.STARTED
        ],
    )


def _fields(bulk: BulkJob, base: str) -> dict[str, Any]:
    here = f"{base}/v1/bulk-jobs/{bulk.id}"
    return {
        "id": bulk.id,
        "procedure": bulk.procedure,
        "parameters": dict(bulk.parameters),
        "selector": SelectorRead.model_validate(bulk.selector),
        "wave_size": bulk.wave_size,
        "stop_after_failures": bulk.stop_after,
        "state": bulk.state,
        "stop": _stop(bulk.stop),
        "counts": _counts(bulk.counts),
        "change": bulk.request.change,
        "correlation": bulk.request.correlation,
        "requested_by": bulk.owner_id,
        "version": bulk.version,
        "created_at": bulk.created_at,
        "finished_at": bulk.finished_at,
        "links": BulkLinks(
            self=here, cancel=f"{here}/cancel", jobs=f"{base}/v1/jobs?bulk_job_id={bulk.id}"
        ),
    }


def _counts(counts: Counts) -> BulkCounts:
    return BulkCounts(total=counts.total, **{state.value: counts[state] for state in ChildState})


def _stop(stop: Stop | None) -> BulkStop | None:
    return None if stop is None else BulkStop.model_validate(stop)


def _child(now: ChildNow, base: str) -> BulkChildRead:
    child: Child = now.child
    return BulkChildRead(
        cluster_id=child.cluster_id,
        cluster_name=now.cluster_name,
        position=child.position,
        state=child.state,
        job_id=child.job_id,
        job_url=None if child.job_id is None else f"{base}/v1/jobs/{child.job_id}",
        job_state=now.job_state,
        waiting_for=now.job_waits_for if now.job_state is JobState.WAITING else None,
        plan_id=child.plan_id,
        trouble=_trouble(child.trouble),
        decided_at=child.decided_at,
    )


def _trouble(trouble: Trouble | None) -> BulkTrouble | None:
    if trouble is None:
        return None
    return BulkTrouble(
        code=trouble.code,
        message=trouble.message,
        remedy=trouble.remedy,
        findings=[ProblemError.model_validate(item) for item in trouble.items],
    )
