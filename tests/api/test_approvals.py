"""Approvals over the API: two principals, the plan they read, and no way around them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.api.conftest import World
from tests.api.test_conventions import is_problem

pytestmark = pytest.mark.postgres


@pytest.fixture
async def cluster(world: World) -> Any:
    made = await world.cluster()
    answer = await world.client.patch(
        f"/v1/clusters/{made['id']}",
        json={"policy": {"minimum_approvers": 1, "four_eyes": True}},
        headers={"If-Match": "*"},
    )
    return answer.json()


@pytest.fixture
async def peer(world: World, seen: Any) -> Any:
    peer = await world.peer()
    world.appliances.views[peer["id"]] = seen(peer["id"])
    return peer


async def job_of(world: World, cluster: Any, peer: Any, **more: Any) -> Any:
    answer = await world.start(cluster, "k-1", peer_id=peer["id"], **more)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def decide(
    world: World, job: Any, verb: str, headers: dict[str, str], **more: Any
) -> httpx.Response:
    body = {"plan_digest": job["plan_digest"], "by": "Bea", "reason": "Agreed.", **more}
    path = f"/v1/approvals/{job['id']}/{verb}"
    return await world.client.post(path, json=body, headers=headers)


async def test_a_job_waits_for_somebody_else_and_then_goes_on(
    world: World, cluster: Any, peer: Any
) -> None:
    job = await job_of(world, cluster, peer)
    assert (job["state"], job["waiting"]["reason"]) == ("waiting", "approval")
    assert (job["approval"], job["terms"]["approvals"]) == ("pending", 1)
    assert {"approve", "reject", "cancel"} <= set(job["actions"])
    assert "resume" not in job["actions"]
    mine = {"Authorization": world.client.headers["Authorization"]}
    is_problem(await decide(world, job, "approve", mine), 403, "four-eyes")
    other = await world.key("approvals:decide")
    answer = await decide(world, job, "approve", other)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["state"], answer.json()["approvals_given"]) == ("approved", 1)
    read = (await world.client.get(f"/v1/jobs/{job['id']}")).json()
    assert (read["state"], read["approval"]) == ("queued", "approved")
    events = (await world.client.get(f"/v1/jobs/{job['id']}/events")).json()["items"]
    types = [event["type"] for event in events]
    assert types[1:4] == ["approval.requested", "job.waiting", "approval.given"]
    is_problem(await decide(world, job, "reject", other), 409, "approval-closed")


async def test_the_request_carries_what_there_is_to_know(
    world: World, cluster: Any, peer: Any
) -> None:
    job = await job_of(world, cluster, peer, change={"number": "CHG1"})
    told = (await world.client.get(f"/v1/approvals/{job['id']}")).json()
    assert told["back_out"] == ["Name it back."]
    assert told["expected_seconds"] == 3
    assert "Name it [NEW-M-22]" in told["change_texts"]["implementation_plan"]
    assert told["change"]["number"] == "CHG1"
    assert told["requested_by"] == job["requested_by"]
    expires = datetime.fromisoformat(told["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=6.9) < expires < timedelta(days=7.1)
    of_job = (await world.client.get(f"/v1/jobs/{job['id']}/approvals")).json()["items"]
    assert [entry["id"] for entry in of_job] == [job["id"]]


async def test_a_decision_needs_the_scope_and_the_plan_that_was_read(
    world: World, cluster: Any, peer: Any
) -> None:
    job = await job_of(world, cluster, peer)
    runner = await world.key("jobs:run", "jobs:read", "jobs:cancel")
    is_problem(await decide(world, job, "approve", runner), 403, "forbidden")
    other = await world.key("approvals:decide")
    wrong = await decide(world, job, "approve", other, plan_digest="0" * 64)
    is_problem(wrong, 409, "approval-mismatch")
    is_problem(await decide(world, {**job, "id": "job-none"}, "approve", other), 404, "not-found")
    is_problem(await decide(world, job, "approve", other, by="a\nb"), 422, "invalid-request")
    read = (await world.client.get(f"/v1/jobs/{job['id']}")).json()
    assert (read["approval"], read["last_event_seq"]) == ("pending", job["last_event_seq"])


async def test_one_rejection_ends_the_job_and_says_who_and_why(
    world: World, cluster: Any, peer: Any
) -> None:
    job = await job_of(world, cluster, peer, approvals={"minimum": 2})
    first, second = await world.key("approvals:decide"), await world.key("approvals:decide")
    assert (await decide(world, job, "approve", first)).json()["state"] == "pending"
    is_problem(await decide(world, job, "approve", first), 409, "already-decided")
    told = (await decide(world, job, "reject", second, reason="Not tonight.")).json()
    assert (told["state"], told["job_state"]) == ("rejected", "cancelled")
    assert [entry["verdict"] for entry in told["decisions"]] == ["approved", "rejected"]
    result = (await world.client.get(f"/v1/jobs/{job['id']}/result")).json()
    assert (result["succeeded"], result["failure"]["code"]) == (False, "approval-rejected")
    assert "Bea: Not tonight." in result["failure"]["message"]


async def test_a_repeated_decision_is_made_once(world: World, cluster: Any, peer: Any) -> None:
    job = await job_of(world, cluster, peer, approvals={"minimum": 2})
    other = {**await world.key("approvals:decide"), "Idempotency-Key": "d-1"}
    first = await decide(world, job, "approve", other)
    again = await decide(world, job, "approve", other)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert again.json()["approvals_given"] == 1
    changed = await decide(world, job, "approve", other, reason="Something else.")
    is_problem(changed, 422, "idempotency-key-reused")


async def test_two_who_decide_at_once_are_one_after_the_other(
    world: World, cluster: Any, peer: Any
) -> None:
    job = await job_of(world, cluster, peer)
    keys = [await world.key("approvals:decide") for _ in range(6)]
    verbs = ["approve", "reject"] * 3
    answers = await asyncio.gather(
        *(decide(world, job, verb, key) for verb, key in zip(verbs, keys, strict=True))
    )
    good = [answer for answer in answers if answer.status_code == 200]
    assert len(good) == 1
    for answer in answers:
        if answer is not good[0]:
            is_problem(answer, 409, "approval-closed")


async def test_neither_resume_nor_pause_leads_past_an_approval(
    world: World, cluster: Any, peer: Any
) -> None:
    job = await job_of(world, cluster, peer)
    url = f"/v1/jobs/{job['id']}"
    is_problem(await world.client.post(f"{url}/resume"), 409, "illegal-transition")
    paused = await world.client.post(f"{url}/pause")
    assert (paused.status_code, paused.json()["pause_requested"]) == (202, True)
    resumed = (await world.client.post(f"{url}/resume")).json()
    assert (resumed["waiting"]["reason"], resumed["approval"]) == ("approval", "pending")
    is_problem(await world.client.post(f"{url}/retry"), 409, "illegal-transition")
    skip = await world.client.post(f"{url}/steps/gate/skip", json={"reason": "x", "settled": True})
    is_problem(skip, 409, "illegal-transition")


async def test_requests_are_listed_by_where_they_stand(
    world: World, cluster: Any, peer: Any
) -> None:
    job = await job_of(world, cluster, peer)
    await world.client.post(f"/v1/jobs/{job['id']}/cancel")
    again = (await world.start(cluster, "k-2", peer_id=peer["id"])).json()

    async def ids(**query: Any) -> list[str]:
        answer = await world.client.get("/v1/approvals", params=query)
        return [entry["id"] for entry in answer.json()["items"]]

    assert await ids() == [again["id"], job["id"]]
    assert await ids(state="pending") == [again["id"]]
    assert await ids(state="withdrawn", cluster_id=cluster["id"]) == [job["id"]]
    assert await ids(procedure="upgrade") == []
    is_problem(await world.client.get("/v1/approvals?state=maybe"), 422, "invalid-request")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"approvals": {"minimum": 0}}, "/approvals/minimum"),
        ({"approvals": {"expires_at": "2020-01-01T00:00:00Z"}}, "/approvals/expires_at"),
        ({"not_before": "9999-12-31T23:59:59Z"}, "/not_before"),
        ({"not_before": "2026-03-01T22:00:00"}, "/not_before"),
        ({"approvals": {"minimum": 11}}, "/approvals/minimum"),
    ],
)
async def test_a_start_asks_for_no_less_than_the_policy_and_for_no_odd_times(
    world: World, cluster: Any, peer: Any, body: Any, pointer: str
) -> None:
    answer = await world.start(cluster, "k-1", peer_id=peer["id"], **body)
    errors = is_problem(answer, 422, "invalid-request")["errors"]
    assert [error["pointer"] for error in errors] == [pointer]
    assert (await world.client.get("/v1/jobs")).json()["items"] == []


async def test_a_policy_loosened_afterwards_loosens_no_job(
    world: World, cluster: Any, peer: Any
) -> None:
    job = await job_of(world, cluster, peer)
    body = {"policy": {"minimum_approvers": 0, "four_eyes": False}}
    path = f"/v1/clusters/{cluster['id']}"
    await world.client.patch(path, json=body, headers={"If-Match": "*"})
    read = (await world.client.get(f"/v1/jobs/{job['id']}")).json()
    assert (read["terms"], read["approval"]) == (job["terms"], "pending")


async def test_a_start_may_be_scheduled(world: World, peer: Any) -> None:
    cluster = await world.cluster()
    at = (datetime.now(UTC) + timedelta(hours=5)).isoformat()
    job = await job_of(world, cluster, peer, not_before=at)
    waiting = job["waiting"]
    assert (job["state"], waiting["reason"]) == ("waiting", "window")
    assert datetime.fromisoformat(waiting["until"]) == datetime.fromisoformat(at)
    assert job["approval"] is None
    assert (await world.client.get(f"/v1/jobs/{job['id']}/approvals")).json()["items"] == []
    is_problem(await world.client.get(f"/v1/approvals/{job['id']}"), 404, "not-found")


async def test_a_cluster_may_ask_every_start_for_a_change_record(world: World, peer: Any) -> None:
    cluster = await world.cluster()
    path = f"/v1/clusters/{cluster['id']}"
    body = {"policy": {"change_required": True}}
    await world.client.patch(path, json=body, headers={"If-Match": "*"})
    for change in (None, {"system": "servicenow"}, {"number": "  "}):
        answer = await world.start(cluster, "k-1", peer_id=peer["id"], change=change)
        document = is_problem(answer, 422, "change-required")
        assert document["errors"][0]["pointer"] == "/change/number"
    assert world.appliances.asked == []
    assert (await job_of(world, cluster, peer, change={"number": "CHG1"}))["state"] == "queued"
