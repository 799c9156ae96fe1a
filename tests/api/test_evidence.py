"""Evidence over the API."""

from __future__ import annotations

from typing import Any

import pytest

from app.security.signing import new_key, read_public_keys
from app.security.vault import Vault
from app.services.evidence_check import check
from app.storage.database import connect

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize("what", ["transcript", "observations", "evidence", "evidence.html"])
async def test_evidence_of_a_job_that_is_not_there_is_not_found(world: Any, what: str) -> None:
    answer = await world.client.get(f"/v1/jobs/job-x/{what}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize("what", ["transcript", "observations", "evidence", "evidence.html"])
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


async def ended(world: Any, seen: Any) -> dict[str, Any]:
    """A job that was cancelled before it began."""
    cluster, peer = await world.cluster(), await world.peer()
    world.appliances.views[peer["id"]] = seen(peer["id"], "exp1")
    job = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    answer = await world.client.post(f"/v1/jobs/{job['id']}/cancel")
    assert answer.json()["state"] == "cancelled"
    return answer.json()


async def trusted(world: Any) -> dict[str, bytes]:
    return read_public_keys((await world.client.get("/v1/evidence/keys")).text)


def wrong(document: Any, keys: Any) -> dict[str, str]:
    return {one.name: one.found for one in check(document, keys) if not one.good}


async def test_evidence_of_an_ended_job_is_sealed_and_proven(world: Any, seen: Any) -> None:
    job = await ended(world, seen)
    evidence = world.services.evidence
    assert await evidence.seal_some(0) == 1
    assert await evidence.seal_some(0) == 0
    first, again = [await world.client.get(job["links"]["evidence"]) for _ in range(2)]
    assert first.content == again.content
    document = first.json()
    assert wrong(document, await trusted(world)) == {}
    assert document["manifest"]["complete"]
    assert document["sections"]["job"]["state"] == "cancelled"
    assert document["sections"]["service"]["version"]
    page = await world.client.get(f"/v1/jobs/{job['id']}/evidence.html")
    assert document["digest"] in page.text
    negotiated = await world.client.get(job["links"]["evidence"], headers={"Accept": "text/html"})
    assert negotiated.text == page.text


async def test_evidence_of_a_job_under_way_is_partial(world: Any, seen: Any) -> None:
    cluster, peer = await world.cluster(), await world.peer()
    world.appliances.views[peer["id"]] = seen(peer["id"], "exp1")
    job = (await world.start(cluster, "k1", peer_id=peer["id"])).json()
    document = (await world.client.get(job["links"]["evidence"])).json()
    assert wrong(document, await trusted(world)) == {}
    assert not document["manifest"]["complete"]
    assert await world.services.evidence.seal_some(0) == 0


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ('update job_event set data = \'{"why": "other"}\' where seq = 1', "event 1 was altered"),
        ("update job_event set type = 'job.failed' where seq = 2", "event 2 was altered"),
        ("update job_event set at = now() where seq = 1", "event 1 was altered"),
        ("delete from job_event where seq = 1", "event 1 is missing"),
        ("delete from job_event where seq = 2", "event 2 is missing"),
        ("delete from job_event where seq = 3", "the last events are missing"),
    ],
)
async def test_a_row_that_was_altered_in_the_database_is_found(
    world: Any, seen: Any, database_url: str, harm: str, words: str
) -> None:
    job = await ended(world, seen)
    await world.services.evidence.seal(job["id"])
    async with await connect(database_url) as connection:
        await connection.execute("alter table job_event disable trigger job_event_append_only")
        await connection.execute(harm.encode())
        await connection.execute("alter table job_event enable trigger job_event_append_only")
    keys = await trusted(world)
    sealed = (await world.client.get(job["links"]["evidence"])).json()
    assert wrong(sealed, keys) == {}
    from_rows = await world.client.get(job["links"]["evidence"], params={"from_rows": True})
    assert words in wrong(from_rows.json(), keys)["events"]


async def test_a_rotated_key_signs_and_the_older_one_stays_good(world: Any, seen: Any) -> None:
    job = await ended(world, seen)
    await world.services.evidence.seal(job["id"])
    old = await trusted(world)
    new = await world.services.evidence.rotate_key()
    keys = await trusted(world)
    assert list(keys) == [*old, new.id]
    sealed = (await world.client.get(job["links"]["evidence"])).json()
    anew = await world.client.get(job["links"]["evidence"], params={"from_rows": True})
    assert wrong(sealed, keys) == {}
    assert wrong(anew.json(), {new.id: new.public}) == {}
    assert wrong(anew.json(), old)


async def test_a_key_that_somebody_wrote_into_the_database_is_not_believed(
    world: Any, database_url: str
) -> None:
    before = await trusted(world)
    forged = new_key(Vault({"k1": bytes(32)}), world.clock.now())
    await world.parts.evidence.add_key(forged)
    assert await trusted(world) == before
