"""What is wrong with a cluster, asked over the API."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.appliance.alarms import read_alarm
from app.domain.observation import Clustering, ClusterPeer, Observation
from tests.api.conftest import World
from tests.api.observations import observation

ADDRESSES = ("192.0.2.11", "192.0.2.12")
APART = "Cluster communication failure - The system is unable to communicate"


def member(peer_id: str, number: int, **changes: Any) -> Observation:
    """A healthy member of a cluster of two."""
    own = ADDRESSES[number - 1]
    peers = tuple(
        ClusterPeer(n, address, "This system" if address == own else "Active")
        for n, address in enumerate(ADDRESSES, start=1)
    )
    healthy = observation()
    return replace(
        healthy,
        peer_id=peer_id,
        system_name=f"exp{number}",
        dns=replace(healthy.dns, host_name=f"exp{number}"),
        lans=(replace(healthy.lans[0], ipv4=own),),
        clustering=Clustering("cluster.example.com", 1, peers, True, "Active"),
        **changes,
    )


async def standing(world: World) -> tuple[dict[str, Any], list[str]]:
    """A registered cluster of two healthy peers."""
    cluster = await world.cluster()
    peers = [await world.peer(f"exp{n}", ADDRESSES[n - 1]) for n in (1, 2)]
    ids = [peer["id"] for peer in peers]
    async with world.parts.store.transaction() as tx:
        await tx.clusters.record_members(cluster["id"], ids, ids[0])
    for number, peer_id in enumerate(ids, start=1):
        world.appliances.views[peer_id] = member(peer_id, number)
    return cluster, ids


def lose_itself(world: World, peer_id: str) -> None:
    """The second peer's list names only the first; its cluster complains."""
    alone = member(peer_id, 2)
    alone = replace(
        alone,
        clustering=replace(alone.clustering, peers=alone.clustering.peers[:1]),
        alarms=(read_alarm("", APART, "Unacknowledged"),),
    )
    world.appliances.views[peer_id] = alone


async def test_a_healthy_cluster_is_said_to_be_well(world: World) -> None:
    cluster, _ = await standing(world)
    answer = await world.client.get(f"/v1/clusters/{cluster['id']}/diagnosis")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["healthy"], found["causes"], found["summary"]) == (True, [], "All is well.")


async def test_a_cause_comes_with_its_signs_and_a_request_that_plans_its_mending(
    world: World,
) -> None:
    cluster, (_, second) = await standing(world)
    lose_itself(world, second)
    found = (await world.client.get(f"/v1/clusters/{cluster['id']}/diagnosis")).json()
    first = found["causes"][0]
    assert not found["healthy"]
    assert first["finding"]["code"] == "peer-misses-itself"
    assert first["finding"]["peer_id"] == second
    assert [sign["alarm_number"] for sign in first["explains"]] == [20004]
    for request in (r for cause in found["causes"] for r in cause["requests"]):
        plan = await world.client.request(request["method"], request["path"], json=request["body"])
        assert plan.status_code == 201, plan.text


async def test_a_request_that_mends_is_a_good_request_to_this_service(world: World) -> None:
    cluster, (_, second) = await standing(world)
    pending = read_alarm("", "Restart required - An option key has been changed", "")
    world.appliances.views[second] = member(second, 2, alarms=(pending,))
    found = (await world.client.get(f"/v1/clusters/{cluster['id']}/diagnosis")).json()
    (request,) = found["causes"][0]["requests"]
    assert request["procedure"] == "restart-peer"
    plan = await world.client.request(request["method"], request["path"], json=request["body"])
    assert plan.status_code == 201, plan.text


async def test_members_that_do_not_answer_are_named(world: World) -> None:
    cluster, (_, second) = await standing(world)
    del world.appliances.views[second]
    found = (await world.client.get(f"/v1/clusters/{cluster['id']}/diagnosis")).json()
    assert found["not_observed"][0]["peer_id"] == second
    assert found["causes"][0]["finding"]["code"] == "peer-unreachable"


async def test_a_cluster_that_does_not_exist_or_has_no_members_is_no_error_of_ours(
    world: World,
) -> None:
    assert (await world.client.get("/v1/clusters/cluster-0/diagnosis")).status_code == 404
    cluster = await world.cluster()
    found = (await world.client.get(f"/v1/clusters/{cluster['id']}/diagnosis")).json()
    assert found["summary"] == "The cluster has no members yet."


async def test_an_alarm_is_looked_up_by_number_uuid_or_text(world: World) -> None:
    for wanted in (
        "20004",
        "3bca6888-f622-11df-93be-07cc953d7b99",
        "Cluster communication failure: The system is unable to communicate",
    ):
        answer = await world.client.get("/v1/alarms", params={"find": wanted})
        assert [item["numbers"] for item in answer.json()["items"]] == [[20004]]
    everything = (await world.client.get("/v1/alarms")).json()["items"]
    assert len(everything) > 40
    assert (await world.client.get("/v1/alarms", params={"find": "no such alarm"})).json() == {
        "items": []
    }


async def test_a_packet_from_peer_to_peer_tells_a_wrong_key_from_a_closed_network(
    world: World,
) -> None:
    cluster, ids = await standing(world)
    for number, peer_id in enumerate(ids, start=1):
        seen = member(peer_id, number)
        peers = tuple(
            replace(peer, status="Failed") if peer.status == "Active" else peer
            for peer in seen.clustering.peers
        )
        world.appliances.views[peer_id] = replace(
            seen, clustering=replace(seen.clustering, peers=peers)
        )
    path = f"/v1/clusters/{cluster['id']}/diagnosis"

    async def first() -> str:
        found = (await world.client.get(path)).json()
        code: str = found["causes"][0]["finding"]["code"]
        return code

    assert await first() == "peers-do-not-join"
    world.appliances.can_ping = True
    assert await first() == "pre-shared-key-differs"
    world.appliances.lost_packets = True
    assert await first() == "network-between-peers"
