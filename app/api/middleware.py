"""What happens to every request before a handler sees it, in this order.

Request id and last resort (an unforeseen error becomes a 500 with the id and a log line), size of
the body, kind of the body, and who is calling. Written against ASGI itself: nothing is buffered,
so streams stay streams, and a body is not read before the caller is known.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Awaitable, Callable

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.answers import problem_response
from app.security.acting import Act, acting
from app.security.keys import NOBODY
from app.security.rates import WINDOW, Taken
from app.services.gatekeeper import Gatekeeper, Slow
from app.services.problems import Problem

log = structlog.get_logger("clusterway.api")

Answered = Callable[[Act, int], Awaitable[None]]
"""Told how a request ended, for the audit trail."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_OPEN_TO_ALL = re.compile(r"/(?!v1(/|$))")
METRICS = "/metrics"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class RequestIds:
    """Names each request, logs it, and answers what nobody else answered."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else f"req-{uuid.uuid4().hex}"
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                if scope["path"].startswith("/v1"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        began = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, named)
            except Exception:
                log.exception("request failed", method=scope["method"], path=scope["path"])
                if status:
                    raise
                problem = Problem("internal-error", "the service failed; its log says why")
                await problem_response(problem, request_id)(scope, receive, named)
            finally:
                # A flood of wrong keys is told of once a minute, by the audit trail.
                if not scope["state"].get("quiet"):
                    log.info(
                        "request",
                        method=scope["method"],
                        path=scope["path"],
                        status=status,
                        milliseconds=round((time.perf_counter() - began) * 1000, 1),
                    )


class BodyLimits:
    """Refuses bodies that are too large (413) or not JSON (415), before anybody parses them."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length) > self.max_bytes:
            await self._refuse(scope, receive, send)
            return
        has_body = "transfer-encoding" in headers or length not in ("", "0")
        if scope["method"] in _WITH_BODY and has_body and not _is_json(headers):
            problem = Problem(
                "unsupported-media-type", "the Content-Type of the body is not application/json"
            )
            await problem_response(problem, scope["state"]["request_id"])(scope, receive, send)
            return
        seen = 0
        started = False

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > self.max_bytes:
                    raise _TooLarge
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, counted, watched)
        except _TooLarge:
            if started:
                raise
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = Problem(
            "body-too-large",
            f"a body may have at most {self.max_bytes} bytes",
            limit=self.max_bytes,
        )
        response = problem_response(
            problem, scope["state"]["request_id"], headers={"Connection": "close"}
        )
        await response(scope, receive, send)


class _TooLarge(BaseException):
    """Raised through FastAPI's body reading, which turns any Exception into a 400 of its own."""


class Authentication:
    """Finds out who is calling /v1 or /metrics (401), before the body is read."""

    def __init__(
        self,
        app: ASGIApp,
        gatekeeper: Gatekeeper,
        answered: Answered,
        *,
        metrics_open: bool = False,
    ) -> None:
        self.app = app
        self.gatekeeper = gatekeeper
        self.answered = answered
        self.metrics_open = metrics_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        act = Act(
            principal=NOBODY,
            address=address_of(scope),
            request_id=scope["state"]["request_id"],
            changing=scope["method"] not in _SAFE,
        )
        with acting(act):
            if self._open_to_all(scope["path"]):
                await self.app(scope, receive, send)
            else:
                await self._for_somebody(act, scope, receive, send)

    def _open_to_all(self, path: str) -> bool:
        if path == METRICS:
            return self.metrics_open
        return _OPEN_TO_ALL.match(path) is not None

    async def _for_somebody(self, act: Act, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        kind, _, token = headers.get("authorization", "").partition(" ")
        presented = token.strip() if kind.lower() == "bearer" else headers.get("x-api-key", "")
        try:
            admitted = await self.gatekeeper.admit(presented, act.address)
        except Problem as problem:
            sent: dict[str, str] = {}
            if isinstance(problem, Slow):
                scope["state"]["quiet"] = problem.quiet
                sent = {"Retry-After": str(problem.taken.next_in), **self._limit(problem.taken)}
            response = problem_response(problem, scope["state"]["request_id"], headers=sent)
            await response(scope, receive, send)
            return
        act.principal = admitted.principal
        scope["state"]["principal"] = admitted.principal
        status = 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if admitted.taken is not None:
                    MutableHeaders(scope=message).update(self._limit(admitted.taken))
            await send(message)

        try:
            await self.app(scope, receive, counted)
        finally:
            await self.answered(act, status or 500)

    def _limit(self, taken: Taken) -> dict[str, str]:
        """The fields of draft-ietf-httpapi-ratelimit-headers-10."""
        quota = self.gatekeeper.quota
        return {
            "RateLimit-Policy": f'"requests";q={quota};w={WINDOW}',
            "RateLimit": f'"requests";r={taken.remaining};t={taken.full_in}',
        }


def address_of(scope: Scope) -> str:
    """The address a request came from; "" where the server does not say."""
    client = scope.get("client")
    return client[0] if client else ""


def _is_json(headers: Headers) -> bool:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )
