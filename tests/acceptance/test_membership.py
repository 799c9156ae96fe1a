"""Peers leave, hand over and move, over real sockets and through the whole service."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.acceptance.conftest import House, OpenHouse
from tests.support.api_story import mock_endpoint, ssh_endpoint, web_endpoint

CLUSTER = "cluster1.example.com"
THREE = {"clusters": [{"name": CLUSTER, "key": "4711-0815", "members": ["exp1", "exp2", "exp3"]}]}

pytestmark = [pytest.mark.sockets, pytest.mark.postgres]

Ways = Callable[[Mapping[str, Any], str], list[dict[str, Any]]]
WAYS: dict[str, Ways] = {
    "ssh": lambda entry, admin: [
        ssh_endpoint(entry, admin),
        web_endpoint(entry, admin, xml=False),
    ],
    "http": lambda entry, admin: [web_endpoint(entry, admin, xml=True)],
    "mock": lambda entry, admin: [mock_endpoint(entry["address"], admin)],
}


async def registered(house: House, *ways: str) -> list[str]:
    """The first Expressways of the fleet, each reached in its own way."""
    admin = await house.story.credential(house.reachable[0]["password"])
    return [
        await house.story.peer(entry["name"], entry["address"], *WAYS[way](entry, admin))
        for entry, way in zip(house.reachable, ways, strict=False)
    ]


async def carried_out(house: House, cluster_id: str, slug: str, **parameters: Any) -> None:
    job = await house.story.run(cluster_id, slug, parameters)
    assert job["state"] == "succeeded", job["failure"]


def assert_nothing_unsafe(house: House) -> None:
    """How long two primaries last depends on this machine here; virtual time judges that."""
    assert [v for v in house.witness.violations if v.rule != "two primaries"] == []


@pytest.mark.parametrize("way", ["ssh", "http"])
async def test_a_primary_hands_over_and_leaves_and_the_rest_disband(open_house: OpenHouse, way):
    async with open_house(THREE) as house:
        peers = await registered(house, way, way, way)
        cluster_id = await house.story.cluster(CLUSTER)
        await house.record_members(cluster_id, peers)
        await carried_out(house, cluster_id, "change-primary", peer_id=peers[1])
        for device in house.fleet:
            assert device.cluster.saved().master_address == "192.0.2.12"
        await carried_out(house, cluster_id, "remove-peer", peer_id=peers[0])
        one, two, three = house.fleet
        assert (one.cluster.saved().listed, one.cluster.key) == ((), "")
        assert one.cluster.saved().name == "exp1.example.com"
        for device in (two, three):
            assert device.cluster.saved().listed == ("192.0.2.12", "192.0.2.13")
            assert device.cluster.saved().master_address == "192.0.2.12"
            assert device.cluster.database_status() == "Active"
        await carried_out(house, cluster_id, "disband")
        for device in (two, three):
            assert (device.cluster.saved().listed, device.cluster.key) == ((), "")
        cluster = await house.story.get(f"/v1/clusters/{cluster_id}")
        assert (cluster["members"], cluster["primary_peer_id"]) == ([], None)
        assert_nothing_unsafe(house)


async def test_a_peer_that_moves_is_found_at_its_new_address(open_house: OpenHouse):
    async with open_house({}) as house:
        peers = await registered(house, "ssh", "mock")
        cluster_id = await house.story.cluster(CLUSTER)
        await house.story.build(cluster_id, peers)
        await carried_out(
            house,
            cluster_id,
            "change-peer-address",
            peer_id=peers[1],
            new_address="192.0.2.99",
        )
        await house.story.assert_cluster(cluster_id, CLUSTER, ["192.0.2.11", "192.0.2.99"])
        peer = await house.story.get(f"/v1/peers/{peers[1]}")
        assert (peer["address"], peer["endpoints"][0]["host"]) == ("192.0.2.99", "192.0.2.99")
        assert_nothing_unsafe(house)
