"""The members' settings side by side, over the API."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.settings import PeerSettings
from tests.api.conftest import World
from tests.api.test_conventions import is_problem

pytestmark = pytest.mark.postgres


async def clustered(world: World) -> tuple[Any, Any, Any]:
    cluster = await world.cluster()
    first, second = await world.peer(), await world.peer("exp2", "192.0.2.12")
    async with world.parts.store.transaction() as tx:
        await tx.clusters.record_members(cluster["id"], [first["id"], second["id"]], first["id"])
    return cluster, first, second


async def test_members_are_compared_and_differences_marked(world: World) -> None:
    cluster, first, second = await clustered(world)
    for peer, mode in ((first, "Off"), (second, "On")):
        world.appliances.configurations[peer["id"]] = PeerSettings(
            peer["id"],
            peer["name"],
            {"SystemUnit Name": "same", "SIP UDP Mode": mode},
            {},
        )
    answer = await world.client.get(f"/v1/clusters/{cluster['id']}/settings-matrix")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    (name,) = [row for row in found["rows"] if row["label"] == "System name"]
    assert (name["rule"], name["verdict"]) == ("must_differ", "wrong")
    assert [peer["marked"] for peer in name["peers"]] == [True, True]
    assert found["shared_differences"] == [
        {"peer_id": second["id"], "path": "SIP UDP Mode", "value": "On", "on_primary": "Off"}
    ]
    assert {f["code"] for f in found["findings"]} == {
        "peer-setting-wrong",
        "shared-setting-differs",
    }


async def test_the_page_for_people_marks_what_differs_and_escapes_it(world: World) -> None:
    cluster, first, second = await clustered(world)
    for peer, name in ((first, "<b>same"), (second, "<b>same")):
        world.appliances.configurations[peer["id"]] = PeerSettings(
            peer["id"],
            peer["name"],
            {"SystemUnit Name": name, "SIP UDP Mode": "On" if peer is second else "Off"},
            {},
        )
    path = f"/v1/clusters/{cluster['id']}/settings-matrix"
    answer = await world.client.get(path, params={"format": "html"})
    assert answer.headers["content-type"].startswith("text/html")
    assert f"<th>{first['name']}<th>{second['name']}" in answer.text.replace("</th>", "")
    assert answer.text.count("<td class=bad>SystemUnit Name: &lt;b&gt;same") == 2
    assert "SIP UDP Mode<td class=bad>On" in answer.text
    assert "Nothing." not in answer.text
    is_problem(await world.client.get(path, params={"format": "pdf"}), 422, "invalid-request")


async def test_a_member_that_does_not_answer_is_named(world: World) -> None:
    cluster, first, second = await clustered(world)
    answer = await world.client.get(f"/v1/clusters/{cluster['id']}/settings-matrix")
    assert answer.json()["not_read"] == [first["id"], second["id"]]


async def test_an_unknown_cluster_is_not_found(world: World) -> None:
    is_problem(
        await world.client.get("/v1/clusters/cluster-nowhere/settings-matrix"), 404, "not-found"
    )
