"""One cluster, three ways to its peers: SSH with the web forms beside it, HTTPS, and in process."""

import pytest

from tests.acceptance.conftest import OpenHouse
from tests.support.api_story import mock_endpoint, ssh_endpoint, web_endpoint

CLUSTER = "cluster1.example.com"
ADDRESSES = ["192.0.2.11", "192.0.2.12", "192.0.2.13"]

pytestmark = [pytest.mark.sockets, pytest.mark.postgres]


async def test_peers_reached_over_three_transports_become_one_cluster(open_house: OpenHouse):
    async with open_house({}) as house:
        story = house.story
        by_ssh, by_http, by_mock = house.reachable
        admin = await story.credential(by_ssh["password"])
        peers = [
            await story.peer(
                by_ssh["name"],
                by_ssh["address"],
                ssh_endpoint(by_ssh, admin),
                web_endpoint(by_ssh, admin, xml=False),
            ),
            await story.peer(
                by_http["name"], by_http["address"], web_endpoint(by_http, admin, xml=True)
            ),
            await story.peer(
                by_mock["name"], by_mock["address"], mock_endpoint(by_mock["address"], admin)
            ),
        ]
        shown = [await story.get(f"/v1/peers/{peer}/capabilities") for peer in peers]
        transports = [[end["transport"] for end in one["endpoints"]] for one in shown]
        assert transports == [["ssh", "http"], ["http"], ["mock"]]
        assert all({"administration", "backup"} <= set(one["capabilities"]) for one in shown)

        cluster_id = await story.cluster(CLUSTER)
        await story.build(cluster_id, peers)
        await story.assert_cluster(cluster_id, CLUSTER, ADDRESSES)
        keys = {device.cluster.key for device in house.fleet}
        assert len(keys) == 1
        assert keys != {""}
        assert house.witness.violations == []
