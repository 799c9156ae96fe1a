"""Schedules: due once per occurrence, whoever carries them out and whoever dies over it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.observation import View
from app.services.problems import Problem
from app.services.schedules import HOLD, SchedulesService
from tests.api.conftest import World

Seen = Callable[..., View]


def due_at() -> datetime:
    """Tomorrow at the full hour, so that whole days later are occurrences too."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=1)


async def made(world: World, seen: Seen, **change: Any) -> Any:
    peer, cluster = await world.peer(), await world.cluster()
    world.appliances.views[peer["id"]] = seen(peer["id"])
    body = {
        "peer_id": peer["id"],
        "label": "green",
        "schedule_name": "nightly",
        "time_zone": "UTC",
        "start": due_at().replace(tzinfo=None).isoformat(),
        "recurrence": "FREQ=DAILY",
        **change,
    }
    place = f"/v1/clusters/{cluster['id']}/procedures/name-peer/schedule"
    return await world.client.post(place, json=body)


async def runs(world: World, schedule: Any) -> list[dict[str, Any]]:
    answer = await world.client.get(f"/v1/schedules/{schedule['id']}/runs")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def jobs(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await world.client.get("/v1/jobs")).json()["items"]
    return found


def at(world: World, moment: datetime) -> None:
    world.clock.ahead = moment - datetime.now(UTC)


async def carry_out(world: World) -> int:
    """What one worker does until nothing is due."""
    count = 0
    while await world.services.schedules.run_once("worker-1"):
        count += 1
    return count


async def test_a_schedule_makes_a_job_when_it_is_due(world: World, seen: Seen) -> None:
    answer = await made(world, seen)
    assert answer.status_code == 201, answer.text
    schedule = answer.json()
    assert answer.headers["Location"].endswith(f"/v1/schedules/{schedule['id']}")
    assert datetime.fromisoformat(schedule["next_at"]) == due_at()
    assert await carry_out(world) == 0
    at(world, due_at() + timedelta(seconds=5))
    assert await carry_out(world) == 1
    (job,) = await jobs(world)
    assert (job["procedure"], job["requested_by"]) == ("name-peer", schedule["owner_id"])
    assert job["cluster_id"] == schedule["cluster_id"]
    (run,) = await runs(world, schedule)
    assert (run["outcome"], run["job_id"]) == ("started", job["id"])
    assert datetime.fromisoformat(run["at"]) == due_at()
    read = (await world.client.get(f"/v1/schedules/{schedule['id']}")).json()
    assert datetime.fromisoformat(read["next_at"]) == due_at() + timedelta(days=1)
    whole = (await world.client.get(f"/v1/jobs/{job['id']}")).json()
    assert whole["state"] == "queued"


