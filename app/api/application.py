"""The FastAPI application over given services: `create_api(services, settings)`."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.api import answers, health, metrics, openapi, pages, streams
from app.api.bodies import JsonBodies
from app.api.measuring import Measuring
from app.api.middleware import Authentication, BodyLimits, RequestIds
from app.api.proxies import Doorway
from app.api.v1 import (
    approvals,
    audit,
    backups,
    bulk_jobs,
    checks,
    clusters,
    control,
    credentials,
    diagnosis,
    events,
    evidence,
    guide,
    images,
    jobs,
    keys,
    neighbours,
    peers,
    procedures,
    reports,
    retention,
    schedules,
    settings_matrix,
    watching,
    webhook_messages,
    webhooks,
    windows,
)
from app.observability.telemetry import Telemetry
from app.services.bundle import Services
from app.services.gatekeeper import Gatekeeper
from app.settings import Settings


def create_api(
    services: Services,
    settings: Settings,
    *,
    telemetry: Telemetry | None = None,
    lifespan: Any = None,
) -> FastAPI:
    """The whole API. `lifespan` is the caller's: this function opens and closes nothing.

    Without `telemetry` the process measures itself alone, and nothing of the database.
    """
    app = FastAPI(
        title=openapi.TITLE,
        version=openapi.VERSION,
        summary=openapi.SUMMARY,
        description=openapi.DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_tags=list(openapi.TAGS),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        lifespan=lifespan,
    )
    app.state.heartbeat = events.HEARTBEAT
    app.state.patience = streams.PATIENCE
    for router in (
        credentials.router,
        peers.router,
        clusters.router,
        settings_matrix.router,
        checks.router,
        neighbours.router,
        diagnosis.router,
        watching.router,
        reports.router,
        windows.router,
        schedules.router,
        procedures.router(services.planning.procedures),
        jobs.router,
        bulk_jobs.router,
        control.router,
        approvals.router,
        events.router,
        evidence.router,
        webhooks.router,
        retention.router,
        backups.router,
        images.router,
        keys.router,
        audit.router,
        guide.router,
        health.router,
        metrics.router(open_to_all=settings.metrics_open),
        pages.router(docs=settings.serves_docs),
    ):
        app.include_router(router)
    webhook_messages.describe(app)
    _surround(app, services, settings, telemetry or Telemetry())
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]  # FastAPI's own way
    return app


def create_worker_pages(services: Services, settings: Settings, telemetry: Telemetry) -> FastAPI:
    """What a process that is only a worker answers: /livez, /readyz and /metrics."""
    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.include_router(health.router)
    app.include_router(metrics.router(open_to_all=settings.metrics_open))
    _surround(app, services, settings, telemetry)
    return app


def _surround(app: FastAPI, services: Services, settings: Settings, telemetry: Telemetry) -> None:
    """What is the same around every application of this service."""
    app.state.services = services
    app.state.settings = settings
    app.state.telemetry = telemetry
    answers.install(app, settings.public_url)
    # The last one added is the first one a request meets.
    app.add_middleware(JsonBodies, seconds=settings.body_seconds)
    app.add_middleware(
        Authentication,
        gatekeeper=Gatekeeper(
            services.callers.authenticate,
            services.audit.stranger,
            settings.rate_limit,
            settings.wrong_key_limit,
        ),
        answered=services.audit.answered,
        metrics_open=settings.metrics_open,
    )
    app.add_middleware(BodyLimits, max_bytes=settings.max_body_bytes)
    app.add_middleware(
        Doorway,
        proxies=settings.trusted_proxies,
        hosts=settings.hosts,
        tls=(settings.public_url or "").startswith("https://"),
    )
    app.add_middleware(RequestIds)
    app.add_middleware(Measuring, telemetry=telemetry)


def _operation_id(route: APIRoute) -> str:
    if route.operation_id is None:
        raise TypeError(f"{route.path}: a route needs an operation_id")
    return route.operation_id
