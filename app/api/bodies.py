"""JSON as strict as a program can be: what readers disagree about is refused before it is read.

A body is taken in whole, within its size limit and within a time; then nesting is counted without
recursion, and it is parsed once to find names that stand twice, numbers that nobody holds exactly,
and texts that are none. What passes is handed on unchanged.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.answers import problem_response
from app.services.problems import Item, Problem

DEEPEST = 32
"""Levels of nesting; no body of this API has more than six."""
LARGEST_NUMBER = 2**63 - 1
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.S)
_BRACKETS = re.compile(rb"[][{}]")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class JsonBodies:
    """Reads bodies within `seconds` (408) and refuses what is not plain JSON (422)."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or scope["method"] not in _WITH_BODY:
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self.seconds):
                body = await _whole(receive)
            if body:
                screen(body)
        except (Problem, TimeoutError) as refused:
            slow = isinstance(refused, TimeoutError)
            problem = (
                Problem("body-too-slow", f"the body did not arrive within {self.seconds:g} s")
                if not isinstance(refused, Problem)
                else refused
            )
            await problem_response(
                problem,
                scope["state"]["request_id"],
                headers={"Connection": "close"} if slow else None,
            )(scope, receive, send)
            return
        if body is None:
            return
        await self.app(scope, _again(body, receive), send)


def screen(body: bytes) -> None:
    """Raises Problem `invalid-request` where the body is not plain JSON."""
    depth = deepest = 0
    for bracket in _BRACKETS.findall(_STRING.sub(b"", body)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        raise _refused("too-deep", f"the body is nested more than {DEEPEST} levels deep")
    try:
        text = body.decode("utf-8")
        if "\ufeff" in text[:1]:
            raise _refused("json-invalid", "the body begins with a byte order mark")
        value = json.loads(
            text,
            object_pairs_hook=_once_each,
            parse_int=_whole_number,
            parse_float=_number,
            parse_constant=_no_constant,
        )
    except (ValueError, RecursionError):
        raise _refused("json-invalid", "the body is not JSON") from None
    if _STRANGE in _kinds(value):
        raise _refused("text-invalid", "a text of the body is not Unicode text, or holds a NUL")


_STRANGE = "strange"


def _kinds(value: Any) -> set[str]:
    """Whether any text in the tree could not be written as UTF-8 or kept in the database."""
    if isinstance(value, str):
        fine = "\x00" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
        return set() if fine else {_STRANGE}
    parts: list[Any] = []
    if isinstance(value, Mapping):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, list):
        parts = value
    return set().union(*(_kinds(part) for part in parts)) if parts else set()


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _refused("name-twice", "a name stands twice in one object; which one counts?")
    return found


def _whole_number(digits: str) -> int:
    if len(digits) > 20 or abs(int(digits)) > LARGEST_NUMBER:
        raise _refused("number-too-large", "a whole number of the body has more than 64 bits")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise _refused("number-too-large", "a number of the body is larger than any double")
    return value


def _no_constant(_word: str) -> float:
    raise _refused("json-invalid", "NaN and Infinity are not JSON")


def _refused(code: str, detail: str) -> Problem:
    item = Item(code=code, detail=detail, pointer="")
    return Problem(
        "invalid-request", "the request was not understood; nothing was changed", errors=(item,)
    )


async def _whole(receive: Receive) -> bytes | None:
    """The body; None where the caller is gone."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    given = False

    async def once() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once
