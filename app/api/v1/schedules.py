"""`/v1/schedules`: start requests that are carried out at their times, and the jobs they made.

A schedule is made below the procedure it starts, because that is where its parameters are known.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from app.api import links
from app.api.dependencies import (
    Cursor,
    IfMatch,
    JobsReader,
    JobsRunner,
    Limit,
    ServicesOf,
    from_cursor,
    to_cursor,
)
from app.api.problems import responses
from app.api.v1.schemas.schedules import (
    SCHEDULE,
    ScheduleList,
    ScheduleRead,
    ScheduleRunList,
    UpcomingList,
    runs_read,
    schedule_read,
)
from app.api.v1.schemas.words import IDENTIFIER, TIME, Moment
from app.services.conditions import tag
from app.services.schedule_records import Schedule, ScheduleState

ScheduleId = Annotated[
    str, Path(pattern=IDENTIFIER, description="A schedule.", examples=[SCHEDULE])
]

router = APIRouter(prefix="/v1/schedules", tags=["schedules"], redirect_slashes=False)
_CHANGING = responses(
    "not-found", "schedule-stopped", "precondition-failed", "precondition-required"
)


@router.get(
    "",
    operation_id="listSchedules",
    summary="List schedules",
    responses=responses("invalid-cursor"),
)
async def list_all(
    *,
    request: Request,
    response: Response,
    _caller: JobsReader,
    services: ServicesOf,
    limit: Limit = 50,
    cursor: Cursor = None,
    cluster_id: Annotated[
        str | None, Query(pattern=IDENTIFIER, description="Only schedules of this cluster.")
    ] = None,
) -> ScheduleList:
    """Schedules, stopped ones too."""
    page = await services.schedules.page(cluster_id, from_cursor(cursor), limit)
    following = to_cursor(page.next)
    links.announce_next(request, response, following)
    return ScheduleList(items=[schedule_read(item) for item in page.items], next_cursor=following)


@router.get(
    "/{schedule_id}",
    operation_id="getSchedule",
    summary="Read a schedule",
    responses=responses("not-found"),
)
async def get(
    *, response: Response, schedule_id: ScheduleId, _caller: JobsReader, services: ServicesOf
) -> ScheduleRead:
    """One schedule."""
    return _told(response, await services.schedules.get(schedule_id))


@router.get(
    "/{schedule_id}/upcoming",
    operation_id="listUpcoming",
    summary="See when a schedule is due next",
    responses=responses("not-found"),
)
async def upcoming(
    *,
    schedule_id: ScheduleId,
    _caller: JobsReader,
    services: ServicesOf,
    count: Annotated[int, Query(ge=1, le=100, description="How many at most.", examples=[5])] = 5,
) -> UpcomingList:
    """None where it is paused or stopped. A job may then wait for its window all the same."""
    return UpcomingList(items=list(await services.schedules.upcoming(schedule_id, count)))


@router.get(
    "/{schedule_id}/runs",
    operation_id="listScheduleRuns",
    summary="See what became of a schedule's occurrences",
    responses=responses("not-found"),
)
async def runs(
    *,
    schedule_id: ScheduleId,
    _caller: JobsReader,
    services: ServicesOf,
    before: Annotated[Moment | None, Query(description="Only older ones.", examples=[TIME])] = None,
    limit: Limit = 50,
) -> ScheduleRunList:
    """Each occurrence once: the job it started, or why it started none."""
    return runs_read(await services.schedules.runs(schedule_id, before, limit), limit)


@router.post(
    "/{schedule_id}/pause",
    operation_id="pauseSchedule",
    summary="Pause a schedule",
    responses=_CHANGING,
)
async def pause(
    *,
    response: Response,
    schedule_id: ScheduleId,
    _caller: JobsRunner,
    services: ServicesOf,
    if_match: IfMatch,
) -> ScheduleRead:
    """What falls due while it is paused is not made up for. Jobs it has started go on."""
    changed = await services.schedules.change_state(schedule_id, ScheduleState.PAUSED, if_match)
    return _told(response, changed)


@router.post(
    "/{schedule_id}/resume",
    operation_id="resumeSchedule",
    summary="Let a schedule go on",
    responses=_CHANGING,
)
async def resume(
    *,
    response: Response,
    schedule_id: ScheduleId,
    _caller: JobsRunner,
    services: ServicesOf,
    if_match: IfMatch,
) -> ScheduleRead:
    """It is due at its next time from now on."""
    changed = await services.schedules.change_state(schedule_id, ScheduleState.ACTIVE, if_match)
    return _told(response, changed)


@router.post(
    "/{schedule_id}/stop",
    operation_id="stopSchedule",
    summary="Stop a schedule for good",
    responses=_CHANGING,
)
async def stop(
    *,
    response: Response,
    schedule_id: ScheduleId,
    _caller: JobsRunner,
    services: ServicesOf,
    if_match: IfMatch,
) -> ScheduleRead:
    """It stays readable and starts nothing any more. Jobs it has started go on."""
    changed = await services.schedules.change_state(schedule_id, ScheduleState.STOPPED, if_match)
    return _told(response, changed)


def _told(response: Response, schedule: Schedule) -> ScheduleRead:
    response.headers["ETag"] = tag(schedule.id, schedule.version)
    return schedule_read(schedule)
