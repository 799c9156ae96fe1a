"""Bulk jobs: which clusters, in which waves, until how many failures, and what may stop them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from app.domain.job import JobState
from app.domain.observation import View
from app.services.webhook_records import BodyFormat
from app.webhooks.payload import Composer
from tests.api.conftest import World
from tests.api.test_conventions import is_problem
from tests.support.bulk import START, Bulk

pytestmark = pytest.mark.postgres


@pytest.fixture
def bulk(world: World, seen: Callable[..., View]) -> Bulk:
    return Bulk(world, seen)


async def six(bulk: Bulk) -> list[str]:
    return [await bulk.cluster() for _ in range(6)]


async def test_six_clusters_in_waves_of_two(bulk: Bulk) -> None:
    clusters = await six(bulk)
    answer = await bulk.start(*clusters, wave_size=2, change={"number": "CHG1"})
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert answer.headers["Location"].endswith(f"/v1/bulk-jobs/{made['id']}")
    assert answer.headers["Operation-Location"] == answer.headers["Location"]
    assert (made["state"], answer.headers["Retry-After"]) == ("running", "5")
    assert [len(wave["children"]) for wave in made["waves"]] == [2, 2, 2]
    assert await bulk.jobs(made) == []
    for wave in range(3):
        await bulk.work()
        states = await bulk.states(made)
        assert states == ["succeeded"] * 2 * wave + ["started"] * 2 + ["pending"] * (4 - 2 * wave)
        first, second = (await bulk.read(made))["waves"][wave]["children"]
        await bulk.end(first)
        # A wave waits for the last of the wave before it.
        await bulk.work()
        assert (await bulk.read(made))["counts"]["started"] == 1
        await bulk.end(second)
    await bulk.work()
    found = await bulk.read(made)
    assert (found["state"], found["counts"]["succeeded"], found["stop"]) == ("succeeded", 6, None)
    assert found["finished_at"]
    jobs = await bulk.jobs(made)
    assert [job["cluster_id"] for job in reversed(jobs)] == clusters
    assert {(job["bulk_job_id"], job["change"]["number"]) for job in jobs} == {(made["id"], "CHG1")}
    assert await bulk.work() == 0


async def test_one_broken_cluster_stops_the_rest(bulk: Bulk) -> None:
    clusters = await six(bulk)
    bulk.silent(clusters[1])
    made = (await bulk.start(*clusters, wave_size=2, stop_after_failures=1)).json()
    await bulk.work()
    found = await bulk.read(made)
    assert await bulk.states(made) == ["started", "refused", *["not_started"] * 4]
    assert (found["state"], found["stop"]["code"]) == ("stopping", "too-many-failures")
    assert found["stop"]["message"] == (
        "1 did not succeed (1 refused): no further cluster is begun"
    )
    broken = found["waves"][0]["children"][1]
    assert (broken["job_id"], broken["trouble"]["code"]) == (None, "plan-blocked")
    (finding,) = broken["trouble"]["findings"]
    assert finding["severity"] == "blocker"
    assert finding["remedy"]
    assert finding["peer_id"] == bulk.peers[clusters[1]]
    await bulk.end_all(made)
    await bulk.work()
    found = await bulk.read(made)
    assert (found["state"], found["counts"]["succeeded"]) == ("failed", 1)
    assert len(await bulk.jobs(made)) == 1


async def test_a_failure_between_two_starts_of_a_wave_stops_the_second(bulk: Bulk) -> None:
    """The failure is seen by the start itself, not only by the look before it."""
    clusters = await six(bulk)
    made = (await bulk.start(*clusters[:3], wave_size=3)).json()
    work = bulk.world.services.bulk_work
    due = await work._take("worker-1")
    assert due is not None
    first = await work._settled(due.id)
    assert first is not None
    assert await work._begun(due, first)
    second = await work._settled(due.id)
    assert second is not None
    await bulk.end_all(made, JobState.FAILED)
    assert await work._begun(due, second)
    assert await bulk.states(made) == ["started", "pending", "pending"]
    bulk.later(minutes=4)
    await bulk.work("worker-2")
    assert await bulk.states(made) == ["failed", "not_started", "not_started"]
    (only,) = await bulk.jobs(made)
    trouble = (await bulk.children(made))[0]["trouble"]
    assert (trouble["code"], trouble["remedy"]) == ("no-room", "Make room.")
    assert only["state"] == "failed"


async def test_it_goes_on_while_fewer_have_failed(bulk: Bulk) -> None:
    clusters = await six(bulk)
    bulk.silent(clusters[0])
    made = (await bulk.start(*clusters, wave_size=1, stop_after_failures=3)).json()
    await bulk.work()
    (second,) = [child for child in await bulk.children(made) if child["state"] == "started"]
    await bulk.world.client.post(f"/v1/jobs/{second['job_id']}/cancel")
    await bulk.work()
    assert await bulk.states(made) == ["refused", "cancelled", "started", *["pending"] * 3]
    await bulk.end_all(made, JobState.FAILED)
    await bulk.work()
    found = await bulk.read(made)
    assert (found["state"], found["counts"]["not_started"]) == ("failed", 3)
    assert "1 cancelled, 1 failed, 1 refused" in found["stop"]["message"]


async def test_a_child_that_waits_for_approval_is_under_way(bulk: Bulk) -> None:
    first = await bulk.cluster(minimum_approvers=1)
    second = await bulk.cluster()
    made = (await bulk.start(first, second)).json()
    await bulk.work()
    await bulk.work()
    child = (await bulk.children(made))[0]
    assert (child["state"], child["job_state"], child["waiting_for"]) == (
        "started",
        "waiting",
        "approval",
    )
    assert (await bulk.states(made))[1] == "pending"
    refused = {"plan_digest": (await bulk.jobs(made))[0]["plan_digest"], "by": "B", "reason": "no"}
    answer = await bulk.world.client.post(f"/v1/approvals/{child['job_id']}/reject", json=refused)
    assert answer.status_code in {200, 202}, answer.text
    await bulk.work()
    assert (await bulk.read(made))["stop"]["code"] == "too-many-failures"


async def test_a_busy_cluster_is_refused_or_waited_for_in_line(bulk: Bulk) -> None:
    first, second = await bulk.cluster(), await bulk.cluster()
    holder = (await bulk.start(first)).json()
    await bulk.work()
    made = (await bulk.start(first, second, stop_after_failures=2)).json()
    await bulk.work()
    assert await bulk.states(made) == ["refused", "started"]
    assert (await bulk.children(made))[0]["trouble"]["code"] == "cluster-busy"
    queued = await bulk.start(first, queue=True)
    await bulk.work()
    assert await bulk.states(queued.json()) == ["started"]
    await bulk.end_all(holder)
    assert (await bulk.to_the_end(queued.json()))["state"] == "succeeded"


async def test_labels_and_ids_select_and_the_preview_says_the_same(bulk: Bulk) -> None:
    berlin = [await bulk.cluster(("site", "berlin"), ("tier", str(n % 2))) for n in range(4)]
    other = await bulk.cluster(("site", "oslo"))
    await bulk.cluster()
    site = {"name": "site", "value": "berlin"}
    for selector, expected in (
        ({"labels": [site]}, berlin),
        ({"labels": [site], "cluster_ids": [other, berlin[3]]}, [other, berlin[3], *berlin[:3]]),
        ({"labels": [site, {"name": "tier", "value": "1"}]}, [berlin[1], berlin[3]]),
    ):
        asked = {"selector": selector, "wave_size": 2}
        preview = await bulk.world.client.post("/v1/bulk-jobs/preview", json=asked)
        assert preview.status_code == 200, preview.text
        told = preview.json()
        waves = [[one["cluster_id"] for one in wave["clusters"]] for wave in told["waves"]]
        assert [one for wave in waves for one in wave] == expected
        assert told["total"] == len(expected)
        assert all(len(wave) == 2 for wave in waves[:-1])
        key = {"Idempotency-Key": expected[0] + str(len(expected))}
        made = await bulk.world.client.post(START, json=asked, headers=key)
        assert [
            [child["cluster_id"] for child in wave["children"]] for wave in made.json()["waves"]
        ] == waves
        assert made.json()["selector"] == {"labels": [], "cluster_ids": [], **selector}


REFUSED: list[tuple[dict[str, Any], str, str | None]] = [
    ({"selector": {}}, "/selector", "nothing-selected"),
    ({"selector": {"labels": [{"name": "no", "value": ""}]}}, "/selector", "nothing-selected"),
    ({"selector": {"cluster_ids": ["a", "b"]}}, "/selector/cluster_ids/0", "cluster-unknown"),
    ({"selector": {"cluster_ids": ["own", "own"]}}, "/selector/cluster_ids/1", "given-twice"),
    (
        {"selector": {"labels": [{"name": "x", "value": "1"}, {"name": "x", "value": "2"}]}},
        "/selector/labels/1",
        "given-twice",
    ),
    ({"selector": {"cluster_ids": ["x"] * 501}}, "/selector/cluster_ids", None),
    ({"selector": {"cluster_ids": ["x; drop"]}}, "/selector/cluster_ids/0", None),
    ({"selector": {"cluster_ids": ["x\u0000"]}}, "", None),
    ({"selector": {"everything": True}}, "/selector/everything", None),
    ({"selector": None}, "/selector", None),
    ({"wave_size": 0}, "/wave_size", None),
    ({"wave_size": 101}, "/wave_size", None),
    ({"wave_size": 1.5}, "/wave_size", None),
    ({"stop_after_failures": 0}, "/stop_after_failures", None),
    ({"stop_after_failures": 501}, "/stop_after_failures", None),
    ({"peer_ids": ["peer-1"]}, "/peer_ids", None),
    ({"plan_digest": "0" * 64}, "/plan_digest", None),
    ({"approvals": {"minimum": 11}}, "/approvals/minimum", None),
    ({"not_before": "2200-01-01T00:00:00Z"}, "/not_before", "invalid-value"),
]


async def test_what_makes_no_sense_is_refused_and_makes_nothing(bulk: Bulk) -> None:
    own = await bulk.cluster()
    for change, pointer, code in REFUSED:
        body: dict[str, Any] = {"selector": {"cluster_ids": [own]}, **change}
        if code == "given-twice" and "cluster_ids" in body["selector"]:
            body["selector"] = {"cluster_ids": [own, own]}
        answer = await bulk.world.client.post(START, json=body, headers={"Idempotency-Key": "one"})
        problem = is_problem(answer, 422, "invalid-request")
        (error,) = problem["errors"][:1]
        assert error["pointer"] == pointer, (change, problem)
        assert code in {None, error["code"]}
    assert (await bulk.world.client.get("/v1/bulk-jobs")).json()["items"] == []


async def test_more_than_the_most_clusters_are_refused(
    bulk: Bulk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.services import bulk_jobs

    for _ in range(3):
        await bulk.cluster(("site", "berlin"))
    monkeypatch.setattr(bulk_jobs, "MOST_CLUSTERS", 2)
    body = {"selector": {"labels": [{"name": "site", "value": "berlin"}]}}
    answer = await bulk.world.client.post(START, json=body, headers={"Idempotency-Key": "one"})
    problem = is_problem(answer, 422, "invalid-request")
    assert problem["errors"][0]["code"] == "too-many-clusters"
    assert problem["errors"][0]["remedy"]


async def test_a_policy_that_asks_for_a_change_number_is_told_before_anything_begins(
    bulk: Bulk,
) -> None:
    free, strict = await bulk.cluster(), await bulk.cluster(change_required=True)
    problem = is_problem(await bulk.start(free, strict), 422, "change-required")
    assert problem["cluster_id"] == strict
    assert (await bulk.world.client.get("/v1/bulk-jobs")).json()["items"] == []
    answer = await bulk.start(free, strict, change={"number": "CHG1"})
    assert answer.status_code == 202


async def test_procedures_that_name_a_peer_are_not_offered(bulk: Bulk) -> None:
    found = (await bulk.world.client.get("/v1/procedures")).json()["items"]
    offered = {entry["slug"]: entry["bulk_path"] for entry in found if entry["bulk_path"]}
    assert sorted(offered) == [
        "align-clustering",
        "backup",
        "rotate-pre-shared-key",
        "update-neighbours",
        "upgrade",
    ]
    key = {"Idempotency-Key": "one"}
    answer = await bulk.world.client.post(
        "/v1/procedures/restart-peer/bulk-jobs", json={}, headers=key
    )
    is_problem(answer, 404, "not-found")
    cluster = await bulk.cluster()
    for slug, path in offered.items():
        body = {"selector": {"cluster_ids": [cluster]}}
        if slug == "upgrade":
            is_problem(
                await bulk.world.client.post(path, json=body, headers=key), 422, "invalid-request"
            )
            body = {**body, "to_version": "X8.2"}
        headers = {"Idempotency-Key": slug}
        made = await bulk.world.client.post(path, json=body, headers=headers)
        assert (made.status_code, made.json()["procedure"]) == (202, slug), made.text
        await bulk.work()
        assert await bulk.states(made.json()) != ["pending"]
        await bulk.world.client.post(
            f"/v1/bulk-jobs/{made.json()['id']}/cancel", json={"cancel_running": True}
        )
        await bulk.work()


async def test_a_repeated_start_is_the_same_bulk_job(bulk: Bulk) -> None:
    cluster = await bulk.cluster()
    body = {"selector": {"cluster_ids": [cluster]}}
    is_problem(await bulk.world.client.post(START, json=body), 400, "idempotency-key-required")
    key = {"Idempotency-Key": "same"}
    first = await bulk.world.client.post(START, json=body, headers=key)
    await bulk.work()
    again = await bulk.world.client.post(START, json=body, headers=key)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["counts"]["started"] == 1
    other = {**body, "wave_size": 2}
    answer = await bulk.world.client.post(START, json=other, headers=key)
    is_problem(answer, 422, "idempotency-key-reused")
    await bulk.work()
    assert len(await bulk.jobs(first.json())) == 1


async def test_a_cancel_is_previewed_and_lets_what_is_under_way_end(bulk: Bulk) -> None:
    clusters = await six(bulk)
    made = (await bulk.start(*clusters, wave_size=2)).json()
    await bulk.work()
    place = f"/v1/bulk-jobs/{made['id']}/cancel"
    preview = (await bulk.world.client.get(place)).json()
    assert preview["possible"]
    assert [one["cluster_id"] for one in preview["never_begun"]] == clusters[2:]
    assert [one["cluster_id"] for one in preview["under_way"]] == clusters[:2]
    answer = await bulk.world.client.post(place, json={"reason": "window closed"})
    assert (answer.status_code, answer.json()["state"]) == (202, "stopping")
    stop = answer.json()["stop"]
    assert (stop["code"], stop["message"]) == ("cancelled", "window closed")
    again = await bulk.world.client.post(place, json={"reason": "asked twice"})
    assert again.json()["stop"]["message"] == "window closed"
    await bulk.work()
    assert await bulk.states(made) == ["started", "started", *["not_started"] * 4]
    await bulk.end_all(made)
    await bulk.work()
    found = await bulk.read(made)
    assert (found["state"], found["counts"]["succeeded"]) == ("cancelled", 2)
    is_problem(await bulk.world.client.post(place), 409, "illegal-transition")
    assert (await bulk.world.client.get(place)).json()["possible"] is False


async def test_a_cancel_may_take_the_running_jobs_with_it(bulk: Bulk) -> None:
    clusters = await six(bulk)
    made = (await bulk.start(*clusters, wave_size=2)).json()
    await bulk.work()
    place = f"/v1/bulk-jobs/{made['id']}/cancel"
    await bulk.world.client.post(place)
    answer = await bulk.world.client.post(place, json={"cancel_running": True})
    assert answer.json()["stop"]["cancel_running"]
    await bulk.work()
    found = await bulk.read(made)
    assert await bulk.states(made) == ["cancelled", "cancelled", *["not_started"] * 4]
    assert found["state"] == "cancelled"
    about = {"object_id": made["id"]}
    audit = (await bulk.world.client.get("/v1/audit", params=about)).json()["items"]
    assert [row["action"] for row in reversed(audit)] == [
        "bulkBackup",
        *["startBulkChild"] * 2,
        *["cancelBulkJob"] * 2,
        *["cancelBulkChild"] * 2,
    ]


async def test_a_cancel_while_a_start_is_at_its_plan_starts_nothing(bulk: Bulk) -> None:
    cluster = await bulk.cluster()
    made = (await bulk.start(cluster)).json()
    work = bulk.world.services.bulk_work
    due = await work._take("worker-1")
    assert due is not None
    child = await work._settled(due.id)
    assert child is not None
    await bulk.world.client.post(f"/v1/bulk-jobs/{made['id']}/cancel")
    assert await work._begun(due, child)
    assert await bulk.jobs(made) == []
    bulk.later(minutes=4)
    await bulk.work("worker-2")
    assert (await bulk.read(made))["state"] == "cancelled"


async def test_a_revoked_key_starts_no_further_cluster(bulk: Bulk) -> None:
    clusters = await six(bulk)
    body = {"name": "robot", "scopes": ["jobs:run"]}
    key = (await bulk.world.client.post("/v1/keys", json=body)).json()
    headers = {"Authorization": f"Bearer {key['key']}"}
    made = (await bulk.start(*clusters, headers=headers)).json()
    await bulk.work()
    assert {job["requested_by"] for job in await bulk.jobs(made)} == {key["id"]}
    await bulk.world.client.delete(f"/v1/keys/{key['id']}", headers={"If-Match": "*"})
    await bulk.end_all(made)
    await bulk.work()
    found = await bulk.read(made)
    assert await bulk.states(made) == ["succeeded", *["not_started"] * 5]
    assert (found["state"], found["stop"]["code"]) == ("failed", "forbidden")


async def test_a_limited_key_selects_and_sees_what_it_reaches(bulk: Bulk) -> None:
    own = [await bulk.cluster(("site", "berlin")) for _ in range(2)]
    foreign = await bulk.cluster(("site", "berlin"))
    limited = await bulk.world.key("jobs:run", "jobs:read", "jobs:cancel", "clusters:read",
                                   clusters=frozenset(own))  # fmt: skip
    ask = bulk.world.anonymous
    by_label = {"selector": {"labels": [{"name": "site", "value": "berlin"}]}}
    preview = await ask.post("/v1/bulk-jobs/preview", json=by_label, headers=limited)
    assert [wave["clusters"][0]["cluster_id"] for wave in preview.json()["waves"]] == own
    made = await ask.post(START, json=by_label, headers={**limited, "Idempotency-Key": "one"})
    assert [wave["children"][0]["cluster_id"] for wave in made.json()["waves"]] == own
    by_id = {"selector": {"cluster_ids": [own[0], foreign]}}
    answers = [
        await ask.post(START, json=body, headers={**limited, "Idempotency-Key": "two"})
        for body in (by_id, {"selector": {"cluster_ids": [own[0], "cluster-0"]}})
    ]
    problems = [is_problem(answer, 422, "invalid-request") for answer in answers]
    assert problems[0]["errors"] == problems[1]["errors"]
    wide = (await bulk.start(*own, foreign)).json()
    for method, path in (
        ("GET", f"/v1/bulk-jobs/{wide['id']}"),
        ("GET", f"/v1/bulk-jobs/{wide['id']}/cancel"),
        ("POST", f"/v1/bulk-jobs/{wide['id']}/cancel"),
    ):
        is_problem(await ask.request(method, path, headers=limited), 404, "not-found")
    listed = (await ask.get("/v1/bulk-jobs", headers=limited)).json()["items"]
    assert [item["id"] for item in listed] == [made.json()["id"]]
    await bulk.work()
    assert {job["cluster_id"] for job in await bulk.jobs(made.json())} == {own[0]}
    is_problem(
        await ask.post(
            f"/v1/bulk-jobs/{made.json()['id']}/cancel",
            headers=await bulk.world.key("jobs:read", "jobs:run"),
        ),
        403,
        "forbidden",
    )


async def test_lists_are_filtered_and_paged_newest_first(bulk: Bulk) -> None:
    first, second = await bulk.cluster(), await bulk.cluster()
    made = [
        (await bulk.start(first, change={"number": "CHG1"})).json(),
        (await bulk.start(second)).json(),
        (await bulk.start(first, second)).json(),
    ]
    ids = [one["id"] for one in made]
    ask = bulk.world.client

    async def listed(**query: Any) -> list[int]:
        found = (await ask.get("/v1/bulk-jobs", params=query)).json()["items"]
        return [ids.index(one["id"]) for one in found]

    assert await listed() == [2, 1, 0]
    assert await listed(cluster_id=first) == [2, 0]
    assert await listed(change_number="CHG1") == [0]
    assert await listed(procedure="upgrade") == []
    assert await listed(state="running") == [2, 1, 0]
    page = (await ask.get("/v1/bulk-jobs", params={"limit": 2})).json()
    rest = (await ask.get("/v1/bulk-jobs", params={"cursor": page["next_cursor"]})).json()
    assert [one["id"] for one in page["items"] + rest["items"]] == ids[::-1]
    assert rest["next_cursor"] is None


async def test_a_long_poll_answers_as_soon_as_something_changes(bulk: Bulk) -> None:
    cluster = await bulk.cluster()
    made = (await bulk.start(cluster)).json()
    place = f"/v1/bulk-jobs/{made['id']}"
    waiting = asyncio.create_task(bulk.world.client.get(place, params={"wait": 60}))
    await bulk.work()
    answer = await asyncio.wait_for(waiting, 10)
    assert answer.json()["version"] > made["version"]
    same = await bulk.world.client.get(place, params={"wait": 0.05})
    assert same.json()["counts"]["started"] == 1
    is_problem(await bulk.world.client.get("/v1/bulk-jobs/bulk-0"), 404, "not-found")


async def test_its_end_is_told_to_those_who_are_told_of_all_its_clusters(bulk: Bulk) -> None:
    berlin = await bulk.cluster(("site", "berlin"))
    oslo = await bulk.cluster(("site", "oslo"))
    ask = bulk.world.client
    site = [{"name": "site", "value": "berlin"}]
    narrowed: dict[str, dict[str, Any]] = {
        "all": {},
        "both": {"cluster_ids": [berlin, oslo]},
        "one": {"cluster_ids": [berlin]},
        "site": {"labels": site},
        "others": {"event_types": ["job.failed"]},
    }
    hooks = {}
    for name, narrow in narrowed.items():
        body = {"name": name, "url": "https://receiver.example.com/hook", **narrow}
        made = await ask.post("/v1/webhooks", json={"event_types": ["bulk.finished"], **body})
        assert made.status_code == 201, made.text
        hooks[name] = made.json()["id"]

    async def told() -> dict[str, int]:
        found = {}
        for name, hook in hooks.items():
            items = (await ask.get(f"/v1/webhooks/{hook}/deliveries")).json()["items"]
            assert {item["type"] for item in items} <= {"bulk.finished"}
            found[name] = len(items)
        return found

    bulk.silent(oslo)
    wide = (await bulk.start(berlin, oslo, correlation={"id": "f1"})).json()
    await bulk.work()
    assert set((await told()).values()) == {0}
    await bulk.end_all(wide)
    await bulk.work()
    await bulk.work()
    assert (await bulk.read(wide))["state"] == "failed"
    assert await told() == {"all": 1, "both": 1, "one": 0, "site": 0, "others": 0}
    (item,) = (await ask.get(f"/v1/webhooks/{hooks['all']}/deliveries")).json()["items"]
    async with bulk.world.parts.store.transaction() as tx:
        delivery = await tx.deliveries.get(item["id"])
    assert delivery is not None
    composer = Composer(bulk.world.parts.redactor, "https://clusterway.example.com")
    cloud_event = json.loads(composer.body(delivery, BodyFormat.CLOUDEVENTS))
    assert cloud_event["source"] == f"https://clusterway.example.com/v1/bulk-jobs/{wide['id']}"
    assert cloud_event["subject"] == wide["id"]
    data = cloud_event["data"]
    assert (data["bulk_job_id"], data["correlation"]) == (wide["id"], {"id": "f1"})
    assert data["links"] == {"bulk_job": cloud_event["source"]}
    assert data["event"] == {
        "state": "failed",
        "stop": "too-many-failures",
        "counts": {"succeeded": 1, "refused": 1},
    }
    narrow_job = (await bulk.start(berlin)).json()
    await bulk.to_the_end(narrow_job)
    assert await told() == {"all": 2, "both": 2, "one": 1, "site": 1, "others": 0}
    reader = await bulk.world.key("webhooks:write")
    body = {"name": "x", "url": "https://receiver.example.com/hook"}
    body |= {"event_types": ["bulk.finished"]}  # type: ignore[dict-item]
    is_problem(await ask.post("/v1/webhooks", json=body, headers=reader), 403, "forbidden")
