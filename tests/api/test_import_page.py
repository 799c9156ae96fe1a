"""docs/import.md: every command runs as it is printed, by curl, against a server."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.api.conftest import World
from tests.api.test_approvals_page import commands, served, shell
from tests.api.test_import import member

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl"),
]


async def test_every_command_of_the_page_is_true(world: World) -> None:
    credential = await world.credential()
    variables = {
        "KEY": world.client.headers["Authorization"].removeprefix("Bearer "),
        "CREDENTIAL": credential["id"],
    }
    probe, register, plain, despite = commands(Path("docs/import.md"))
    async with served(world) as url:
        variables["URL"] = url
        shown = await shell(probe, variables)
        variables["HOST_KEY"] = shown["value"]
        peer = await shell(register, variables)
        variables["PEER"] = peer["id"]
        second = await world.peer("exp2", "192.0.2.12")
        world.appliances.views[peer["id"]] = member(peer["id"], 1, 2)
        made = await shell(despite, variables)
        assert [finding["code"] for finding in made["findings"]] == [
            "member-silent",
            "pre-shared-key-unknown",
        ]
        world.appliances.views[second["id"]] = member(second["id"], 2, 2)
        assert (await shell(plain, variables))["recorded"] is False
