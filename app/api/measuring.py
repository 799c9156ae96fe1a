"""Counts requests, times them, and begins their traces: the first thing a request meets.

The operation is known only after routing, so a span gets its name at the end. What is counted is
bounded: operation ids and status codes of this API, never a path that somebody made up.
"""

from __future__ import annotations

import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.observability import spans
from app.observability.spans import Span, SpanKind
from app.observability.telemetry import Telemetry

NO_OPERATION = "none"
ABORTED = "aborted"
"""The status of a request whose caller left before it was answered."""


class Measuring:
    """Measures and traces every request."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self.app = app
        self.metrics = telemetry.metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 0
        streams = False

        async def watched(message: Message) -> None:
            nonlocal status, streams
            if message["type"] == "http.response.start":
                status = message["status"]
                if Headers(raw=message["headers"]).get("content-type", "").startswith(_STREAM):
                    streams = True
                    self.metrics.streams.inc()
            await send(message)

        began = time.perf_counter()
        within = spans.context_in(Headers(scope=scope))
        with spans.span("HTTP request", kind=SpanKind.SERVER, within=within) as made:
            try:
                await self.app(scope, receive, watched)
            finally:
                if streams:
                    self.metrics.streams.dec()
                operation = _operation(scope)
                shown = str(status or ABORTED)
                self.metrics.http_requests.labels(operation, shown).inc()
                if status and not streams:
                    spent = time.perf_counter() - began
                    self.metrics.http_seconds.labels(operation).observe(spent)
                _describe(made, scope, operation, status)


def _describe(made: Span, scope: Scope, operation: str, status: int) -> None:
    if not made.is_recording():
        return
    made.update_name(operation if operation != NO_OPERATION else "HTTP request")
    made.set_attribute("http.request.method", scope["method"] if operation != NO_OPERATION else "")
    route = getattr(scope.get("route"), "path_format", "")
    made.set_attribute("http.route", route)
    made.set_attribute("http.response.status_code", status)
    made.set_attribute("clusterway.request.id", scope.get("state", {}).get("request_id", ""))
    if status >= 500:
        spans.failed(made, str(status))


def _operation(scope: Scope) -> str:
    return getattr(scope.get("route"), "operation_id", None) or NO_OPERATION


_STREAM = "text/event-stream"
