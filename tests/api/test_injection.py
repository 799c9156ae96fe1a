"""No text of any request brings a line of its own to an appliance.

Every string of every request body is tried, as the application's own models and its OpenAPI
document list them: a new field is in this test from the day it is written. It must refuse a line
break and other control characters, or stand in MANY_LINES with the reason why no appliance hears
it. What is printable goes through one renderer, for which `tests/unit/ssh/test_lines_sent.py` shows
that whatever Unicode text it is given is one argument of one line, or nothing is sent.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from typing import Any

from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel, TypeAdapter, ValidationError

from app.api.offline import offline_api

HOSTILE = (
    "a\nxCommand Boot",
    "a\rxCommand Boot",
    "a\r\nxCommand DefaultValuesSet Level: 3",
    "a\x00b",
    "a\x1b[2J",
    "a\x7f",
)
MANY_LINES = {
    "attestations.0.reason": "a person's words, for the record and the evidence",
    "reason": "a person's words, for the record and the evidence",
    "ca_bundle": "PEM, read as certificates of a webhook's receiver",
    "endpoints.0.trust.ca_bundle": "PEM, read as certificates of a peer",
    "endpoints.0.trust.certificate": "PEM, read as the certificate of a peer",
}
"""Field -> why it may have several lines: no appliance hears it."""

APP = offline_api()
DOCUMENT = APP.openapi()
Path = tuple[str | int, ...]


def bodies() -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Operation, model and JSON Schema of every request body."""
    for context in iter_route_contexts(APP.routes):
        route = context.original_route
        if not isinstance(route, APIRoute) or route.body_field is None:
            continue
        for method in route.methods:
            described = DOCUMENT["paths"][route.path_format][method.lower()]
            content = described["requestBody"]["content"]["application/json"]
            yield str(route.operation_id), route.body_field.field_info.annotation, content


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def strings(schema: dict[str, Any], place: Path = ()) -> Iterator[Path]:
    """Where texts stand; 0 is the first of a list, `*` a name of an open map."""
    schema = resolved(schema)
    for part in ("anyOf", "allOf", "oneOf"):
        for one in schema.get(part, ()):
            yield from strings(one, place)
    kind = schema.get("type")
    if kind == "string" and not {"enum", "const"} & schema.keys():
        yield place
    for name, inner in schema.get("properties", {}).items():
        yield from strings(inner, (*place, name))
    if kind == "array" and "items" in schema:
        yield from strings(schema["items"], (*place, 0))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from strings(schema["additionalProperties"], (*place, "*"))


def put(document: Any, place: Path, text: str) -> Any:
    """The document with this text there; what lies on the way is made."""
    if not place:
        return text
    step, *rest = place
    if step == 0:
        found = list(document) if isinstance(document, list) and document else [None]
        found[0] = put(found[0], tuple(rest), text)
        return found
    found = dict(document) if isinstance(document, dict) else {}
    found[step] = put(found.get(step), tuple(rest), text)
    return found


def refused(adapter: TypeAdapter[Any], body: Any, place: Path) -> bool:
    """Whether the model has something against what stands there."""
    try:
        adapter.validate_python(body)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False, include_context=False):
            where = iter(one["loc"])  # a union adds steps of its own
            if all(step in where for step in place):
                return True
    return False


@cache
def fields() -> tuple[tuple[str, Any, Any, Path], ...]:
    return tuple(
        (name, TypeAdapter(model), content.get("example"), place)
        for name, model, content in bodies()
        for place in dict.fromkeys(strings(content["schema"]))
    )


def test_every_text_of_every_request_is_one_line_or_is_heard_by_no_appliance() -> None:
    taken: set[tuple[str, str, str]] = set()
    for name, adapter, example, place in fields():
        for hostile in HOSTILE:
            body = put(copy.deepcopy(example), place, hostile)
            if not refused(adapter, body, place):
                taken.add((name, ".".join(str(step) for step in place), hostile))
    unknown = {entry for entry in taken if entry[1] not in MANY_LINES}
    assert unknown == set(), "one line, or say in MANY_LINES why no appliance hears it"
    assert {field for _, field, _ in taken} == MANY_LINES.keys()
    # Several lines are all they take: no return, no escape, no NUL.
    assert {hostile for _, _, hostile in taken} == {"a\nxCommand Boot"}
    assert len(fields()) > 700


def test_a_field_that_takes_anything_is_found() -> None:
    class Careless(BaseModel):
        name: str
        inner: list[dict[str, str]] = []

    schema = Careless.model_json_schema()
    places = list(strings(schema))
    assert places == [("name",), ("inner", 0, "*")]
    for place in places:
        body = put({"name": "x"}, place, HOSTILE[0])
        assert not refused(TypeAdapter(Careless), body, place)
