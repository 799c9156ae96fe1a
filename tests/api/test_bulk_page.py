"""docs/bulk.md: every command runs as it is printed, by curl, against a server."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.observation import View
from tests.api.conftest import World
from tests.api.test_approvals_page import commands, served, shell
from tests.support.bulk import Bulk

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl"),
]


async def test_every_command_of_the_page_is_true(world: World, seen: Callable[..., View]) -> None:
    bulk = Bulk(world, seen)
    berlin = [await bulk.cluster(("site", "berlin")) for _ in range(3)]
    first = await bulk.cluster(("site", "oslo"))
    key = await world.key("clusters:read", "jobs:read", "jobs:run", "jobs:cancel")
    variables = {"KEY": key["Authorization"].removeprefix("Bearer "), "CLUSTER": first}
    preview, start, watch, jobs, meaning, cancel, listed = commands(Path("docs/bulk.md"))
    async with served(world) as url:
        variables["URL"] = url
        waves = (await shell(preview, variables))["waves"]
        assert [len(wave["clusters"]) for wave in waves] == [2, 2]
        assert waves[0]["clusters"][0]["cluster_id"] == first
        made = await shell(start, variables)
        assert made["counts"]["total"] == 3
        variables["BULK"] = made["id"]
        await bulk.work()
        read = await shell(watch.replace("wait=30", "wait=0.1"), variables)
        assert read["counts"]["started"] == 2
        started = (await shell(jobs, variables))["items"]
        assert {job["cluster_id"] for job in started} == set(berlin[:2])
        never = (await shell(meaning, variables))["never_begun"]
        assert [child["cluster_id"] for child in never] == berlin[2:]
        assert (await shell(cancel, variables))["state"] == "stopping"
        found = (await shell(listed, variables))["items"]
        assert [item["id"] for item in found] == [made["id"]]
