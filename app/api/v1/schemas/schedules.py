"""Schedules, and what became of their occurrences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from app.api.v1.schemas.words import CLUSTER, JOB, TIME, NextCursor, Told
from app.services.schedule_records import RunOutcome, Schedule, ScheduleRun, ScheduleState

SCHEDULE = "schedule-06f3k2m8q1v5x7z9b2d4f6h8j0"


class ScheduleRead(Told):
    """A start request that is carried out at its times."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": SCHEDULE,
                    "schedule_name": "Nightly backup",
                    "cluster_id": CLUSTER,
                    "procedure": "backup",
                    "parameters": {},
                    "time_zone": "Europe/Berlin",
                    "start": "2027-01-04T03:00:00",
                    "recurrence": "FREQ=DAILY",
                    "grace_seconds": 3600,
                    "change": None,
                    "owner_id": "key-1",
                    "scopes": ["jobs:run"],
                    "state": "active",
                    "next_at": "2027-01-04T02:00:00Z",
                    "version": 1,
                    "created_at": TIME,
                }
            ]
        }
    )

    id: str = Field(description="The schedule.")
    schedule_name: str = Field(description="What people call it.")
    cluster_id: str = Field(description="The cluster its jobs change.")
    procedure: str = Field(description="The procedure.")
    parameters: dict[str, Any] = Field(description="Its parameters.")
    time_zone: str = Field(description="IANA name.")
    start: str = Field(description="When it is first due, local time.")
    recurrence: str = Field(description="RRULE by days; empty: once.")
    grace_seconds: float = Field(description="How late an occurrence may be.")
    change: dict[str, Any] | None = Field(description="The change record of every job.")
    owner_id: str = Field(description="Who made it; its jobs are requested by this principal.")
    scopes: list[str] = Field(description="What the owner held when it was made.")
    state: ScheduleState = Field(description="Where it stands.")
    next_at: datetime | None = Field(description="When it is due next; null: not any more.")
    version: int = Field(description="Row version.")
    created_at: datetime = Field(description="When it was made.")


class ScheduleList(Told):
    """A page of schedules."""

    items: list[ScheduleRead] = Field(description="In the order they were made.")
    next_cursor: NextCursor = None


class UpcomingList(Told):
    """When it is due next."""

    items: list[datetime] = Field(description="In order.", examples=[["2027-01-04T02:00:00Z"]])


class ScheduleRunRead(Told):
    """What became of one occurrence."""

    at: datetime = Field(description="When it was due.", examples=[TIME])
    outcome: RunOutcome = Field(description="What became of it.", examples=["started"])
    job_id: str | None = Field(description="The job it started.", examples=[JOB])
    code: str = Field(description="Why not: a problem's code, `too-late`, `previous-not-ended`.")
    detail: str = Field(description="The same in words.")
    decided_at: datetime = Field(description="When that was decided.", examples=[TIME])


class ScheduleRunList(Told):
    """What became of the occurrences."""

    items: list[ScheduleRunRead] = Field(description="Newest first.")
    before: datetime | None = Field(
        description="Ask for `before` this for older ones; null: no more."
    )


def schedule_read(schedule: Schedule) -> ScheduleRead:
    """As a reader sees it."""
    return ScheduleRead(
        id=schedule.id,
        schedule_name=schedule.name,
        cluster_id=schedule.cluster_id,
        procedure=schedule.procedure,
        parameters=dict(schedule.parameters),
        time_zone=schedule.timing.zone,
        start=schedule.timing.start.isoformat(),
        recurrence=schedule.timing.rule,
        grace_seconds=schedule.grace,
        change=None if schedule.change is None else dict(schedule.change),
        owner_id=schedule.owner_id,
        scopes=list(schedule.scopes),
        state=schedule.state,
        next_at=schedule.next_at,
        version=schedule.version,
        created_at=schedule.created_at,
    )


def runs_read(runs: Sequence[ScheduleRun], limit: int) -> ScheduleRunList:
    """As a reader sees them."""
    return ScheduleRunList(
        items=[ScheduleRunRead.model_validate(run) for run in runs],
        before=runs[-1].at if len(runs) == limit else None,
    )
