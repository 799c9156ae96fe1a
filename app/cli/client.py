"""The service's HTTP API as the command line uses it: the public API and nothing else."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
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
        super().__init__("\n".join(lines))


@dataclass
class Client:
    """Calls with one API key. Times out unless the call is a stream."""

    url: str
    key: str

    def __post_init__(self) -> None:
        self._http = httpx.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=httpx.Timeout(90.0, connect=10.0),
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
        """GET a document."""
        return _document(await self._http.get(path, params=query))

    async def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """POST a document, with an Idempotency-Key of its own."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        return _document(await self._http.post(path, json=body or {}, headers=headers))

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


def _document(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        document = {"title": f"HTTP {answer.status_code}", "detail": "the answer is no JSON"}
    if answer.is_error or not isinstance(document, dict):
        raise ApiError(document if isinstance(document, dict) else {"title": "no document"})
    return document
