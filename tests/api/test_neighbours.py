"""Neighbours as resources of a cluster."""

from tests.api.conftest import World

BODY = {"name": "London C", "kind": "neighbor", "zone_name": "to-edge"}


async def test_a_neighbour_is_registered_read_listed_and_forgotten(world: World) -> None:
    cluster = await world.cluster()
    place = f"/v1/clusters/{cluster['id']}/neighbours"
    made = await world.client.post(place, json=BODY)
    assert made.status_code == 201
    assert made.headers["Location"].endswith(f"{place}/{made.json()['id']}")
    read = await world.client.get(made.headers["Location"])
    assert read.json() == made.json()
    listed = await world.client.get(place)
    assert [item["name"] for item in listed.json()["items"]] == ["London C"]
    tag = read.headers["ETag"]
    assert (await world.client.delete(made.headers["Location"])).status_code == 428
    gone = await world.client.delete(made.headers["Location"], headers={"If-Match": tag})
    assert gone.status_code == 204
    assert (await world.client.get(made.headers["Location"])).status_code == 404


async def test_a_name_is_used_once_per_cluster(world: World) -> None:
    cluster = await world.cluster()
    place = f"/v1/clusters/{cluster['id']}/neighbours"
    assert (await world.client.post(place, json=BODY)).status_code == 201
    again = await world.client.post(place, json={**BODY, "name": "LONDON C"})
    assert (again.status_code, again.json()["code"]) == (409, "name-taken")


async def test_bad_neighbours_are_refused_with_the_field(world: World) -> None:
    cluster = await world.cluster()
    place = f"/v1/clusters/{cluster['id']}/neighbours"
    for change, pointer in (
        ({"peer_id": "peer-nobody"}, "/peer_id"),
        ({"kind": "friend"}, "/kind"),
        ({"zone_name": ""}, "/zone_name"),
    ):
        answer = await world.client.post(place, json={**BODY, **change})
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    missing = await world.client.post("/v1/clusters/cluster-none/neighbours", json=BODY)
    assert missing.status_code == 404


async def test_a_neighbour_is_said_anew_by_who_has_seen_it(world: World) -> None:
    cluster, peer = await world.cluster(), await world.peer()
    place = f"/v1/clusters/{cluster['id']}/neighbours"
    made = await world.client.post(place, json={**BODY, "peer_id": peer["id"]})
    assert (await world.client.post(place, json={**BODY, "name": "other"})).status_code == 201
    here, seen = made.headers["Location"], {"If-Match": made.headers["ETag"]}
    said = {"name": "Trunk", "kind": "other", "zone_name": "SIP trunk 7"}
    assert (await world.client.put(here, json=said)).status_code == 428
    changed = await world.client.put(here, json=said, headers=seen)
    assert changed.status_code == 200, changed.text
    assert changed.json() == {**made.json(), **said, "peer_id": None}
    read = await world.client.get(here)
    assert (read.json(), read.headers["ETag"]) == (changed.json(), changed.headers["ETag"])
    assert changed.headers["ETag"] != made.headers["ETag"]
    for method in ("PUT", "DELETE"):
        late = await world.client.request(
            method, here, headers=seen, **({"json": said} if method == "PUT" else {})
        )
        assert (late.status_code, late.json()["code"]) == (412, "precondition-failed")
    now = {"If-Match": changed.headers["ETag"]}
    for wrong, status, code in (
        ({"name": "OTHER"}, 409, "name-taken"),
        ({"peer_id": peer["id"]}, 422, "invalid-request"),
        ({"kind": "neighbor", "peer_id": "peer-nobody"}, 422, "invalid-request"),
    ):
        refused = await world.client.put(here, json={**said, **wrong}, headers=now)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert (await world.client.get(here)).json() == changed.json()


async def test_a_neighbour_whose_expressway_is_forgotten_has_changed(world: World) -> None:
    cluster, peer = await world.cluster(), await world.peer()
    place = f"/v1/clusters/{cluster['id']}/neighbours"
    made = await world.client.post(place, json={**BODY, "peer_id": peer["id"]})
    here, seen = made.headers["Location"], {"If-Match": made.headers["ETag"]}
    other = await world.client.post(place, json={**BODY, "name": "other"})
    gone = await world.client.delete(f"/v1/peers/{peer['id']}", headers={"If-Match": "*"})
    assert gone.status_code == 204, gone.text
    assert (await world.client.get(here)).json() == {**made.json(), "peer_id": None}
    assert (await world.client.put(here, json=BODY, headers=seen)).status_code == 412
    untouched = await world.client.get(other.headers["Location"])
    assert untouched.headers["ETag"] == other.headers["ETag"]


async def test_a_neighbour_of_another_cluster_is_not_found_here(world: World) -> None:
    one, other = await world.cluster(), await world.cluster("other.example.com")
    made = await world.client.post(f"/v1/clusters/{one['id']}/neighbours", json=BODY)
    strange = f"/v1/clusters/{other['id']}/neighbours/{made.json()['id']}"
    assert (await world.client.get(strange)).status_code == 404
    for method, body in (("PUT", {"json": BODY}), ("DELETE", {})):
        answer = await world.client.request(method, strange, headers={"If-Match": "*"}, **body)
        assert answer.status_code == 404
