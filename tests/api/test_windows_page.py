"""Every command of docs/windows.md, sent as it is printed there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from app.domain.observation import View
from tests.api.conftest import World

PAGE = Path(__file__).parents[2] / "docs" / "windows.md"


async def send(client: httpx.AsyncClient, command: str, names: dict[str, str]) -> httpx.Response:
    for name, value in names.items():
        command = command.replace(f"${name}", value)
    assert "$" not in command, command
    words = shlex.split(command.replace("\\\n", " "))
    assert words[:2] == ["curl", "-sS"]
    method, headers, url, body = "GET", {}, "", None
    rest = iter(words[2:])
    for word in rest:
        if word == "-X":
            method = next(rest)
        elif word == "-H":
            name, _, value = next(rest).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(rest)
        else:
            url = word
    return await client.request(method, url, headers=headers, content=body)


async def test_every_command_of_the_page_does_what_it_says(
    world: World, seen: Callable[..., View]
) -> None:
    peer, cluster = await world.peer(), await world.cluster()
    world.appliances.views[peer["id"]] = seen(peer["id"])
    job = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    key = await world.key("clusters:read", "clusters:write", "jobs:read", "jobs:run")
    names = {
        "CLUSTERWAY": "http://service.example.com",
        "KEY": key["Authorization"].removeprefix("Bearer "),
        "CLUSTER_ID": cluster["id"],
        "JOB_ID": job["id"],
        "PLAN_ID": job["plan_id"],
    }
    told: list[Any] = []
    for command in re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        answer = await send(world.anonymous, command, names)
        assert answer.status_code in (200, 201), (command, answer.text)
        told.append(answer.json())
        if answer.status_code == 201:
            kind = answer.json()["id"].partition("-")[0]
            names.setdefault(f"{kind.upper()}_ID", answer.json()["id"])
    assert len(told) == 10
    assert len(told[1]["items"]) == 3
    assert len(told[5]["items"]) == 3
    assert told[7]["state"] == "paused"
