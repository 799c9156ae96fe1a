"""/metrics and /readyz: who may read them, and that the figures are those of the database."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.api.application import create_api, create_worker_pages
from app.domain.observation import View
from app.engine.errors import LeaseLost
from app.observability.census import KEEP_SECONDS
from app.observability.telemetry import Telemetry
from app.settings import Settings
from tests.api.conftest import World
from tests.api.test_conventions import is_problem

pytestmark = pytest.mark.postgres

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(answer: httpx.Response) -> Samples:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def telemetry_of(world: World) -> Telemetry:
    found: Telemetry = world.app.state.telemetry
    return found


def forget_count(world: World) -> None:
    """As if the figures were old."""
    counted = telemetry_of(world).counted
    assert counted is not None
    counted._at -= KEEP_SECONDS


async def test_metrics_need_a_key_with_their_scope_that_reaches_everything(world: World) -> None:
    is_problem(await world.anonymous.get("/metrics"), 401, "unauthenticated")
    other = await world.key("jobs:read", "clusters:read")
    is_problem(await world.anonymous.get("/metrics", headers=other), 403, "forbidden")
    cluster = await world.cluster()
    limited = await world.key("metrics:read", "admin", clusters=frozenset({cluster["id"]}))
    is_problem(await world.anonymous.get("/metrics", headers=limited), 403, "forbidden")
    allowed = await world.key("metrics:read")
    read(await world.anonymous.get("/metrics", headers=allowed))
    is_problem(await world.anonymous.get("/v1/jobs", headers=allowed), 403, "forbidden")


async def test_a_setting_opens_metrics_and_nothing_else(world: World, tmp_path: object) -> None:
    settings = Settings(metrics_open=True)
    for app in (
        create_api(world.services, settings, telemetry=telemetry_of(world)),
        create_worker_pages(world.services, settings, telemetry_of(world)),
    ):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://it") as anybody:
            assert value(read(await anybody.get("/metrics")), "clusterway_database_up") == 1
            for path in ("/v1/jobs", "/metrics/", "/metrics/x", "/v1/metrics"):
                assert (await anybody.get(path)).status_code in {401, 404}, path


async def test_a_worker_answers_its_three_pages_only(world: World) -> None:
    pages = create_worker_pages(world.services, Settings(), telemetry_of(world))
    transport = httpx.ASGITransport(pages)
    async with httpx.AsyncClient(transport=transport, base_url="http://worker") as anybody:
        assert (await anybody.get("/livez")).json() == {"status": "ok"}
        assert (await anybody.get("/readyz")).json() == {"status": "ok", "worker": None}
        is_problem(await anybody.get("/metrics"), 401, "unauthenticated")
        read(await anybody.get("/metrics", headers=await world.key("metrics:read")))
        is_problem(await anybody.get("/v1/jobs"), 401, "unauthenticated")
        key = await world.key("admin")
        is_problem(await anybody.get("/v1/jobs", headers=key), 404, "not-found")


async def test_readiness_follows_the_beat_of_a_worker_in_the_process(world: World) -> None:
    told = telemetry_of(world)
    good = True

    def check() -> None:
        if not good:
            raise LeaseLost("no good beat")

    told.at_work(check)
    assert (await world.anonymous.get("/readyz")).json() == {"status": "ok", "worker": "beating"}
    good = False
    is_problem(await world.anonymous.get("/readyz"), 503, "storage-unavailable")
    assert (await world.anonymous.get("/livez")).status_code == 200
    assert value(read(await world.client.get("/metrics")), "clusterway_worker_beat_good") == 0
    told.at_work(None)
    assert (await world.anonymous.get("/readyz")).json() == {"status": "ok", "worker": None}


async def test_requests_are_counted_by_operation_and_never_by_what_was_asked(world: World) -> None:
    for number in range(3):
        await world.client.get(f"/v1/jobs/job-canary{number}")
        await world.client.get(f"/v1/canary{number}")
        await world.client.request("CANARY", "/v1/jobs")
    answer = await world.client.get("/metrics")
    found = read(answer)
    assert value(found, "clusterway_http_requests_total", operation="getJob", status="404") == 3
    none = {"operation": "none", "status": "404"}
    assert value(found, "clusterway_http_requests_total", **none) == 3
    assert value(found, "clusterway_http_request_seconds_count", operation="getJob") == 3
    assert "canary" not in answer.text.lower()


async def test_figures_are_those_of_the_database_and_are_counted_again_when_old(
    world: World, seen: Callable[..., View]
) -> None:
    peer = await world.peer()
    cluster = await world.cluster()
    other = await world.cluster("other.example.com")
    world.appliances.views[peer["id"]] = seen(peer["id"])
    first = read(await world.client.get("/metrics"))
    assert value(first, "clusterway_clusters") == 2
    queued = {"procedure": "other", "state": "queued"}
    assert ("clusterway_jobs", frozenset(queued.items())) not in first

    started = await world.start(cluster, "k-1", peer_id=peer["id"])
    assert started.status_code == 202, started.text
    behind = await world.client.post(
        f"/v1/clusters/{cluster['id']}/procedures/name-peer?queue=true",
        json={"peer_id": peer["id"]},
        headers={"Idempotency-Key": "k-2"},
    )
    assert behind.status_code == 202, behind.text
    await world.client.delete(f"/v1/clusters/{other['id']}", headers={"If-Match": "*"})
    async with world.parts.store.transaction() as tx:
        await tx.clusters.record_members(cluster["id"], [peer["id"]], peer["id"])
    bulk = await world.client.post(
        "/v1/procedures/backup/bulk-jobs",
        json={"selector": {"cluster_ids": [cluster["id"]]}},
        headers={"Idempotency-Key": "k-3"},
    )
    assert bulk.status_code == 202, bulk.text
    assert read(await world.client.get("/metrics"))["clusterway_clusters", frozenset()] == 2, (
        "figures are kept for some seconds"
    )

    forget_count(world)
    found = read(await world.client.get("/metrics"))
    # The tests' own procedure is none of the catalogue's, so it does not become a label.
    assert value(found, "clusterway_jobs", **queued) == 2
    assert value(found, "clusterway_jobs", procedure="add-peer", state="failed") == 0
    assert value(found, "clusterway_bulk_jobs", state="running") == 1
    assert value(found, "clusterway_bulk_jobs", state="failed") == 0
    assert value(found, "clusterway_clusters") == 1
    assert value(found, "clusterway_members") == 1
    assert value(found, "clusterway_members_without_backup") == 1
    assert value(found, "clusterway_jobs_due") == 1, "the second is in line and not due"
    assert value(found, "clusterway_jobs_longest_due_seconds") > 0


async def test_a_database_that_is_away_is_a_figure_and_not_an_error(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = await world.key("metrics:read")
    counted = telemetry_of(world).counted
    assert counted is not None
    await counted.census._pool.close()  # type: ignore[attr-defined]
    found = read(await world.anonymous.get("/metrics", headers=headers))
    assert value(found, "clusterway_database_up") == 0
    assert not any(name == "clusterway_jobs" for name, _ in found), "no stale figures"
