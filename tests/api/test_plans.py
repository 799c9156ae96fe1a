"""The list of plans: whose, of what, and whether a job can be made of them now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.domain.observation import View
from tests.api.conftest import World
from tests.api.test_conventions import is_problem

pytestmark = pytest.mark.postgres
Seen = Callable[..., View]


async def listed(world: World, **query: Any) -> list[tuple[str, str]]:
    answer = await world.client.get("/v1/plans", params=query)
    assert answer.status_code == 200, answer.text
    return [(item["id"], item["state"]) for item in answer.json()["items"]]


async def test_plans_are_listed_newest_first_by_cluster_procedure_and_state(
    world: World, seen: Seen
) -> None:
    peer = await world.peer()
    one, two = await world.cluster("one.example.com"), await world.cluster("two.example.com")

    async def plan(cluster: Any, name: str) -> str:
        world.appliances.views[peer["id"]] = seen(peer["id"], name)
        return str((await world.plan(cluster, peer_id=peer["id"])).json()["id"])

    first = await plan(one, "exp1")
    blocked = await plan(one, "forbidden")
    path = f"/v1/clusters/{two['id']}/procedures/create-cluster/plan"
    other = (await world.client.post(path, json={"primary_peer_id": peer["id"]})).json()
    assert await listed(world, cluster_id=one["id"]) == [(blocked, "blocked"), (first, "ready")]
    assert await listed(world, procedure="name-peer", state="ready") == [(first, "ready")]
    assert await listed(world, state="blocked", cluster_id=one["id"]) == [(blocked, "blocked")]
    assert [found for found, _ in await listed(world)] == [other["id"], blocked, first]
    read = (await world.client.get(f"/v1/plans/{first}")).json()
    (entry,) = (await world.client.get("/v1/plans", params={"state": "ready", "procedure":
                "name-peer"})).json()["items"]  # fmt: skip
    assert entry == {"state": "ready", **{name: read[name] for name in entry if name != "state"}}
    world.clock.ahead = timedelta(days=2)
    fresh = await plan(one, "exp1")
    assert await listed(world, cluster_id=one["id"]) == [
        (fresh, "ready"),
        (blocked, "expired"),
        (first, "expired"),
    ]
    assert await listed(world, state="expired", procedure="name-peer") == [
        (blocked, "expired"),
        (first, "expired"),
    ]


async def test_every_plan_is_on_one_page(world: World, seen: Seen) -> None:
    peer, cluster = await world.peer(), await world.cluster()
    world.appliances.views[peer["id"]] = seen(peer["id"])
    made = [(await world.plan(cluster, peer_id=peer["id"])).json()["id"] for _ in range(5)]
    found: list[str] = []
    url = "/v1/plans?limit=2"
    while url:
        answer = await world.client.get(url)
        found += [item["id"] for item in answer.json()["items"]]
        url = answer.links.get("next", {}).get("url", "")
    assert found == made[::-1]


async def test_a_question_that_makes_no_sense_is_refused(world: World) -> None:
    assert await listed(world, cluster_id="cluster-1") == []
    for query in ({"state": "good"}, {"limit": 0}, {"cluster_id": "a b"}):
        is_problem(await world.client.get("/v1/plans", params=query), 422, "invalid-request")
    answer = await world.client.get("/v1/plans", params={"cursor": "nonsense"})
    is_problem(answer, 422, "invalid-cursor")
