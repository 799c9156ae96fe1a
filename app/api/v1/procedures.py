"""The catalogue of procedures, and for each of them one path to plan and one to start.

The routes are made from the registry, so a new procedure has its own path, body, operationId and
documentation without a line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from app.api import links
from app.api.dependencies import ClustersReader, JobsRunner, MaybeOnce, RequiredOnce, ServicesOf
from app.api.marks import come_back, created
from app.api.problems import responses
from app.api.v1.schemas.job_reading import job_read
from app.api.v1.schemas.jobs import JobRead
from app.api.v1.schemas.plans import PlanRead, plan_read
from app.api.v1.schemas.starting import (
    Bodies,
    ProcedureList,
    ProcedureRead,
    bodies,
    camel,
    procedure_read,
)
from app.api.v1.schemas.words import IDENTIFIER, ClusterId, PlanId
from app.procedures.base import Procedure
from app.services.problems import invalid, not_found

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
            "change-required",
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
