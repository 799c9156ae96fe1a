"""`/v1/clusters/{id}/report` and `/v1/plans/{id}/report`: for people, printers and spreadsheets."""

from __future__ import annotations

import enum
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api.dependencies import ClustersReader, ServicesOf
from app.api.problems import responses
from app.api.report_pages import cluster_page, cluster_rows, plan_page, plan_rows
from app.api.v1.schemas.checks import report_read
from app.api.v1.schemas.diagnosis import diagnosis_read
from app.api.v1.schemas.plans import plan_read
from app.api.v1.schemas.reports import ClusterReport, ReportedCluster, member_read
from app.api.v1.schemas.words import ClusterId, PlanId
from app.domain.plan import Plan
from app.services.bundle import Services
from app.services.problems import Problem

router = APIRouter(prefix="/v1", redirect_slashes=False)


class ReportFormat(enum.StrEnum):
    """How a report is wanted."""

    JSON = "json"
    HTML = "html"
    CSV = "csv"


class PageFormat(enum.StrEnum):
    """How a plan's report is wanted; its JSON is the plan itself."""

    HTML = "html"
    CSV = "csv"


_PAGE: dict[str, Any] = {
    "text/html": {"schema": {"type": "string"}, "example": "<!doctype html>..."}
}
_ROWS: dict[str, Any] = {
    "text/csv": {"schema": {"type": "string"}, "example": "kind,number,severity,code\r\n"}
}


@router.get(
    "/clusters/{cluster_id}/report",
    tags=["diagnosis"],
    operation_id="reportCluster",
    summary="Report on a cluster",
    response_model=ClusterReport,
    responses={200: {"content": {**_PAGE, **_ROWS}}, **responses("not-found")},
)
async def cluster_report(
    *,
    cluster_id: ClusterId,
    _caller: ClustersReader,
    services: ServicesOf,
    wanted: Annotated[
        ReportFormat,
        Query(
            alias="format",
            description="json, html (one printable page) or csv.",
            examples=["html"],
        ),
    ] = ReportFormat.JSON,
) -> ClusterReport | Response:
    """Observes all members now: what is wrong and what mends it, and every check's outcome."""
    found = await services.diagnosis.diagnose(cluster_id)
    checks = await services.checks.report(cluster_id)
    cluster = found.cluster
    report = ClusterReport(
        cluster=ReportedCluster(id=cluster.id, name=cluster.name),
        observed_at=found.at,
        members=[member_read(peer, cluster, found.views.get(peer.id)) for peer in cluster.members],
        diagnosis=diagnosis_read(found, partial(services.diagnosis.request, cluster_id)),
        checks=report_read(cluster_id, checks),
    )
    names = {peer.id: peer.name for peer in cluster.members}
    match wanted:
        case ReportFormat.HTML:
            return cluster_page(report, names)
        case ReportFormat.CSV:
            return cluster_rows(report, names)
        case _:
            return report


@router.get(
    "/plans/{plan_id}/report",
    tags=["plans"],
    operation_id="reportPlan",
    summary="Report on a plan",
    response_class=Response,
    responses={200: {"content": {**_PAGE, **_ROWS}}, **responses("not-found")},
)
async def plan_report(
    *,
    plan_id: PlanId,
    _caller: ClustersReader,
    services: ServicesOf,
    wanted: Annotated[
        PageFormat,
        Query(
            alias="format",
            description="html (one printable page) or csv (the findings).",
            examples=["html"],
        ),
    ] = PageFormat.HTML,
) -> Response:
    """The preflight: findings, impact, statements, steps and the way back, as they were planned."""
    plan = await services.planning.get(plan_id)
    names = await _peer_names(services, plan)
    shown = plan_read(plan)
    if wanted is PageFormat.CSV:
        return plan_rows(shown, names)
    return plan_page(shown, await _cluster_name(services, plan.cluster_id), names)


async def _peer_names(services: Services, plan: Plan) -> dict[str, str]:
    """Names of the peers a plan speaks of; one that was deleted since keeps its id."""
    asked = {step.peer_id for step in plan.steps} | {found.peer_id for found in plan.findings}
    names: dict[str, str] = {}
    for peer_id in sorted(asked - {None}, key=str):
        try:
            names[str(peer_id)] = (await services.peers.get(str(peer_id))).peer.name
        except Problem:
            continue
    return names


async def _cluster_name(services: Services, cluster_id: str) -> str:
    try:
        return (await services.clusters.get(cluster_id)).cluster.name
    except Problem:
        return cluster_id
