"""A value of another kind than the document says is refused, never guessed at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import pytest

from app.api.offline import offline_api
from tests.api.conftest import World
from tests.api.routes import EVERY, Operation
from tests.api.test_conventions import is_problem

pytestmark = pytest.mark.postgres

OTHERS: Mapping[str, tuple[Any, ...]] = {
    "boolean": ("off", "true", 1),
    "integer": (True, "5"),
    "number": (True, "5"),
    "date-time": (0, 1.5, "0", "0.5"),
}
DOCUMENT = offline_api().openapi()
SCHEMAS = DOCUMENT["components"]["schemas"]

Place = tuple[str | int, ...]


def spots(schema: Mapping[str, Any], at: Place = ()) -> Iterator[tuple[Place, str]]:
    """Where in a body a boolean, number or time stands, and which."""
    if "$ref" in schema:
        schema = SCHEMAS[schema["$ref"].rpartition("/")[2]]
    for part in schema.get("anyOf", ()):
        yield from spots(part, at)
    for name, field in schema.get("properties", {}).items():
        yield from spots(field, (*at, name))
    if isinstance(schema.get("items"), Mapping):
        yield from spots(schema["items"], (*at, 0))
    kind = schema.get("format", schema.get("type"))
    if at and kind in OTHERS:
        yield at, kind


def put(body: Any, at: Place, value: Any) -> Any:
    """The body with that value there; what is missing on the way is made."""
    if not at:
        return value
    first, rest = at[0], at[1:]
    if isinstance(first, int):
        items = list(body or [None])
        return [put(items[0], rest, value), *items[1:]]
    return {**(body or {}), first: put((body or {}).get(first), rest, value)}


def bodies() -> Iterator[tuple[Operation, Place, str]]:
    for operation in EVERY:
        content = DOCUMENT["paths"][operation.path][operation.method.lower()].get("requestBody", {})
        if content:
            for at, kind in spots(content["content"]["application/json"]["schema"]):
                yield operation, at, kind


async def test_every_boolean_number_and_time_of_every_body_is_taken_as_it_is(world: World) -> None:
    tried = 0
    for operation, at, kind in bodies():
        path = operation.at(
            **{name: f"{name}-1".replace("_", "-") for name in operation.parameters}
        )
        for value in OTHERS[kind]:
            sent = operation.request({})
            sent["json"] = put(deepcopy(sent["json"]), at, value)
            answer = await world.client.request(operation.method, path, **sent)
            errors = is_problem(answer, 422, "invalid-request")["errors"]
            pointer = "/" + "/".join(str(part) for part in at)
            assert pointer in {error["pointer"] for error in errors}, (operation.name, at, value)
            tried += 1
    assert tried > 250


@pytest.mark.parametrize(
    "path",
    ["/v1/audit?since=0", "/v1/audit?until=0.5", "/v1/schedules/schedule-1/runs?before=1700000000"],
)
async def test_a_time_in_a_query_is_written_out(world: World, path: str) -> None:
    document = is_problem(await world.client.get(path), 422, "invalid-request")
    assert "RFC 3339" in document["errors"][0]["detail"]


@pytest.mark.parametrize("network", [False, 0, 3221225985])
async def test_a_network_is_text(world: World, network: Any) -> None:
    body = {"name": "k", "scopes": ["clusters:read"], "networks": [network]}
    document = is_problem(await world.client.post("/v1/keys", json=body), 422, "invalid-request")
    assert document["errors"][0]["pointer"] == "/networks/0"
