"""Problem documents, and how every kind of failure becomes one.

FastAPI's own answers are not used: its 422 repeats the input, which may be a password; its 404,
405 and 413 are not problem documents; its 405 lists the methods of one route only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Match

from app.api.problems import MEDIA_TYPE, PROBLEMS, type_uri
from app.services.problems import Item, Problem

MOST_ERRORS = 50
_BY_STATUS = {404: "not-found", 405: "method-not-allowed", 413: "body-too-large"}
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def problem_response(
    problem: Problem, request_id: str, *, headers: Mapping[str, str] | None = None, base: str = ""
) -> JSONResponse:
    """The HTTP answer to a problem."""
    kind = PROBLEMS[problem.code]
    document: dict[str, Any] = {
        "type": type_uri(kind.code),
        "title": kind.title,
        "status": kind.status,
        "code": kind.code,
        "detail": problem.detail,
        "remedy": kind.remedy,
        "retryable": kind.retryable,
        "request_id": request_id,
        **problem.about,
    }
    if "job_id" in problem.about:
        document["job_url"] = f"{base}/v1/jobs/{problem.about['job_id']}"
    if problem.errors:
        document["errors"] = [_item(item) for item in problem.errors[:MOST_ERRORS]]
    sent = dict(headers or {})
    if kind.status == 401:
        sent["WWW-Authenticate"] = 'Bearer realm="clusterway"'
    if kind.status == 503 or kind.code in {"cluster-busy", "idempotency-in-flight"}:
        sent.setdefault("Retry-After", "5")
    return JSONResponse(document, kind.status, headers=sent, media_type=MEDIA_TYPE)


def install(app: FastAPI, base_url: str | None) -> None:
    """Answer every failure inside the application with a problem document."""

    def base(request: Request) -> str:
        return (base_url or str(request.base_url)).rstrip("/")

    async def on_problem(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)  # noqa: S101 - Starlette dispatches by this very type
        return problem_response(error, request.state.request_id, base=base(request))

    async def on_validation(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
        problem = Problem(
            "invalid-request",
            "the request was not understood; nothing was changed",
            errors=validation_items(error.errors()),
        )
        return problem_response(problem, request.state.request_id)

    async def on_http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 - as above
        code = _BY_STATUS.get(error.status_code, "invalid-request")
        headers: dict[str, str] = {}
        detail = PROBLEMS[code].meaning
        if error.status_code == 405:
            headers["Allow"] = ", ".join(allowed(app, request))
        return problem_response(Problem(code, detail), request.state.request_id, headers=headers)

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)


def allowed(app: FastAPI, request: Request) -> list[str]:
    """All methods that some route knows for this path.

    A path that is written out (`/v1/peers/probe`) is not meant as an id (`/v1/peers/{peer_id}`).
    """
    literal: set[str] = set()
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and route.path_format == request.url.path:
            literal |= route.methods or set()
    if literal:
        return [method for method in _METHODS if method in literal]
    found: list[str] = []
    for method in _METHODS:
        scope = {**request.scope, "method": method, "type": "http"}
        if any(route.matches(scope)[0] is Match.FULL for route in app.router.routes):
            found.append(method)
    return found


def validation_items(errors: Sequence[Any]) -> list[Item]:
    """What is wrong with a request, without a word of what it held."""
    items: list[Item] = []
    for error in errors[:MOST_ERRORS]:
        place = [str(part) for part in error["loc"]]
        code = str(error["type"]).replace("_", "-").replace(".", "-")
        detail = str(error["msg"])
        if code == "json-invalid":
            items.append(Item(code=code, detail="the body is not JSON", pointer=""))
        elif place and place[0] == "body":
            items.append(Item(code=code, detail=detail, pointer=pointer(place[1:])))
        else:
            where = place[0] if place else "request"
            name = place[-1] if len(place) > 1 else ""
            items.append(Item(code=code, detail=f"{where} parameter {name}: {detail}"))
    return items


def pointer(parts: Sequence[str]) -> str:
    """A JSON Pointer (RFC 6901)."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1")[:100] for part in parts)


def _item(item: Item) -> dict[str, Any]:
    document: dict[str, Any] = {"code": item.code, "detail": item.detail}
    for name in ("pointer", "remedy", "severity", "peer_id"):
        value = getattr(item, name)
        if value is not None:
            document[name] = value
    if item.requirements:
        document["requirements"] = list(item.requirements)
    if item.evidence:
        document["evidence"] = dict(item.evidence)
    return document
