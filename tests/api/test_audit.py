"""The audit trail: every change with its change, every refusal, in a chain that shows tampering."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from app.services.audit import AuditService
from app.services.audit_records import Broken
from app.services.problems import Problem
from app.storage.database import plain_url
from tests.api.conftest import PASSWORD, World, peer_body
from tests.api.test_conventions import is_problem

pytestmark = pytest.mark.postgres


async def trail(world: World, **query: Any) -> list[dict[str, Any]]:
    answer = await world.client.get("/v1/audit", params={"limit": 200, **query})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_a_change_is_written_down_with_who_did_it_and_what_came_of_it(world: World) -> None:
    cluster = await world.cluster()
    (row,) = await trail(world, object_id=cluster["id"])
    assert (row["action"], row["outcome"]) == ("createCluster", "done")
    assert row["actor"].startswith("key-")
    assert row["actor_name"] == "first admin key"
    assert row["address"] == "127.0.0.1"
    answer = await world.client.delete(f"/v1/clusters/{cluster['id']}", headers={"If-Match": "*"})
    row = (await trail(world, object_id=cluster["id"]))[0]
    assert (row["action"], row["request_id"]) == ("deleteCluster", answer.headers["x-request-id"])


async def test_a_job_is_found_by_its_own_id_and_its_clusters(world: World) -> None:
    peer, cluster = await world.peer(), await world.cluster()
    job = (await world.start(cluster, "one", peer_id=peer["id"])).json()
    await world.client.post(f"/v1/jobs/{job['id']}/cancel")
    for object_id in (job["id"], cluster["id"]):
        actions = [row["action"] for row in await trail(world, object_id=object_id)]
        assert actions[:2] == ["cancelJob", "startNamePeer"], object_id


async def test_what_was_refused_is_written_down_as_well(world: World) -> None:
    cluster = await world.cluster()
    reader = await world.key("clusters:read")
    path = f"/v1/clusters/{cluster['id']}"
    is_problem(
        await world.anonymous.delete(path, headers={**reader, "If-Match": "*"}), 403, "forbidden"
    )
    is_problem(await world.client.delete(path, headers={"If-Match": '"old"'}), 412,
               "precondition-failed")  # fmt: skip
    failed, denied = (await trail(world, action="deleteCluster", object_id=cluster["id"]))[:2]
    assert (denied["outcome"], denied["details"]) == ("denied", {"status": 403})
    assert (failed["outcome"], failed["details"]) == ("failed", {"status": 412})


async def test_reading_leaves_no_row_and_a_change_leaves_one(world: World) -> None:
    before = await trail(world)
    await world.client.get("/v1/clusters")
    assert len(await trail(world)) == len(before)
    await world.credential()
    assert [row["action"] for row in (await trail(world))[:1]] == ["createCredential"]
    assert (await trail(world))[1]["seq"] == before[0]["seq"]


async def test_a_change_that_is_undone_leaves_no_done(world: World) -> None:
    await world.credential("twice")
    body = {"name": "twice", "username": "admin", "secret": PASSWORD}
    is_problem(await world.client.post("/v1/credentials", json=body), 409, "name-taken")
    rows = await trail(world, action="createCredential")
    assert [row["outcome"] for row in rows[:2]] == ["failed", "done"]


async def test_wrong_keys_are_told_of_once_a_minute_for_each_address(world: World) -> None:
    wrong = {"Authorization": "Bearer cwk_000000000000_" + "a" * 43}
    for _ in range(5):
        await world.anonymous.get("/v1/peers", headers=wrong)
    rows = await trail(world, action="authenticate")
    assert rows[0]["outcome"] == "denied"
    assert rows[0]["address"] == "127.0.0.1"
    newest = rows[0]["seq"]
    await world.anonymous.get("/v1/peers", headers=wrong)
    assert (await trail(world, action="authenticate"))[0]["seq"] == newest


async def test_the_chain_is_whole_also_after_many_changes_at_once(world: World) -> None:
    names = [f"c{number}.example.com" for number in range(20)]
    await asyncio.gather(*(world.cluster(name) for name in names))
    found = await AuditService(world.parts.store).verify()
    assert not isinstance(found, Broken)
    seqs = [row["seq"] for row in await trail(world, action="createCluster")][:20]
    assert seqs == sorted(seqs, reverse=True)
    assert found[0] >= seqs[0]


@pytest.mark.parametrize(
    ("tampering", "why"),
    [
        ("update audit set actor_name = 'somebody else' where seq = {seq}", "content"),
        ("update audit set details = '{{\"a\": 1}}' where seq = {seq}", "content"),
        ("delete from audit where seq = {seq}", "missing"),
        ("delete from audit where seq = {last}", "missing"),
        ("update audit set before_hash = repeat('0', 64) where seq = {seq}", "hang"),
    ],
)
async def test_tampering_with_the_database_itself_is_seen(
    world: World, database_url: str, tampering: str, why: str
) -> None:
    for number in range(3):
        await world.cluster(f"t{number}.example.com")
    service = AuditService(world.parts.store)
    whole = await service.verify()
    assert not isinstance(whole, Broken)
    statement = tampering.format(seq=whole[0] - 1, last=whole[0])
    async with await psycopg.AsyncConnection.connect(plain_url(database_url)) as connection:
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            await connection.execute(statement.encode())
        await connection.rollback()
        rows = await (await connection.execute("select * from audit")).fetchall()
        await connection.execute("alter table audit disable trigger user")
        await connection.execute(statement.encode())
        await connection.commit()
        try:
            found = await service.verify()
        finally:
            # What other tests of this database build on is put back as it was.
            await connection.execute("truncate audit")
            places = ", ".join(["%s"] * len(rows[0]))
            for row in rows:
                values = [Jsonb(v) if isinstance(v, dict) else v for v in row]
                await connection.execute(f"insert into audit values ({places})".encode(), values)
            await connection.execute("alter table audit enable trigger user")
            await connection.commit()
    assert isinstance(found, Broken)
    assert why in found.why
    assert not isinstance(await service.verify(), Broken)


async def test_a_limited_reader_finds_its_own_deeds_and_those_about_its_clusters(
    world: World,
) -> None:
    own, foreign = await world.cluster("own.example.com"), await world.cluster("f.example.com")
    headers = await world.key("audit:read", "clusters:write", clusters=frozenset({own["id"]}))
    answer = await world.anonymous.get("/v1/audit", headers=headers)
    assert own["id"] in answer.text
    assert foreign["id"] not in answer.text
    peer = await world.anonymous.delete(
        "/v1/peers/peer-unknown", headers={**headers, "If-Match": "*"}
    )
    assert peer.status_code == 404
    answer = await world.anonymous.get("/v1/audit", headers=headers)
    assert answer.json()["items"][0]["action"] == "deletePeer"


async def test_pages_of_the_trail_follow_each_other(world: World) -> None:
    for number in range(3):
        await world.cluster(f"p{number}.example.com")
    first = (await world.client.get("/v1/audit", params={"limit": 2})).json()
    second = await world.client.get(
        "/v1/audit", params={"limit": 2, "cursor": first["next_cursor"]}
    )
    seqs = [row["seq"] for row in (*first["items"], *second.json()["items"])]
    assert seqs == list(range(seqs[0], seqs[0] - 4, -1))
    is_problem(
        await world.client.get("/v1/audit", params={"cursor": "MTpwZWVyLTAw"}), 422,
        "invalid-cursor",
    )  # fmt: skip


async def test_the_use_of_a_credential_is_written_down(world: World) -> None:
    from app.security.addresses import AddressGuard
    from app.services.access import PeerAccess

    peer = await world.peer()
    parts = world.parts
    access = PeerAccess(parts.store, parts.vault, parts.redactor, AddressGuard(), world.clock)
    for _ in range(3):
        await access.endpoints(peer["id"])
    rows = await trail(world, action="useCredential", object_id=peer["id"])
    assert len(rows) == 1
    assert rows[0]["objects"]["credential_id"] == peer["endpoints"][0]["credential_id"]
    assert rows[0]["actor_name"] == "this machine"


async def test_a_start_that_is_refused_was_not_done_although_its_peers_were_looked_at(
    world: World,
) -> None:
    peer, cluster = await world.peer(), await world.cluster()

    async def look(peer_id: str) -> Any:
        from app.security.addresses import AddressGuard
        from app.services.access import PeerAccess

        parts = world.parts
        guard = AddressGuard()
        await PeerAccess(parts.store, parts.vault, parts.redactor, guard, world.clock).endpoints(
            peer_id
        )
        raise Problem("peer-not-observed", "planted")

    world.appliances.observe = look  # type: ignore[method-assign]
    answer = await world.start(cluster, "refused", peer_id=peer["id"])
    assert answer.status_code >= 400
    rows = await trail(world, object_id=cluster["id"])
    assert [(row["action"], row["outcome"]) for row in rows[:3]] == [
        ("startNamePeer", "failed"),
        ("useCredential", "done"),
        ("createCluster", "done"),
    ]


async def test_no_secret_is_in_the_trail(world: World, database_url: str) -> None:
    made = await world.client.post("/v1/keys", json={"name": "canary", "scopes": ["admin"]})
    credential = await world.credential("canary", "canary-Secret-99")
    await world.client.put(
        f"/v1/credentials/{credential['id']}/secret",
        json={"secret": "canary-Rotated-98"},
        headers={"If-Match": "*", "Idempotency-Key": "k"},
    )
    await world.client.post("/v1/peers", json=peer_body(credential["id"], "canary-Secret-99x", "x"))
    await world.anonymous.get("/v1/peers", headers={"X-API-Key": "cwk_canary-Wrong-97"})
    async with await psycopg.AsyncConnection.connect(plain_url(database_url)) as connection:
        rows = await (await connection.execute("select audit::text from audit")).fetchall()
    text = str(rows)
    assert credential["id"] in text
    for secret in ("canary-Secret", "canary-Rotated", "canary-Wrong", made.json()["key"]):
        assert secret not in text


async def test_without_the_trail_there_is_no_change(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.storage import audit

    async def away(*_: Any) -> None:
        raise Problem("storage-unavailable", "planted")

    monkeypatch.setattr(audit.AuditRows, "append", away)
    answer = await world.client.post("/v1/clusters", json={"name": "lost.example.com"})
    is_problem(answer, 503, "storage-unavailable")
    monkeypatch.undo()
    assert "lost" not in (await world.client.get("/v1/clusters")).text
