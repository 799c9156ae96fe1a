"""Absolute addresses and paging links."""

from __future__ import annotations

from fastapi import Request, Response


def base_url(request: Request) -> str:
    """How callers reach the service, without a slash at the end."""
    configured: str | None = request.app.state.settings.public_url
    return (configured or str(request.base_url)).rstrip("/")


def to(request: Request, path: str) -> str:
    """The absolute address of a path such as `/v1/jobs/job-...`."""
    return f"{base_url(request)}{path}"


def announce_next(request: Request, response: Response, cursor: str | None) -> None:
    """`Link: <...>; rel="next"` where there is another page."""
    if cursor is not None:
        url = request.url.include_query_params(cursor=cursor)
        response.headers["Link"] = f'<{base_url(request)}{url.path}?{url.query}>; rel="next"'
