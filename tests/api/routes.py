"""Every operation of the API as the tests of access see it: read from the application itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from app.api.offline import offline_api


@dataclass(frozen=True)
class Operation:
    name: str
    method: str
    path: str
    parameters: tuple[str, ...]
    """Names in the path."""
    scope: str
    """What `requires` asks for; "" where nothing is asked."""
    body: Any
    """The example of the OpenAPI document; None: it takes no body."""
    query: dict[str, Any]
    """Required query parameters with their examples."""

    def at(self, **values: str) -> str:
        return self.path.format(**values)

    def request(self, headers: dict[str, str]) -> dict[str, Any]:
        sent: dict[str, Any] = {
            "headers": {**headers, "If-Match": "*", "Idempotency-Key": "one"},
            "params": self.query,
        }
        if self.body is not None:
            sent["json"] = self.body
        return sent


def operations(app: FastAPI) -> Iterator[Operation]:
    document = app.openapi()
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if not isinstance(route, APIRoute) or not route.include_in_schema:
            continue
        for method in sorted(route.methods):
            described = document["paths"][route.path_format][method.lower()]
            content = described.get("requestBody", {}).get("content", {})
            parameters = described.get("parameters", ())
            yield Operation(
                name=str(route.operation_id),
                method=method,
                path=route.path_format,
                parameters=tuple(p["name"] for p in parameters if p["in"] == "path"),
                scope=_scope(route),
                body=content.get("application/json", {}).get("example"),
                query={
                    p["name"]: p["schema"].get("examples", [None])[0]
                    for p in parameters
                    if p["in"] == "query" and p.get("required")
                },
            )


def _scope(route: APIRoute) -> str:
    asked = [
        dependency.call.__name__.removeprefix("requires ")
        for dependency in route.dependant.dependencies
        if dependency.call is not None
        and getattr(dependency.call, "__name__", "").startswith("requires ")
    ]
    assert len(asked) <= 1, route.path
    return asked[0] if asked else ""


EVERY = tuple(operations(offline_api()))
"""All operations with the real catalogue of procedures; made once, because it takes a while."""
