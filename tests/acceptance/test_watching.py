"""A cluster is broken by hand while nobody looks: the service notices, names it, and mends it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.acceptance.conftest import House, OpenHouse
from tests.support.api_story import ssh_endpoint, web_endpoint

NAME = "cluster1.example.com"
SCENARIO = {"clusters": [{"name": NAME, "key": "one & the same", "members": ["exp1", "exp2"]}],
            "expressways": [{"name": f"exp{n}", "address": f"192.0.2.{10 + n}"}
                            for n in (1, 2)]}  # fmt: skip

pytestmark = [pytest.mark.sockets, pytest.mark.postgres]


async def watched(house: House, cluster_id: str) -> None:
    """Have the worker look every half second."""
    path = f"/v1/clusters/{cluster_id}/watching"
    read = await house.story.client.get(path)
    answer = await house.story.client.patch(
        path, json={"interval_seconds": 0.5}, headers={"If-Match": read.headers["ETag"]}
    )
    assert answer.status_code == 200, answer.text


async def event(house: House, cluster_id: str, kind: str, code: str) -> dict[str, Any]:
    """The event, as soon as it is there."""
    async with asyncio.timeout(60):
        while True:
            events = await house.story.get(f"/v1/clusters/{cluster_id}/events")
            for found in events["items"]:
                if (found["type"], found["data"].get("code", code)) == (kind, code):
                    return dict(found)
            await asyncio.sleep(0.1)


async def test_a_list_changed_by_hand_is_noticed_named_and_mended(open_house: OpenHouse) -> None:
    async with open_house(SCENARIO) as house:
        story = house.story
        admin = await story.credential(house.reachable[0]["password"])
        peers = [
            await story.peer(
                entry["name"],
                entry["address"],
                ssh_endpoint(entry, admin),
                web_endpoint(entry, admin, xml=False),
            )
            for entry in house.reachable
        ]
        cluster_id = await story.cluster(NAME)
        await house.record_members(cluster_id, peers)
        await watched(house, cluster_id)
        await event(house, cluster_id, "cluster.state.accepted", "")
        house.fleet["exp2"].write(["Alternates", "Peer", "2", "Address"], "192.0.2.99")
        raised = await event(house, cluster_id, "cluster.finding.raised", "peer-misses-itself")
        assert raised["data"]["peer_id"] == peers[1]
        found = await story.get(f"/v1/clusters/{cluster_id}/diagnosis")
        (request,) = found["causes"][0]["requests"]
        assert request["procedure"] == "align-clustering"
        job = await story.run(cluster_id, request["procedure"], request["body"])
        assert job["state"] == "succeeded", job["failure"]
        await event(house, cluster_id, "cluster.finding.cleared", "peer-misses-itself")
        after = await story.get(f"/v1/clusters/{cluster_id}/diagnosis")
        assert after["healthy"], after["causes"]
        assert house.witness.violations == []
