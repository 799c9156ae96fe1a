"""After a failed or cancelled job: where the peers stand, and requests that lead out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import World
from tests.api.test_conventions import is_problem

pytestmark = pytest.mark.postgres


async def cancelled_job(world: World, seen: Any) -> tuple[Any, Any, Any]:
    cluster, peer = await world.cluster(), await world.peer()
    world.appliances.views[peer["id"]] = seen(peer["id"])
    job = (await world.start(cluster, "key-1", peer_id=peer["id"])).json()
    await world.client.post(f"/v1/jobs/{job['id']}/cancel")
    return cluster, peer, job


async def test_a_cancelled_job_says_where_its_peers_stand_and_what_can_be_sent(
    world: World, seen: Any
) -> None:
    cluster, peer, job = await cancelled_job(world, seen)
    answer = await world.client.get(f"/v1/jobs/{job['id']}/recovery")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["state"], found["standing"]) == ("cancelled", "as_before")
    assert [(p["peer_id"], p["reached"]) for p in found["peers"]] == [(peer["id"], True)]
    (way,) = found["ways"]
    assert way["open"] is True
    assert way["request"]["path"] == f"/v1/clusters/{cluster['id']}/procedures/name-peer"
    again = await world.client.post(
        way["request"]["path"], json=way["request"]["body"], headers={"Idempotency-Key": "key-2"}
    )
    assert again.status_code == 202, again.text


async def test_what_forbids_a_way_right_now_is_told(world: World, seen: Any) -> None:
    _, peer, job = await cancelled_job(world, seen)
    world.appliances.views[peer["id"]] = seen(peer["id"], "forbidden")
    (way,) = (await world.client.get(f"/v1/jobs/{job['id']}/recovery")).json()["ways"]
    assert way["open"] is False
    assert [blocker["code"] for blocker in way["blockers"]] == ["name-forbidden"]


async def test_a_peer_that_does_not_answer_is_named(world: World, seen: Any) -> None:
    _, peer, job = await cancelled_job(world, seen)
    del world.appliances.views[peer["id"]]
    found = (await world.client.get(f"/v1/jobs/{job['id']}/recovery")).json()
    assert (found["standing"], found["peers"][0]["reached"]) == ("unknown", False)


async def test_a_job_that_goes_on_has_no_recovery_yet(world: World, seen: Any) -> None:
    cluster, peer = await world.cluster(), await world.peer()
    world.appliances.views[peer["id"]] = seen(peer["id"])
    job = (await world.start(cluster, "key-1", peer_id=peer["id"])).json()
    answer = await world.client.get(f"/v1/jobs/{job['id']}/recovery")
    is_problem(answer, 409, "illegal-transition")
