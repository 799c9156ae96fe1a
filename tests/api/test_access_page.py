"""docs/access.md: its request runs as it is printed, by curl, against a server."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.api.conftest import World
from tests.api.test_approvals_page import commands, served, shell

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl"),
]


async def test_the_request_of_the_page_makes_a_key_limited_by_a_label(world: World) -> None:
    (request,) = commands(Path("docs/access.md"))
    key = world.client.headers["Authorization"].removeprefix("Bearer ")
    async with served(world) as url:
        made = await shell(request, {"URL": url, "KEY": key})
    assert made["labels"] == [{"name": "team", "value": "voice"}]
    assert made["scopes"] == ["clusters:write"]