async def test_a_worker_that_dies_behind_the_start_makes_no_second_job(
    world: World, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = (await made(world, seen)).json()
    at(world, due_at() + timedelta(seconds=5))
    service = world.services.schedules
    died = RuntimeError("killed")

    async def dying(*_: Any) -> Any:
        raise died

    due = await service._take("worker-1")
    assert due is not None
    await service._start(due, due.next_at or due_at())
    assert len(await jobs(world)) == 1
    # Nobody else takes it while the dead worker's turn lasts; then somebody finds the job made.
    assert not await service.run_once("worker-2")
    at(world, due_at() + HOLD + timedelta(seconds=10))
    assert await service.run_once("worker-2")
    (job,) = await jobs(world)
    (run,) = await runs(world, schedule)
    assert (run["outcome"], run["job_id"]) == ("started", job["id"])


async def test_a_job_made_in_time_is_recorded_even_where_the_grace_is_over(
    world: World, seen: Seen
) -> None:
    schedule = (await made(world, seen, grace_seconds=60)).json()
    at(world, due_at() + timedelta(seconds=5))
    service = world.services.schedules
    due = await service._take("worker-1")
    assert due is not None
    await service._start(due, due_at())
    at(world, due_at() + timedelta(hours=2))
    assert await service.run_once("worker-2")
    (run,) = await runs(world, schedule)
    assert run["outcome"] == "started"


async def test_many_workers_at_once_make_one_job_an_occurrence(world: World, seen: Seen) -> None:
    schedule = (await made(world, seen)).json()
    at(world, due_at() + timedelta(seconds=5))
    taken = await asyncio.gather(
        *(world.services.schedules.run_once(f"worker-{n}") for n in range(8))
    )
    assert sum(taken) == 1
    assert len(await jobs(world)) == 1
    assert len(await runs(world, schedule)) == 1


async def test_two_who_both_think_it_is_theirs_make_one_job(world: World, seen: Seen) -> None:
    """A worker frozen for longer than its turn comes back while another is at it."""
    await made(world, seen)
    at(world, due_at() + timedelta(seconds=5))
    service = world.services.schedules
    due = await service._take("worker-1")
    assert due is not None
    results = await asyncio.gather(
        *(service.carry_out(f"worker-{n}", due) for n in range(1, 5)), return_exceptions=True
    )
    assert results.count(True) <= 1
    assert not [found for found in results if isinstance(found, BaseException)]
    assert len(await jobs(world)) == 1


async def test_what_comes_too_late_is_skipped_and_said(world: World, seen: Seen) -> None:
    schedule = (await made(world, seen, grace_seconds=600)).json()
    at(world, due_at() + timedelta(days=3, seconds=5))
    assert await carry_out(world) == 4
    found = await runs(world, schedule)
    assert [run["outcome"] for run in found] == ["started", "skipped", "skipped", "skipped"]
    assert {run["code"] for run in found[1:]} == {"too-late"}
    assert len(await jobs(world)) == 1
    page = await world.client.get(f"/v1/schedules/{schedule['id']}/runs", params={"limit": 2})
    older = await world.client.get(
        f"/v1/schedules/{schedule['id']}/runs", params={"before": page.json()["before"]}
    )
    assert [run["at"] for run in page.json()["items"] + older.json()["items"]] == [
        run["at"] for run in found
    ]


async def test_an_occurrence_waits_for_no_job_before_it(world: World, seen: Seen) -> None:
    schedule = (await made(world, seen)).json()
    at(world, due_at() + timedelta(seconds=5))
    assert await carry_out(world) == 1
    at(world, due_at() + timedelta(days=1, seconds=5))
    assert await carry_out(world) == 1
    found = await runs(world, schedule)
    assert [(run["outcome"], run["code"]) for run in found] == [
        ("skipped", "previous-not-ended"),
        ("started", ""),
    ]
    await world.client.post(f"/v1/jobs/{found[1]['job_id']}/cancel")
    at(world, due_at() + timedelta(days=2, seconds=5))
    assert await carry_out(world) == 1
    assert (await runs(world, schedule))[0]["outcome"] == "started"
    assert len(await jobs(world)) == 2


async def test_a_start_that_is_refused_is_written_down_and_the_next_one_tried(
    world: World, seen: Seen
) -> None:
    schedule = (await made(world, seen)).json()
    peer = schedule["parameters"]["peer_id"]
    world.appliances.views[peer] = seen(peer, "forbidden")
    at(world, due_at() + timedelta(seconds=5))
    assert await carry_out(world) == 1
    (run,) = await runs(world, schedule)
    assert (run["outcome"], run["code"], run["job_id"]) == ("refused", "plan-blocked", None)
    world.appliances.views[peer] = seen(peer)
    at(world, due_at() + timedelta(days=1, seconds=5))
    assert await carry_out(world) == 1
    assert [run["outcome"] for run in await runs(world, schedule)] == ["started", "refused"]


async def test_a_passing_trouble_is_tried_again_within_the_grace(
    world: World, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = (await made(world, seen)).json()
    at(world, due_at() + timedelta(seconds=5))
    start = SchedulesService._start
    tries = 0

    async def failing(*given: Any) -> str:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise Problem("storage-unavailable", "the database does not answer at the moment")
        return await start(*given)

    monkeypatch.setattr(SchedulesService, "_start", failing)
    assert await world.services.schedules.run_once("worker-1")
    assert (await runs(world, schedule), await carry_out(world)) == ([], 0)
    at(world, due_at() + timedelta(seconds=40))
    assert await carry_out(world) == 1
    assert [run["outcome"] for run in await runs(world, schedule)] == ["started"]


async def test_once_is_over_behind_its_only_occurrence(world: World, seen: Seen) -> None:
    schedule = (await made(world, seen, recurrence="")).json()
    at(world, due_at() + timedelta(seconds=5))
    assert await carry_out(world) == 1
    read = (await world.client.get(f"/v1/schedules/{schedule['id']}")).json()
    assert (read["state"], read["next_at"]) == ("active", None)


async def test_pause_resume_and_stop(world: World, seen: Seen) -> None:
    answer = await made(world, seen)
    place, tag = answer.headers["Location"], {"If-Match": answer.headers["ETag"]}
    assert (await world.client.post(f"{place}/pause")).status_code == 428
    paused = await world.client.post(f"{place}/pause", headers=tag)
    assert (paused.json()["state"], paused.json()["next_at"]) == ("paused", None)
    assert (await world.client.post(f"{place}/resume", headers=tag)).status_code == 412
    assert (await world.client.get(f"{place}/upcoming")).json() == {"items": []}
    at(world, due_at() + timedelta(days=2, minutes=5))
    assert await carry_out(world) == 0
    resumed = await world.client.post(f"{place}/resume", headers={"If-Match": "*"})
    assert datetime.fromisoformat(resumed.json()["next_at"]) == due_at() + timedelta(days=3)
    assert await carry_out(world) == 0
    upcoming = await world.client.get(f"{place}/upcoming", params={"count": 2})
    assert [datetime.fromisoformat(text) for text in upcoming.json()["items"]] == [
        due_at() + timedelta(days=3),
        due_at() + timedelta(days=4),
    ]
    stopped = await world.client.post(f"{place}/stop", headers={"If-Match": "*"})
    assert (stopped.json()["state"], stopped.json()["next_at"]) == ("stopped", None)
    again = await world.client.post(f"{place}/resume", headers={"If-Match": "*"})
    assert (again.status_code, again.json()["code"]) == (409, "schedule-stopped")
    listed = await world.client.get("/v1/schedules", params={"cluster_id": "cluster-none"})
    assert listed.json()["items"] == []
    listed = await world.client.get("/v1/schedules")
    assert [item["state"] for item in listed.json()["items"]] == ["stopped"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"recurrence": "FREQ=MINUTELY"}, "/recurrence"),
        ({"recurrence": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"}, "/recurrence"),
        ({"recurrence": "", "start": "2020-01-01T00:00"}, "/start"),
        ({"start": "2027-13-01T00:00"}, "/start"),
        ({"time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"grace_seconds": 0}, "/grace_seconds"),
        ({"grace_seconds": 1e9}, "/grace_seconds"),
        ({"label": "x" * 100}, "/label"),
        ({"plan_digest": "0" * 64}, "/plan_digest"),
    ],
)
async def test_a_schedule_that_makes_no_sense_is_refused(
    world: World, seen: Seen, change: dict[str, Any], pointer: str
) -> None:
    answer = await made(world, seen, **change)
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (await world.client.get("/v1/schedules")).json()["items"] == []


async def test_only_who_may_run_jobs_schedules_them(world: World, seen: Seen) -> None:
    answer = await made(world, seen)
    place = answer.headers["Location"]
    reader = await world.key("jobs:read", "clusters:write")
    cluster = answer.json()["cluster_id"]
    for refused in (
        await world.client.post(
            f"/v1/clusters/{cluster}/procedures/backup/schedule", json={}, headers=reader
        ),
        await world.client.post(f"{place}/stop", headers={**reader, "If-Match": "*"}),
    ):
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert (await world.client.get(place, headers=reader)).status_code == 200


async def test_a_key_that_was_revoked_starts_nothing_any_more(world: World, seen: Seen) -> None:
    peer, cluster = await world.peer(), await world.cluster()
    world.appliances.views[peer["id"]] = seen(peer["id"])
    body = {"name": "robot", "scopes": ["jobs:run"]}
    key = (await world.client.post("/v1/keys", json=body)).json()
    kept = await world.client.post(
        f"/v1/clusters/{cluster['id']}/procedures/name-peer/schedule",
        json={
            "peer_id": peer["id"],
            "schedule_name": "nightly",
            "time_zone": "UTC",
            "start": due_at().replace(tzinfo=None).isoformat(),
        },
        headers={"Authorization": f"Bearer {key['key']}"},
    )
    assert kept.json()["owner_id"] == key["id"], kept.text
    await world.client.delete(f"/v1/keys/{key['id']}", headers={"If-Match": "*"})
    at(world, due_at() + timedelta(seconds=5))
    assert await carry_out(world) == 1
    (run,) = await runs(world, kept.json())
    assert (run["outcome"], run["code"]) == ("refused", "forbidden")
    assert await jobs(world) == []
