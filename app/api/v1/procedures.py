"""The catalogue of procedures, and for each one path to plan, one to start and one to schedule.

Those that may be started on many clusters have a path for that too (app.api.v1.bulk_jobs).

The routes are made from the registry, so a new procedure has its own path, body, operationId and
documentation without a line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from app.api import links
from app.api.dependencies import (
    ClustersReader,
    Cursor,
    JobsRunner,
    Limit,
    MaybeOnce,
    RequiredOnce,
    ServicesOf,
    from_cursor,
    to_cursor,
)
from app.api.marks import come_back, created
from app.api.problems import responses
from app.api.v1 import bulk_jobs
from app.api.v1.schemas.forecasts import ForecastRead, forecast_read
from app.api.v1.schemas.job_reading import job_read
from app.api.v1.schemas.jobs import JobRead
from app.api.v1.schemas.plans import PlanList, PlanRead, PlanSummary, plan_read
from app.api.v1.schemas.schedules import ScheduleRead, schedule_read
from app.api.v1.schemas.starting import (
    Bodies,
    ProcedureList,
    ProcedureRead,
    bodies,
    camel,
    procedure_read,
)
from app.api.v1.schemas.words import IDENTIFIER, ClusterId, PlanId
from app.domain.plan import PlanState
from app.procedures.base import Procedure
from app.services.conditions import tag
from app.services.problems import invalid, not_found
from app.services.records import PlanFilter
from app.services.schedules import NewSchedule

Queue = Annotated[
    bool, Query(description="Wait in line behind the job that is at work.", examples=[False])
]
Slug = Annotated[
    str, Path(pattern=IDENTIFIER, description="A procedure.", examples=["create-cluster"])
]


def router(procedures: Mapping[str, Procedure]) -> APIRouter:
    """The routes of these procedures. Raises TypeError where one cannot be described."""
    made = APIRouter(redirect_slashes=False)
    catalogue = {slug: bodies(procedure) for slug, procedure in sorted(procedures.items())}
    _add_catalogue(made, catalogue)
    for entry in catalogue.values():
        _add_plan(made, entry)
        _add_start(made, entry)
        _add_schedule(made, entry)
        bulk_jobs.add_start(made, entry.procedure)
    return made


def _add_catalogue(made: APIRouter, catalogue: Mapping[str, Bodies]) -> None:
    entries = {slug: procedure_read(entry) for slug, entry in catalogue.items()}

    async def list_all(_caller: ClustersReader) -> ProcedureList:
        """Every procedure with the JSON Schema of its parameters."""
        return ProcedureList(items=list(entries.values()))

    async def get(slug: Slug, _caller: ClustersReader) -> ProcedureRead:
        """One procedure with the JSON Schema of its parameters."""
        if slug not in entries:
            raise not_found("procedure", slug)
        return entries[slug]

    async def get_plan(plan_id: PlanId, _caller: ClustersReader, services: ServicesOf) -> PlanRead:
        """A plan as it was promised; readable after its expiry too."""
        return plan_read(await services.planning.get(plan_id))

    made.add_api_route(
        "/v1/procedures",
        list_all,
        tags=["procedures"],
        operation_id="listProcedures",
        summary="List procedures",
        responses=responses(),
    )
    made.add_api_route(
        "/v1/procedures/{slug}",
        get,
        tags=["procedures"],
        operation_id="getProcedure",
        summary="Read a procedure",
        responses=responses("not-found"),
    )

    async def forecast(
        plan_id: PlanId, _caller: ClustersReader, services: ServicesOf
    ) -> ForecastRead:
        """When a job of this plan would run that is started now with `?queue=true`.

        By the cluster's present policy and line. With anything in `unknown` the times are the
        earliest possible ones.
        """
        return forecast_read(await services.forecasts.of_plan(plan_id))

    made.add_api_route(
        "/v1/plans/{plan_id}/forecast",
        forecast,
        tags=["plans"],
        operation_id="getPlanForecast",
        summary="See when a job of a plan would run",
        responses=responses("not-found"),
    )

    async def list_plans(
        *,
        request: Request,
        response: Response,
        _caller: ClustersReader,
        services: ServicesOf,
        limit: Limit = 50,
        cursor: Cursor = None,
        cluster_id: Annotated[
            str | None, Query(pattern=IDENTIFIER, description="Only plans of this cluster.")
        ] = None,
        procedure: Annotated[
            str | None, Query(pattern=IDENTIFIER, description="Only plans of this procedure.")
        ] = None,
        state: Annotated[
            PlanState | None, Query(description="Only plans that are in this state now.")
        ] = None,
    ) -> PlanList:
        """Plans, newest first, without their steps; those no job was made of go after a while."""
        wanted = PlanFilter(cluster_id, procedure, state)
        page = await services.planning.page(wanted, from_cursor(cursor), limit)
        following = to_cursor(page.next)
        links.announce_next(request, response, following)
        return PlanList(
            items=[PlanSummary.model_validate(item) for item in page.items], next_cursor=following
        )

    made.add_api_route(
        "/v1/plans",
        list_plans,
        tags=["plans"],
        operation_id="listPlans",
        summary="List plans",
        responses=responses("invalid-cursor"),
    )
    made.add_api_route(
        "/v1/plans/{plan_id}",
        get_plan,
        tags=["plans"],
        operation_id="getPlan",
        summary="Read a plan",
        responses=responses("not-found"),
    )


def _add_plan(made: APIRouter, entry: Bodies) -> None:
    procedure = entry.procedure

    async def plan(
        *,
        request: Request,
        response: Response,
        cluster_id: ClusterId,
        body: Any,
        caller: ClustersReader,
        services: ServicesOf,
        once: MaybeOnce,
    ) -> PlanRead:
        found = await services.planning.plan(
            cluster_id, procedure.slug, _parameters(entry, body), caller, once
        )
        created(request, response, f"/v1/plans/{found.value.id}", None, replayed=found.replayed)
        return plan_read(found.value)

    plan.__annotations__["body"] = entry.plan
    made.add_api_route(
        f"/v1/clusters/{{cluster_id}}/procedures/{procedure.slug}/plan",
        plan,
        methods=["POST"],
        status_code=201,
        tags=["plans"],
        operation_id=f"plan{camel(procedure.slug)}",
        summary=f"Plan: {procedure.title}",
        description=f"{procedure.summary}\n\nObserves the peers and says what a job would do; "
        f"changes nothing. Guide: p.{procedure.guide_pages}.",
        responses=responses(
            "not-found",
            "idempotency-in-flight",
            "idempotency-key-reused",
            "body-too-large",
            "unsupported-media-type",
        ),
    )


def _add_start(made: APIRouter, entry: Bodies) -> None:
    procedure = entry.procedure

    async def start(
        *,
        request: Request,
        response: Response,
        cluster_id: ClusterId,
        body: Any,
        caller: JobsRunner,
        services: ServicesOf,
        once: RequiredOnce,
        queue: Queue = False,
    ) -> JobRead:
        found = await services.jobs.start(
            cluster_id,
            procedure.slug,
            _parameters(entry, body),
            entry.request(body, queue=queue),
            by=caller,
            once=once,
        )
        job = found.value
        created(request, response, f"/v1/jobs/{job.id}", None, replayed=found.replayed)
        response.headers["Operation-Location"] = response.headers["Location"]
        come_back(response, job)
        return job_read(job, links.base_url(request))

    start.__annotations__["body"] = entry.start
    made.add_api_route(
        f"/v1/clusters/{{cluster_id}}/procedures/{procedure.slug}",
        start,
        methods=["POST"],
        status_code=202,
        tags=["jobs"],
        operation_id=f"start{camel(procedure.slug)}",
        summary=f"Start: {procedure.title}",
        description=f"{procedure.summary}\n\nObserves again, refuses where a finding blocks or "
        f"the plan no longer fits, else starts a job. Guide: p.{procedure.guide_pages}.",
        responses=responses(
            "idempotency-key-required",
            "not-found",
            "cluster-busy",
            "peer-busy",
            "plan-drifted",
            "plan-blocked",
            "plan-expired",
            "plan-mismatch",
            "window-never-opens",
            "change-required",
            "idempotency-in-flight",
            "idempotency-key-reused",
            "body-too-large",
            "unsupported-media-type",
        ),
    )


def _add_schedule(made: APIRouter, entry: Bodies) -> None:
    procedure = entry.procedure

    async def schedule(
        *,
        request: Request,
        response: Response,
        cluster_id: ClusterId,
        body: Any,
        caller: JobsRunner,
        services: ServicesOf,
        once: MaybeOnce,
    ) -> ScheduleRead:
        said: NewSchedule = body.schedule()
        parameters = _parameters(entry, body)
        found = await services.schedules.create(
            cluster_id, procedure.slug, parameters, said, by=caller, once=once
        )
        kept = found.value
        etag = tag(kept.id, kept.version)
        created(request, response, f"/v1/schedules/{kept.id}", etag, replayed=found.replayed)
        return schedule_read(kept)

    schedule.__annotations__["body"] = entry.schedule
    made.add_api_route(
        f"/v1/clusters/{{cluster_id}}/procedures/{procedure.slug}/schedule",
        schedule,
        methods=["POST"],
        status_code=201,
        tags=["schedules"],
        operation_id=f"schedule{camel(procedure.slug)}",
        summary=f"Schedule: {procedure.title}",
        description=f"{procedure.summary}\n\nKeeps these parameters and starts a job with them "
        "whenever it is due, in your name and with the scopes you hold now. Each start observes, "
        "plans and refuses like any other.",
        responses=responses(
            "not-found",
            "name-taken",
            "idempotency-in-flight",
            "idempotency-key-reused",
            "body-too-large",
            "unsupported-media-type",
        ),
    )


def _parameters(entry: Bodies, body: Any) -> Any:
    try:
        return entry.parameters(body)
    except ValueError as refused:
        # A rule over several parameters, written in the parameters' own __post_init__.
        raise invalid("", str(refused)) from None
