"""The guide's requirements over the API."""

from __future__ import annotations

import pytest

from tests.api.conftest import World

pytestmark = pytest.mark.postgres


async def test_every_requirement_comes_with_what_satisfies_it(world: World) -> None:
    answer = await world.client.get("/v1/guide/requirements")
    assert answer.status_code == 200
    items = answer.json()["items"]
    assert len(items) == 601
    assert all(item["satisfied_by"] for item in items)


async def test_a_chapter_or_a_kind_can_be_asked_for(world: World) -> None:
    answer = await world.client.get("/v1/guide/requirements?chapter=ADD&satisfied_by=gate")
    items = answer.json()["items"]
    assert items
    assert all(item["id"].startswith("ADD-") for item in items)
    assert all(item["satisfied_by"][0]["kind"] == "gate" for item in items)
    bad = await world.client.get("/v1/guide/requirements?chapter=nowhere")
    assert bad.status_code == 422
