"""Labels and the policy of a cluster, and what a start makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import World
from tests.api.test_conventions import is_problem

pytestmark = pytest.mark.postgres


async def patch(world: World, cluster: Any, etag: str | None, **body: Any) -> Any:
    headers = {} if etag is None else {"If-Match": etag}
    return await world.client.patch(f"/v1/clusters/{cluster['id']}", json=body, headers=headers)


async def test_a_new_cluster_asks_for_nothing(world: World) -> None:
    cluster = await world.cluster()
    assert cluster["labels"] == []
    assert cluster["policy"] == {
        "change_required": False,
        "enforce_window": False,
        "four_eyes": False,
        "minimum_approvers": 0,
        "window_ids": [],
    }


async def test_labels_are_replaced_and_of_the_policy_only_what_is_given(world: World) -> None:
    body = {
        "name": "cluster.example.com",
        "labels": [{"name": "site", "value": "berlin"}],
        "policy": {"four_eyes": True},
    }
    cluster = (await world.client.post("/v1/clusters", json=body)).json()
    changed = await patch(world, cluster, "*", policy={"minimum_approvers": 2})
    assert changed.status_code == 200, changed.text
    assert changed.json()["labels"] == [{"name": "site", "value": "berlin"}]
    policy = changed.json()["policy"]
    assert (policy["four_eyes"], policy["minimum_approvers"]) == (True, 2)
    changed = await patch(world, cluster, changed.headers["etag"], labels=[])
    assert changed.json()["labels"] == []
    assert changed.json()["policy"] == policy
    read = await world.client.get(f"/v1/clusters/{cluster['id']}")
    assert read.json() == changed.json()
    assert read.headers["etag"] == changed.headers["etag"]


async def test_nobody_overwrites_what_they_have_not_seen(world: World) -> None:
    cluster = await world.cluster()
    etag = (await world.client.get(f"/v1/clusters/{cluster['id']}")).headers["etag"]
    is_problem(await patch(world, cluster, None, labels=[]), 428, "precondition-required")
    assert (await patch(world, cluster, etag, policy={"four_eyes": True})).status_code == 200
    is_problem(
        await patch(world, cluster, etag, policy={"four_eyes": False}), 412, "precondition-failed"
    )
    is_problem(await patch(world, {"id": "cluster-none"}, "*", labels=[]), 404, "not-found")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"labels": [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]}, "/labels/1/name"),
        ({"labels": [{"name": "a b", "value": "1"}]}, "/labels/0/name"),
        ({"labels": [{"name": "a", "value": "x\n"}]}, "/labels/0/value"),
        ({"labels": [{"name": f"a{n}", "value": ""} for n in range(33)]}, "/labels"),
        ({"policy": {"minimum_approvers": 11}}, "/policy/minimum_approvers"),
        ({"policy": {"minimum_approvers": -1}}, "/policy/minimum_approvers"),
        ({"policy": {"four_eye": True}}, "/policy/four_eye"),
    ],
)
async def test_what_cannot_be_said_is_refused_by_its_place(
    world: World, body: Any, pointer: str
) -> None:
    cluster = await world.cluster()
    answer = await patch(world, cluster, "*", **body)
    errors = is_problem(answer, 422, "invalid-request")["errors"]
    assert [error["pointer"] for error in errors] == [pointer]


async def test_clusters_are_found_by_all_of_their_labels(world: World) -> None:
    for name, labels in [
        ("one.example.com", {"site": "berlin", "stage": "test"}),
        ("two.example.com", {"site": "berlin"}),
        ("three.example.com", {"site": "a=b"}),
    ]:
        said = [{"name": key, "value": value} for key, value in labels.items()]
        await world.client.post("/v1/clusters", json={"name": name, "labels": said})

    async def found(*labels: str) -> list[str]:
        answer = await world.client.get("/v1/clusters", params={"label": list(labels)})
        return [item["name"] for item in answer.json()["items"]]

    assert await found("site=berlin") == ["one.example.com", "two.example.com"]
    assert await found("site=berlin", "stage=test") == ["one.example.com"]
    assert await found("site=a=b") == ["three.example.com"]
    assert await found("site=paris") == []
    answer = await world.client.get("/v1/clusters", params={"label": "site"})
    is_problem(answer, 422, "invalid-request")
