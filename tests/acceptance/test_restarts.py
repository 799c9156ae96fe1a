"""Jobs wait through the end of everything: API, worker and PostgreSQL die, and start anew.

One job waits for each thing a job can wait for. Then API and worker are killed, PostgreSQL is
restarted, and all of it is started again. Nobody's wait has become another or began anew, and each
job that gets what it waits for goes on from where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.storage.embedded import EmbeddedPostgres
from tests.support.api_story import ENDED, ApiStory, ssh_endpoint, web_endpoint
from tests.support.service import Lab

pytestmark = [pytest.mark.sockets, pytest.mark.postgres]
WAITS = ("approval", "window", "attestation", "hold", "peer")
SPEED = 25.0
"""A step's limit of half an hour is 72 seconds then: longer than everything takes to come back."""
TIMES_LONGER = 3
"""The window opens so many times later than it took to start everything the first time."""
Job = dict[str, Any]


class Road:
    """The way to one port of a peer, which may be cut and mended."""

    def __init__(self, host: str, port: int) -> None:
        self._there = (host, port)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in tuple(self._open):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._there)
        except OSError:  # the peer restarts
            writer.transport.abort()
            return
        self._open |= {writer, far_writer}

        async def one_way(come: asyncio.StreamReader, go: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while piece := await come.read(65536):
                    go.write(piece)
                    await go.drain()
            go.close()

        await asyncio.gather(one_way(reader, far_writer), one_way(far_reader, writer))
        self._open -= {writer, far_writer}


@contextlib.asynccontextmanager
async def roads(entry: dict[str, Any]) -> AsyncIterator[tuple[Road, Road]]:
    made = Road(entry["host"], entry["ssh_port"]), Road(entry["host"], entry["https_port"])
    for road in made:
        await road.mend()
    try:
        yield made
    finally:
        for road in made:
            await road.cut()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """One cluster of one peer for each thing to wait for."""
    devices = [
        {"name": name, "address": f"192.0.2.{number}"} for number, name in enumerate(WAITS, 11)
    ]
    clusters = [
        {"name": f"{name}.example.com", "key": f"C1sco-{name}", "members": [name]} for name in WAITS
    ]
    lab = Lab(tmp_path, {"expressways": devices, "clusters": clusters}, speed=SPEED)
    lab.start_fleet()
    try:
        yield lab
    finally:
        lab.close()


async def imported(lab: Lab, story: ApiStory, way: tuple[Road, Road]) -> dict[str, Job]:
    """The clusters by name; the way to `peer` leads over roads."""
    admin = await story.credential(lab.expressways[0]["password"])
    clusters = {}
    for entry in lab.expressways:
        if entry["name"] == "peer":
            ssh, web = way
            entry |= {"host": "127.0.0.1", "ssh_port": ssh.port, "https_port": web.port}
        ends = ssh_endpoint(entry, admin), web_endpoint(entry, admin, xml=False)
        peer = await story.peer(entry["name"], entry["address"], *ends)
        made = await story.post("/v1/clusters/import", {"peer_id": peer})
        clusters[entry["name"]] = made["cluster"]
    return clusters


async def start(story: ApiStory, cluster: Job, slug: str, **said: Any) -> Job:
    return await story.post(f"/v1/clusters/{cluster['id']}/procedures/{slug}", said)


async def waits(story: ApiStory, job_id: str, reason: str, step: str | None = None) -> Job:
    """The job, once it waits for that; nothing else may be in its way for long."""
    async with asyncio.timeout(120):
        while True:
            job = await story.get(f"/v1/jobs/{job_id}", wait=1)
            assert job["state"] not in ENDED, job["failure"]
            waiting = job["waiting"] or {}
            if waiting.get("reason") == reason and step in (None, waiting["step"]):
                return job


async def all_wait(
    story: ApiStory, clusters: dict[str, Job], way: tuple[Road, Road], opens_in: float
) -> list[Job]:
    """One job waiting for each, in the order of WAITS; what has a time in it last."""
    members = {name: cluster["members"][0]["peer_id"] for name, cluster in clusters.items()}
    attested = await start(story, clusters["attestation"], "disband")
    silent = await start(story, clusters["peer"], "rotate-pre-shared-key")
    held = await start(story, clusters["hold"], "restart-peer", peer_id=members["hold"])
    await story.post(f"/v1/jobs/{held['id']}/pause")
    approved = await start(
        story,
        clusters["approval"],
        "restart-peer",
        peer_id=members["approval"],
        approvals={"minimum": 1},
    )
    # Behind its restart and everything else that this job does to a peer.
    await waits(story, attested["id"], "attestation", "attest-neighbours-updated")
    await waits(story, silent["id"], "attestation")
    for road in way:
        await road.cut()
    await attest(story, silent["id"], "attest-maintenance-window")
    opens = datetime.now(UTC) + timedelta(seconds=opens_in)
    await in_a_window(story, clusters["window"], opens)
    timed = await start(story, clusters["window"], "restart-peer", peer_id=members["window"])
    jobs = [approved, timed, attested, held, silent]
    return [await waits(story, job["id"], reason) for job, reason in zip(jobs, WAITS, strict=True)]


async def in_a_window(story: ApiStory, cluster: Job, opens: datetime) -> None:
    window = {"name": "soon", "time_zone": "Etc/UTC", "start": f"{opens:%Y-%m-%dT%H:%M:%S}"}
    made = await story.post("/v1/windows", window)
    answer = await story.client.patch(
        f"/v1/clusters/{cluster['id']}",
        json={"policy": {"window_ids": [made["id"]]}},
        headers={"If-Match": "*"},
    )
    assert answer.is_success, answer.text


async def attest(story: ApiStory, job_id: str, step: str) -> None:
    said = {"by": "Ann Operator", "reason": "seen it"}
    await story.post(f"/v1/jobs/{job_id}/steps/{step}/attest", said)


def steps_of(job: Job) -> dict[str, Job]:
    return {step["key"]: step for stage in job["stages"] for step in stage["steps"]}


def over(job: Job) -> dict[str, Job]:
    return {key: s for key, s in steps_of(job).items() if s["state"] in {"done", "skipped"}}


async def test_every_wait_survives_the_death_of_everything(lab: Lab):
    private = EmbeddedPostgres(Path(lab.data.name) / "data")
    far = next(entry for entry in lab.expressways if entry["name"] == "peer")
    async with private, roads(dict(far)) as way:
        began = time.monotonic()
        lab.start_api(worker=False)
        worker = lab.start_worker()
        opens_in = 15 + TIMES_LONGER * (time.monotonic() - began)
        async with lab.caller() as story:
            clusters = await imported(lab, story, way)
            before = await all_wait(story, clusters, way, opens_in)
        for process in (lab.api, worker):
            process.signal(signal.SIGKILL)
            process.wait()
        await private.restart()
        lab.restart_api(worker=False)
        lab.start_worker()
        async with lab.caller() as story:
            after = [await story.get(f"/v1/jobs/{job['id']}") for job in before]
            for was, now in zip(before, after, strict=True):
                assert lasting(was) == lasting(now), now
            for road in way:
                await road.mend()
            approval, window, attestation, hold, peer = before
            agreed = {"plan_digest": approval["plan_digest"], "by": "Bea", "reason": "Agreed."}
            await story.post(f"/v1/approvals/{approval['id']}/approve", agreed)
            await story.post(f"/v1/jobs/{hold['id']}/resume")
            await attest(story, attestation["id"], attestation["waiting"]["step"])
            for was in before:
                await ended_well(story, was)
            job = await story.get(f"/v1/jobs/{window['id']}")
            begun, opened = job["started_at"], window["waiting"]["until"]
            assert datetime.fromisoformat(begun) >= datetime.fromisoformat(opened)
            assert len(over(attestation)) > 5
            assert peer["waiting"]["step"].startswith("back-up")
    assert lab.fleet.stop() == 0  # the fleet's witness saw no broken safety rule


def lasting(job: Job) -> dict[str, Any]:
    """What restarts do not change."""
    waiting = job["waiting"] or {}
    return {"state": job["state"], **{k: waiting.get(k) for k in ("reason", "step", "since")}}


async def ended_well(story: ApiStory, was: Job) -> None:
    """It succeeded, did nothing twice, and nothing anew that was over before."""
    job = await story.finish(was["id"], seconds=150)
    assert job["state"] == "succeeded", job["failure"]
    assert {
        key: step["attempt"] for key, step in steps_of(job).items() if step["attempt"] > 1
    } == {}
    ended = steps_of(job)
    assert {key: ended[key] for key in over(was)} == over(was)
    events = (await story.get(f"/v1/jobs/{was['id']}/events", limit=1000))["items"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    finished = [e["data"]["step"] for e in events if e["type"] == "job.step.finished"]
    assert sorted(finished) == sorted(ended)
