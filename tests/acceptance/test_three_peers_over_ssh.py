"""The main job over real SSH sockets, with processes as a user runs them."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.api_story import ApiStory, ssh_endpoint, web_endpoint
from tests.support.service import Lab

CLUSTER = "cluster1.example.com"
ADDRESSES = ["192.0.2.11", "192.0.2.12", "192.0.2.13"]
MOMENTS = ["defaults-exp3", "restart-exp3", "replication-exp3", "database-active-exp1"]

pytestmark = [pytest.mark.sockets, pytest.mark.postgres]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    lab.start_fleet()
    try:
        yield lab
    finally:
        lab.close()


async def registered(lab: Lab, story: ApiStory) -> tuple[str, list[str]]:
    """The cluster declared, the peers registered: admin CLI by SSH, web forms beside it."""
    admin = await story.credential(lab.expressways[0]["password"])
    peers = [
        await story.peer(
            entry["name"],
            entry["address"],
            ssh_endpoint(entry, admin),
            web_endpoint(entry, admin, xml=False),
        )
        for entry in lab.expressways
    ]
    return await story.cluster(CLUSTER), peers


async def test_three_peers_become_a_cluster_over_ssh(lab: Lab):
    lab.start_api(worker=True)
    async with lab.caller() as story:
        cluster_id, peers = await registered(lab, story)
        await story.build(cluster_id, peers)
        await story.assert_cluster(cluster_id, CLUSTER, ADDRESSES)
    assert lab.api.stop() == 0
    assert lab.fleet.stop() == 0  # the fleet's witness saw no broken safety rule
    assert lab.expressways[0]["password"] not in lab.api.said
    assert "Traceback" not in lab.api.said + lab.fleet.said


async def test_workers_killed_in_the_middle_of_adding_a_peer_lose_no_step(lab: Lab):
    """SIGKILL at the reset, the restart, the replication and the last wait of one job."""
    lab.start_api(worker=False)
    worker = lab.start_worker()
    async with lab.caller() as story:
        cluster_id, peers = await registered(lab, story)
        await story.build(cluster_id, peers[:2])
        job_id = await story.start(cluster_id, "add-peer", {"peer_id": peers[2]})
        for moment in MOMENTS:
            await begun(story, job_id, moment)
            worker.signal(signal.SIGKILL)
            worker.wait()
            worker = lab.start_worker()
        job = await story.finish(job_id)
        assert job["state"] == "succeeded", job["failure"]
        await story.assert_cluster(cluster_id, CLUSTER, ADDRESSES)
        events = (await story.get(f"/v1/jobs/{job_id}/events", limit=1000))["items"]
    steps = [step for stage in job["stages"] for step in stage["steps"]]
    assert {step["state"] for step in steps} <= {"done", "skipped"}
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    finished = [e["data"]["step"] for e in events if e["type"] == "job.step.finished"]
    assert sorted(finished) == sorted(step["key"] for step in steps)
    # The witness would have seen a second restart at once, or a wipe of a peer that serves.
    assert lab.fleet.stop() == 0


async def begun(story: ApiStory, job_id: str, step_key: str) -> None:
    """Follow the job's events until that step has started."""
    after = 0
    async with asyncio.timeout(60):
        while True:
            events = await story.get(f"/v1/jobs/{job_id}/events", after=after, limit=1000)
            after = events["last_seq"]
            if any(e["data"].get("step") == step_key for e in events["items"]):
                return
            await asyncio.sleep(0.02)


async def test_ctrl_c_stops_the_service_and_the_job_goes_on_at_the_next_start(lab: Lab):
    lab.start_api(worker=True)
    async with lab.caller() as story:
        cluster_id, peers = await registered(lab, story)
        job_id = await story.start(cluster_id, "create-cluster", {"primary_peer_id": peers[0]})
        await begun(story, job_id, "restart-exp1")
    lab.api.signal(signal.SIGINT)
    assert lab.api.wait(20) == 0
    assert "go on at the next start" in lab.api.said
    lab.restart_api(worker=True)
    async with lab.caller() as story:
        job = await story.finish(job_id)
        assert job["state"] == "succeeded", job["failure"]
        await story.assert_cluster(cluster_id, CLUSTER, ADDRESSES[:1])
    watching = lab.run("jobs", "watch", job_id, CLUSTERWAY_URL=lab.url, CLUSTERWAY_API_KEY=lab.key)
    assert watching.wait() == 0
    assert "Restart exp1" in watching.said
    assert "succeeded" in watching.said
