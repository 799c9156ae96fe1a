"""docs/approvals.md: every command runs as it is printed, by curl, against a server."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from tests.api.conftest import World

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl"),
]
PAGE = Path("docs/approvals.md")


def commands(page: Path = PAGE) -> list[str]:
    """The commands of a page, in order, continuation lines joined by the shell."""
    found: list[str] = []
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("    curl"):
            found.append(line.strip())
        elif line.startswith("    ") and found and found[-1].endswith("\\"):
            found[-1] += "\n" + line.strip()
    return found


@asynccontextmanager
async def served(world: World) -> AsyncIterator[str]:
    server = uvicorn.Server(uvicorn.Config(world.app, port=0, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag and no event
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


async def shell(command: str, variables: dict[str, str]) -> Any:
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-euc",
        command.replace("curl -sS", "curl -sS --fail-with-body", 1),
        env={"PATH": os.environ["PATH"], **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, (command, out, err)
    return json.loads(out)


async def test_every_command_of_the_page_is_true(world: World, seen: Any) -> None:
    cluster, peer = await world.cluster(), await world.peer()
    world.appliances.views[peer["id"]] = seen(peer["id"])
    approver = await world.key("approvals:decide")
    second = await world.key("approvals:decide")
    variables = {
        "KEY": world.client.headers["Authorization"].removeprefix("Bearer "),
        "APPROVER": approver["Authorization"].removeprefix("Bearer "),
        "CLUSTER": cluster["id"],
        "PEER": peer["id"],
        "PROCEDURE": "name-peer",
        "START": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
    }
    policy, labels, start, pending, one, approve, pause, resume, cancel, rerun = commands()
    async with served(world) as url:
        variables["URL"] = url
        assert (await shell(policy, variables))["policy"]["minimum_approvers"] == 2
        assert (await shell(labels, variables))["labels"] == [{"name": "site", "value": "berlin"}]
        job = await shell(start, variables)
        variables |= {"JOB": job["id"], "DIGEST": job["plan_digest"]}
        listed = await shell(pending, variables)
        assert [entry["id"] for entry in listed["items"]] == [job["id"]]
        assert (await shell(one, variables))["approvals_needed"] == 2
        assert (await shell(approve, variables))["approvals_given"] == 1
        variables["APPROVER"] = second["Authorization"].removeprefix("Bearer ")
        assert (await shell(approve, variables))["state"] == "approved"
        waiting = (await world.client.get(f"/v1/jobs/{job['id']}")).json()["waiting"]
        assert waiting["reason"] == "window"
        assert (await shell(pause, variables))["pause_requested"] is True
        assert (await shell(resume, variables))["waiting"]["reason"] == "window"
        assert (await shell(cancel, variables))["state"] == "cancelled"
        assert (await shell(rerun, variables))["rerun_of"] == job["id"]
