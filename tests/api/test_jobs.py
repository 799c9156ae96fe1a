"""Plans, and jobs that do exactly what was read."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.services.records import Backup
from tests.api.conftest import World, peer_body
from tests.api.test_conventions import is_problem

pytestmark = pytest.mark.postgres


@pytest.fixture
async def cluster(world: World) -> Any:
    return await world.cluster()


@pytest.fixture
async def peer(world: World, seen: Any) -> Any:
    peer = await world.peer()
    world.appliances.views[peer["id"]] = seen(peer["id"])
    return peer


async def test_a_plan_says_everything_before_anything_is_touched(
    world: World, cluster: Any, peer: Any
) -> None:
    answer = await world.plan(cluster, peer_id=peer["id"])
    assert answer.status_code == 201, answer.text
    plan = answer.json()
    assert answer.headers["location"].endswith(f"/v1/plans/{plan['id']}")
    assert [step["title"] for step in plan["stages"][0]["steps"]] == [
        "Wait for a word",
        "Name it",
        "Look",
    ]
    assert plan["attestations_needed"] == [
        {
            "gate": "door-open",
            "statement": "The door is open.",
            "step": "gate",
            "requirements": ["PRE-01"],
        }
    ]
    assert plan["parameters"] == {"peer_id": peer["id"], "label": "blue", "others": []}
    assert plan["blocked"] is False
    assert plan["expected_seconds"] == 3
    assert len(plan["digest"]) == 64
    assert "Name it [NEW-M-22]" in plan["change_texts"]["implementation_plan"]
    assert (await world.client.get(answer.headers["location"])).json() == plan
    assert (await world.client.get("/v1/jobs")).json()["items"] == []


async def test_other_registered_peers_are_observed_too(
    world: World, cluster: Any, peer: Any
) -> None:
    other = await world.peer("exp2", "192.0.2.12")
    await world.plan(cluster, peer_id=peer["id"])
    assert sorted(world.appliances.asked) == sorted([peer["id"], other["id"]])


async def test_nobody_elsewhere_is_asked_where_no_peer_joins(
    world: World, cluster: Any, peer: Any
) -> None:
    other = await world.peer("exp2", "192.0.2.12")
    neighbours = f"/v1/clusters/{cluster['id']}/neighbours"
    about = {
        "name": "callmgr",
        "kind": "neighbor",
        "zone_name": "to-cluster",
        "peer_id": other["id"],
    }
    made = await world.client.post(neighbours, json=about)
    assert made.status_code == 201, made.text
    path = f"/v1/clusters/{cluster['id']}/procedures/backup/plan"
    assert (await world.client.post(path, json={})).status_code == 201
    assert world.appliances.asked == [other["id"]]
    assert peer["id"] not in world.appliances.asked


async def test_a_peer_elsewhere_that_hangs_does_not_hold_up_the_plan(
    world: World, cluster: Any, peer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await world.peer("exp2", "192.0.2.12")
    answer = type(world.appliances).observe

    async def observe(self: Any, peer_id: str) -> Any:
        if peer_id == other["id"]:
            await asyncio.Event().wait()
        return await answer(self, peer_id)

    monkeypatch.setattr(type(world.appliances), "observe", observe)
    monkeypatch.setattr("app.services.planning.OTHERS_LIMIT", 0.02)
    assert (await world.plan(cluster, peer_id=peer["id"])).status_code == 201


async def test_an_unknown_peer_is_named_by_its_pointer(
    world: World, cluster: Any, peer: Any
) -> None:
    answer = await world.plan(cluster, peer_id=peer["id"], others=[peer["id"], "peer-none"])
    errors = is_problem(answer, 422, "invalid-request")["errors"]
    assert [(error["code"], error["pointer"]) for error in errors] == [
        ("peer-unknown", "/others/1")
    ]


async def test_a_parameter_out_of_bounds_is_named_by_its_pointer(
    world: World, cluster: Any
) -> None:
    answer = await world.plan(cluster, peer_id="", label="x" * 21, others=["a" * 65])
    errors = is_problem(answer, 422, "invalid-request")["errors"]
    assert {error["pointer"] for error in errors} == {"/peer_id", "/label", "/others/0"}


async def test_a_plan_that_is_started_becomes_a_job(world: World, cluster: Any, peer: Any) -> None:
    plan = (await world.plan(cluster, peer_id=peer["id"])).json()
    answer = await world.start(
        cluster,
        "k1",
        peer_id=peer["id"],
        plan_digest=plan["digest"],
        attestations=[{"gate": "door-open", "by": "A. Operator", "reason": "I see it."}],
        change={"system": "servicenow", "number": "CHG1"},
        correlation={"id": "c-1"},
    )
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["location"] == answer.headers["operation-location"]
    assert answer.headers["location"] == job["links"]["self"]
    assert answer.headers["retry-after"] == "5"
    assert job["state"] == "queued"
    assert job["plan_id"] == plan["id"]
    assert job["change"]["number"] == "CHG1"
    assert job["correlation"]["id"] == "c-1"
    assert job["attestations"][0]["by"] == "A. Operator"
    assert [step["state"] for step in job["stages"][0]["steps"]] == ["pending"] * 3
    assert (await world.client.get(answer.headers["location"])).json() == job


async def test_a_start_without_a_key_is_refused(world: World, cluster: Any, peer: Any) -> None:
    path = f"/v1/clusters/{cluster['id']}/procedures/name-peer"
    answer = await world.client.post(path, json={"peer_id": peer["id"]})
    is_problem(answer, 400, "idempotency-key-required")
    blank = await world.client.post(
        path, json={"peer_id": peer["id"]}, headers={"Idempotency-Key": "a b"}
    )
    is_problem(blank, 422, "invalid-request")


async def test_a_start_that_is_repeated_starts_one_job(
    world: World, cluster: Any, peer: Any
) -> None:
    answers = await asyncio.gather(
        *(world.start(cluster, "k1", peer_id=peer["id"]) for _ in range(6))
    )
    started = [answer for answer in answers if answer.status_code == 202]
    in_flight = [answer for answer in answers if answer.status_code == 409]
    assert len(started) + len(in_flight) == 6
    assert {answer.json()["code"] for answer in in_flight} <= {"idempotency-in-flight"}
    again = await world.start(cluster, "k1", peer_id=peer["id"])
    assert again.headers["idempotency-replayed"] == "true"
    assert {answer.json()["id"] for answer in (*started, again)} == {again.json()["id"]}
    assert len((await world.client.get("/v1/jobs")).json()["items"]) == 1
    other = await world.start(cluster, "k1", peer_id=peer["id"], label="red")
    is_problem(other, 422, "idempotency-key-reused")


async def test_a_replay_shows_the_job_as_it_is_now(world: World, cluster: Any, peer: Any) -> None:
    job = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    await world.client.post(f"/v1/jobs/{job['id']}/cancel")
    again = await world.start(cluster, "k1", peer_id=peer["id"])
    assert again.json()["state"] == "cancelled"


async def test_a_second_job_on_a_cluster_is_refused_or_waits_in_line(
    world: World, cluster: Any, peer: Any
) -> None:
    first = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    document = is_problem(await world.start(cluster, "k2", peer_id=peer["id"]), 409, "cluster-busy")
    assert document["job_id"] == first["id"]
    assert document["job_url"] == first["links"]["self"]
    assert document["retryable"] is True
    path = f"/v1/clusters/{cluster['id']}/procedures/name-peer?queue=true"
    queued = await world.client.post(
        path, json={"peer_id": peer["id"]}, headers={"Idempotency-Key": "k3"}
    )
    assert (queued.status_code, queued.json()["state"]) == (202, "queued")


async def test_a_cluster_is_not_deleted_while_a_job_of_it_has_not_ended(
    world: World, cluster: Any, peer: Any
) -> None:
    path, now = f"/v1/clusters/{cluster['id']}", {"If-Match": "*"}
    first = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    document = is_problem(await world.client.delete(path, headers=now), 409, "cluster-busy")
    assert (document["job_id"], document["cluster_id"]) == (first["id"], cluster["id"])
    await world.client.post(f"/v1/jobs/{first['id']}/cancel")
    assert (await world.client.delete(path, headers=now)).status_code == 204


async def test_a_job_does_not_begin_on_a_cluster_deleted_while_it_was_drafted(
    world: World, cluster: Any, peer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = type(world.appliances).observe

    async def observe(self: Any, peer_id: str) -> Any:
        path = f"/v1/clusters/{cluster['id']}"
        await world.client.delete(path, headers={"If-Match": "*"})
        return await answer(self, peer_id)

    monkeypatch.setattr(type(world.appliances), "observe", observe)
    is_problem(await world.start(cluster, "k1", peer_id=peer["id"]), 404, "not-found")
    assert (await world.client.get("/v1/jobs")).json()["items"] == []


async def test_a_peer_at_work_is_neither_moved_nor_deleted(
    world: World, cluster: Any, peer: Any
) -> None:
    path, now = f"/v1/peers/{peer['id']}", {"If-Match": "*"}
    job = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    endpoints = peer_body(peer["endpoints"][0]["credential_id"])["endpoints"]
    for change in ({"address": "192.0.2.99"}, {"endpoints": endpoints}):
        answer = await world.client.patch(path, json=change, headers=now)
        document = is_problem(answer, 409, "peer-busy")
        assert (document["job_id"], document["peer_id"]) == (job["id"], peer["id"])
    is_problem(await world.client.delete(path, headers=now), 409, "peer-busy")
    named = await world.client.patch(path, json={"name": "exp9"}, headers=now)
    assert named.status_code == 200
    await world.client.post(f"/v1/jobs/{job['id']}/cancel")
    moved = await world.client.patch(path, json={"address": "192.0.2.99"}, headers=now)
    assert moved.status_code == 200
    assert (await world.client.delete(path, headers=now)).status_code == 204


async def test_a_peer_is_in_one_job_at_a_time(world: World, cluster: Any, peer: Any) -> None:
    await world.start(cluster, "k1", peer_id=peer["id"])
    other = await world.cluster("other.example.com")
    document = is_problem(await world.start(other, "k2", peer_id=peer["id"]), 409, "peer-busy")
    assert document["peer_id"] == peer["id"]


async def test_a_cluster_that_changed_since_the_plan_was_read_is_left_alone(
    world: World, cluster: Any, peer: Any, seen: Any
) -> None:
    plan = (await world.plan(cluster, peer_id=peer["id"])).json()
    world.appliances.views[peer["id"]] = seen(peer["id"], "renamed by hand")
    answer = await world.start(cluster, "k1", peer_id=peer["id"], plan_digest=plan["digest"])
    errors = is_problem(answer, 409, "plan-drifted")["errors"]
    assert errors == [
        {
            "code": "fact-changed",
            "detail": "system_name is not what the plan was made from",
            "peer_id": peer["id"],
            "evidence": {"fact": "system_name", "then": "exp1", "now": "renamed by hand"},
        }
    ]
    assert (await world.client.get("/v1/jobs")).json()["items"] == []


async def test_a_job_does_not_begin_where_the_members_changed_while_it_was_drafted(
    world: World, cluster: Any, peer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = type(world.appliances).observe

    async def observe(self: Any, peer_id: str) -> Any:
        async with world.parts.store.transaction() as tx:
            await tx.clusters.record_members(cluster["id"], [peer["id"]], peer["id"])
        return await answer(self, peer_id)

    with monkeypatch.context() as patch:
        patch.setattr(type(world.appliances), "observe", observe)
        is_problem(await world.start(cluster, "k1", peer_id=peer["id"]), 409, "plan-drifted")
    assert (await world.client.get("/v1/jobs")).json()["items"] == []
    assert (await world.start(cluster, "k1", peer_id=peer["id"])).status_code == 202


async def test_a_plan_read_before_the_members_changed_is_not_started(
    world: World, cluster: Any, peer: Any
) -> None:
    plan = (await world.plan(cluster, peer_id=peer["id"])).json()
    async with world.parts.store.transaction() as tx:
        await tx.clusters.record_members(cluster["id"], [peer["id"]], peer["id"])
    answer = await world.start(cluster, "k1", peer_id=peer["id"], plan_digest=plan["digest"])
    (error,) = is_problem(answer, 409, "plan-drifted")["errors"]
    assert error["code"] == "members-changed"
    assert error["evidence"]["now"] == f"members {peer['id']}, primary {peer['id']}"


async def test_blockers_forbid_starting_and_say_what_to_do(
    world: World, cluster: Any, peer: Any, seen: Any
) -> None:
    world.appliances.views[peer["id"]] = seen(peer["id"], "forbidden")
    assert (await world.plan(cluster, peer_id=peer["id"])).json()["blocked"] is True
    answer = await world.start(cluster, "k1", peer_id=peer["id"])
    assert is_problem(answer, 409, "plan-blocked")["errors"] == [
        {
            "code": "name-forbidden",
            "detail": "The peer has a forbidden name.",
            "pointer": "/peer_id",
            "remedy": "Rename it.",
            "severity": "blocker",
            "peer_id": peer["id"],
            "requirements": ["NEW-M-22"],
            "evidence": {"name": "forbidden"},
        }
    ]


async def test_other_parameters_than_the_plans_are_refused(
    world: World, cluster: Any, peer: Any
) -> None:
    plan = (await world.plan(cluster, peer_id=peer["id"])).json()
    answer = await world.start(
        cluster, "k1", peer_id=peer["id"], label="red", plan_digest=plan["digest"]
    )
    errors = is_problem(answer, 422, "plan-mismatch")["errors"]
    assert [error["pointer"] for error in errors] == ["/label"]
    unknown = await world.start(cluster, "k2", peer_id=peer["id"], plan_digest="0" * 64)
    errors = is_problem(unknown, 422, "plan-mismatch")["errors"]
    assert [error["pointer"] for error in errors] == ["/plan_digest"]


async def test_an_old_plan_is_not_started(world: World, cluster: Any, peer: Any) -> None:
    plan = (await world.plan(cluster, peer_id=peer["id"])).json()
    world.clock.ahead = timedelta(hours=24, seconds=1)
    answer = await world.start(cluster, "k1", peer_id=peer["id"], plan_digest=plan["digest"])
    is_problem(answer, 409, "plan-expired")


async def test_a_word_for_a_gate_that_is_not_there_is_refused(
    world: World, cluster: Any, peer: Any
) -> None:
    answer = await world.start(
        cluster,
        "k1",
        peer_id=peer["id"],
        attestations=[{"gate": "window-open", "by": "A", "reason": "B"}],
    )
    errors = is_problem(answer, 422, "invalid-request")["errors"]
    assert errors[0]["pointer"] == "/attestations/0/gate"
    assert "door-open" in errors[0]["detail"]


async def test_a_word_can_be_given_while_the_job_is_there(
    world: World, cluster: Any, peer: Any
) -> None:
    job = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    body = {"by": "A. Operator", "reason": "I see it."}
    url = f"/v1/jobs/{job['id']}/steps"
    answer = await world.client.post(f"{url}/gate/attest", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.json()["attestations"][0]["gate"] == "door-open"
    is_problem(await world.client.post(f"{url}/name/attest", json=body), 409, "illegal-transition")
    is_problem(await world.client.post(f"{url}/none/attest", json=body), 404, "not-found")


async def test_what_a_cancel_would_mean_can_be_read_first(
    world: World, cluster: Any, peer: Any
) -> None:
    job = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    preview = (await world.client.get(f"/v1/jobs/{job['id']}/cancel")).json()
    assert preview["possible"] is True
    assert preview["stops_at_once"] is True
    assert [step["key"] for step in preview["left_undone"]] == ["gate", "name", "look"]
    cancelled = await world.client.post(
        f"/v1/jobs/{job['id']}/cancel", json={"reason": "window closed"}
    )
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
    assert "retry-after" not in cancelled.headers
    preview = (await world.client.get(f"/v1/jobs/{job['id']}/cancel")).json()
    assert preview["possible"] is False


async def test_a_job_that_did_not_fail_is_not_retried(
    world: World, cluster: Any, peer: Any
) -> None:
    job = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    answer = await world.client.post(f"/v1/jobs/{job['id']}/retry")
    document = is_problem(answer, 409, "illegal-transition")
    assert document["job_id"] == job["id"]
    assert "cancel" in document["legal"]


async def test_a_result_is_202_until_the_job_ends(world: World, cluster: Any, peer: Any) -> None:
    job = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    url = f"/v1/jobs/{job['id']}/result"
    before = await world.client.get(url)
    assert before.status_code == 202
    assert int(before.headers["retry-after"]) > 0
    # Documented, docs/clients.md says so, and generated clients read it.
    told = before.json()
    assert (told["job_id"], told["finished_at"], told["succeeded"]) == (job["id"], None, False)
    assert (told["steps_done"], told["steps_total"]) == (0, 3)
    assert "has not ended: queued" in told["close_notes"]
    described = world.app.openapi()["paths"]["/v1/jobs/{job_id}/result"]["get"]["responses"]
    for status in ("200", "202"):
        schema = described[status]["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/JobResult"}
    await world.client.post(f"/v1/jobs/{job['id']}/cancel")
    after = await world.client.get(url)
    assert after.status_code == 200
    assert after.json()["succeeded"] is False
    assert "ended: cancelled" in after.json()["close_notes"]


async def test_a_long_poll_answers_as_soon_as_the_state_changes(
    world: World, cluster: Any, peer: Any
) -> None:
    job = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    waiting = asyncio.create_task(world.client.get(f"/v1/jobs/{job['id']}?wait=60"))
    await world.client.post(f"/v1/jobs/{job['id']}/cancel")
    assert (await waiting).json()["state"] == "cancelled"


async def test_jobs_are_found_by_state_cluster_procedure_and_change(
    world: World, cluster: Any, peer: Any
) -> None:
    job = (await world.start(cluster, "k1", peer_id=peer["id"], change={"number": "CHG7"})).json()
    for query, found in {
        "state=queued": 1,
        "state=succeeded": 0,
        f"cluster_id={cluster['id']}": 1,
        "cluster_id=other": 0,
        "procedure=name-peer": 1,
        "procedure=add-peer": 0,
        "change_number=CHG7": 1,
        "change_number=CHG8": 0,
    }.items():
        items = (await world.client.get(f"/v1/jobs?{query}")).json()["items"]
        assert [item["id"] for item in items] == [job["id"]] * found, query
        assert "stages" not in str([sorted(item) for item in items])
    is_problem(await world.client.get("/v1/jobs?state=nonsense"), 422, "invalid-request")


async def test_jobs_are_found_by_the_labels_that_their_cluster_has_now(
    world: World, cluster: Any, peer: Any
) -> None:
    job = (await world.start(cluster, "k1", peer_id=peer["id"])).json()

    async def found(query: str) -> list[str]:
        return [job["id"] for job in (await world.client.get(f"/v1/jobs?{query}")).json()["items"]]

    assert await found("label=site=berlin") == []
    labels = [{"name": "site", "value": "berlin"}, {"name": "tier", "value": "1=a"}]
    place, any_version = f"/v1/clusters/{cluster['id']}", {"If-Match": "*"}
    await world.client.patch(place, json={"labels": labels}, headers=any_version)
    assert await found("label=site=berlin") == [job["id"]]
    assert await found("label=site=berlin&label=tier=1%3Da") == [job["id"]]
    assert await found("label=site=berlin&label=tier=2") == []
    assert await found("label=site=berlin&state=succeeded") == []
    is_problem(await world.client.get("/v1/jobs?label=site"), 422, "invalid-request")
    await world.client.patch(place, json={"labels": []}, headers=any_version)
    assert await found("label=site=berlin") == []


async def test_an_unknown_job_is_not_found(world: World) -> None:
    for path in ("", "/result", "/cancel", "/events", "/backups", "/backups/b/content"):
        is_problem(await world.client.get(f"/v1/jobs/job-none{path}"), 404, "not-found")
    stream = {"Accept": "text/event-stream"}
    is_problem(await world.client.get("/v1/jobs/job-none/events", headers=stream), 404, "not-found")


def messages(answer: httpx.Response) -> list[dict[str, Any]]:
    blocks = [block.splitlines() for block in answer.text.split("\n\n")]
    found = [dict(line.split(": ", 1) for line in block) for block in blocks if len(block) == 3]
    for message in found:
        assert json.loads(message["data"])["seq"] == int(message["id"])
    return found


async def test_events_are_polled_and_followed_without_gaps(
    world: World, cluster: Any, peer: Any
) -> None:
    job = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    url = f"/v1/jobs/{job['id']}/events"
    first = (await world.client.get(url)).json()
    assert first["last_seq"] == len(first["items"]) >= 1
    stream = {"Accept": "text/event-stream"}
    following = asyncio.create_task(world.client.get(url, headers=stream))
    await world.client.post(f"/v1/jobs/{job['id']}/cancel")
    answer = await following
    assert answer.headers["content-type"].startswith("text/event-stream")
    polled = (await world.client.get(url)).json()["items"]
    assert [int(m["id"]) for m in messages(answer)] == [event["seq"] for event in polled]
    assert messages(answer)[-1]["event"] == "job.cancelled"
    rest = await world.client.get(url, headers={**stream, "Last-Event-ID": "1"})
    assert [int(m["id"]) for m in messages(rest)] == [event["seq"] for event in polled[1:]]
    assert (await world.client.get(url, params={"after": polled[-1]["seq"]})).json()["items"] == []


async def test_a_silent_stream_shows_that_it_lives(world: World, cluster: Any, peer: Any) -> None:
    world.app.state.heartbeat = 0.02
    job = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    found: list[Any] = []
    async for event in world.services.jobs.follow(job["id"], 0, 0.02):
        found.append(event)
        if event is None:
            break
    assert found[-1] is None
    assert [event.seq for event in found[:-1]] == [1]


async def test_a_backup_is_listed_and_downloaded(world: World, cluster: Any, peer: Any) -> None:
    job = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    entry = Backup("backup-1", job["id"], peer["id"], "name", 'a "b"\n.tar.gz', 6, "f" * 64)
    world.backups.found["backup-1"] = (entry, [b"abc", b"def"])
    url = f"/v1/jobs/{job['id']}/backups"
    assert [item["id"] for item in (await world.client.get(url)).json()["items"]] == ["backup-1"]
    answer = await world.client.get(f"{url}/backup-1/content")
    assert answer.content == b"abcdef"
    assert answer.headers["content-disposition"] == (
        "attachment; filename*=UTF-8''a%20%22b%22%0A.tar.gz"
    )
    is_problem(await world.client.get(f"{url}/backup-2/content"), 404, "not-found")


async def test_the_catalogue_has_every_procedure_with_its_schema(world: World) -> None:
    items = (await world.client.get("/v1/procedures")).json()["items"]
    assert [item["slug"] for item in items] == sorted(world.parts.procedures)
    one = (await world.client.get("/v1/procedures/name-peer")).json()
    assert one["parameters_schema"]["properties"]["label"]["maxLength"] == 20
    assert one["parameters_schema"]["required"] == ["peer_id"]
    assert one["start_path"] == "/v1/clusters/{cluster_id}/procedures/name-peer"
    is_problem(await world.client.get("/v1/procedures/none"), 404, "not-found")


async def test_a_job_and_its_key_commit_or_vanish_together(
    world: World, cluster: Any, peer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.storage.credentials import RememberedRows

    async def broken(*_: Any) -> None:
        raise RuntimeError("the process dies here")

    with monkeypatch.context() as patch:
        patch.setattr(RememberedRows, "add", broken)
        answer = await world.start(cluster, "k1", peer_id=peer["id"])
        is_problem(answer, 500, "internal-error")
    assert (await world.client.get("/v1/jobs")).json()["items"] == []
    assert (await world.start(cluster, "k1", peer_id=peer["id"])).status_code == 202
