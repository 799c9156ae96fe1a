"""A job that ended is sealed soon, by whichever worker lives, and proven without the service."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli.main import app
from app.services.evidence import EvidenceService
from app.storage.evidence import EvidenceRows
from tests.acceptance.conftest import House, OpenHouse
from tests.support.api_story import mock_endpoint
from transports.mock.scenario import REHEARSAL_PASSWORD

pytestmark = pytest.mark.postgres
CLUSTER = "cluster1.example.com"
ONE = {
    "expressways": [{"name": "exp1", "address": "192.0.2.11"}],
    "clusters": [{"name": CLUSTER, "key": "C1sco-pre-shared", "members": ["exp1"]}],
}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"CLOSE": 0.1, "SEAL_AFTER": 0.0, "ANEW": 0.1}.items():
        monkeypatch.setattr(f"app.worker.{name}_SECONDS", seconds)


async def cluster_of(house: House) -> str:
    admin = await house.story.credential(REHEARSAL_PASSWORD)
    (device,) = house.fleet
    endpoint = mock_endpoint(device.address, admin)
    peer = await house.story.peer(device.name, device.address, endpoint)
    made = await house.story.post("/v1/clusters/import", {"peer_id": peer})
    return str(made["cluster"]["id"])


async def sealed(house: House, job_id: str) -> bytes:
    async with asyncio.timeout(60):
        while await house.service.services.evidence.rows.sealed(job_id) is None:  # noqa: ASYNC110 - the worker tells nobody
            await asyncio.sleep(0.05)
    answer = await house.story.client.get(f"/v1/jobs/{job_id}/evidence")
    return answer.content


async def test_a_worker_that_ends_while_it_seals_leaves_it_to_the_next(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its end does not wait for the database that does not answer, either."""
    keep, begun = EvidenceRows.keep, asyncio.Event()

    async def never(*_: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(EvidenceRows, "keep", never)
    async with asyncio.timeout(120):
        async with open_house(ONE) as house:
            job = await house.story.run(await cluster_of(house), "backup", {})
            assert job["state"] == "succeeded", job["failure"]
            await begun.wait()
            key = house.story.client.headers["Authorization"]
            assert await house.service.services.evidence.rows.sealed(job["id"]) is None
        monkeypatch.setattr(EvidenceRows, "keep", keep)
        async with open_house(ONE) as house:
            house.story.client.headers["Authorization"] = key
            document = await sealed(house, job["id"])
            keys = (await house.story.client.get("/v1/evidence/keys")).content
    file, trusted = tmp_path / "evidence.json", tmp_path / "keys.json"
    file.write_bytes(document)
    trusted.write_bytes(keys)
    proven = CliRunner().invoke(app, ["evidence", "verify", str(file), "--key", str(trusted)])
    assert (proven.exit_code, proven.stdout.splitlines()[-1][:7]) == (0, "PROVEN:")
    file.write_bytes(document.replace(b"job.succeeded", b"job.cancelled", 1))
    wrong = CliRunner().invoke(app, ["evidence", "verify", str(file), "--key", str(trusted)])
    assert wrong.exit_code == 1
    assert "NOT PROVEN" in wrong.stdout


async def test_a_job_that_cannot_be_sealed_keeps_no_other_from_it(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seal = EvidenceService.seal
    spoilt: list[str] = []

    async def fragile(self: EvidenceService, job_id: str) -> None:
        if job_id in spoilt:
            raise ValueError("hunter2")
        await seal(self, job_id)

    monkeypatch.setattr(EvidenceService, "seal", fragile)
    async with open_house(ONE) as house:
        cluster = await cluster_of(house)
        spoilt.append(await house.story.start(cluster, "backup", {}))
        await house.story.finish(spoilt[0])
        other = await house.story.run(cluster, "backup", {})
        await sealed(house, other["id"])
        assert await house.service.services.evidence.rows.sealed(spoilt[0]) is None
    told = [record.getMessage() for record in caplog.records if spoilt[0] in record.getMessage()]
    assert [line.partition(": ")[0] for line in told].count(
        f"job {spoilt[0]} cannot be sealed"
    ) == 1
    assert "hunter2" not in caplog.text


async def test_what_is_beside_the_jobs_begins_anew_after_a_fault(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seal_some = EvidenceService.seal_some
    faults = [ValueError("hunter2"), LookupError("hunter2")]

    async def fragile(self: EvidenceService, age: float) -> int:
        if faults:
            raise faults.pop()
        return await seal_some(self, age)

    monkeypatch.setattr(EvidenceService, "seal_some", fragile)
    async with open_house(ONE) as house:
        job: Mapping[str, Any] = await house.story.run(await cluster_of(house), "backup", {})
        await sealed(house, str(job["id"]))
    assert caplog.text.count("late looks ended and begins anew") == 2
    assert "hunter2" not in caplog.text
