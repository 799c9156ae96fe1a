"""What this process and the database measure, as Prometheus reads it. See docs/telemetry.md."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from app.api.dependencies import MetricsReader
from app.api.problems import responses
from app.observability.telemetry import Telemetry
from app.services.problems import Problem

EXAMPLE = """\
# HELP clusterway_database_up 1: the database answered; 0: not.
# TYPE clusterway_database_up gauge
clusterway_database_up 1.0
"""
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Prometheus text, or OpenMetrics where `Accept` asks for it.",
        "content": {"text/plain": {"schema": {"type": "string"}, "example": EXAMPLE}},
    }
}


def router(*, open_to_all: bool) -> APIRouter:
    """GET /metrics, with a key that holds `metrics:read`, or `open_to_all`."""
    made = APIRouter(tags=["health"], redirect_slashes=False)

    async def with_key(caller: MetricsReader, request: Request) -> Response:
        """Figures of this process and of the database. With a setting it needs no key."""
        if caller.clusters is not None:
            raise Problem(
                "forbidden",
                "metrics are totals of all clusters, and the key is limited to some of them",
            )
        return await _text(request)

    async def without(request: Request) -> Response:
        """Figures of this process and of the database."""
        return await _text(request)

    made.add_api_route(
        "/metrics",
        without if open_to_all else with_key,
        operation_id="getMetrics",
        summary="What is measured",
        response_class=Response,
        responses={**responses(), **_ANSWER},
    )
    return made


async def _text(request: Request) -> Response:
    telemetry: Telemetry = request.app.state.telemetry
    text, media_type = await telemetry.text(request.headers.get("accept", ""))
    # As it is: Starlette would add a second charset.
    return Response(text, headers={"Content-Type": media_type})
