"""A job that waits for people holds no connection to a peer: seen in the kernel's own table."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import OpenHouse
from tests.support.api_story import ssh_endpoint, web_endpoint
from transports.mock.scenario import REHEARSAL_PASSWORD

pytestmark = [pytest.mark.sockets, pytest.mark.postgres]
NAME = "cluster1.example.com"
SOCKETS = Path("/proc/net/tcp")
ESTABLISHED = "01"
SCENARIO = {
    "expressways": [{"name": f"exp{n}", "address": f"192.0.2.{10 + n}"} for n in (1, 2)],
    "clusters": [{"name": NAME, "key": "C1sco-pre-shared", "members": ["exp1", "exp2"]}],
}


def connections(reachable: list[dict[str, Any]]) -> int:
    """How many connections of this machine lead to the peers' servers."""
    ports = {entry[name] for entry in reachable for name in ("ssh_port", "https_port")}
    rows = [line.split() for line in SOCKETS.read_text(encoding="ascii").splitlines()[1:]]
    remote = [int(row[2].rpartition(":")[2], 16) for row in rows if row[3] == ESTABLISHED]
    return sum(port in ports for port in remote)


@pytest.mark.skipif(not SOCKETS.exists(), reason="the kernel's table of sockets is Linux's")
async def test_a_job_on_hold_holds_no_connection_to_its_peers(open_house: OpenHouse):
    async with open_house(SCENARIO) as house:
        story = house.story
        admin = await story.credential(REHEARSAL_PASSWORD)
        peers = [
            await story.peer(
                entry["name"],
                entry["address"],
                ssh_endpoint(entry, admin),
                web_endpoint(entry, admin, xml=False),
            )
            for entry in house.reachable
        ]
        cluster = await story.cluster(NAME)
        await house.record_members(cluster, peers)
        job_id = await story.start(cluster, "restart-peer", {"peer_id": peers[1]})
        async with asyncio.timeout(60):
            while not connections(house.reachable):  # noqa: ASYNC110 - the kernel tells nobody
                await asyncio.sleep(0.01)
        await story.post(f"/v1/jobs/{job_id}/pause")
        job = await story.get(f"/v1/jobs/{job_id}")
        async with asyncio.timeout(60):
            while job["state"] != "waiting" or job["waiting"]["reason"] != "hold":
                job = await story.get(f"/v1/jobs/{job_id}", wait=1)
        async with asyncio.timeout(10):
            while connections(house.reachable):  # noqa: ASYNC110 - nor when one is gone
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        assert connections(house.reachable) == 0
        await story.post(f"/v1/jobs/{job_id}/resume")
        job = await story.finish(job_id)
        assert job["state"] == "succeeded", job["failure"]
