"""A cluster on the fleet that the service did not make is imported, and served from then on."""

import asyncio
from typing import Any

import pytest

from tests.acceptance.conftest import House, OpenHouse
from tests.support.api_story import mock_endpoint
from transports.mock.scenario import REHEARSAL_PASSWORD

CLUSTER = "cluster1.example.com"
THREE = {"clusters": [{"name": CLUSTER, "key": "4711-0815", "members": ["exp1", "exp2", "exp3"]}]}

pytestmark = pytest.mark.postgres


async def refused(house: House, peer: str) -> list[str]:
    answer = await house.story.ask("/v1/clusters/import", {"peer_id": peer})
    assert answer.status_code == 409, answer.text
    problem: dict[str, Any] = answer.json()
    return [error["code"] for error in problem["errors"]]


async def test_a_fleets_cluster_is_imported_when_it_is_whole_and_agrees(open_house: OpenHouse):
    async with open_house(THREE) as house:
        story = house.story
        admin = await story.credential(REHEARSAL_PASSWORD)
        one, two, three = house.fleet
        before = [device.cluster.saved() for device in house.fleet]
        first = await story.peer(one.name, one.address, mock_endpoint(one.address, admin))
        second = await story.peer(two.name, two.address, mock_endpoint(two.address, admin))
        assert await refused(house, second) == ["member-not-registered"]
        third = await story.peer(three.name, three.address, mock_endpoint(three.address, admin))
        two.write(["Alternates", "Cluster", "Name"], "other.example.com")
        assert await refused(house, first) == ["member-disagrees"]
        two.write(["Alternates", "Cluster", "Name"], CLUSTER)
        three.lose_power()
        assert await refused(house, first) == ["member-silent"]
        three.gain_power()
        for _ in range(300):  # it starts for some of the fleet's minutes
            if (await story.ask(f"/v1/peers/{third}/observations")).is_success:
                break
            await asyncio.sleep(0.2)
        made = await story.post("/v1/clusters/import", {"peer_id": third})
        cluster = made["cluster"]
        assert [entry["peer_id"] for entry in cluster["members"]] == [first, second, third]
        assert cluster["primary_peer_id"] == first
        assert [device.cluster.saved() for device in house.fleet] == before
        # The key is unknown, so nothing that enters it is planned; a new one makes it known.
        plan = await story.plan(
            cluster["id"], "rotate-pre-shared-key", {"use_registered_key": True}
        )
        codes = {f["code"] for f in plan["findings"] if f["severity"] == "blocker"}
        assert "pre-shared-key-unknown" in codes
        plan = await story.plan(cluster["id"], "rotate-pre-shared-key", {})
        assert [f for f in plan["findings"] if f["severity"] == "blocker"] == []
        job = await story.run(cluster["id"], "backup", {})
        assert job["state"] == "succeeded", job["failure"]
        assert house.witness.violations == []
