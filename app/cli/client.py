"""The service's HTTP API as the command line uses it: the public API and nothing else."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx


class ApiError(Exception):
    """The API answered with a problem. `problem` is the problem document."""

    def __init__(self, problem: dict[str, Any]) -> None:
        self.problem = problem
        lines = [f"{problem.get('title', 'error')}: {problem.get('detail', '')}"]
        for item in problem.get("errors", ()):
            where = f"{item['pointer']}: " if item.get("pointer") else ""
            lines.append(f"  {where}{item.get('detail', '')}")
            if item.get("remedy"):
                lines.append(f"    remedy: {item['remedy']}")
        lines += [
            f"  {words}: {problem[name]}"
            for name, words in (
                ("remedy", "remedy"),
                ("job_id", "job"),
                ("request_id", "request id"),
            )
            if problem.get(name)
        ]
        super().__init__("\n".join(lines))


ATTEMPTS = 3
"""How often a POST is sent whose answer did not come; always under the same Idempotency-Key."""
PAUSE_SECONDS = 1.0
PAGE = 200
"""Entries that are asked for at once."""


@dataclass
class Client:
    """Calls with one API key. Times out unless the call is a stream. `seconds` bounds an answer."""

    url: str
    key: str = field(repr=False)
    seconds: float = 90.0

    def __post_init__(self) -> None:
        self._http = httpx.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=httpx.Timeout(self.seconds, connect=min(10.0, self.seconds)),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def get(self, path: str, **query: Any) -> dict[str, Any]:
        """GET a document; what is empty in the query is left out."""
        return _document(await self._http.get(path, params=_given(query)))

    async def items(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """All entries of a list, page after page."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = await self.get(path, limit=PAGE, cursor=cursor, **query)
            found += page["items"]
            cursor = page.get("next_cursor")
            if not cursor:
                return found

    async def content(self, path: str) -> bytes:
        """GET the bytes as they are served."""
        answer = await self._http.get(path)
        if answer.is_error:
            _document(answer)
        return answer.content

    async def post(
        self, path: str, body: dict[str, Any] | None = None, once: str = "", **query: Any
    ) -> dict[str, Any]:
        """POST a document. The Idempotency-Key is made once, or is `once`.

        Where no answer comes the same request is sent again under the same key, so the service
        does it once. Raises ApiError, or httpx.TransportError after the last attempt.
        """
        headers = {"Idempotency-Key": once or str(uuid.uuid4())}
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = await self._http.post(
                    path, json=body or {}, headers=headers, params=_given(query)
                )
                return _document(answer)
            except httpx.ConnectError:
                raise  # it was not sent; whoever runs the command sees at once that nobody is there
            except httpx.TransportError:
                if attempt == ATTEMPTS:
                    raise
            except ApiError as error:
                # The attempt before is still being worked on; its answer is the one we want.
                in_flight = error.problem.get("code") == "idempotency-in-flight"
                if attempt == ATTEMPTS or not in_flight:
                    raise
            await asyncio.sleep(PAUSE_SECONDS * attempt)
        raise AssertionError("unreachable")

    async def events(self, job_id: str, after: int = 0) -> AsyncIterator[dict[str, Any]]:
        """Follow the events of a job until it has ended; reconnects where the stream breaks."""
        ended = False
        while not ended:
            headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
            timeout = httpx.Timeout(10.0, read=60.0)
            path = f"/v1/jobs/{job_id}/events"
            try:
                async with self._http.stream(
                    "GET", path, headers=headers, timeout=timeout
                ) as answer:
                    if answer.status_code != httpx.codes.OK:
                        await answer.aread()
                        _document(answer)
                    async for line in answer.aiter_lines():
                        if line.startswith("data:"):
                            event = json.loads(line[5:])
                            after = event["seq"]
                            yield event
            except httpx.TransportError:
                pass
            job = await self.get(f"/v1/jobs/{job_id}")
            ended = job["state"] in ENDED and job["last_event_seq"] <= after


ENDED = frozenset({"succeeded", "failed", "cancelled"})


def _given(query: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value not in (None, "", [])}


def _document(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        document = {"title": f"HTTP {answer.status_code}", "detail": "the answer is no JSON"}
    if answer.is_error or not isinstance(document, dict):
        raise ApiError(document if isinstance(document, dict) else {"title": "no document"})
    return document
