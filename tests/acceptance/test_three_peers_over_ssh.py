"""The main job over real SSH sockets, with processes as a user runs them."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service import Lab, Story, wait_until

CLUSTER = "cluster1.example.com"
ADDRESSES = ["192.0.2.11", "192.0.2.12", "192.0.2.13"]

pytestmark = [pytest.mark.sockets, pytest.mark.postgres]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    lab.start_fleet()
    try:
        yield lab
    finally:
        lab.close()


def test_three_peers_become_a_cluster_over_ssh(lab: Lab):
    lab.start_api(worker=True)
    story = Story(lab.client)
    peers = story.register(lab.expressways, story.credential(lab.expressways[0]["password"]))
    cluster_id = story.post("/v1/clusters", {"name": CLUSTER})["id"]
    story.build(cluster_id, peers)
    story.assert_cluster(cluster_id, CLUSTER, ADDRESSES)
    lab.client.close()
    assert lab.api.stop() == 0
    assert lab.fleet.stop() == 0  # the fleet's witness saw no broken safety rule
    everything = b"".join(p.log.read_bytes() for p in lab.processes)
    secret = lab.expressways[0]["password"].encode()
    assert secret not in lab.api.log.read_bytes()
    assert b"Traceback" not in everything


@pytest.mark.parametrize("moment", ["defaults-exp3", "restart-exp3", "replication-exp3"])
def test_a_worker_killed_in_the_middle_of_adding_a_peer_loses_no_step(lab: Lab, moment: str):
    lab.start_api(worker=False)
    worker = lab.start_worker()
    story = Story(lab.client)
    peers = story.register(lab.expressways, story.credential(lab.expressways[0]["password"]))
    cluster_id = story.post("/v1/clusters", {"name": CLUSTER})["id"]
    story.build(cluster_id, peers[:2])
    job_id = story.start(cluster_id, "add-peer", {"peer_id": peers[2]})

    def reached() -> bool:
        step = story.steps(story.get(f"/v1/jobs/{job_id}"))[moment]
        return bool(step["state"] != "pending")

    wait_until(reached, moment)
    worker.signal(signal.SIGKILL)
    worker.wait()
    lab.start_worker()
    job = story.finish(job_id)
    assert job["state"] == "succeeded", job["failure"]
    story.assert_cluster(cluster_id, CLUSTER, ADDRESSES)
    steps = story.steps(job)
    assert {step["state"] for step in steps.values()} <= {"done", "skipped"}
    # Seen before repeated: the restart and the reset were each sent once, or once more after a look
    # that showed no effect; the fleet's witness would have seen a second restart or a late wipe.
    events = story.get(f"/v1/jobs/{job_id}/events", limit=1000)["items"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    finished = [e["data"]["step"] for e in events if e["type"] == "job.step.finished"]
    assert sorted(finished) == sorted(steps)
    assert lab.fleet.stop() == 0
