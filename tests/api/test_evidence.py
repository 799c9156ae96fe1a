"""Evidence over the API."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize("what", ["transcript", "observations"])
async def test_evidence_of_a_job_that_is_not_there_is_not_found(world: Any, what: str) -> None:
    answer = await world.client.get(f"/v1/jobs/job-x/{what}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize("what", ["transcript", "observations"])
async def test_evidence_wants_the_scope_of_jobs(world: Any, what: str) -> None:
    headers = await world.key("clusters:read")
    answer = await world.client.get(f"/v1/jobs/job-x/{what}", headers=headers)
    assert (answer.status_code, answer.json()["scope"]) == (403, "jobs:read")


async def test_a_job_shows_its_peers_before_it_ran(world: Any, seen: Any) -> None:
    cluster, peer = await world.cluster(), await world.peer()
    world.appliances.views[peer["id"]] = seen(peer["id"], "exp1")
    job = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    answer = (await world.client.get(job["links"]["observations"])).json()
    (shown,) = answer["peers"]
    assert shown["before"]["system_name"] == "exp1"
    assert (shown["after"], shown["changed"]) == (None, [])
    answer = (await world.client.get(job["links"]["transcript"])).json()
    assert answer == {"items": [], "last_seq": 0}
