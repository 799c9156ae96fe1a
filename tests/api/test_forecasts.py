"""When jobs would run, and windows that hold them, through the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.observation import View
from tests.api.conftest import World

Seen = Callable[..., View]


def hours(count: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(hours=count)


async def ready(world: World, seen: Seen, *windows: str, **policy: Any) -> tuple[Any, Any]:
    peer, cluster = await world.peer(), await world.cluster()
    world.appliances.views[peer["id"]] = seen(peer["id"])
    policy["window_ids"] = list(windows)
    place = f"/v1/clusters/{cluster['id']}"
    answer = await world.client.patch(place, json={"policy": policy}, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text
    return peer, cluster


async def window(world: World, start: float, end: float | None, **more: Any) -> str:
    body = {
        "name": f"from {start}",
        "time_zone": "UTC",
        "start": hours(start).replace(tzinfo=None).isoformat(),
        "end": None if end is None else hours(end).replace(tzinfo=None).isoformat(),
        **more,
    }
    answer = await world.client.post("/v1/windows", json=body)
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["id"]
    return found


def near(text: str | None, moment: datetime) -> bool:
    return text is not None and abs(datetime.fromisoformat(text) - moment) < timedelta(seconds=60)


async def test_a_job_outside_its_window_waits_and_says_when_it_runs(
    world: World, seen: Seen
) -> None:
    kept = await window(world, 5, 8)
    peer, cluster = await ready(world, seen, kept, enforce_window=True)
    job = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    assert (job["state"], job["waiting"]["reason"]) == ("waiting", "window")
    assert near(job["waiting"]["until"], hours(5))
    forecast = await world.client.get(f"/v1/jobs/{job['id']}/forecast")
    assert forecast.status_code == 200
    assert near(forecast.json()["starts_at"], hours(5))
    assert near(forecast.json()["ends_at"], hours(5))
    assert forecast.json()["behind"] == []
    assert forecast.json()["unknown"] == ["step gate waits for an operator's word: door-open"]
    used = await world.client.delete(f"/v1/windows/{kept}", headers={"If-Match": "*"})
    assert used.json()["code"] == "window-in-use"
    await world.client.patch(
        f"/v1/clusters/{cluster['id']}", json={"policy": {"window_ids": []}},
        headers={"If-Match": "*"},
    )  # fmt: skip
    used = await world.client.delete(f"/v1/windows/{kept}", headers={"If-Match": "*"})
    assert job["id"] in used.json()["errors"][0]["detail"]


async def test_what_a_job_was_started_under_stays_with_it(world: World, seen: Seen) -> None:
    kept = await window(world, 5, 8)
    peer, cluster = await ready(world, seen, kept)
    job = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    body = {"name": "sooner", "time_zone": "UTC", "start": "2026-01-01T00:00", "end": None}
    answer = await world.client.put(f"/v1/windows/{kept}", json=body, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text
    await window(world, -1, 100, kind="blackout")
    again = (await world.client.get(f"/v1/jobs/{job['id']}")).json()
    assert near(again["waiting"]["until"], hours(5))


async def test_a_freeze_holds_every_cluster_back(world: World, seen: Seen) -> None:
    peer, cluster = await ready(world, seen)
    await window(world, -1, 3, kind="blackout")
    job = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    assert (job["state"], job["waiting"]["reason"]) == ("waiting", "window")
    assert near(job["waiting"]["until"], hours(3))


async def test_the_second_in_line_is_told_whom_it_waits_for(world: World, seen: Seen) -> None:
    peer, cluster = await ready(world, seen, await window(world, -1, None))
    first = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    path = f"/v1/clusters/{cluster['id']}/procedures/name-peer?queue=true"
    headers = {"Idempotency-Key": "k2"}
    second = (await world.client.post(path, json={"peer_id": peer["id"]}, headers=headers)).json()
    forecast = (await world.client.get(f"/v1/jobs/{second['id']}/forecast")).json()
    assert forecast["behind"] == [first["id"]]
    plan = (await world.plan(cluster, peer_id=peer["id"])).json()
    forecast = (await world.client.get(f"/v1/plans/{plan['id']}/forecast")).json()
    assert forecast["behind"] == [first["id"], second["id"]]
    assert near(forecast["starts_at"], hours(0))
    await world.client.post(f"/v1/jobs/{second['id']}/cancel")
    over = await world.client.get(f"/v1/jobs/{second['id']}/forecast")
    assert (over.status_code, over.json()["code"]) == (409, "illegal-transition")


async def test_approvals_that_are_missing_are_said(world: World, seen: Seen) -> None:
    peer, cluster = await ready(world, seen, minimum_approvers=2)
    job = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    forecast = (await world.client.get(f"/v1/jobs/{job['id']}/forecast")).json()
    assert forecast["unknown"][0] == "2 approval(s) are missing"


async def test_the_change_window_counts_where_the_policy_enforces_windows(
    world: World, seen: Seen
) -> None:
    peer, cluster = await ready(world, seen, enforce_window=True)
    change = {
        "number": "CHG1",
        "window_start": hours(2).isoformat(),
        "window_end": hours(3).isoformat().replace("+00:00", "Z"),
    }
    job = (await world.start(cluster, "k1", peer_id=peer["id"], change=change)).json()
    assert near(job["waiting"]["until"], hours(2))


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"window_start": "tonight"}, "/change/window_start"),
        ({"window_start": "2027-03-01"}, "/change/window_start"),
        ({"window_start": "2027-03-01T22:00:00"}, "/change/window_start"),
        ({"window_end": "0001-01-01T00:00:00+14:00"}, "/change/window_end"),
        (
            {"window_start": "2027-03-01T22:00:00Z", "window_end": "2027-03-01T22:00:00Z"},
            "/change/window_end",
        ),
    ],
)
async def test_a_change_window_that_cannot_be_read_is_refused_where_it_counts(
    world: World, seen: Seen, change: Any, pointer: str
) -> None:
    peer, cluster = await ready(world, seen, enforce_window=True)
    answer = await world.start(cluster, "k1", peer_id=peer["id"], change=change)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    await world.client.patch(
        f"/v1/clusters/{cluster['id']}", json={"policy": {"enforce_window": False}},
        headers={"If-Match": "*"},
    )  # fmt: skip
    kept = await world.start(cluster, "k2", peer_id=peer["id"], change=change)
    assert kept.status_code == 202


async def test_a_start_without_any_window_left_is_refused(world: World, seen: Seen) -> None:
    peer, cluster = await ready(world, seen, enforce_window=True)
    change = {"window_end": hours(-1).isoformat()}
    answer = await world.start(cluster, "k1", peer_id=peer["id"], change=change)
    assert (answer.status_code, answer.json()["code"]) == (409, "window-never-opens")
    assert (await world.client.get("/v1/jobs")).json()["items"] == []
