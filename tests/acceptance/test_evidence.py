"""What is kept of a real job: its transcript, its peers before and after, and no secret."""

from __future__ import annotations

from typing import Any

import pytest

from app.security.chain import BEGINNING, canonical, link
from app.storage.database import connect
from tests.acceptance.conftest import House, OpenHouse
from tests.support.api_story import mock_endpoint
from transports.mock.scenario import REHEARSAL_PASSWORD

CLUSTER = "cluster1.example.com"

pytestmark = pytest.mark.postgres


async def peers_of(house: House) -> list[str]:
    admin = await house.story.credential(REHEARSAL_PASSWORD)
    return [
        await house.story.peer(e.name, e.address, mock_endpoint(e.address, admin))
        for e in house.fleet
    ]


async def whole_transcript(house: House, job_id: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    while True:
        after = entries[-1]["seq"] if entries else 0
        page = await house.story.get(f"/v1/jobs/{job_id}/transcript", after=after, limit=50)
        if not page["items"]:
            return entries
        entries += page["items"]


async def test_a_job_leaves_its_transcript_and_its_peers_before_and_after(
    open_house: OpenHouse, database_url: str
) -> None:
    async with open_house({}) as house:
        story = house.story
        peers = await peers_of(house)
        cluster_id = await story.cluster(CLUSTER)
        first = await story.run(cluster_id, "create-cluster", {"primary_peer_id": peers[0]})
        added = await story.run(cluster_id, "add-peer", {"peer_id": peers[1]})
        assert (first["state"], added["state"]) == ("succeeded", "succeeded")

        entries = await whole_transcript(house, added["id"])
        before = BEGINNING
        for number, entry in enumerate(entries, start=1):
            body = {key: value for key, value in entry.items() if key != "hash"}
            body["at"] = entry["at"].replace("Z", "+00:00")
            before = link(before, canonical(body))
            assert (entry["seq"], entry["hash"]) == (number, before.hex())
        assert {entry["peer_id"] for entry in entries} == {peers[0], peers[1]}
        steps = {step["key"] for stage in added["stages"] for step in stage["steps"]}
        assert {entry["step"] for entry in entries} <= {*steps, ""}
        words = [entry["text"] for entry in entries if entry["direction"] == "sent"]
        assert any(text.startswith("xConfiguration Alternates Peer 2 Address: ") for text in words)
        assert "System > Clustering: SetPreSharedKey()" in words

        seen = await story.get(f"/v1/jobs/{added['id']}/observations")
        by_peer = {peer["peer_id"]: peer for peer in seen["peers"]}
        assert set(by_peer) == {peers[0], peers[1]}
        joined = by_peer[peers[1]]
        assert not joined["late"]
        assert joined["before"]["clustering"]["cluster_name"] != CLUSTER
        assert joined["after"]["clustering"]["cluster_name"] == CLUSTER
        assert "clustering.cluster_name" in {fact["fact"] for fact in joined["changed"]}

        # Canaries: the keys of the vault are looked for in every column of the database.
        async with house.service.store.transaction() as tx:
            stored = (await tx.credentials.page(None, 50)).items
        vault = house.service.vault
        secrets = [vault.open(c.sealed, c.context(c.id)).decode() for c in stored]
        secrets += [house.service.settings.keys.read_text().split(":")[1].strip()]
        secrets += [str(story.client.headers["Authorization"]).removeprefix("Bearer ")]
        assert len(secrets) >= 4
        async with await connect(database_url) as connection:
            tables = await (
                await connection.execute(
                    "select tablename from pg_tables where schemaname = current_schema"
                )
            ).fetchall()
            for table in tables:
                rows = await (
                    await connection.execute(
                        f"select t::text as text from {table['tablename']} t".encode()
                    )
                ).fetchall()
                for row in rows:
                    assert not any(secret in row["text"] for secret in secrets), table


async def test_a_job_cancelled_while_it_waits_is_looked_at_late_and_a_dead_peer_is_told(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.closing.LATE_AFTER", 0.0)
    monkeypatch.setattr("app.worker.CLOSE_SECONDS", 0.1)
    async with open_house({}) as house:
        story = house.story
        peers = await peers_of(house)
        cluster_id = await story.cluster(CLUSTER)
        await story.run(cluster_id, "create-cluster", {"primary_peer_id": peers[0]})
        job = await story.post(
            f"/v1/clusters/{cluster_id}/procedures/add-peer", {"peer_id": peers[1]}
        )
        job_id = job["id"]
        while (await story.get(f"/v1/jobs/{job_id}"))["state"] != "waiting":
            await story.get(f"/v1/jobs/{job_id}", wait=1)
        next(device for device in house.fleet if device.name == "exp2").lose_power()
        await story.post(f"/v1/jobs/{job_id}/cancel")
        assert (await story.finish(job_id))["state"] == "cancelled"
        while True:
            seen = await story.get(f"/v1/jobs/{job_id}/observations")
            by_peer = {peer["peer_id"]: peer for peer in seen["peers"]}
            if by_peer[peers[1]]["after"] is not None:
                break
        assert by_peer[peers[1]]["after"]["code"] == "peer-unreachable"
        assert by_peer[peers[0]]["after"]["system_name"] == "exp1"
        assert by_peer[peers[1]]["late"] == by_peer[peers[0]]["late"]
