"""Backups of all peers over the API: who may read them, whether they are good, which may go."""

from __future__ import annotations

from typing import Any

import pytest

from app.storage.database import connect
from tests.support.archive_suite import CONTENT, produce

pytestmark = pytest.mark.postgres


@pytest.fixture
async def taken(world: Any, seen: Any) -> dict[str, Any]:
    """Two backups of one peer by an ended job, one of another by a job that has not ended."""
    cluster, peer = await world.cluster(), await world.peer()
    world.appliances.views[peer["id"]] = seen(peer["id"])
    ended = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    await world.client.post(f"/v1/jobs/{ended['id']}/cancel")
    going = (await world.start(cluster, "k2", peer_id=peer["id"])).json()
    shelf = world.parts.shelf
    await shelf.of(ended["id"]).receive("first", "peer-a", produce(CONTENT))
    await shelf.of(ended["id"]).receive("second", "peer-a", produce(b"two"))
    await shelf.of(going["id"]).receive("third", "peer-b", produce(b"three"))
    await shelf.of(ended["id"]).receive("fourth", "peer-b", produce(b"four"))
    found = (await world.client.get("/v1/backups")).json()["items"]
    assert [backup["step"] for backup in found] == ["fourth", "third", "second", "first"]
    return {**{b["step"]: b["id"] for b in found}, "job": ended["id"], "cluster": cluster["id"]}


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("backups:read", "GET", "/v1/backups"),
        ("backups:read", "POST", "/v1/backups/backup-x/verify"),
        ("backups:read", "GET", "/v1/jobs/job-x/backups/backup-x/content"),
        ("backups:write", "DELETE", "/v1/backups/backup-x"),
    ],
)
async def test_whoever_reads_jobs_does_not_read_backups(
    world: Any, scope: str, method: str, path: str
) -> None:
    headers = await world.key("jobs:read", "jobs:run", "clusters:read", "clusters:write")
    answer = await world.client.request(method, path, headers=headers)
    assert (answer.status_code, answer.json()["scope"]) == (403, scope)
    answer = await world.client.request(method, path, headers=await world.key(scope))
    assert answer.status_code in {200, 404}


async def test_backups_are_listed_page_by_page_and_by_peer_and_cluster(
    world: Any, taken: dict[str, Any]
) -> None:
    steps: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        answer = await world.client.get("/v1/backups", params=query)
        steps += [backup["step"] for backup in answer.json()["items"]]
        if answer.json()["next_cursor"] is None:
            break
        query["cursor"] = answer.json()["next_cursor"]
        assert 'rel="next"' in answer.headers["Link"]
    assert steps == ["fourth", "third", "second", "first"]

    async def listed(**query: str) -> list[str]:
        answer = await world.client.get("/v1/backups", params=query)
        return [backup["step"] for backup in answer.json()["items"]]

    assert await listed(peer_id="peer-a") == ["second", "first"]
    assert len(await listed(cluster_id=taken["cluster"])) == 4
    assert await listed(cluster_id="cluster-of-nobody") == []
    for cursor in ("bm90aGluZw", "Mg", "MjAyNi0wMS0wMXxiYWNrdXAtMQ"):
        answer = await world.client.get("/v1/backups", params={"cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-cursor")


async def test_a_backup_is_verified_by_opening_it_whole(
    world: Any, taken: dict[str, Any], database_url: str
) -> None:
    path = f"/v1/backups/{taken['first']}/verify"
    good = (await world.client.post(path)).json()
    assert good["intact"]
    assert good["sha256"] == good["found_sha256"]
    harms = (
        "update backup set sha256 = repeat('0', 64)",
        "delete from backup_chunk where seq = 2",
        "update backup_chunk set sealed = set_byte(sealed, 90, 7) where length(sealed) > 500",
    )
    async with await connect(database_url) as connection:
        for harm in harms:
            await connection.execute(harm.encode())
            bad = (await world.client.post(path)).json()
            assert not bad["intact"], harm
    answer = await world.client.post("/v1/backups/backup-x/verify")
    assert answer.status_code == 404


async def test_a_backup_that_is_needed_is_not_deleted(world: Any, taken: dict[str, Any]) -> None:
    async def delete(step: str) -> Any:
        return await world.client.delete(f"/v1/backups/{taken[step]}")

    refused = await delete("third")
    assert (refused.status_code, refused.json()["code"]) == (409, "backup-needed")
    assert "has not ended" in refused.json()["detail"]
    assert (await delete("first")).status_code == 204
    assert (await delete("first")).status_code == 404
    assert "only backup" in (await delete("second")).json()["detail"]
    hold = f"/v1/jobs/{taken['job']}/retention-hold"
    put = await world.client.put(hold, json={"reason": "Legal case 2026-17."})
    assert put.json()["reason"] == "Legal case 2026-17."
    assert (await world.client.get(hold)).json() == put.json()
    assert "on hold" in (await delete("fourth")).json()["detail"]
    assert (await world.client.delete(hold)).status_code == 204
    assert (await world.client.delete(hold)).status_code == 404
    assert (await delete("fourth")).status_code == 204


async def test_a_hold_wants_a_job_a_reason_and_an_administrator(world: Any) -> None:
    path = "/v1/jobs/job-x/retention-hold"
    assert (await world.client.put(path, json={"reason": "x"})).status_code == 404
    assert (await world.client.put(path, json={})).status_code == 422
    assert (await world.client.put(path, json={"reason": ""})).status_code == 422
    headers = await world.key("jobs:run", "backups:write")
    answer = await world.client.put(path, json={"reason": "x"}, headers=headers)
    assert answer.json()["scope"] == "admin"


async def test_a_key_of_other_clusters_finds_neither_backups_nor_evidence(
    world: Any, taken: dict[str, Any]
) -> None:
    await world.services.evidence.seal(taken["job"])
    scopes = ["jobs:read", "backups:read", "backups:write", "admin"]
    for clusters, status in ((["cluster-of-others"], 404), ([taken["cluster"]], 200)):
        headers = await world.key(*scopes, clusters=frozenset(clusters))

        async def ask(method: str, path: str, headers: Any = headers) -> Any:
            return await world.client.request(method, path, headers=headers)

        listed = (await ask("GET", "/v1/backups")).json()["items"]
        assert len(listed) == (4 if status == 200 else 0)
        job = f"/v1/jobs/{taken['job']}"
        for method, path in (
            ("GET", f"{job}/evidence"),
            ("GET", f"{job}/evidence.html"),
            ("GET", f"{job}/transcript"),
            ("GET", f"{job}/observations"),
            ("POST", f"/v1/backups/{taken['first']}/verify"),
        ):
            assert (await ask(method, path)).status_code == status, path
        if status == 404:
            assert (await ask("DELETE", f"/v1/backups/{taken['first']}")).status_code == 404
            assert (await ask("GET", f"{job}/retention-hold")).status_code == 404
