"""Hostile requests: floods, strange bodies, forged headers. Each is told a problem."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from app.api.application import create_api
from app.api.bodies import DEEPEST, screen
from app.security.rates import Buckets, whose
from app.services.problems import Problem
from app.settings import Settings
from tests.api.conftest import World
from tests.api.test_conventions import is_problem

pytestmark = pytest.mark.postgres
WRONG = {"Authorization": "Bearer cwk_000000000000_" + "a" * 43}


def client(world: World, address: str = "203.0.113.9", **settings: Any) -> httpx.AsyncClient:
    """A caller at that address of the same service with other settings."""
    app = create_api(world.services, Settings.model_construct(max_body_bytes=65536, **settings))
    transport = httpx.ASGITransport(app, client=(address, 1))
    return httpx.AsyncClient(
        transport=transport, base_url="http://s.example.com", headers=world.client.headers
    )


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("[" * 100_000, "too-deep"),
        ('{"a":' * (DEEPEST + 1) + "1" + "}" * (DEEPEST + 1), "too-deep"),
        ('{"name": "a.example.com", "name": "b.example.com"}', "name-twice"),
        ('{"name": 9223372036854775808}', "number-too-large"),
        ('{"name": ' + "9" * 5000 + "}", "number-too-large"),
        ('{"name": 1e999}', "number-too-large"),
        ('{"name": NaN}', "json-invalid"),
        ('{"name": "\\ud800"}', "text-invalid"),
        ('{"name": "\\u0000"}', "text-invalid"),
        ('{"\\u0000": 1}', "text-invalid"),
        ("{", "json-invalid"),
        ("\ufeff{}", "json-invalid"),
    ],
)
async def test_what_readers_disagree_about_is_refused(world: World, body: str, code: str) -> None:
    for path in ("/v1/clusters", "/v1/clusters/cluster-1/procedures/add-peer"):
        answer = await world.client.post(
            path,
            content=body.encode()[:65000],
            headers={"Content-Type": "application/json", "Idempotency-Key": "k"},
        )
        problem = is_problem(answer, 422, "invalid-request")
        assert problem["errors"][0]["code"] == code


def test_brackets_in_texts_are_not_nesting() -> None:
    screen(json.dumps({"name": '[{"' * 1000 + "\\" * 7}).encode())
    with pytest.raises(Problem):
        screen(b'"' + b"\\" * 3)


async def test_bytes_that_are_no_text_are_refused(world: World) -> None:
    answer = await world.client.post(
        "/v1/clusters", content=b'{"name": "\xff"}', headers={"Content-Type": "application/json"}
    )
    is_problem(answer, 422, "invalid-request")


async def test_a_body_that_trickles_is_given_up(world: World) -> None:
    async def trickle() -> Any:
        yield b'{"name":'
        await asyncio.Event().wait()

    async with client(world, body_seconds=0.05) as caller:
        answer = await caller.post(
            "/v1/clusters", content=trickle(), headers={"Content-Type": "application/json"}
        )
    is_problem(answer, 408, "body-too-slow")


async def test_a_key_has_so_many_requests_and_is_told_when_to_come_back(world: World) -> None:
    async with client(world, rate_limit=3) as caller:
        answers = [await caller.get("/v1/peers") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["ratelimit-policy"] == '"requests";q=3;w=60'
    assert answers[0].headers["ratelimit"].startswith('"requests";r=2;t=')
    is_problem(answers[3], 429, "too-many-requests")
    assert 1 <= int(answers[3].headers["retry-after"]) <= 20


async def test_one_key_does_not_use_up_the_requests_of_another(world: World) -> None:
    other = await world.key("clusters:read")
    async with client(world, rate_limit=1) as caller:
        assert (await caller.get("/v1/peers")).status_code == 200
        assert (await caller.get("/v1/peers")).status_code == 429
        assert (await caller.get("/v1/peers", headers=other)).status_code == 200


async def test_a_flood_of_wrong_keys_reaches_neither_database_nor_log(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    find = type(world.services.callers).authenticate

    async def counted(self: Any, *arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        return await find(self, *arguments)

    monkeypatch.setattr(type(world.services.callers), "authenticate", counted)
    async with client(world, wrong_key_limit=5) as caller:
        assert (await caller.get("/v1/peers")).status_code == 200
        asked = 0
        wrong = [
            {"Authorization": f"Bearer cwk_{number:012x}_" + "a" * 43} for number in range(200)
        ]
        answers = [await caller.get("/v1/peers", headers=headers) for headers in wrong]
        assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 195
        assert asked == 5
        assert world.logs.getvalue().count('"status": 429') == 0
        # Who proved a good key a while ago is let in from the same address.
        assert (await caller.get("/v1/peers")).status_code == 200
    async with client(world, "203.0.113.10", wrong_key_limit=5) as elsewhere:
        assert (await elsewhere.get("/v1/peers", headers=WRONG)).status_code == 401


async def test_a_huge_key_is_not_looked_at(world: World) -> None:
    answer = await world.anonymous.get("/v1/peers", headers={"X-API-Key": "cwk_" + "a" * 9000})
    is_problem(answer, 401, "unauthenticated")


def test_buckets_fill_again_and_are_bounded_in_number() -> None:
    now = 0.0
    buckets = Buckets(60, most=100, clock=lambda: now)
    assert all(buckets.take("a").allowed for _ in range(60))
    refused = buckets.take("a")
    assert (refused.allowed, refused.remaining, refused.next_in) == (False, 0, 1)
    now = 1.0
    assert buckets.take("a").allowed
    assert not buckets.take("a").allowed
    for number in range(1000):
        buckets.take(str(number))
    assert len(buckets) == 100


def test_an_ipv6_caller_is_known_by_its_network() -> None:
    assert whose("2001:db8::1") == whose("2001:db8::ffff") != whose("2001:db8:0:1::1")
    assert whose("::ffff:192.0.2.1") == whose("192.0.2.1")


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({}, "10.0.0.1"),
        ({"X-Forwarded-For": "192.0.2.1"}, "192.0.2.1"),
        ({"X-Forwarded-For": "192.0.2.66, 192.0.2.1, 10.0.0.2"}, "192.0.2.1"),
        ({"X-Forwarded-For": "192.0.2.1:4711"}, "192.0.2.1"),
        ({"X-Forwarded-For": "[2001:db8::1]:4711"}, "2001:db8::1"),
        ({"X-Forwarded-For": "192.0.2.1, nonsense"}, "10.0.0.1"),
        ({"Forwarded": 'for=192.0.2.66, for="[2001:db8::1]:80";proto=https'}, "2001:db8::1"),
    ],
)
async def test_who_is_calling_is_believed_of_trusted_proxies_only(
    world: World, headers: dict[str, str], address: str
) -> None:
    from ipaddress import ip_network

    proxies = [ip_network("10.0.0.0/8")]
    for source, wanted in (("10.0.0.1", address), ("203.0.113.9", "203.0.113.9")):
        async with client(world, source, trusted_proxies=proxies) as caller:
            await caller.post("/v1/clusters", json={"name": "bad name"}, headers=headers)
        rows = await world.client.get("/v1/audit", params={"limit": 1, "action": "createCluster"})
        assert rows.json()["items"][0]["address"] == wanted


async def test_a_strange_host_is_refused_where_hosts_are_named(world: World) -> None:
    async with client(world, hosts=["s.example.com"]) as caller:
        assert (await caller.get("/livez")).status_code == 200
        answer = await caller.get("/livez", headers={"Host": "evil.example.com"})
    is_problem(answer, 421, "unknown-host")


async def test_too_many_headers_are_refused(world: World) -> None:
    answer = await world.client.get("/livez", headers={f"x-{n}": "1" for n in range(200)})
    is_problem(answer, 431, "headers-too-large")


@pytest.mark.parametrize("path", ["/v1/peers", "/livez", "/problems", "/nothing"])
async def test_every_answer_is_hardened(world: World, path: str) -> None:
    headers = (await world.client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "server" not in headers
    assert "strict-transport-security" not in headers


async def test_a_service_behind_tls_says_that_it_stays_there(world: World) -> None:
    async with client(world, public_url="https://s.example.com") as caller:
        assert "strict-transport-security" in (await caller.get("/livez")).headers


@pytest.mark.parametrize(
    ("settings", "served"),
    [
        ({"host": "127.0.0.1"}, True),
        ({"host": "0.0.0.0"}, False),
        ({"host": "0.0.0.0", "docs": True}, True),
        ({"host": "127.0.0.1", "docs": False}, False),
    ],
)
async def test_documentation_is_off_in_production_unless_it_is_switched_on(
    world: World, settings: dict[str, Any], served: bool
) -> None:
    async with client(world, **settings) as caller:
        for path in ("/docs", "/openapi.json"):
            assert (await caller.get(path)).status_code == (200 if served else 404)
