"""A cluster that exists is recorded as its members describe it, or not at all."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from app.domain.observation import Clustering, ClusterPeer, Lan, Observation
from tests.api.conftest import HOST_KEY, World, peer_body
from tests.api.observations import observation
from tests.api.test_conventions import is_problem
from transports.trust import HostKeyPin

pytestmark = pytest.mark.postgres

NAME = "Cluster.example.com"


def address(number: int) -> str:
    return f"192.0.2.{10 + number}"


def member(peer_id: str, number: int, size: int, **page: Any) -> Observation:
    """What member `number` of a cluster says; the first is the primary."""
    listed = page.pop("listed", range(1, size + 1))
    clustering = Clustering(
        cluster_name=page.pop("name", NAME),
        primary_index=page.pop("primary_index", 1),
        peers=tuple(ClusterPeer(i, address(n), None) for i, n in enumerate(listed, start=1)),
        pre_shared_key_set=True,
        database_status="Active",
    )
    lan = Lan(1, "1000full", page.pop("at", address(number)), "255.255.255.0", "", False)
    return replace(
        observation(),
        peer_id=peer_id,
        system_name=f"exp{number}",
        lans=(lan,),
        clustering=clustering,
    )


async def there(world: World, size: int) -> list[str]:
    """That many registered peers that are one cluster."""
    ids = []
    for number in range(1, size + 1):
        peer = await world.peer(f"exp{number}", address(number))
        world.appliances.views[peer["id"]] = member(peer["id"], number, size)
        ids.append(peer["id"])
    return ids


async def ask(world: World, peer_id: str, **more: Any) -> Any:
    headers = more.pop("headers", None)
    client = world.client if headers is None else world.anonymous
    body = {"peer_id": peer_id, **more}
    return await client.post("/v1/clusters/import", json=body, headers=headers)


async def refused(world: World, peer_id: str, **more: Any) -> list[dict[str, Any]]:
    """The differences; nothing was recorded."""
    problem = is_problem(await ask(world, peer_id, **more), 409, "import-refused")
    assert (await world.client.get("/v1/clusters")).json()["items"] == []
    errors: list[dict[str, Any]] = problem["errors"]
    assert all(error["remedy"] and error["requirements"] for error in errors)
    return errors


@pytest.mark.parametrize("size", [1, 6])
async def test_any_member_leads_to_the_whole_cluster(world: World, size: int) -> None:
    ids = await there(world, size)
    answer = await ask(world, ids[-1], labels=[{"name": "site", "value": "berlin"}])
    assert answer.status_code == 201, answer.text
    told = answer.json()
    cluster = told["cluster"]
    assert told["recorded"] is True
    assert cluster["name"] == NAME  # as the peers spell it
    assert [entry["peer_id"] for entry in cluster["members"]] == ids
    assert cluster["primary_peer_id"] == ids[0]
    assert cluster["labels"] == [{"name": "site", "value": "berlin"}]
    assert [finding["code"] for finding in told["findings"]] == ["pre-shared-key-unknown"]
    url = answer.headers["location"]
    read = await world.client.get(url)
    assert read.json() == cluster
    assert read.headers["etag"] == answer.headers["etag"]


async def test_importing_again_by_any_member_changes_nothing(world: World) -> None:
    ids = await there(world, 3)
    first = await ask(world, ids[0])
    again = await ask(world, ids[2])
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["recorded"] is False
    assert again.json()["cluster"] == first.json()["cluster"]
    assert len((await world.client.get("/v1/clusters")).json()["items"]) == 1


async def test_two_at_once_record_one_cluster(world: World) -> None:
    ids = await there(world, 3)
    answers = await asyncio.gather(*(ask(world, peer_id) for peer_id in ids))
    assert 201 in [answer.status_code for answer in answers]
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["errors"][0]["code"] == "peer-changed"
    clusters = (await world.client.get("/v1/clusters")).json()["items"]
    assert [len(cluster["members"]) for cluster in clusters] == [3]


async def test_an_idempotency_key_answers_the_same_import(world: World) -> None:
    (peer_id,) = await there(world, 1)
    body, headers = {"peer_id": peer_id}, {"Idempotency-Key": "one"}
    first = await world.client.post("/v1/clusters/import", json=body, headers=headers)
    world.appliances.views.clear()
    again = await world.client.post("/v1/clusters/import", json=body, headers=headers)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json()["cluster"] == first.json()["cluster"]


async def test_a_listed_peer_that_is_not_registered_comes_with_what_registers_it(
    world: World,
) -> None:
    ids = await there(world, 2)
    for number, peer_id in enumerate(ids, start=1):
        world.appliances.views[peer_id] = member(peer_id, number, 3)
    (error,) = await refused(world, ids[0])
    assert error["code"] == "member-not-registered"
    probe = json.loads(error["evidence"]["probe_ssh"])
    body = json.loads(error["evidence"]["register"])
    assert body["address"] == probe["host"] == address(3)
    # No identity is taken over: without one that a person has compared, the peer is refused.
    unpinned = is_problem(await world.client.post("/v1/peers", json=body), 422, "invalid-request")
    assert unpinned["errors"][0]["pointer"] == "/endpoints/0/trust"
    shown = (await world.client.post("/v1/peers/probe", json=probe)).json()
    assert shown["fingerprint"] == HostKeyPin(HOST_KEY).fingerprint
    body["endpoints"][0]["trust"] = {"host_key": shown["value"]}
    made = await world.client.post("/v1/peers", json=body)
    assert made.status_code == 201, made.text
    third = made.json()["id"]
    world.appliances.views[third] = member(third, 3, 3)
    assert (await ask(world, ids[0])).status_code == 201


@pytest.mark.parametrize(
    ("page", "what"),
    [
        ({"name": "other.example.com"}, "cluster name"),
        ({"listed": [1, 2]}, "peer list"),
        ({"listed": [2, 1, 3]}, "configuration master"),
        ({"primary_index": 3}, "configuration master"),
    ],
)
async def test_a_member_that_disagrees_keeps_the_cluster_out(
    world: World, page: dict[str, Any], what: str
) -> None:
    ids = await there(world, 3)
    world.appliances.views[ids[1]] = member(ids[1], 2, 3, **page)
    (error,) = await refused(world, ids[0])
    assert (error["code"], error["peer_id"]) == ("member-disagrees", ids[1])
    assert what in error["evidence"]
    assert "align-clustering" in error["remedy"]


async def test_it_is_recorded_in_spite_of_a_difference_where_that_is_asked_for(
    world: World,
) -> None:
    ids = await there(world, 3)
    world.appliances.views[ids[1]] = member(ids[1], 2, 3, name="other.example.com")
    del world.appliances.views[ids[2]]
    answer = await ask(world, ids[0], despite_differences=True)
    assert answer.status_code == 201, answer.text
    assert answer.json()["cluster"]["name"] == NAME
    found = {finding["code"] for finding in answer.json()["findings"]}
    assert found == {"member-disagrees", "member-silent", "pre-shared-key-unknown"}
    path = f"/v1/clusters/{answer.json()['cluster']['id']}/procedures/align-clustering/plan"
    plan = (await world.client.post(path, json={})).json()
    assert "peer-unreachable" in json.dumps(plan["findings"])


async def test_a_silent_member_keeps_the_cluster_out(world: World) -> None:
    ids = await there(world, 2)
    del world.appliances.views[ids[1]]
    (error,) = await refused(world, ids[0])
    assert (error["code"], error["peer_id"]) == ("member-silent", ids[1])
    assert error["evidence"] == {"reason": "peer-unreachable"}
    assert "remove-dead-peer" in error["remedy"]


async def test_the_asked_member_has_to_answer(world: World) -> None:
    ids = await there(world, 2)
    del world.appliances.views[ids[0]]
    is_problem(await ask(world, ids[0]), 502, "peer-not-observed")
    is_problem(await ask(world, "peer-none"), 404, "not-found")


async def test_a_listed_peer_of_another_cluster_is_never_taken(world: World) -> None:
    """Its own list does not name the asked one: not even `despite_differences` records that."""
    ids = await there(world, 3)
    world.appliances.views[ids[2]] = member(ids[2], 3, 3, listed=[3, 7])
    for despite in (False, True):
        errors = await refused(world, ids[0], despite_differences=despite)
        assert "member-elsewhere" in {error["code"] for error in errors}


async def test_another_appliance_at_a_members_address_is_never_taken(world: World) -> None:
    ids = await there(world, 2)
    for wrong in ids:
        number = ids.index(wrong) + 1
        before = world.appliances.views[wrong]
        world.appliances.views[wrong] = member(wrong, number, 2, at="192.0.2.99")
        errors = await refused(world, ids[0], despite_differences=True)
        assert [e["code"] for e in errors] == ["another-appliance-answers"]
        world.appliances.views[wrong] = before


@pytest.mark.parametrize(
    ("page", "code"),
    [
        ({"listed": []}, "not-clustered"),
        ({"listed": [1, 2, 3, 4, 5, 6, 7]}, "too-many-peers"),
        ({"listed": [1, 2, 2]}, "peer-listed-twice"),
        ({"listed": [2]}, "peer-not-in-its-own-list"),
        ({"primary_index": 5}, "primary-unknown"),
        ({"name": "no name"}, "cluster-name-unfit"),
        ({"name": ""}, "cluster-name-unfit"),
    ],
)
async def test_what_the_asked_member_says_must_be_a_whole_cluster(
    world: World, page: dict[str, Any], code: str
) -> None:
    ids = await there(world, 2)
    world.appliances.views[ids[0]] = member(ids[0], 1, 2, **page)
    errors = await refused(world, ids[0], despite_differences=True)
    assert [error["code"] for error in errors] == [code]


async def test_a_member_of_another_registered_cluster_is_refused(world: World) -> None:
    ids = await there(world, 3)
    cluster = await world.cluster("other.example.com")
    async with world.parts.store.transaction() as tx:
        await tx.clusters.record_members(cluster["id"], [ids[2]], ids[2])
    asked = is_problem(await ask(world, ids[2]), 409, "peer-in-cluster")
    assert asked["cluster_id"] == cluster["id"]
    problem = is_problem(await ask(world, ids[0], despite_differences=True), 409, "import-refused")
    assert [e["code"] for e in problem["errors"]] == ["member-of-another-cluster"]
    read = (await world.client.get(f"/v1/clusters/{cluster['id']}")).json()
    assert [entry["peer_id"] for entry in read["members"]] == [ids[2]]


async def test_a_name_that_is_in_use_is_refused(world: World) -> None:
    ids = await there(world, 2)
    await world.cluster(NAME.lower())
    is_problem(await ask(world, ids[0]), 409, "name-taken")


async def test_nothing_is_imported_under_a_job_that_is_at_work(world: World) -> None:
    ids = await there(world, 2)
    cluster = await world.cluster("other.example.com")
    job = await world.start(cluster, "one", peer_id=ids[1])
    assert job.status_code == 202, job.text
    problem = is_problem(await ask(world, ids[0]), 409, "peer-busy")
    assert problem["job_id"] == job.json()["id"]


async def test_a_peer_that_is_changed_meanwhile_is_not_recorded(world: World) -> None:
    ids = await there(world, 2)
    observe = world.appliances.observe

    async def changing(peer_id: str) -> Any:
        if peer_id == ids[1]:
            answer = await world.client.patch(
                f"/v1/peers/{ids[1]}", json={"address": "192.0.2.77"}, headers={"If-Match": "*"}
            )
            assert answer.status_code == 200, answer.text
        return await observe(peer_id)

    world.appliances.observe = changing  # type: ignore[method-assign]
    problem = is_problem(await ask(world, ids[0]), 409, "import-refused")
    assert [error["code"] for error in problem["errors"]] == ["peer-changed"]


async def test_a_key_that_is_limited_to_other_clusters_imports_nothing(world: World) -> None:
    ids = await there(world, 1)
    own = await world.cluster("own.example.com")
    headers = await world.key("clusters:write", clusters=frozenset({own["id"]}))
    is_problem(await ask(world, ids[0], headers=headers), 404, "not-found")
    mine = await world.key("admin", clusters=frozenset({own["id"]}))
    credential = (
        await world.anonymous.post(
            "/v1/credentials",
            json={"name": "m", "username": "admin", "secret": "mine-Pa55"},
            headers=mine,
        )
    ).json()
    body = peer_body(credential["id"], "mine", "192.0.2.50")
    peer = (await world.anonymous.post("/v1/peers", json=body, headers=mine)).json()
    world.appliances.asked.clear()
    is_problem(await ask(world, peer["id"], headers=mine), 403, "forbidden")
    assert world.appliances.asked == []


async def test_a_key_that_is_known_is_attached_and_only_a_key_is(world: World) -> None:
    (peer_id,) = await there(world, 1)
    secret = {"name": "psk", "kind": "pre_shared_key", "secret": "canary-psk-77"}
    key = (await world.client.post("/v1/credentials", json=secret)).json()
    password = (await world.client.get("/v1/credentials")).json()["items"][0]
    wrong = is_problem(
        await ask(world, peer_id, pre_shared_key_id=password["id"]), 422, "invalid-request"
    )
    assert wrong["errors"][0]["pointer"] == "/pre_shared_key_id"
    answer = await ask(world, peer_id, pre_shared_key_id=key["id"])
    assert answer.json()["cluster"]["pre_shared_key_id"] == key["id"]
    assert answer.json()["findings"] == []


async def test_labels_and_unknown_fields_are_checked_as_for_a_new_cluster(world: World) -> None:
    (peer_id,) = await there(world, 1)
    twice = [{"name": "site", "value": "a"}, {"name": "site", "value": "b"}]
    is_problem(await ask(world, peer_id, labels=twice), 422, "invalid-request")
    is_problem(await ask(world, peer_id, trust_on_first_use=True), 422, "invalid-request")
