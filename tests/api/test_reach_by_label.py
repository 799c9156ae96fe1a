"""A key that is limited by labels follows the labels, and cannot move them itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from app.domain.terms import Label
from app.security.keys import Limits, Principal, Scope
from app.security.tokens import Issuer
from app.storage.database import plain_url
from tests.api.conftest import World
from tests.api.test_conventions import is_problem
from tests.api.test_import import there
from tests.api.test_schedules import at, carry_out, due_at, runs
from tests.api.test_tokens import ask as with_token
from tests.api.test_tokens import service
from tests.support.issuer import local_issuer

pytestmark = pytest.mark.postgres

TEAM_A, TEAM_B = Label("team", "a"), Label("team", "b")
PROD = Label("env", "prod")
Limited = Callable[..., Awaitable[httpx.AsyncClient]]
"""Makes a caller whose key is limited by these labels."""
UNKNOWN = "peer-06f3k2m8q1v5x7z9b2d4f6h8j0"


def said(*labels: Label) -> list[dict[str, str]]:
    return [{"name": label.name, "value": label.value} for label in labels]


async def cluster(world: World, name: str, *labels: Label) -> dict[str, Any]:
    body = {"name": f"{name}.example.com", "labels": said(*labels)}
    answer = await world.client.post("/v1/clusters", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture
async def limited(world: World) -> AsyncIterator[Limited]:
    async with AsyncExitStack() as stack:

        async def make(*labels: Label, scope: str = "admin", **more: Any) -> httpx.AsyncClient:
            if labels:
                more["labels"] = frozenset(labels)
            headers = await world.key(scope, **more)
            transport = httpx.ASGITransport(world.app)
            caller = httpx.AsyncClient(transport=transport, base_url="http://s", headers=headers)
            return await stack.enter_async_context(caller)

        yield make


async def relabel(
    caller: httpx.AsyncClient, cluster: Any, *labels: Label, policy: Any = None
) -> Any:
    body = {"labels": said(*labels), **({} if policy is None else {"policy": policy})}
    return await caller.patch(f"/v1/clusters/{cluster['id']}", json=body, headers={"If-Match": "*"})


async def seen_by(caller: httpx.AsyncClient) -> set[str]:
    return {item["id"] for item in (await caller.get("/v1/clusters")).json()["items"]}


async def test_a_changed_label_changes_the_reach_of_a_key_from_its_next_request_on(
    world: World, limited: Limited, seen: Any
) -> None:
    moving = await cluster(world, "moving", TEAM_B)
    peer = await world.peer()
    async with world.parts.store.transaction() as tx:
        await tx.clusters.record_members(moving["id"], [peer["id"]], peer["id"])
    world.appliances.views[peer["id"]] = seen(peer["id"])
    job = (await world.start(moving, "one", peer_id=peer["id"])).json()
    paths = [
        f"/v1/clusters/{moving['id']}",
        f"/v1/peers/{peer['id']}",
        f"/v1/credentials/{peer['endpoints'][0]['credential_id']}",
        f"/v1/jobs/{job['id']}",
        f"/v1/jobs/{job['id']}/events",
        f"/v1/plans/{job['plan_id']}",
    ]
    caller = await limited(TEAM_A)

    async def answers() -> set[int]:
        return {(await caller.get(path)).status_code for path in paths}

    assert await answers() == {404}
    assert (await relabel(world.client, moving, TEAM_A)).status_code == 200
    assert await answers() == {200}
    assert await seen_by(caller) == {moving["id"]}
    assert (await relabel(world.client, moving, TEAM_B)).status_code == 200
    assert await answers() == {404}
    assert await seen_by(caller) == set()


async def test_all_labels_have_to_be_there_and_ids_limit_further(
    world: World, limited: Limited
) -> None:
    both = await cluster(world, "both", TEAM_A, PROD, Label("site", "berlin"))
    other = await cluster(world, "other", TEAM_A, PROD)
    await cluster(world, "half", TEAM_A)
    await cluster(world, "value", TEAM_A, Label("env", "production"))
    await cluster(world, "none")
    assert await seen_by(await limited(TEAM_A, PROD)) == {both["id"], other["id"]}
    ids = frozenset({both["id"], (await cluster(world, "named"))["id"]})
    assert await seen_by(await limited(TEAM_A, clusters=ids)) == {both["id"]}


async def test_jobs_of_a_deleted_cluster_stay_within_reach(
    world: World, limited: Limited, seen: Any
) -> None:
    gone = await cluster(world, "gone", TEAM_A)
    peer = await world.peer()
    world.appliances.views[peer["id"]] = seen(peer["id"])
    job = (await world.start(gone, "one", peer_id=peer["id"])).json()
    assert (await world.client.post(f"/v1/jobs/{job['id']}/cancel")).status_code == 202
    deleted = await world.client.delete(f"/v1/clusters/{gone['id']}", headers={"If-Match": "*"})
    assert deleted.status_code == 204, deleted.text
    assert (await (await limited(TEAM_A)).get(f"/v1/jobs/{job['id']}")).status_code == 200
    assert (await (await limited(TEAM_B)).get(f"/v1/jobs/{job['id']}")).status_code == 404


async def test_a_limited_key_changes_no_label_that_limits_anybody(
    world: World, limited: Limited
) -> None:
    own = await cluster(world, "own", TEAM_A)
    await limited(PROD)
    free = Label("rack", "7")
    by_label = await limited(TEAM_A)
    by_id = await limited(scope="clusters:write", clusters=frozenset({own["id"]}))
    for caller in (by_label, by_id):
        for labels in (
            (),  # out of everybody's sight
            (free,),
            (TEAM_B,),
            (TEAM_A, PROD),  # into the reach of another key, which may be the same person's
        ):
            problem = is_problem(await relabel(caller, own, *labels), 403, "forbidden")
            errors = problem["errors"]
            assert {error["pointer"] for error in errors} == {"/labels"}
            assert {error["code"] for error in errors} == {"label-limits-callers"}
            assert all(error["remedy"] for error in errors)
        kept = await relabel(caller, own, TEAM_A, free, policy={"four_eyes": True})
        assert kept.status_code == 200, kept.text
        assert kept.json()["labels"] == said(TEAM_A, free)
        assert (await relabel(caller, own, TEAM_A)).status_code == 200
    read = (await world.client.get(f"/v1/clusters/{own['id']}")).json()
    assert read["labels"] == said(TEAM_A)
    assert (await relabel(world.client, own, TEAM_B, PROD)).status_code == 200


async def test_a_cluster_that_a_limited_key_declares_carries_its_labels(
    world: World, limited: Limited
) -> None:
    await limited(PROD)
    caller = await limited(TEAM_A)
    body = {"name": "new.example.com"}
    for labels in ((), (TEAM_B,), (TEAM_A, PROD)):
        answer = await caller.post("/v1/clusters", json={**body, "labels": said(*labels)})
        problem = is_problem(answer, 403, "forbidden")
        assert any("team=a" in str(e) or "env=prod" in str(e) for e in problem["errors"])
    right = {**body, "labels": said(TEAM_A, Label("rack", "7"))}
    once = {"Idempotency-Key": "one"}
    made = await caller.post("/v1/clusters", json=right, headers=once)
    assert made.status_code == 201, made.text
    assert (await caller.get(made.headers["location"])).status_code == 200
    again = await caller.post("/v1/clusters", json=right, headers=once)
    assert (again.status_code, again.json()["id"]) == (201, made.json()["id"])
    stranger = await limited(TEAM_B)
    assert (await stranger.get(made.headers["location"])).status_code == 404


async def test_who_is_limited_by_ids_is_told_who_may_declare_a_cluster(
    world: World, limited: Limited
) -> None:
    own = await cluster(world, "own", TEAM_A)
    caller = await limited(TEAM_A, clusters=frozenset({own["id"]}))
    body = {"name": "new.example.com", "labels": said(TEAM_A)}
    problem = is_problem(await caller.post("/v1/clusters", json=body), 403, "forbidden")
    assert "limited by labels only, or not at all, declares clusters" in problem["detail"]
    imported = await caller.post("/v1/clusters/import", json={"peer_id": UNKNOWN})
    is_problem(imported, 404, "not-found")


async def test_a_limited_key_imports_a_cluster_of_its_own_peers_with_its_labels(
    world: World, limited: Limited
) -> None:
    caller = await limited(TEAM_A)
    mine = replace(world, client=caller)
    foreign = await there(world, 1)
    for peer_id in (*foreign, UNKNOWN):
        is_problem(await ask_import(caller, peer_id), 404, "not-found")
    await world.client.delete(f"/v1/peers/{foreign[0]}", headers={"If-Match": "*"})
    await mine.credential("mine")
    ids = await there(mine, 2)
    is_problem(await ask_import(caller, ids[0]), 403, "forbidden")
    made = await ask_import(caller, ids[0], TEAM_A)
    assert made.status_code == 201, made.text
    assert [member["peer_id"] for member in made.json()["cluster"]["members"]] == ids
    stranger = await limited(TEAM_B)
    for peer_id in ids:
        assert (await caller.get(f"/v1/peers/{peer_id}")).status_code == 200
        assert (await stranger.get(f"/v1/peers/{peer_id}")).status_code == 404


async def ask_import(caller: httpx.AsyncClient, peer_id: str, *labels: Label) -> httpx.Response:
    body = {"peer_id": peer_id, "labels": said(*labels)}
    return await caller.post("/v1/clusters/import", json=body)


async def test_create_cluster_is_planned_for_peers_that_the_key_registered(
    world: World, limited: Limited
) -> None:
    """And the refusal for others says what is missing, the same for those that never existed."""
    own, caller = await cluster(world, "own", TEAM_A), await limited(TEAM_A)
    foreign = await world.peer("foreign", "192.0.2.50")
    theirs = replace(world, client=caller)
    await theirs.credential("theirs")
    mine = await theirs.peer("mine", "192.0.2.51")
    path = f"/v1/clusters/{own['id']}/procedures/create-cluster/plan"
    refused = []
    for peer_id in (foreign["id"], UNKNOWN):
        answer = await caller.post(path, json={"primary_peer_id": peer_id})
        refused.append(is_problem(answer, 422, "invalid-request")["errors"])
    assert refused[0] == refused[1]
    assert "this key has registered itself" in refused[0][0]["remedy"]
    planned = await caller.post(path, json={"primary_peer_id": mine["id"]})
    assert planned.status_code == 201, planned.text
    anybody = await world.client.post(path, json={"primary_peer_id": UNKNOWN})
    (error,) = is_problem(anybody, 422, "invalid-request")["errors"]
    assert error["remedy"] == "register the peer with POST /v1/peers"


async def test_a_key_limited_by_labels_makes_and_changes_only_keys_with_them(
    world: World, limited: Limited
) -> None:
    own, caller = await cluster(world, "own", TEAM_A), await limited(TEAM_A)
    for more in (
        {},
        {"clusters": [own["id"]]},  # would stay good when the cluster is another team's
        {"labels": said(TEAM_B)},
        {"labels": said(PROD)},
    ):
        body = {"name": "x", "scopes": ["admin"], **more}
        is_problem(await caller.post("/v1/keys", json=body), 403, "forbidden")
    body = {"name": "narrower", "scopes": ["clusters:read"], "labels": said(PROD, TEAM_A)}
    made = await caller.post("/v1/keys", json=body)
    assert made.status_code == 201, made.text
    assert made.json()["labels"] == said(PROD, TEAM_A)
    for labels in (None, said(PROD)):
        place, star = f"/v1/keys/{made.json()['id']}", {"If-Match": "*"}
        wider = await caller.patch(place, json={"labels": labels}, headers=star)
        is_problem(wider, 403, "forbidden")
    kept = await caller.patch(place, json={"name": "other"}, headers=star)
    assert kept.json()["labels"] == said(PROD, TEAM_A)
    freed = await world.client.patch(place, json={"labels": None}, headers=star)
    assert freed.json()["labels"] is None
    is_problem(await caller.get(place), 404, "not-found")
    for wrong in ([], said(TEAM_A, TEAM_B), [{"name": "", "value": "x"}]):
        body = {"name": "y", "scopes": ["admin"], "labels": wrong}
        is_problem(await world.client.post("/v1/keys", json=body), 422, "invalid-request")


def test_who_was_not_looked_up_reaches_nothing() -> None:
    limits = Limits(frozenset({Scope.ADMIN}), labels=frozenset({TEAM_A}))
    assert Principal("key-1", "k", limits).clusters == frozenset()
    assert not limits.unlimited_admin


async def test_a_limited_webhook_is_silent_about_a_cluster_that_left_its_labels(
    world: World, limited: Limited, seen: Any, database_url: str
) -> None:
    own, caller = await cluster(world, "own", TEAM_A), await limited(TEAM_A)
    hook = {
        "name": "hook",
        "url": "https://receiver.example.com/hook",
        "labels": said(TEAM_A),
        "cluster_ids": [own["id"]],
    }
    assert (await caller.post("/v1/webhooks", json=hook)).status_code == 201
    peer = await world.peer()
    world.appliances.views[peer["id"]] = seen(peer["id"])
    job = (await world.start(own, "one", peer_id=peer["id"])).json()

    async def told() -> int:
        async with await psycopg.AsyncConnection.connect(plain_url(database_url)) as connection:
            rows = await connection.execute("select count(*) from webhook_delivery")
            return int((await rows.fetchone() or (0,))[0])

    await relabel(world.client, own, TEAM_B)
    before = await told()
    cancelled = await world.client.post(f"/v1/jobs/{job['id']}/cancel")
    assert cancelled.status_code == 202
    assert await told() == before
    await relabel(world.client, own, TEAM_A)
    again = (await world.start(own, "two", peer_id=peer["id"])).json()
    await world.client.post(f"/v1/jobs/{again['id']}/cancel")
    assert await told() > before


async def test_a_schedule_starts_no_job_once_its_owner_has_lost_the_cluster(
    world: World, limited: Limited, seen: Any
) -> None:
    own, caller = await cluster(world, "own", TEAM_A), await limited(TEAM_A)
    peer = await replace(world, client=caller).peer()
    world.appliances.views[peer["id"]] = seen(peer["id"])
    body = {
        "peer_id": peer["id"],
        "schedule_name": "daily",
        "time_zone": "UTC",
        "start": due_at().replace(tzinfo=None).isoformat(),
        "recurrence": "FREQ=DAILY",
    }
    place = f"/v1/clusters/{own['id']}/procedures/name-peer/schedule"
    schedule = (await caller.post(place, json=body)).json()
    await relabel(world.client, own, TEAM_B)
    at(world, due_at())
    assert await carry_out(world) == 1
    await relabel(world.client, own, TEAM_A)
    at(world, due_at() + timedelta(days=1))
    assert await carry_out(world) == 1
    outcomes = [(run["outcome"], run["code"]) for run in await runs(world, schedule)]
    assert outcomes == [("started", ""), ("refused", "not-found")]


async def test_a_token_is_limited_by_the_labels_its_claims_name(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    a, b = await cluster(world, "a", TEAM_A), await cluster(world, "b", TEAM_B, PROD)
    async with local_issuer(tmp_path) as issuer:
        setting = issuer.setting(label_claims={"department": "team", "stage": "env"})
        async with service(world, monkeypatch, setting) as caller:
            for claims, reached in (
                ({"department": "a", "stage": "*"}, {a["id"]}),
                ({"department": "b", "stage": "prod"}, {b["id"]}),
                ({"department": "a", "stage": "prod"}, set()),
                ({"department": "*", "stage": "*"}, {a["id"], b["id"]}),
                ({"department": "a"}, set()),
                ({"stage": "*"}, set()),
            ):
                answer = await with_token(caller, issuer.token(**claims))
                assert {item["id"] for item in answer.json()["items"]} == reached, claims
            for wrong in (["a"], 1, None, "x" * 201, {"a": "b"}):
                answer = await with_token(caller, issuer.token(department=wrong, stage="*"))
                if wrong is None:  # a claim that is not there
                    assert answer.json()["items"] == []
                else:
                    is_problem(answer, 401, "unauthenticated")
            token = issuer.token(department="a", stage="*", scope=["clusters:write"])
            moved = await caller.patch(
                f"/v1/clusters/{a['id']}",
                json={"labels": said(TEAM_A, PROD)},
                headers={"Authorization": f"Bearer {token}", "If-Match": "*"},
            )
            is_problem(moved, 403, "forbidden")


def test_claims_stand_for_labels_that_can_be() -> None:
    for wrong in ({"a": "team", "b": "team"}, {"a": ""}, {"a": "no blanks"}, {"a": "x" * 64}):
        with pytest.raises(ValueError, match="label_claims"):
            Issuer.model_validate(
                {"alias": "c", "issuer": "i", "audience": "a", "jwks_file": "k",
                 "label_claims": wrong}
            )  # fmt: skip
