"""Windows and change freezes as resources."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.conftest import World

NIGHTS = {
    "name": "Saturday nights",
    "time_zone": "Europe/Berlin",
    "start": "2026-03-07T22:00:00",
    "end": "2026-03-08T04:00:00",
    "recurrence": "FREQ=WEEKLY;BYDAY=SA",
    "blackouts": [{"start": "2027-12-24T00:00", "end": "2028-01-02T00:00", "reason": "Year's end"}],
}


async def test_a_window_is_registered_read_listed_changed_and_forgotten(world: World) -> None:
    made = await world.client.post("/v1/windows", json=NIGHTS)
    assert made.status_code == 201, made.text
    place = made.headers["Location"]
    assert place.endswith(f"/v1/windows/{made.json()['id']}")
    assert made.json()["kind"] == "window"
    assert made.json()["blackouts"][0]["start"] == "2027-12-24T00:00:00"
    read = await world.client.get(place)
    assert read.json() == made.json()
    assert read.headers["ETag"] == made.headers["ETag"]
    listed = await world.client.get("/v1/windows")
    assert [item["name"] for item in listed.json()["items"]] == ["Saturday nights"]
    body = {**NIGHTS, "end": "2026-03-08T05:00:00"}
    assert (await world.client.put(place, json=body)).status_code == 428
    tag = {"If-Match": read.headers["ETag"]}
    changed = await world.client.put(place, json=body, headers=tag)
    assert changed.status_code == 200
    assert (changed.json()["end"], changed.json()["version"]) == ("2026-03-08T05:00:00", 2)
    assert (await world.client.put(place, json=body, headers=tag)).status_code == 412
    assert (await world.client.delete(place, headers=tag)).status_code == 412
    tag = {"If-Match": changed.headers["ETag"]}
    assert (await world.client.delete(place, headers=tag)).status_code == 204
    assert (await world.client.get(place)).status_code == 404


async def test_pages_of_windows(world: World) -> None:
    for number in range(5):
        made = await world.client.post("/v1/windows", json={**NIGHTS, "name": f"w{number}"})
        assert made.status_code == 201
    names, cursor = [], None
    while True:
        query = {"limit": 2} if cursor is None else {"limit": 2, "cursor": cursor}
        page = (await world.client.get("/v1/windows", params=query)).json()
        names += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert names == [f"w{number}" for number in range(5)]


async def test_a_repeated_request_makes_one_window(world: World) -> None:
    key = {"Idempotency-Key": "w-1"}
    one = await world.client.post("/v1/windows", json=NIGHTS, headers=key)
    two = await world.client.post("/v1/windows", json=NIGHTS, headers=key)
    assert one.json() == two.json()
    assert two.headers["Idempotency-Replayed"] == "true"
    taken = await world.client.post("/v1/windows", json={**NIGHTS, "name": "SATURDAY NIGHTS"})
    assert (taken.status_code, taken.json()["code"]) == (409, "name-taken")


async def test_the_next_openings_and_what_a_freeze_takes_out_of_them(world: World) -> None:
    start = datetime.now(UTC).replace(tzinfo=None, microsecond=0) + timedelta(days=2)
    nightly = {
        "name": "nightly",
        "time_zone": "UTC",
        "start": start.isoformat(),
        "end": (start + timedelta(hours=2)).isoformat(),
        "recurrence": "FREQ=DAILY",
    }
    made = (await world.client.post("/v1/windows", json=nightly)).json()
    place = f"/v1/windows/{made['id']}/openings"

    async def starts(count: int) -> list[datetime]:
        answer = await world.client.get(place, params={"count": count})
        return [datetime.fromisoformat(item["start"]) for item in answer.json()["items"]]

    first = start.replace(tzinfo=UTC)
    days = [first + timedelta(days=n) for n in range(4)]
    assert await starts(3) == days[:3]
    freeze = {
        "name": "freeze",
        "kind": "blackout",
        "time_zone": "UTC",
        "start": (start + timedelta(hours=1)).isoformat(),
        "end": (start + timedelta(days=1, hours=1)).isoformat(),
    }
    made = await world.client.post("/v1/windows", json=freeze)
    assert made.status_code == 201
    assert await starts(3) == [first, days[1] + timedelta(hours=1), days[2]]
    closing = await world.client.get(f"{made.headers['Location']}/openings")
    assert len(closing.json()["items"]) == 1
    assert (await world.client.get(place, params={"count": 101})).status_code == 422


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"time_zone": "Europe/Nowhere"}, "/time_zone"),
        ({"time_zone": "../../etc/passwd"}, "/time_zone"),
        ({"start": "2026-02-30T22:00:00"}, "/start"),
        ({"start": "2026-03-07T22:00:00Z"}, "/start"),
        ({"start": "2026-03-09T22:00:00"}, "/start"),
        ({"end": None}, "/end"),
        ({"end": "2026-05-08T04:00:00"}, "/end"),
        ({"recurrence": "FREQ=SECONDLY"}, "/recurrence"),
        ({"recurrence": "FREQ=DAILY;INTERVAL=0"}, "/recurrence"),
        ({"recurrence": "FREQ=DAILY;COUNT=999999"}, "/recurrence"),
        ({"recurrence": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"}, "/recurrence"),
        ({"recurrence": "FREQ=WEEKLY;COUNT=1"}, "/recurrence"),
        ({"recurrence": "", "end": "2026-03-07T23:00:00"}, "/end"),
        ({"recurrence": "FREQ=DAILY\n"}, "/recurrence"),
        ({"recurrence": "X" * 5000}, "/recurrence"),
        ({"blackouts": [{"start": "2027-01-02T00:00", "end": "2027-01-01T00:00"}]},
         "/blackouts/0/start"),
        ({"kind": "blackout"}, "/blackouts"),
        ({"kind": "sometimes"}, "/kind"),
        ({"name": ""}, "/name"),
        ({"colour": "red"}, "/colour"),
    ],
)  # fmt: skip
async def test_a_window_that_makes_no_sense_is_refused_at_once(
    world: World, change: dict[str, Any], pointer: str
) -> None:
    world.clock.ahead = timedelta(days=400)
    began = time.process_time()
    answer = await world.client.post("/v1/windows", json={**NIGHTS, **change})
    assert time.process_time() - began < 2.0
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (await world.client.get("/v1/windows")).json()["items"] == []


async def test_a_window_stays_what_it_is(world: World) -> None:
    made = await world.client.post("/v1/windows", json=NIGHTS)
    body = {**NIGHTS, "kind": "blackout", "blackouts": []}
    answer = await world.client.put(made.headers["Location"], json=body, headers={"If-Match": "*"})
    assert answer.json()["errors"][0]["pointer"] == "/kind"


async def test_only_who_may_write_clusters_writes_windows(world: World) -> None:
    reader = await world.key("clusters:read")
    made = await world.client.post("/v1/windows", json=NIGHTS)
    place = made.headers["Location"]
    for answer in (
        await world.client.post("/v1/windows", json=NIGHTS, headers=reader),
        await world.client.put(place, json=NIGHTS, headers={**reader, "If-Match": "*"}),
        await world.client.delete(place, headers={**reader, "If-Match": "*"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await world.client.get(f"{place}/openings", headers=reader)).status_code == 200
    nobody = await world.key("jobs:read")
    assert (await world.client.get(place, headers=nobody)).status_code == 403


async def test_a_window_that_a_policy_names_is_not_forgotten(world: World) -> None:
    made = await world.client.post("/v1/windows", json=NIGHTS)
    cluster = await world.cluster()
    place = f"/v1/clusters/{cluster['id']}"
    for ids in (["window-none"], [cluster["id"]]):
        refused = await world.client.patch(
            place, json={"policy": {"window_ids": ids}}, headers={"If-Match": "*"}
        )
        assert refused.json()["errors"][0]["pointer"] == "/policy/window_ids/0"
    named = await world.client.patch(
        place, json={"policy": {"window_ids": [made.json()["id"]]}}, headers={"If-Match": "*"}
    )
    assert named.status_code == 200, named.text
    kept = await world.client.delete(made.headers["Location"], headers={"If-Match": "*"})
    assert (kept.status_code, kept.json()["code"]) == (409, "window-in-use")
    assert cluster["id"] in kept.json()["errors"][0]["detail"]
    await world.client.patch(place, json={"policy": {"window_ids": []}}, headers={"If-Match": "*"})
    gone = await world.client.delete(made.headers["Location"], headers={"If-Match": "*"})
    assert gone.status_code == 204
