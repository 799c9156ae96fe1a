"""A key that is limited to clusters, by id or by label: what is out of its reach does not exist.

Both kinds of limit go through all of these tests. Every operation with an id in its path is tried
with the ids of a foreign cluster and with ids that never existed, and must answer both alike. An
operation without one needs a line in WITHOUT_ID.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.api.conftest import World, peer_body
from tests.api.routes import EVERY, Operation
from tests.api.test_conventions import is_problem
from tests.support.archive_suite import produce

pytestmark = pytest.mark.postgres

LIST = "its list is filtered"
CATALOGUE = "the same for everybody: it speaks of no cluster"
REFUSED = "makes something that no limited key may make"
OWN = "makes something that belongs to the key"

SELECTS = "selects of the clusters in reach; a foreign id is unknown"

WITHOUT_ID = {
    "bulkAlignClustering": SELECTS,
    "bulkBackup": SELECTS,
    "bulkRotatePreSharedKey": SELECTS,
    "bulkUpdateNeighbours": SELECTS,
    "bulkUpgrade": SELECTS,
    "listBulkJobs": LIST,
    "previewBulkJob": SELECTS,
    "createCluster": "see test_reach_by_label",
    "createCredential": OWN,
    "createKey": "a key cannot give more than it has",
    "createPeer": OWN,
    "importCluster": "see test_reach_by_label",
    "findAlarms": CATALOGUE,
    "listApprovals": LIST,
    "listBackups": LIST,
    "listAudit": "a key finds its own deeds and those about its clusters",
    "listClusters": LIST,
    "listEvidenceKeys": CATALOGUE,
    "listCredentials": LIST,
    "listGuideRequirements": CATALOGUE,
    "listImages": CATALOGUE,
    "listJobs": LIST,
    "listKeys": LIST,
    "listPeers": LIST,
    "listPlans": LIST,
    "createWindow": REFUSED,
    "deleteWindow": REFUSED,
    "getWindow": CATALOGUE,
    "listWindowOpenings": CATALOGUE,
    "listWindows": CATALOGUE,
    "getMetrics": REFUSED,
    "replaceWindow": REFUSED,
    "listSchedules": LIST,
    "createWebhook": "tells of the key's clusters only",
    "listProcedures": CATALOGUE,
    "listWebhooks": LIST,
    "probePeer": "asks an address that the guard allows; nothing registered is touched",
}
NOT_OF_A_CLUSTER = frozenset({"slug", "step_key", "window_id"})
"""Names in a path that are no id."""

UNKNOWN = "06f3k2m8q1v5x7z9b2d4f6h8j0"


@dataclass
class Two:
    """Two clusters with everything that can belong to one, and a key for the first."""

    world: World
    kind: str
    own: dict[str, str]
    foreign: dict[str, str]
    headers: dict[str, str]

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {**self.headers, **more.pop("headers", {})}
        return await self.world.anonymous.request(method, path, headers=headers, **more)

    def limits(self, whose: dict[str, str]) -> dict[str, Any]:
        """The limits of a key for that cluster."""
        return limits(self.kind, whose["cluster_id"], whose["label"])


def limits(kind: str, cluster_id: str, label: str) -> dict[str, Any]:
    if kind == "ids":
        return {"clusters": [cluster_id]}
    return {"labels": [{"name": "team", "value": label}]}


async def furnish(world: World, kind: str, name: str, number: int) -> dict[str, str]:
    """A cluster with one of everything; ids by the names they have in paths."""
    credential = await world.credential(f"{name} admin", f"canary-{name}-Pa55")
    team = [{"name": "team", "value": name}]
    asked = {
        "name": f"{name}.example.com",
        "labels": [*team, {"name": "site", "value": "berlin"}],
        "policy": {"minimum_approvers": 1},
    }
    cluster = (await world.client.post("/v1/clusters", json=asked)).json()
    body = peer_body(credential["id"], f"{name}1", f"192.0.2.{number}")
    peer = (await world.client.post("/v1/peers", json=body)).json()
    async with world.parts.store.transaction() as tx:
        await tx.clusters.record_members(cluster["id"], [peer["id"]], peer["id"])
    plan = (await world.plan(cluster, peer_id=peer["id"])).json()
    job = await world.start(cluster, f"start-{name}", peer_id=peer["id"])
    assert job.status_code == 202, job.text
    neighbour = await world.client.post(
        f"/v1/clusters/{cluster['id']}/neighbours",
        json={"name": f"{name}-vcs", "kind": "neighbor", "zone_name": "zone"},
    )
    assert neighbour.status_code == 201, neighbour.text
    shelf = world.parts.shelf
    await shelf.of(job.json()["id"]).receive("step", peer["id"], produce(b"abc"))
    (backup,) = await shelf.of_job(job.json()["id"])
    world.backups.found[backup.id] = (backup, [b"abc"])
    held = f"/v1/jobs/{job.json()['id']}/retention-hold"
    assert (await world.client.put(held, json={"reason": "a case"})).status_code == 200
    hook = {
        "name": f"{name} hook",
        "url": "https://receiver.example.com/hook",
        "event_types": ["job.failed"],
        **({"cluster_ids": [cluster["id"]]} if kind == "ids" else {"labels": team}),
    }
    webhook = await world.client.post("/v1/webhooks", json=hook)
    assert webhook.status_code == 201, webhook.text
    delivery = await world.client.post(f"/v1/webhooks/{webhook.json()['id']}/test")
    kept = await world.client.post(
        f"/v1/clusters/{cluster['id']}/procedures/name-peer/schedule",
        json={
            "peer_id": peer["id"],
            "schedule_name": f"{name} nightly",
            "time_zone": "UTC",
            "start": "2030-01-01T00:00",
        },
    )
    assert kept.status_code == 201, kept.text
    selected = {"selector": {"cluster_ids": [cluster["id"]]}}
    bulk = await world.client.post(
        "/v1/procedures/backup/bulk-jobs",
        json=selected,
        headers={"Idempotency-Key": f"bulk-{name}"},
    )
    assert bulk.status_code == 202, bulk.text
    wanted = {"name": f"{name} key", "scopes": ["admin"], **limits(kind, cluster["id"], name)}
    key = (await world.client.post("/v1/keys", json=wanted)).json()
    return {
        "cluster_id": cluster["id"],
        "peer_id": peer["id"],
        "plan_id": plan["id"],
        "job_id": job.json()["id"],
        "approval_id": job.json()["id"],
        "schedule_id": kept.json()["id"],
        "bulk_job_id": bulk.json()["id"],
        "webhook_id": webhook.json()["id"],
        "delivery_id": delivery.json()["id"],
        "neighbour_id": neighbour.json()["id"],
        "credential_id": credential["id"],
        "backup_id": backup.id,
        "key_id": key["id"],
        "text": key["key"],
        "label": name,
    }


@pytest.fixture(params=["ids", "labels"])
async def two(world: World, request: pytest.FixtureRequest) -> Two:
    kind = str(request.param)
    own, foreign = await furnish(world, kind, "own", 21), await furnish(world, kind, "foreign", 22)
    return Two(world, kind, own, foreign, {"Authorization": f"Bearer {own['text']}"})


async def test_a_foreign_id_answers_every_operation_like_an_unknown_one(two: Two) -> None:
    asked = 0
    for operation in EVERY:
        names = [name for name in operation.parameters if name not in NOT_OF_A_CLUSTER]
        if not names or not operation.scope:
            continue
        assert set(names) <= two.foreign.keys(), (
            f"{operation.name}: furnish() must make a foreign {names}, or its key reaches too far"
        )
        fixed = {"slug": "add-peer", "step_key": "gate"}
        foreign = {**fixed, **{name: two.foreign[name] for name in names}}
        unknown = {
            **fixed,
            **{name: f"{name.removesuffix('_id')}-{UNKNOWN}" for name in names},
        }
        sent = operation.request(two.headers)
        sent["headers"]["Idempotency-Key"] = operation.name
        answers = [
            await two.world.anonymous.request(operation.method, operation.at(**ids), **sent)
            for ids in (foreign, unknown)
        ]
        for answer in answers:
            is_problem(answer, 404, "not-found")
        assert _shape(answers[0], foreign) == _shape(answers[1], unknown), operation.name
        asked += 1
    assert asked > 60


async def test_the_same_operations_find_what_is_the_keys_own(two: Two) -> None:
    """Without this the test above would pass for a key that reaches nothing."""
    for operation in EVERY:
        names = [name for name in operation.parameters if name not in NOT_OF_A_CLUSTER]
        if operation.method == "GET" and names:
            ids = {name: two.own[name] for name in names}
            answer = await two.ask("GET", operation.at(**ids), params=operation.query)
            assert answer.status_code in {200, 202, 409}, (operation.name, answer.text)


async def test_a_limited_key_reads_windows_and_changes_none(two: Two) -> None:
    body = {"name": "w", "time_zone": "UTC", "start": "2030-01-01T00:00"}
    made = await two.world.client.post("/v1/windows", json=body)
    place = f"/v1/windows/{made.json()['id']}"
    assert (await two.ask("GET", place)).status_code == 200
    for method, path, more in (
        ("POST", "/v1/windows", {"json": {**body, "name": "x"}}),
        ("PUT", place, {"json": body, "headers": {"If-Match": "*"}}),
        ("DELETE", place, {"headers": {"If-Match": "*"}}),
    ):
        is_problem(await two.ask(method, path, **more), 403, "forbidden")


async def test_a_foreign_id_beside_an_own_one_is_not_found_either(two: Two) -> None:
    own, foreign = two.own, two.foreign
    for path in (
        f"/v1/clusters/{own['cluster_id']}/neighbours/{foreign['neighbour_id']}",
        f"/v1/jobs/{own['job_id']}/backups/{foreign['backup_id']}/content",
    ):
        is_problem(await two.ask("GET", path), 404, "not-found")


@pytest.mark.parametrize("operation", EVERY, ids=lambda operation: operation.name)
def test_every_operation_without_an_id_has_been_thought_of(operation: Operation) -> None:
    name = operation.name
    has_id = bool(set(operation.parameters) - NOT_OF_A_CLUSTER)
    known = name in WITHOUT_ID or not operation.scope or operation.name == "getProcedure"
    assert has_id or known, f"{name}: say in WITHOUT_ID why a limited key sees nothing foreign"


async def test_no_list_names_anything_foreign(two: Two) -> None:
    words = [value for name, value in two.foreign.items() if name not in {"text"}]
    for operation in EVERY:
        if operation.method != "GET" or operation.parameters or not operation.scope:
            continue
        answer = await two.ask("GET", operation.path)
        if WITHOUT_ID[operation.name] == REFUSED:
            is_problem(answer, 403, "forbidden")
            continue
        assert answer.status_code == 200, answer.text
        assert not [word for word in (*words, "foreign") if word in answer.text], operation.name
        if WITHOUT_ID[operation.name] == LIST:
            of_plans = 2 if operation.name == "listPlans" else 1  # the start made one, too
            assert len(answer.json()["items"]) == of_plans, operation.name
    filtered = await two.ask("GET", "/v1/jobs", params={"cluster_id": two.foreign["cluster_id"]})
    assert filtered.json()["items"] == []


async def test_lists_go_on_behind_what_is_hidden(two: Two) -> None:
    for number in range(3):
        await two.world.client.post(
            "/v1/keys",
            json={"name": f"n{number}", "scopes": ["jobs:read"], **two.limits(two.own)},
        )
        await two.world.client.post("/v1/keys", json={"name": f"m{number}", "scopes": ["admin"]})
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = (await two.ask("GET", "/v1/keys", params={"limit": 1, **cursor})).json()
        seen += [item["name"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == ["own key", "n0", "n1", "n2"]


async def test_a_job_cannot_name_a_foreign_peer(two: Two) -> None:
    path = f"/v1/clusters/{two.own['cluster_id']}/procedures/name-peer"
    unknown = f"peer-{UNKNOWN}"
    for body in (
        {"peer_id": two.foreign["peer_id"]},
        {"peer_id": two.own["peer_id"], "others": [two.foreign["peer_id"]]},
    ):
        for place in (path, f"{path}/plan"):
            answer = await two.ask("POST", place, json=body, headers={"Idempotency-Key": place})
            problem = is_problem(answer, 422, "invalid-request")
            text = str(body).replace(two.foreign["peer_id"], unknown).replace("'", '"')
            same = await two.ask(
                "POST", place, content=text,
                headers={"Idempotency-Key": "other" + place, "Content-Type": "application/json"},
            )  # fmt: skip
            assert problem["errors"] == same.json()["errors"]
    checked = await two.ask(
        "GET",
        f"/v1/clusters/{two.own['cluster_id']}/checks",
        params={"candidate": two.foreign["peer_id"]},
    )
    is_problem(checked, 422, "invalid-request")
    neighbour = {"name": "x", "kind": "neighbor", "zone_name": "z"}
    answer = await two.ask(
        "POST",
        f"/v1/clusters/{two.own['cluster_id']}/neighbours",
        json={**neighbour, "peer_id": two.foreign["peer_id"]},
    )
    is_problem(answer, 422, "invalid-request")
    answer = await two.ask(
        "PUT",
        f"/v1/clusters/{two.own['cluster_id']}/neighbours/{two.own['neighbour_id']}",
        json={**neighbour, "peer_id": two.foreign["peer_id"]},
        headers={"If-Match": "*"},
    )
    is_problem(answer, 422, "invalid-request")


async def test_a_label_that_a_foreign_cluster_has_too_finds_only_own_jobs(two: Two) -> None:
    for ids in (two.own, two.foreign):
        place = f"/v1/clusters/{ids['cluster_id']}"
        labels = (await two.world.client.get(place)).json()["labels"]
        changed = await two.world.client.patch(
            place,
            json={"labels": [*labels, {"name": "both", "value": "yes"}]},
            headers={"If-Match": "*"},
        )
        assert changed.status_code == 200, changed.text
    everybody = await two.world.client.get("/v1/jobs?label=both=yes")
    assert {job["cluster_id"] for job in everybody.json()["items"]} == {
        two.own["cluster_id"],
        two.foreign["cluster_id"],
    }
    limited = await two.ask("GET", "/v1/jobs?label=both=yes")
    assert {job["cluster_id"] for job in limited.json()["items"]} == {two.own["cluster_id"]}


async def test_a_peer_belongs_to_the_key_that_registered_it_until_a_cluster_has_it(
    two: Two,
) -> None:
    body = peer_body(two.own["credential_id"], "free", "192.0.2.30")
    made = await two.ask("POST", "/v1/peers", json=body)
    assert made.status_code == 201, made.text
    path = f"/v1/peers/{made.json()['id']}"
    assert (await two.ask("GET", path)).status_code == 200
    other = {"Authorization": f"Bearer {two.foreign['text']}"}
    assert (await two.world.anonymous.get(path, headers=other)).status_code == 404
    members = [two.foreign["peer_id"], made.json()["id"]]
    async with two.world.parts.store.transaction() as tx:
        await tx.clusters.record_members(two.foreign["cluster_id"], members, members[0])
    assert (await two.ask("GET", path)).status_code == 404
    assert (await two.world.anonymous.get(path, headers=other)).status_code == 200


async def test_a_peer_that_left_the_cluster_stays_in_reach_of_its_jobs(two: Two) -> None:
    async with two.world.parts.store.transaction() as tx:
        await tx.clusters.record_members(two.own["cluster_id"], [], None)
        await tx.clusters.record_members(two.foreign["cluster_id"], [], None)
    assert (await two.ask("GET", f"/v1/peers/{two.own['peer_id']}")).status_code == 200
    assert (await two.ask("GET", f"/v1/peers/{two.foreign['peer_id']}")).status_code == 404


async def test_a_foreign_secret_is_neither_used_nor_changed(two: Two) -> None:
    body = peer_body(two.foreign["credential_id"], "thief", "192.0.2.31")
    is_problem(await two.ask("POST", "/v1/peers", json=body), 422, "invalid-request")
    # A secret of one's own cluster that a foreign peer uses as well is not one's own to change.
    shared = peer_body(two.own["credential_id"], "sharing", "192.0.2.32")
    assert (await two.world.client.post("/v1/peers", json=shared)).status_code == 201
    path = f"/v1/credentials/{two.own['credential_id']}"
    answer = await two.ask(
        "PUT", f"{path}/secret", json={"secret": "another secret"}, headers={"If-Match": "*"}
    )
    is_problem(answer, 403, "forbidden")
    gone = is_problem(
        await two.ask("DELETE", path, headers={"If-Match": "*"}), 409, "credential-in-use"
    )
    assert "peer-" not in gone["detail"]


async def test_a_limited_key_is_told_of_its_own_clusters_only(two: Two) -> None:
    hook = {"name": "spy", "url": "https://receiver.example.com/hook"}
    own, foreign = two.own["cluster_id"], two.foreign["cluster_id"]
    labels = two.limits(two.own).get("labels", [])
    wrong = [
        {},
        {"cluster_ids": [own, foreign]},
        {"cluster_ids": [own, foreign], "labels": labels},
        # Without its label it would tell of the cluster still when that is another team's.
        {"cluster_ids": [own]} if labels else {"labels": [{"name": "team", "value": "own"}]},
    ]
    for said in wrong:
        answer = await two.ask("POST", "/v1/webhooks", json={**hook, **said})
        assert answer.status_code in {403, 422}, (said, answer.text)
    right = {**hook, "cluster_ids": [own], "labels": labels}
    assert (await two.ask("POST", "/v1/webhooks", json=right)).status_code == 201


async def test_an_event_stream_of_a_foreign_job_is_not_found(two: Two) -> None:
    stream = {"Accept": "text/event-stream"}
    answer = await two.ask("GET", f"/v1/jobs/{two.foreign['job_id']}/events", headers=stream)
    is_problem(answer, 404, "not-found")


async def test_a_plan_sees_what_surrounds_the_cluster_whoever_asks(two: Two) -> None:
    """A check that could not see foreign Expressways would pass what is forbidden (NEW-O-01)."""
    two.world.appliances.asked.clear()
    path = f"/v1/clusters/{two.own['cluster_id']}/procedures/name-peer/plan"
    answer = await two.ask("POST", path, json={"peer_id": two.own["peer_id"]})
    assert answer.status_code == 201, answer.text
    assert {two.own["peer_id"], two.foreign["peer_id"]} <= set(two.world.appliances.asked)
    assert two.foreign["peer_id"] not in answer.text


def _shape(answer: httpx.Response, ids: dict[str, str]) -> Any:
    text = answer.text
    for name, value in ids.items():
        text = text.replace(value, name)
    return re.sub(r"req-[0-9a-f]+", "", text), sorted(answer.headers)
