"""What a caller would rather have."""

import pytest
from fastapi import Request

from app.api.negotiation import prefers

STREAM = "text/event-stream"


def asking(accept: str | None) -> Request:
    headers = [] if accept is None else [(b"accept", accept.encode())]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    "accept",
    ["text/event-stream", "text/event-stream, application/json;q=0.5", "text/*;q=0.2, image/png"],
)
def test_a_caller_who_prefers_a_stream_gets_one(accept: str) -> None:
    assert prefers(asking(accept), STREAM)


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        "",
        "application/json",
        "application/json, text/event-stream",
        "text/event-stream, application/json",
        "text/event-stream;q=0",
        "text/event-stream;q=much, */*",
        ";;;,,,",
    ],
)
def test_a_caller_without_that_preference_gets_json(accept: str | None) -> None:
    assert not prefers(asking(accept), STREAM)
