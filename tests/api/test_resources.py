"""Credentials, peers and clusters."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from app.security.vault import Vault
from app.storage.database import plain_url
from tests.api.conftest import HOST_KEY, PASSWORD, World, peer_body
from tests.api.test_conventions import is_problem
from transports.base import Capability, Endpoint
from transports.errors import InvalidRequest
from transports.mock.forms.certificate import self_signed

pytestmark = pytest.mark.postgres


async def test_a_credential_is_never_shown_by_any_operation(world: World) -> None:
    made = await world.client.post(
        "/v1/credentials", json={"name": "admin", "username": "admin", "secret": PASSWORD}
    )
    url = made.headers["location"]
    assert url == f"http://service.example.com/v1/credentials/{made.json()['id']}"
    rotated = await world.client.put(
        f"{url}/secret",
        json={"secret": PASSWORD + "2"},
        headers={"If-Match": made.headers["etag"]},
    )
    answers = [
        made,
        rotated,
        await world.client.get(url),
        await world.client.get("/v1/credentials"),
        await world.client.post("/v1/peers", json=peer_body(made.json()["id"])),
        await world.client.get("/v1/peers"),
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 201, 200]
    assert not [answer for answer in answers if PASSWORD in answer.text]
    assert rotated.json()["version"] == 2
    assert rotated.json()["fingerprint"] != made.json()["fingerprint"]


async def test_no_secret_lies_readable_in_the_database_or_the_log(world: World) -> None:
    import psycopg

    from app.storage.database import plain_url

    await world.peer()
    await world.client.post("/v1/credentials", json={"name": "b", "secret": [PASSWORD]})
    url = plain_url(world.parts.store._engine.url.render_as_string(hide_password=False))
    async with await psycopg.AsyncConnection.connect(url) as connection:
        tables = await connection.execute(
            "select table_name from information_schema.tables where table_schema = 'public'"
        )
        names = [row[0] for row in await tables.fetchall()]
        assert "credential" in names
        for name in names:
            rows = await connection.execute(f'select t::text from "{name}" t')
            for (text,) in await rows.fetchall():
                assert PASSWORD not in text
                assert PASSWORD.encode().hex() not in text
    assert PASSWORD not in world.logs.getvalue()
    key = world.client.headers["authorization"].removeprefix("Bearer ")
    assert key not in world.logs.getvalue()


async def test_equal_secrets_can_be_recognised(world: World) -> None:
    first = await world.credential("one")
    second = await world.credential("two")
    third = await world.credential("three", "another secret")
    assert first["fingerprint"] == second["fingerprint"] != third["fingerprint"]


async def test_names_are_unique_without_regard_to_case(world: World) -> None:
    await world.credential("Admin")
    body = {"name": "aDMIN", "secret": "long enough"}
    is_problem(await world.client.post("/v1/credentials", json=body), 409, "name-taken")
    await world.cluster("Cluster.Example.com")
    answer = await world.client.post("/v1/clusters", json={"name": "cluster.example.com."})
    is_problem(answer, 409, "name-taken")


async def test_changing_needs_the_version_that_was_read(world: World) -> None:
    peer = await world.peer()
    url = f"/v1/peers/{peer['id']}"
    is_problem(await world.client.patch(url, json={"name": "b"}), 428, "precondition-required")
    is_problem(await world.client.delete(url), 428, "precondition-required")
    etag = (await world.client.get(url)).headers["etag"]
    assert not etag.startswith("W/")
    first = await world.client.patch(url, json={"name": "b"}, headers={"If-Match": etag})
    assert (first.status_code, first.json()["name"]) == (200, "b")
    for stale in (etag, f"W/{first.headers['etag']}", '"nonsense"', "nonsense"):
        late = await world.client.patch(url, json={"name": "c"}, headers={"If-Match": stale})
        is_problem(late, 412, "precondition-failed")
    several = f'"other", {first.headers["etag"]}'
    assert (
        await world.client.patch(url, json={"name": "c"}, headers={"If-Match": several})
    ).status_code == 200
    assert (await world.client.delete(url, headers={"If-Match": "*"})).status_code == 204
    is_problem(await world.client.get(url), 404, "not-found")


async def test_what_is_absent_from_a_patch_stays(world: World) -> None:
    peer = await world.peer()
    answer = await world.client.patch(
        f"/v1/peers/{peer['id']}", json={"name": "renamed"}, headers={"If-Match": "*"}
    )
    assert answer.json() == {**peer, "name": "renamed", "version": 2}


async def test_a_credential_in_use_is_not_deleted(world: World) -> None:
    peer = await world.peer()
    credential_id = peer["endpoints"][0]["credential_id"]
    url = f"/v1/credentials/{credential_id}"
    document = is_problem(
        await world.client.delete(url, headers={"If-Match": "*"}), 409, "credential-in-use"
    )
    assert peer["id"] in document["detail"]
    await world.client.delete(f"/v1/peers/{peer['id']}", headers={"If-Match": "*"})
    assert (await world.client.delete(url, headers={"If-Match": "*"})).status_code == 204


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("224.0.0.1", "multicast"),
        ("0.0.0.0", "unspecified"),
        ("255.255.255.255", "broadcast"),
        ("1.2.3", "not an IPv4"),
    ],
)
async def test_the_service_cannot_be_aimed_at_special_addresses(
    world: World, address: str, why: str
) -> None:
    credential = await world.credential()
    body = peer_body(credential["id"], address=address)
    errors = is_problem(await world.client.post("/v1/peers", json=body), 422, "invalid-request")[
        "errors"
    ]
    assert errors[0]["pointer"] == "/address"
    assert why in errors[0]["detail"]
    body = {**peer_body(credential["id"]), "address": "192.0.2.11"}
    body["endpoints"][0]["host"] = address
    errors = is_problem(await world.client.post("/v1/peers", json=body), 422, "invalid-request")[
        "errors"
    ]
    assert errors[0]["pointer"] == "/endpoints/0/host"
    probe = {"transport": "ssh", "host": address, "port": 22}
    is_problem(await world.client.post("/v1/peers/probe", json=probe), 422, "invalid-request")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"trust": None}, "/endpoints/0/trust"),
        ({"trust": {"certificate": "x"}}, "/endpoints/0/trust"),
        ({"trust": {"host_key": "ssh-ed25519 nonsense"}}, "/endpoints/0/trust/host_key"),
        ({"trust": {"host_key": HOST_KEY, "certificate": "x"}}, "/endpoints/0/trust"),
        ({"credential_id": "credential-none"}, "/endpoints/0/credential_id"),
        ({"root_credential_id": "credential-none"}, "/endpoints/0/root_credential_id"),
        ({"transport": "carrier-pigeon"}, "/endpoints/0"),
        ({"options": {"verify": "false"}}, "/endpoints/0"),
        ({"port": 0}, "/endpoints/0/port"),
    ],
)
async def test_an_endpoint_that_cannot_work_is_refused_when_it_is_registered(
    world: World, change: dict[str, Any], pointer: str
) -> None:
    body = peer_body((await world.credential())["id"])
    body["endpoints"][0].update(change)
    answer = await world.client.post("/v1/peers", json=body)
    errors = is_problem(answer, 422, "invalid-request")["errors"]
    assert errors[0]["pointer"] == pointer
    assert (await world.client.get("/v1/peers")).json()["items"] == []


async def test_a_pre_shared_key_is_no_password(world: World) -> None:
    body = {"name": "psk", "kind": "pre_shared_key", "secret": "long enough"}
    key = (await world.client.post("/v1/credentials", json=body)).json()
    answer = await world.client.post("/v1/peers", json=peer_body(key["id"]))
    is_problem(answer, 422, "invalid-request")
    cluster = {"name": "c.example.com", "pre_shared_key_id": key["id"]}
    assert (await world.client.post("/v1/clusters", json=cluster)).status_code == 201
    password = await world.credential()
    cluster = {"name": "d.example.com", "pre_shared_key_id": password["id"]}
    is_problem(await world.client.post("/v1/clusters", json=cluster), 422, "invalid-request")


async def test_an_appliance_is_registered_once(world: World) -> None:
    peer = await world.peer()
    body = peer_body(peer["endpoints"][0]["credential_id"], name="other")
    is_problem(await world.client.post("/v1/peers", json=body), 409, "address-taken")


async def test_a_probe_shows_what_is_presented_and_stores_nothing(world: World) -> None:
    probe = {"transport": "ssh", "host": "192.0.2.11", "port": 22}
    shown = (await world.client.post("/v1/peers/probe", json=probe)).json()
    assert shown["kind"] == "host_key"
    assert shown["value"] == HOST_KEY
    assert shown["fingerprint"].startswith("SHA256:")
    refused = await world.client.post("/v1/peers/probe", json={**probe, "port": 23})
    is_problem(refused, 502, "peer-unreachable")
    assert (await world.client.get("/v1/peers")).json()["items"] == []


async def test_a_peer_says_what_its_endpoints_can_do_each_and_together(world: World) -> None:
    credential, root = await world.credential(), await world.credential("root", "another-Secret-9")
    body = peer_body(credential["id"])
    body["endpoints"][0] |= {"options": {"root": "true"}, "root_credential_id": root["id"]}
    certificate = self_signed("exp1").certificate_pem
    body["endpoints"].append(
        {
            "transport": "http",
            "host": "192.0.2.11",
            "port": 443,
            "credential_id": credential["id"],
            "trust": {"certificate": certificate},
            "options": {"xml_api": "false"},
        }
    )
    made = await world.client.post("/v1/peers", json=body)
    assert made.status_code == 201, made.text
    url = f"/v1/peers/{made.json()['id']}/capabilities"
    shown = (await world.client.get(url)).json()
    ssh, http = shown["endpoints"]
    assert {"administration", "factory_reset"} <= set(ssh["capabilities"])
    assert "administration" not in http["capabilities"]
    assert {"backup", "pre_shared_key", "cluster_status"} <= set(http["capabilities"])
    assert set(shown["capabilities"]) == {*ssh["capabilities"], *http["capabilities"]}
    assert set(shown["capabilities"]) | set(shown["missing"]) == {c.value for c in Capability}
    assert not set(shown["capabilities"]) & set(shown["missing"])

    plain = await world.peer("exp2", "192.0.2.12")
    alone = (await world.client.get(f"/v1/peers/{plain['id']}/capabilities")).json()
    assert alone["endpoints"] == [
        {"transport": "ssh", "capabilities": alone["capabilities"], "unusable": None}
    ]
    assert "factory_reset" in alone["missing"]
    is_problem(await world.client.get("/v1/peers/peer_none/capabilities"), 404, "not-found")


async def test_an_endpoint_whose_transport_is_gone_says_so(world: World) -> None:
    peer = await world.peer()

    def gone(name: str, endpoint: Endpoint) -> Any:
        raise InvalidRequest(f"no transport named {name!r} is installed")

    left = replace(world.services.peers, build=gone)
    found = await left.capabilities(peer["id"])
    assert found.capabilities == ()
    assert found.endpoints[0].unusable == "no transport named 'ssh' is installed"


async def test_a_peer_is_observed_in_its_own_words(world: World, seen: Any) -> None:
    peer = await world.peer()
    world.appliances.views[peer["id"]] = seen(peer["id"], "front door")
    answer = await world.client.post(f"/v1/peers/{peer['id']}/observations")
    assert answer.status_code == 201
    assert answer.json()["system_name"] == "front door"
    assert answer.json()["dns"]["host_name"] == "exp1"
    assert answer.json()["ntp"]["state"] == "Synchronized"


async def test_a_peer_that_cannot_be_read_says_why_and_what_to_do(world: World) -> None:
    peer = await world.peer()
    document = is_problem(
        await world.client.post(f"/v1/peers/{peer['id']}/observations"), 502, "peer-not-observed"
    )
    assert document["peer_id"] == peer["id"]
    assert document["errors"][0]["code"] == "peer-unreachable"
    assert document["errors"][0]["remedy"] == "check the network"


async def test_a_peer_that_hangs_is_given_up_after_the_limit(world: World) -> None:
    peer = await world.peer()
    world.appliances.hang = True
    impatient = replace(world.services.peers, observation_limit=0.02)
    view = await impatient.view(peer["id"])
    assert view.code == "peer-slow"  # type: ignore[union-attr]  # the line says that it is one


async def test_every_member_of_a_cluster_is_asked(world: World, seen: Any) -> None:
    cluster = await world.cluster()
    first, second = await world.peer(), await world.peer("exp2", "192.0.2.12")
    world.appliances.views[second["id"]] = seen(second["id"])
    async with world.parts.store.transaction() as tx:
        await tx.clusters.record_members(cluster["id"], [first["id"], second["id"]], first["id"])
    url = f"/v1/clusters/{cluster['id']}"
    read = (await world.client.get(url)).json()
    assert [member["primary"] for member in read["members"]] == [True, False]
    assert read["primary_peer_id"] == first["id"]
    members = (await world.client.post(f"{url}/observations")).json()["members"]
    assert [member["peer_id"] for member in members] == [first["id"], second["id"]]
    assert members[0]["not_observed"]["code"] == "peer-unreachable"
    assert members[1]["observation"]["system_name"] == "exp1"

    is_problem(
        await world.client.delete(url, headers={"If-Match": "*"}), 409, "cluster-has-members"
    )
    peer_url = f"/v1/peers/{first['id']}"
    is_problem(
        await world.client.delete(peer_url, headers={"If-Match": "*"}), 409, "peer-in-cluster"
    )
    moved = await world.client.patch(
        peer_url, json={"address": "192.0.2.99"}, headers={"If-Match": "*"}
    )
    is_problem(moved, 409, "peer-in-cluster")


async def test_a_deleted_cluster_frees_its_name(world: World) -> None:
    cluster = await world.cluster()
    url = f"/v1/clusters/{cluster['id']}"
    assert (await world.client.delete(url, headers={"If-Match": "*"})).status_code == 204
    is_problem(await world.client.get(url), 404, "not-found")
    await world.cluster()


@pytest.mark.parametrize(
    "name", ["cluster", "-a.example.com", "a..b", "a b.example.com", "a" * 64 + ".c"]
)
async def test_a_cluster_is_named_by_an_fqdn(world: World, name: str) -> None:
    is_problem(await world.client.post("/v1/clusters", json={"name": name}), 422, "invalid-request")


async def test_a_repeated_creation_answers_what_the_first_one_made(world: World) -> None:
    headers = {"Idempotency-Key": '"key-1"'}
    body = {"name": "cluster.example.com"}
    first = await world.client.post("/v1/clusters", json=body, headers=headers)
    again = await world.client.post("/v1/clusters", json=body, headers={"Idempotency-Key": "key-1"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    other = await world.client.post(
        "/v1/clusters", json={"name": "other.example.com"}, headers=headers
    )
    is_problem(other, 422, "idempotency-key-reused")
    stranger = await world.anonymous.post(
        "/v1/clusters",
        json={"name": "other.example.com"},
        headers={**headers, **await world.key("clusters:write")},
    )
    assert stranger.status_code == 201


async def test_a_request_that_failed_does_not_use_up_its_key(world: World) -> None:
    await world.cluster("taken.example.com")
    headers = {"Idempotency-Key": "k"}
    refused = await world.client.post(
        "/v1/clusters", json={"name": "taken.example.com"}, headers=headers
    )
    is_problem(refused, 409, "name-taken")
    assert (
        await world.client.post("/v1/clusters", json={"name": "free.example.com"}, headers=headers)
    ).status_code == 201


async def test_what_is_kept_of_a_request_gives_no_way_to_try_passwords(
    world: World, database_url: str
) -> None:
    body = {"name": "admin", "username": "admin", "secret": PASSWORD}
    for _ in range(2):
        answer = await world.client.post(
            "/v1/credentials", json=body, headers={"Idempotency-Key": "k1"}
        )
        assert answer.status_code == 201
    async with await psycopg.AsyncConnection.connect(plain_url(database_url)) as connection:
        rows = await (await connection.execute("select payload_digest from idempotency")).fetchall()
    text = json.dumps(body, sort_keys=True).encode()
    assert len(rows) == 1
    assert rows[0][0] != hashlib.sha256(b"\n" + text).hexdigest()
    assert rows[0][0] == world.parts.vault.request_digest(b"\n" + text)
    other_keys = Vault({"k9": bytes(range(32))})
    assert rows[0][0] != other_keys.request_digest(b"\n" + text)


async def test_a_key_is_forgotten_after_seven_days(world: World) -> None:
    from datetime import timedelta

    headers = {"Idempotency-Key": "k"}
    for number, ahead in enumerate([timedelta(), timedelta(days=7, seconds=5)]):
        world.clock.ahead = ahead
        body = {"name": f"c{number}.example.com"}
        answer = await world.client.post("/v1/clusters", json=body, headers=headers)
        assert answer.status_code == 201


async def test_a_wrong_password_is_remembered_until_it_is_rotated_or_the_endpoint_changes(
    world: World,
) -> None:
    from app.services.access import PeerAccess

    def another_process() -> PeerAccess:
        parts = world.parts
        return PeerAccess(parts.store, parts.vault, parts.redactor, parts.guard, parts.clock)

    peer = await world.peer()
    (access,) = await another_process().endpoints(peer["id"])
    assert access.endpoint.password == PASSWORD
    assert not access.rejected
    await another_process().mark_rejected(access)
    await another_process().mark_rejected(access)
    (access,) = await another_process().endpoints(peer["id"])
    assert access.rejected
    assert await another_process().credential_rejected(access)
    assert PASSWORD not in repr(access)

    body = peer_body(peer["endpoints"][0]["credential_id"])
    body["endpoints"][0]["port"] = 2222
    url = f"/v1/peers/{peer['id']}"
    await world.client.patch(url, json={"endpoints": body["endpoints"]}, headers={"If-Match": "*"})
    (moved,) = await another_process().endpoints(peer["id"])
    assert not moved.rejected

    await another_process().mark_rejected(moved)
    credential_url = f"/v1/credentials/{access.credential_id}/secret"
    await world.client.put(
        credential_url, json={"secret": "the right one"}, headers={"If-Match": "*"}
    )
    (rotated,) = await another_process().endpoints(peer["id"])
    assert not rotated.rejected
    assert rotated.endpoint.password == "the right one"


async def test_a_cluster_gets_one_random_pre_shared_key_that_only_the_vault_knows(
    world: World,
) -> None:
    import asyncio

    cluster = await world.cluster()
    parts = world.parts
    registry = await world.registry(cluster)
    keys = await asyncio.gather(*(registry.pre_shared_key() for _ in range(5)))
    assert len(set(keys)) == 1
    assert len(keys[0]) >= 43
    read = (await world.client.get(f"/v1/clusters/{cluster['id']}")).json()
    credential = await world.client.get(f"/v1/credentials/{read['pre_shared_key_id']}")
    assert credential.json()["kind"] == "pre_shared_key"
    assert keys[0] not in credential.text
    assert parts.redactor.text(f"said {keys[0]} aloud") == "said [redacted] aloud"


async def test_a_peer_is_in_one_cluster_at_most(world: World) -> None:
    from app.services.problems import Problem

    one, two = await world.cluster("one.example.com"), await world.cluster("two.example.com")
    peer = await world.peer()
    async with world.parts.store.transaction() as tx:
        await tx.clusters.record_members(one["id"], [peer["id"]], peer["id"])
    with pytest.raises(Problem, match="peer-in-cluster"):
        async with world.parts.store.transaction() as tx:
            await tx.clusters.record_members(two["id"], [peer["id"]], peer["id"])
