"""Holding, setting aside and running again, and what is said where that is not possible."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from app.storage.database import plain_url
from tests.api.conftest import World
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


@pytest.fixture
async def job(world: World, cluster: Any, peer: Any) -> Any:
    return (await world.start(cluster, "k-1", peer_id=peer["id"], label="red")).json()


async def stuck(database_url: str, job: Any, seq: int) -> None:
    """As a worker would leave it: step `seq` acted, and looking did not settle what it did."""
    async with await psycopg.AsyncConnection.connect(plain_url(database_url)) as connection:
        await connection.execute(
            "update job_step set state = 'done' where job_id = %s and seq < %s", [job["id"], seq]
        )
        await connection.execute(
            "update job_step set state = 'unknown', acted_at = now(), attempt = 3, note = 'lost',"
            " before = %s, seen = %s where job_id = %s and seq = %s",
            ['{"name": "old"}', '{"name": "?"}', job["id"], seq],
        )
        await connection.execute(
            "update job set state = 'waiting', wait_reason = 'hold', wait_since = now(),"
            " wake_at = null,"
            " wait_step = (select key from job_step where job_id = job.id and seq = %s)"
            " where id = %s",
            [seq, job["id"]],
        )


async def test_a_job_is_held_and_let_go(world: World, job: Any) -> None:
    url = f"/v1/jobs/{job['id']}"
    is_problem(await world.client.post(f"{url}/resume"), 409, "illegal-transition")
    held = (await world.client.post(f"{url}/pause")).json()
    assert (held["pause_requested"], "resume" in held["actions"]) == (True, True)
    going = (await world.client.post(f"{url}/resume")).json()
    assert (going["pause_requested"], going["state"]) == (False, "queued")
    reader = await world.key("jobs:read")
    for verb in ("pause", "resume", "rerun"):
        is_problem(await world.client.post(f"{url}/{verb}", headers=reader), 403, "forbidden")


async def test_an_unsettled_step_lies_on_the_table_with_the_ways_out(
    world: World, database_url: str, job: Any
) -> None:
    await stuck(database_url, job, 2)
    read = (await world.client.get(f"/v1/jobs/{job['id']}")).json()
    step = read["stages"][0]["steps"][1]
    assert (step["state"], step["attempt"], step["note"]) == ("unknown", 3, "lost")
    assert (step["seen_before"], step["seen_last"]) == ({"name": "old"}, {"name": "?"})
    assert step["acted_at"] is not None
    since = read["waiting"].pop("since")
    assert step["acted_at"] <= since
    assert read["waiting"] == {"reason": "hold", "note": "", "step": "name", "until": None}
    assert {"retry", "skip", "cancel"} <= set(read["actions"])
    assert (await world.client.post(f"/v1/jobs/{job['id']}/retry")).json()["state"] == "queued"


async def test_a_step_that_acts_is_skipped_on_an_operators_word_only(
    world: World, database_url: str, job: Any
) -> None:
    await stuck(database_url, job, 2)
    path = f"/v1/jobs/{job['id']}/steps/name/skip"
    document = is_problem(
        await world.client.post(path, json={"reason": "seen it"}), 409, "skip-refused"
    )
    assert "settled" in document["detail"]
    runner = await world.key("jobs:run")
    said = {"reason": "Named at its console.", "settled": True}
    is_problem(await world.client.post(path, json=said, headers=runner), 403, "forbidden")
    is_problem(await world.client.post(path, json={"settled": True}), 422, "invalid-request")
    other = f"/v1/jobs/{job['id']}/steps/look/skip"
    is_problem(await world.client.post(other, json=said), 409, "illegal-transition")
    none = f"/v1/jobs/{job['id']}/steps/none/skip"
    is_problem(await world.client.post(none, json=said), 404, "not-found")
    once = {"Idempotency-Key": "s-1"}
    first = await world.client.post(path, json=said, headers=once)
    assert first.status_code == 202, first.text
    step = first.json()["stages"][0]["steps"][1]
    assert (step["state"], step["outcome"], step["note"]) == (
        "skipped",
        "skipped_by_operator",
        "Named at its console.",
    )
    assert first.json()["state"] == "queued"
    again = await world.client.post(path, json=said, headers=once)
    assert again.json() == first.json()


async def test_a_gate_is_not_skipped(world: World, database_url: str, job: Any) -> None:
    async with await psycopg.AsyncConnection.connect(plain_url(database_url)) as connection:
        await connection.execute(
            "update job set state = 'waiting', wait_reason = 'attestation', wait_step = 'gate',"
            " wake_at = null where id = %s",
            [job["id"]],
        )
    path = f"/v1/jobs/{job['id']}/steps/gate/skip"
    answer = await world.client.post(path, json={"reason": "open", "settled": True})
    assert "attest" in is_problem(answer, 409, "skip-refused")["detail"]


async def test_an_ended_job_runs_again_with_the_same_parameters_and_nothing_else(
    world: World, job: Any
) -> None:
    url, key = f"/v1/jobs/{job['id']}", {"Idempotency-Key": "r-1"}
    is_problem(
        await world.client.post(f"{url}/rerun", json={}, headers=key), 409, "illegal-transition"
    )
    await world.client.post(f"{url}/cancel")
    is_problem(await world.client.post(f"{url}/rerun", json={}), 400, "idempotency-key-required")
    answer = await world.client.post(f"{url}/rerun", json={}, headers=key)
    assert answer.status_code == 202, answer.text
    again = answer.json()
    assert answer.headers["location"].endswith(f"/v1/jobs/{again['id']}")
    assert (again["rerun_of"], again["procedure"]) == (job["id"], job["procedure"])
    assert again["plan_id"] != job["plan_id"]
    plan = (await world.client.get(f"/v1/plans/{again['plan_id']}")).json()
    assert plan["parameters"]["label"] == "red"
    reruns = (await world.client.get(job["links"]["reruns"])).json()["items"]
    assert [entry["id"] for entry in reruns] == [again["id"]]
    replayed = await world.client.post(f"{url}/rerun", json={}, headers=key)
    assert replayed.json()["id"] == again["id"]
    assert replayed.headers["idempotency-replayed"] == "true"
    other = await world.client.post(f"{url}/rerun", json={}, headers={"Idempotency-Key": "r-2"})
    is_problem(other, 409, "cluster-busy")
