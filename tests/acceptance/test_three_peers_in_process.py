"""The main job over the mock transport: the same service, engine and database, no sockets."""

import pytest

from tests.acceptance.conftest import OpenHouse
from tests.support.api_story import mock_endpoint
from transports.mock.scenario import REHEARSAL_PASSWORD

CLUSTER = "cluster1.example.com"
ADDRESSES = ["192.0.2.11", "192.0.2.12", "192.0.2.13"]

pytestmark = pytest.mark.postgres


async def test_three_peers_become_a_cluster_over_the_mock_transport(open_house: OpenHouse):
    async with open_house({}) as house:
        story = house.story
        admin = await story.credential(REHEARSAL_PASSWORD)
        peers = [
            await story.peer(e.name, e.address, mock_endpoint(e.address, admin))
            for e in house.fleet
        ]
        cluster_id = await story.cluster(CLUSTER)
        await story.build(cluster_id, peers)
        await story.assert_cluster(cluster_id, CLUSTER, ADDRESSES)
        cluster = await story.get(f"/v1/clusters/{cluster_id}")
        assert [member["peer_id"] for member in cluster["members"]] == peers
        assert cluster["primary_peer_id"] == peers[0]
        assert house.witness.violations == []


async def test_a_job_keeps_the_backups_it_took_and_gives_them_back(open_house: OpenHouse):
    async with open_house({}) as house:
        story = house.story
        admin = await story.credential(REHEARSAL_PASSWORD)
        device = next(iter(house.fleet))
        peer = await story.peer(device.name, device.address, mock_endpoint(device.address, admin))
        cluster_id = await story.cluster(CLUSTER)
        job = await story.run(cluster_id, "create-cluster", {"primary_peer_id": peer})
        backups = (await story.get(f"/v1/jobs/{job['id']}/backups"))["items"]
        assert [backup["step"] for backup in backups] == ["back-up-exp1", "back-up-after-exp1"]
        for backup in backups:
            path = f"/v1/jobs/{job['id']}/backups/{backup['id']}/content"
            content = (await story.client.get(path)).content
            assert len(content) == backup["size"]
            assert content[:2] == b"\x1f\x8b"  # gzip


async def test_a_team_with_a_key_limited_by_labels_makes_its_cluster_by_itself(
    open_house: OpenHouse,
):
    """From the password to the second member; another team sees nothing of it."""
    async with open_house({}) as house:
        admin = house.story.client
        team, other = (
            {"labels": [{"name": "team", "value": name}], "scopes": ["admin"], "name": name}
            for name in ("voice", "video")
        )
        keys = [(await admin.post("/v1/keys", json=body)).json()["key"] for body in (team, other)]
        admin.headers["Authorization"] = f"Bearer {keys[0]}"
        story = house.story
        password = await story.credential(REHEARSAL_PASSWORD)
        peers = [
            await story.peer(e.name, e.address, mock_endpoint(e.address, password))
            for e in list(house.fleet)[:2]
        ]
        body = {"name": CLUSTER, "labels": team["labels"]}
        cluster_id = (await story.post("/v1/clusters", body))["id"]
        await story.build(cluster_id, peers)
        await story.assert_cluster(cluster_id, CLUSTER, ADDRESSES[:2])
        admin.headers["Authorization"] = f"Bearer {keys[1]}"
        for kind in ("clusters", "peers", "credentials", "jobs"):
            assert (await story.get(f"/v1/{kind}"))["items"] == []
        assert house.witness.violations == []
