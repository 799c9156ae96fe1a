"""API keys: shown once, limited, rotated, revoked, and never more than the one that makes them."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import httpx
import pytest

from tests.api.conftest import World
from tests.api.test_conventions import is_problem

pytestmark = pytest.mark.postgres


async def make(world: World, **body: Any) -> dict[str, Any]:
    answer = await world.client.post("/v1/keys", json={"name": "k", "scopes": ["admin"], **body})
    assert answer.status_code == 201, answer.text
    return answer.json()


def bearing(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


async def status(world: World, text: str, path: str = "/v1/peers") -> int:
    return (await world.anonymous.get(path, headers=bearing(text))).status_code


async def test_a_key_is_shown_once(world: World) -> None:
    made = await make(world, scopes=["clusters:read"])
    assert await status(world, made["key"]) == 200
    for answer in (
        await world.client.get("/v1/keys"),
        await world.client.get(f"/v1/keys/{made['id']}"),
    ):
        assert made["prefix"] in answer.text
        assert made["key"] not in answer.text
    read = (await world.client.get(f"/v1/keys/{made['id']}")).json()
    assert read["last_used_at"] is not None
    assert read["created_by"].startswith("key-")


async def test_a_changed_key_is_another_key_from_its_next_request_on(world: World) -> None:
    made = await make(world, scopes=["clusters:read"])
    path = f"/v1/keys/{made['id']}"
    is_problem(await world.client.patch(path, json={"name": "n"}), 428, "precondition-required")
    etag = (await world.client.get(path)).headers["etag"]
    changed = await world.client.patch(
        path, json={"scopes": ["jobs:read"]}, headers={"If-Match": etag}
    )
    assert changed.status_code == 200, changed.text
    assert changed.json()["name"] == "k"
    assert await status(world, made["key"]) == 403
    assert await status(world, made["key"], "/v1/jobs") == 200
    again = await world.client.patch(path, json={"name": "n"}, headers={"If-Match": etag})
    is_problem(again, 412, "precondition-failed")


async def test_null_takes_a_limit_away_and_absence_keeps_it(world: World) -> None:
    cluster = await world.cluster()
    until = (world.clock.now() + timedelta(hours=1)).isoformat()
    made = await make(world, clusters=[cluster["id"]], expires_at=until)
    path = f"/v1/keys/{made['id']}"
    star = {"If-Match": "*"}
    kept = (await world.client.patch(path, json={"name": "n"}, headers=star)).json()
    assert (kept["clusters"], kept["expires_at"] is None) == ([cluster["id"]], False)
    freed = await world.client.patch(
        path, json={"clusters": None, "expires_at": None}, headers=star
    )
    assert (freed.json()["clusters"], freed.json()["expires_at"]) == (None, None)


async def test_a_revoked_key_is_refused_at_once(world: World) -> None:
    made = await make(world)
    assert await status(world, made["key"]) == 200
    gone = await world.client.delete(f"/v1/keys/{made['id']}", headers={"If-Match": "*"})
    assert gone.status_code == 204
    assert await status(world, made["key"]) == 401
    is_problem(await world.client.get(f"/v1/keys/{made['id']}"), 404, "not-found")
    assert made["id"] not in (await world.client.get("/v1/keys")).text
    await make(world)  # its name is free again


async def test_a_rotated_key_keeps_its_old_text_as_long_as_was_asked(world: World) -> None:
    made = await make(world)
    path = f"/v1/keys/{made['id']}/rotate"
    star = {"If-Match": "*"}
    rotated = (await world.client.post(path, json={"keep_old_seconds": 60}, headers=star)).json()
    assert rotated["id"] == made["id"]
    assert rotated["key"] != made["key"]
    assert [await status(world, key["key"]) for key in (made, rotated)] == [200, 200]
    world.clock.ahead = timedelta(seconds=61)
    assert [await status(world, key["key"]) for key in (made, rotated)] == [401, 200]
    last = (await world.client.post(path, json={}, headers=star)).json()
    assert [await status(world, key["key"]) for key in (rotated, last)] == [401, 200]


async def test_a_key_expires(world: World) -> None:
    until = (world.clock.now() + timedelta(seconds=60)).isoformat()
    made = await make(world, expires_at=until)
    assert await status(world, made["key"]) == 200
    world.clock.ahead = timedelta(seconds=61)
    assert await status(world, made["key"]) == 401
    past = await world.client.post(
        "/v1/keys", json={"name": "p", "scopes": ["admin"], "expires_at": until}
    )
    is_problem(past, 422, "invalid-request")


async def test_a_key_is_good_only_from_its_networks(world: World) -> None:
    made = await make(world, networks=["192.0.2.0/24", "2001:db8::/32"])
    for address, wanted in (
        ("192.0.2.7", 200),
        ("::ffff:192.0.2.7", 200),
        ("2001:db8::7", 200),
        ("198.51.100.7", 401),
        ("", 401),
    ):
        transport = httpx.ASGITransport(world.app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://s") as client:
            # A header that says something else is not believed.
            headers = {**bearing(made["key"]), "X-Forwarded-For": "192.0.2.9"}
            assert (await client.get("/v1/peers", headers=headers)).status_code == wanted, address


@pytest.mark.parametrize(
    ("more", "body"),
    [
        ({"clusters": "own"}, {"scopes": ["jobs:read"]}),
        ({"clusters": "own"}, {"scopes": ["jobs:read"], "clusters": "both"}),
        ({"networks": (ip_network("127.0.0.0/8"),)}, {"scopes": ["jobs:read"]}),
        (
            {"networks": (ip_network("127.0.0.0/8"),)},
            {"scopes": ["jobs:read"], "networks": ["127.0.0.0/8", "10.0.0.0/8"]},
        ),
        ({"expires": 3600}, {"scopes": ["jobs:read"]}),
        ({"expires": 3600}, {"scopes": ["jobs:read"], "expires": 7200}),
    ],
)
async def test_a_key_cannot_make_one_that_may_more(
    world: World, more: dict[str, Any], body: dict[str, Any]
) -> None:
    own, foreign = await world.cluster("a.example.com"), await world.cluster("b.example.com")
    now = world.clock.now()
    if "clusters" in more:
        more = {"clusters": frozenset({own["id"]})}
    if "expires" in more:
        more = {"expires_at": now + timedelta(seconds=more["expires"])}
    if "clusters" in body:
        body = {**body, "clusters": [own["id"], foreign["id"]]}
    if "expires" in body:
        until = now + timedelta(seconds=body.pop("expires"))
        body = {**body, "expires_at": until.isoformat()}
    headers = await world.key("admin", **more)
    answer = await world.anonymous.post("/v1/keys", json={"name": "x", **body}, headers=headers)
    is_problem(answer, 403, "forbidden")


async def test_a_stronger_key_is_neither_seen_nor_changed_nor_rotated(world: World) -> None:
    cluster = await world.cluster()
    strong = await make(world, name="strong")
    weak = await world.key("admin", clusters=frozenset({cluster["id"]}))
    path = f"/v1/keys/{strong['id']}"
    star = {**weak, "If-Match": "*"}
    for answer in (
        await world.anonymous.get(path, headers=weak),
        await world.anonymous.patch(path, json={"name": "x"}, headers=star),
        await world.anonymous.post(f"{path}/rotate", json={}, headers=star),
        await world.anonymous.delete(path, headers=star),
    ):
        is_problem(answer, 404, "not-found")
    assert "strong" not in (await world.anonymous.get("/v1/keys", headers=weak)).text
    assert await status(world, strong["key"]) == 200


async def test_the_last_key_that_can_let_others_in_stays(world: World) -> None:
    (first,) = (await world.client.get("/v1/keys")).json()["items"]
    path = f"/v1/keys/{first['id']}"
    star = {"If-Match": "*"}
    cluster = await world.cluster()
    until = (world.clock.now() + timedelta(hours=1)).isoformat()
    await make(world, name="ends", expires_at=until)
    await make(world, name="limited", clusters=[cluster["id"]])
    await make(world, name="reader", scopes=["clusters:read"])
    for body in (
        {"scopes": ["clusters:read"]},
        {"clusters": [cluster["id"]]},
        {"networks": ["192.0.2.0/24"]},
        {"expires_at": until},
    ):
        answer = await world.client.patch(path, json=body, headers=star)
        is_problem(answer, 409, "last-admin-key")
    is_problem(await world.client.delete(path, headers=star), 409, "last-admin-key")
    await make(world, name="second")
    assert (await world.client.delete(path, headers=star)).status_code == 204


@pytest.mark.parametrize(
    "body",
    [
        {"scopes": []},
        {"scopes": ["root"]},
        {"scopes": ["admin"], "networks": ["192.0.2.0/33"]},
        {"scopes": ["admin"], "clusters": []},
        {"scopes": ["admin"], "clusters": ["cluster-unknown"]},
        {"scopes": ["admin"], "expires_at": "tomorrow"},
        {"scopes": ["admin"], "expires_at": "2099-01-01T00:00:00"},
    ],
)
async def test_a_key_that_makes_no_sense_is_refused(world: World, body: dict[str, Any]) -> None:
    answer = await world.client.post("/v1/keys", json={"name": "x", **body})
    is_problem(answer, 422, "invalid-request")
