"""Subscriptions: what callers may say, what they see, and what never comes out."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import psycopg
import pytest
from standardwebhooks import Webhook

from app.services.webhook_records import Claim, Result
from app.storage.database import plain_url, resource_engine
from app.storage.outbox import PostgresOutbox
from app.webhooks.dispatcher import Dispatcher
from app.webhooks.payload import Composer
from app.webhooks.resolver import resolve
from app.webhooks.sending import Sender, Wire
from tests.api.conftest import World
from tests.api.test_diagnosis import lose_itself, standing
from tests.api.test_watching import look
from tests.support.receiver import receiver, status
from transports.mock.forms.certificate import self_signed

URL = "https://hooks.example.com/in"
CORRELATION = {"id": "9d38", "display": "Flow", "flow_context_id": "f-1", "message": "done"}


async def subscribe(world: World, **changes: Any) -> dict[str, Any]:
    answer = await world.client.post("/v1/webhooks", json={"name": "desk", "url": URL, **changes})
    assert answer.status_code == 201, answer.text
    assert answer.headers["ETag"] == f'"{answer.json()["id"]}.1"'
    return answer.json()


class Collecting:
    """Implements `Sends`: takes everything, or answers the status it is told to."""

    def __init__(self, code: int = 204) -> None:
        self.code = code
        self.claims: list[Claim] = []

    async def send(self, claim: Claim) -> Result:
        self.claims.append(claim)
        return Result(0.1, self.code, None if self.code < 300 else "status")


async def dispatch(database_url: str, sender: Any) -> None:
    engine = resource_engine(database_url)
    dispatcher = Dispatcher(PostgresOutbox(engine), sender, keep=3600)
    while await dispatcher.once():
        pass
    await engine.dispose()


def codes(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return [(e.get("pointer", ""), e["code"]) for e in answer.json()["errors"]]


async def test_the_signing_secret_is_shown_once_and_is_in_no_table_and_no_log(
    world: World, database_url: str
) -> None:
    key = {"Idempotency-Key": "w1"}
    body = {"name": "desk", "url": URL,
            "auth": {"kind": "basic", "username": "u", "secret": "canary-webhook-1"}}  # fmt: skip
    made = await world.client.post("/v1/webhooks", json=body, headers=key)
    secret = made.json()["secret"]
    assert secret.startswith("whsec_")
    again = await world.client.post("/v1/webhooks", json=body, headers=key)
    assert (again.status_code, again.json()["secret"]) == (201, None)
    assert again.json()["id"] == made.json()["id"]
    rotated = await world.client.post(f"/v1/webhooks/{made.json()['id']}/secrets", json={})
    new = rotated.json()["secret"]
    assert new != secret
    path = f"/v1/webhooks/{made.json()['id']}"
    read = [(await world.client.get(where)).text for where in ("/v1/webhooks", path)]
    async with await psycopg.AsyncConnection.connect(plain_url(database_url)) as connection:
        for table in ("webhook", "webhook_secret", "webhook_delivery", "idempotency"):
            rows = await connection.execute(f"select * from {table}".encode())
            read.append(repr(await rows.fetchall()))
    read.append(world.logs.getvalue())
    for canary in (secret, new, "canary-webhook-1"):
        assert all(canary not in text for text in read)
        assert canary not in world.parts.redactor.text(f"it is {canary}!")


async def test_a_subscription_is_read_changed_paused_enabled_and_deleted(world: World) -> None:
    cluster = await world.cluster()
    site = [{"name": "site", "value": "berlin"}]
    made = await subscribe(
        world, event_types=["job.failed"], cluster_ids=[cluster["id"]], labels=site
    )
    assert made["labels"] == site
    path = f"/v1/webhooks/{made['id']}"
    assert (await world.client.patch(path, json={})).status_code == 428
    stale = await world.client.patch(path, json={}, headers={"If-Match": '"other.1"'})
    assert stale.status_code == 412
    tag = {"If-Match": f'"{made["id"]}.1"'}
    changed = await world.client.patch(
        path, json={"event_types": ["job.failed", "job.succeeded"]}, headers=tag
    )
    assert changed.json()["event_types"] == ["job.failed", "job.succeeded"]
    assert changed.json()["cluster_ids"] == [cluster["id"]]
    assert changed.headers["ETag"] == f'"{made["id"]}.2"'
    assert (await world.client.post(f"{path}/pause")).json()["state"] == "paused"
    enabled = await world.client.post(f"{path}/enable")
    assert (enabled.json()["state"], enabled.json()["version"]) == ("active", 4)
    assert (await world.client.post(f"{path}/enable")).json()["version"] == 4
    assert (await world.client.delete(path, headers={"If-Match": "*"})).status_code == 204
    assert (await world.client.get(path)).status_code == 404
    assert (await world.client.get("/v1/webhooks")).json()["items"] == []


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "https://127.0.0.2.example.com:0/",
        "https://user:pass@hooks.example.com/",
        "https://hooks.example.com/#part",
        "https://hooks.example.com\\@evil.example.com/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:169.254.169.254]/",
        "https://[fe80::1%25eth0]/",
        "https://0.0.0.0/",
        "ftp://hooks.example.com/",
        "https:///path",
        "https://bücher.example.com/",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com /",
        "file:///etc/passwd",
    ],
)
async def test_an_address_that_may_not_be_sent_to_is_refused(world: World, url: str) -> None:
    answer = await world.client.post("/v1/webhooks", json={"name": "desk", "url": url})
    assert {pointer for pointer, _ in codes(answer)} == {"/url"}
    assert (await world.client.get("/v1/webhooks")).json()["items"] == []


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ({"kind": "basic", "username": "u"}, [("/auth/secret", "missing")]),
        ({"kind": "header", "secret": "abcd"}, [("/auth/header", "missing")]),
        ({"kind": "header", "header": "Host", "secret": "abcd"},
         [("/auth/header", "invalid-value")]),
        ({"kind": "header", "header": "webhook-id", "secret": "abcd"},
         [("/auth/header", "invalid-value")]),
        ({"kind": "header", "header": "a b", "secret": "abcd"},
         [("/auth/header", "invalid-value")]),
        ({"kind": "none", "secret": "abcd"}, [("/auth/secret", "unexpected")]),
        ({"kind": "basic", "username": "a:b", "secret": "abcd"},
         [("/auth/username", "invalid-value")]),
        ({"kind": "sn_hmac", "header": "x", "secret": "abcd"}, [("/auth/header", "unexpected")]),
        ({"kind": "oauth2_client_credentials", "client_id": "c", "secret": "abcd",
          "token_url": "https://169.254.169.254/"}, [("/auth/token_url", "address-refused")]),
        ({"kind": "header", "header": "x-key", "secret": "a\r\nb: 1"},
         [("/auth/secret", "string-pattern-mismatch")]),
    ],
)  # fmt: skip
async def test_an_authorization_that_cannot_work_is_refused(
    world: World, auth: Any, expected: Any
) -> None:
    body = {"name": "desk", "url": URL, "auth": auth}
    answer = await world.client.post("/v1/webhooks", json=body)
    assert codes(answer) == expected
    assert "abcd" not in answer.text


async def test_other_fields_that_cannot_work_are_refused(world: World) -> None:
    async def refused(**changes: Any) -> list[tuple[str, str]]:
        body = {"name": "desk", "url": URL, **changes}
        return codes(await world.client.post("/v1/webhooks", json=body))

    assert await refused(ca_bundle="x") == [("/ca_bundle", "invalid-value")]
    assert await refused(cluster_ids=["cluster-1"]) == [("/cluster_ids/0", "invalid-value")]
    assert await refused(event_types=[]) == [("/event_types", "too-short")]
    assert await refused(event_types=["job.queued"]) == [("/event_types/0", "enum")]
    await subscribe(world)
    taken = await world.client.post("/v1/webhooks", json={"name": "DESK", "url": URL})
    assert (taken.status_code, taken.json()["code"]) == (409, "name-taken")


async def test_a_secret_does_not_follow_a_subscription_to_another_host(world: World) -> None:
    made = await subscribe(world, auth={"kind": "sn_hmac", "secret": "shared secret"})
    path, any_version = f"/v1/webhooks/{made['id']}", {"If-Match": "*"}
    moved = await world.client.patch(
        path, json={"url": "https://evil.example.com/"}, headers=any_version
    )
    assert codes(moved) == [("/auth", "invalid-value")]
    same = await world.client.patch(path, json={"url": f"{URL}/2"}, headers=any_version)
    assert same.status_code == 200
    anew = {"url": "https://b.example.com/", "auth": {"kind": "none"}}
    moved = await world.client.patch(path, json=anew, headers=any_version)
    assert moved.json()["auth"]["kind"] == "none"


async def test_who_may_not_read_events_may_not_have_them_sent(world: World) -> None:
    only = await world.key("webhooks:write")
    body = {"name": "desk", "url": URL, "event_types": ["job.failed"]}
    answer = await world.anonymous.post("/v1/webhooks", json=body, headers=only)
    assert (answer.status_code, answer.json()["scope"]) == (403, "jobs:read")
    reads = await world.key("webhooks:write", "jobs:read")
    made = await world.anonymous.post("/v1/webhooks", json=body, headers=reads)
    assert made.status_code == 201
    path = f"/v1/webhooks/{made.json()['id']}"
    more = {"event_types": ["cluster.alarm.raised"]}
    answer = await world.anonymous.patch(path, json=more, headers={**reads, "If-Match": "*"})
    assert (answer.status_code, answer.json()["scope"]) == (403, "clusters:read")
    none = await world.key("jobs:read", "clusters:read")
    for method, where in (
        ("GET", "/v1/webhooks"), ("POST", "/v1/webhooks"), ("GET", path), ("PATCH", path),
        ("DELETE", path), ("POST", f"{path}/pause"), ("POST", f"{path}/enable"),
        ("POST", f"{path}/secrets"), ("POST", f"{path}/test"), ("GET", f"{path}/deliveries"),
        ("GET", f"{path}/deliveries/delivery-1"), ("POST", f"{path}/deliveries/delivery-1/replay"),
    ):  # fmt: skip
        content = {"json": body} if where == "/v1/webhooks" and method == "POST" else {}
        answer = await world.anonymous.request(
            method, where, headers={**none, "If-Match": "*"}, **content
        )
        assert answer.status_code == 403, (method, where, answer.text)


async def test_too_many_secrets_and_an_overlap_of_nothing(world: World) -> None:
    made = await subscribe(world)
    path = f"/v1/webhooks/{made['id']}/secrets"
    for _ in range(4):
        assert (await world.client.post(path, json={})).status_code == 201
    full = await world.client.post(path, json={})
    assert (full.status_code, full.json()["code"]) == (409, "webhook-secrets-full")
    alone = await world.client.post(path, json={"overlap_seconds": 0})
    assert [s["expires_at"] for s in alone.json()["secrets"]] == [None]


async def test_a_test_is_sent_over_tls_and_what_came_of_it_is_read(
    world: World, database_url: str
) -> None:
    identity = self_signed("127.0.0.1")
    async with receiver(identity) as hook:
        hook.answers = [status(204), status(500, body=b"canary of the receiver")]
        made = await subscribe(world, url=hook.url("127.0.0.1"), ca_bundle=identity.certificate_pem)
        path = f"/v1/webhooks/{made['id']}"
        await world.client.post(f"{path}/pause")
        sender = Sender(
            Wire(world.parts.receivers, resolve), world.parts.vault, world.parts.redactor,
            Composer(world.parts.redactor), world.clock,
        )  # fmt: skip
        results = []
        for _ in range(2):
            asked = await world.client.post(f"{path}/test")
            assert asked.status_code == 202
            await dispatch(database_url, sender)
            where = httpx.URL(asked.headers["Location"]).path
            results.append((await world.client.get(where)).json())
    for got in hook.received:
        assert Webhook(made["secret"]).verify(got.body, got.headers)["type"] == "webhook.test"
    assert [found["state"] for found in results] == ["delivered", "failed"]
    (tried,) = results[1]["tried"]
    assert (tried["number"], tried["status"], tried["error"]) == (1, 500, "status")
    assert "canary of the receiver" not in str(results)
    assert (await world.client.get(path)).json()["failures"] == 0, "a test counts as no failure"


async def test_the_callers_block_comes_back_untouched_and_a_plan_tells_nobody(
    world: World, database_url: str, seen: Any
) -> None:
    peer, cluster = await world.peer(), await world.cluster()
    world.appliances.views[peer["id"]] = seen(peer["id"])
    made = await subscribe(world)
    planned = await world.plan(cluster, peer_id=peer["id"])
    assert planned.status_code == 201, planned.text
    sender = Collecting()
    await dispatch(database_url, sender)
    assert sender.claims == [], "a plan was told to somebody"
    started = await world.start(cluster, "k1", peer_id=peer["id"], correlation=CORRELATION)
    assert started.status_code == 202, started.text
    job = started.json()["id"]
    assert (await world.client.get(f"/v1/jobs/{job}/cancel")).status_code == 200
    await dispatch(database_url, sender)
    assert sender.claims == [], "a preview, or the queueing of a job, was told to somebody"
    await world.client.post(f"/v1/jobs/{job}/cancel", json={})
    await dispatch(database_url, sender)
    (claim,) = sender.claims
    assert claim.delivery.type == "job.cancelled"
    assert claim.delivery.payload["correlation"] == CORRELATION
    log = f"/v1/webhooks/{made['id']}/deliveries"
    (entry,) = (await world.client.get(log, params={"job_id": job})).json()["items"]
    assert (entry["state"], entry["attempts"]) == ("delivered", 1)


async def test_findings_are_told_once_when_they_appear_and_once_when_they_clear(
    world: World, database_url: str
) -> None:
    await subscribe(world)
    cluster, (_, second) = await standing(world)
    await look(world, database_url)
    lose_itself(world, second)
    sender = Collecting()
    for _ in range(3):
        await look(world, database_url)
        await dispatch(database_url, sender)
    told = [
        (claim.delivery.type, claim.delivery.payload["event"]["code"]) for claim in sender.claims
    ]
    assert ("cluster.finding.raised", "peer-misses-itself") in told
    assert ("cluster.alarm.raised", "cluster-communication") in told
    assert len(told) == len(set(told))
    assert {claim.delivery.cluster_id for claim in sender.claims} == {cluster["id"]}


async def test_the_log_is_filtered_paged_and_replayed(world: World, database_url: str) -> None:
    made = await subscribe(world)
    path = f"/v1/webhooks/{made['id']}"
    sender = Collecting()
    for _ in range(5):
        await world.client.post(f"{path}/test")
    await dispatch(database_url, sender)
    first = await world.client.get(f"{path}/deliveries", params={"limit": 2})
    assert 'rel="next"' in first.headers["Link"]
    found, cursor = first.json()["items"], first.json()["next_cursor"]
    while cursor:
        page = await world.client.get(f"{path}/deliveries", params={"limit": 2, "cursor": cursor})
        found += page.json()["items"]
        cursor = page.json()["next_cursor"]
    ids = [entry["id"] for entry in found]
    assert len(set(ids)) == 5
    assert ids == sorted(ids, reverse=True)
    nothing = await world.client.get(f"{path}/deliveries", params={"state": "failed"})
    assert nothing.json()["items"] == []
    again = await world.client.post(f"{path}/deliveries/{ids[0]}/replay")
    assert (again.status_code, again.json()["state"]) == (202, "pending")
    await dispatch(database_url, sender)
    detail = (await world.client.get(f"{path}/deliveries/{ids[0]}")).json()
    assert (detail["state"], [t["number"] for t in detail["tried"]]) == ("delivered", [1, 2])
    assert sender.claims[-1].delivery.event_id == detail["event_id"]
    other = await subscribe(world, name="other")
    foreign = await world.client.get(f"/v1/webhooks/{other['id']}/deliveries/{ids[0]}")
    assert foreign.status_code == 404
    assert (await world.client.get(f"{path}/deliveries?cursor=x")).status_code == 422


async def test_a_replay_that_comes_while_it_is_being_sent_is_sent_afterwards(
    world: World, database_url: str
) -> None:
    made = await subscribe(world)
    path = f"/v1/webhooks/{made['id']}"
    delivery = (await world.client.post(f"{path}/test")).json()["id"]
    under_way, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Collecting):
        async def send(self, claim: Claim) -> Result:
            under_way.set()
            await go_on.wait()
            return await super().send(claim)

    sender = Slow()
    sending = asyncio.create_task(dispatch(database_url, sender))
    await under_way.wait()
    replayed = await world.client.post(f"{path}/deliveries/{delivery}/replay")
    assert replayed.status_code == 202
    go_on.set()
    await sending
    assert len(sender.claims) == 2
    detail = (await world.client.get(f"{path}/deliveries/{delivery}")).json()
    assert (detail["state"], len(detail["tried"])) == ("delivered", 2)


async def test_a_disabled_subscription_is_neither_paused_nor_replayed_but_tested_and_enabled(
    world: World, database_url: str
) -> None:
    made = await subscribe(world)
    path = f"/v1/webhooks/{made['id']}"
    delivery = (await world.client.post(f"{path}/test")).json()["id"]
    async with await psycopg.AsyncConnection.connect(plain_url(database_url)) as connection:
        await connection.execute("update webhook set state = 'disabled', state_reason = 'gone'")
    for where in (f"{path}/pause", f"{path}/deliveries/{delivery}/replay"):
        answer = await world.client.post(where)
        assert (answer.status_code, answer.json()["code"]) == (409, "webhook-disabled")
    sender = Collecting()
    await dispatch(database_url, sender)
    assert len(sender.claims) == 1
    enabled = (await world.client.post(f"{path}/enable")).json()
    assert (enabled["state"], enabled["state_reason"]) == ("active", "")
