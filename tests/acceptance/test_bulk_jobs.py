"""Six clusters of a real fleet backed up by one request: in waves, and not past a broken one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.acceptance.conftest import House, OpenHouse
from tests.support.api_story import mock_endpoint
from transports.mock.faults import Fault
from transports.mock.scenario import REHEARSAL_PASSWORD

pytestmark = [pytest.mark.sockets, pytest.mark.postgres]
NAMES = [f"exp{number}" for number in range(1, 7)]
SCENARIO = {
    "expressways": [
        {"name": name, "address": f"192.0.2.{10 + number}"}
        for number, name in enumerate(NAMES, start=1)
    ],
    "clusters": [
        {"name": f"{name}-cluster.example.com", "key": "C1sco-pre-shared", "members": [name]}
        for name in NAMES
    ],
}


async def declare(house: House) -> list[str]:
    """The clusters as the service knows them from earlier, all at one site."""
    story = house.story
    admin = await story.credential(REHEARSAL_PASSWORD)
    found = []
    for entry in house.reachable:
        address = entry["address"]
        peer = await story.peer(entry["name"], address, mock_endpoint(address, admin))
        body = {
            "name": f"{entry['name']}-cluster.example.com",
            "labels": [{"name": "site", "value": "berlin"}],
        }
        cluster = await story.post("/v1/clusters", body)
        await house.record_members(cluster["id"], [peer])
        found.append(str(cluster["id"]))
    return found


async def finished(house: House, bulk: dict[str, Any]) -> dict[str, Any]:
    """The bulk job at its end; never more under way than a wave."""
    async with asyncio.timeout(120):
        while not bulk["finished_at"]:
            assert bulk["counts"]["started"] <= bulk["wave_size"]
            bulk = await house.story.get(f"/v1/bulk-jobs/{bulk['id']}", wait=10)
    return bulk


async def test_six_clusters_are_backed_up_but_not_past_a_broken_one(open_house: OpenHouse) -> None:
    async with open_house(SCENARIO) as house:
        story = house.story
        clusters = await declare(house)
        house.fleet.faults.add(Fault.of({"kind": "disk-full", "peer": "exp3"}))
        start = "/v1/procedures/backup/bulk-jobs"
        selector = {"labels": [{"name": "site", "value": "berlin"}]}
        body = {"selector": selector, "wave_size": 2, "stop_after_failures": 1}

        stopped = await finished(house, await story.post(start, body))
        states = [child["state"] for wave in stopped["waves"] for child in wave["children"]]
        assert states[:3] == ["succeeded", "succeeded", "failed"]
        # The other one of its wave was begun before it failed, or was not begun at all.
        assert states[3] in {"succeeded", "not_started"}
        assert states[4:] == ["not_started", "not_started"]
        assert (stopped["state"], stopped["stop"]["code"]) == ("failed", "too-many-failures")
        broken = stopped["waves"][1]["children"][0]
        assert broken["trouble"]["message"]
        assert (await story.get(f"/v1/jobs/{broken['job_id']}"))["failure"]["code"] == (
            broken["trouble"]["code"]
        )
        for cluster in clusters[4:]:
            assert (await story.get("/v1/jobs", cluster_id=cluster))["items"] == []

        house.fleet.faults.clear()
        whole = await finished(house, await story.post(start, {**body, "wave_size": 3}))
        assert (whole["state"], whole["counts"]["succeeded"]) == ("succeeded", 6)
        for wave in whole["waves"]:
            for child in wave["children"]:
                backups = await story.get(f"/v1/jobs/{child['job_id']}/backups")
                assert len(backups["items"]) == 1
        assert house.witness.violations == []
