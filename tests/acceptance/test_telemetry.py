"""One trace from the request to what a peer hears, and figures that are those on record."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from io import StringIO

import psycopg
import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from app.observability.logs import set_up
from app.security.redaction import Redactor
from app.storage.database import plain_url
from tests.acceptance.conftest import OpenHouse
from tests.support.api_story import ssh_endpoint, web_endpoint
from tests.support.tracing import kept_spans, parent_of, trace_of

NAME = "cluster1.example.com"
SCENARIO = {"expressways": [{"name": "exp1", "address": "192.0.2.11"}]}

pytestmark = [pytest.mark.sockets, pytest.mark.postgres]


@pytest.fixture
def lines() -> Iterator[StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    written = StringIO()
    set_up(Redactor(), stream=written)
    yield written
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


async def test_a_job_is_one_trace_and_its_figures_are_those_of_the_journal(
    open_house: OpenHouse, lines: StringIO
) -> None:
    with kept_spans() as kept:
        async with open_house(SCENARIO) as house:
            story = house.story
            (entry,) = house.reachable
            admin = await story.credential(entry["password"])
            peer = await story.peer(
                entry["name"],
                entry["address"],
                ssh_endpoint(entry, admin),
                web_endpoint(entry, admin, xml=False),
            )
            cluster_id = await story.cluster(NAME)
            job = await story.run(cluster_id, "create-cluster", {"primary_peer_id": peer})
            assert job["state"] == "succeeded", job["failure"]
            figures = (await story.client.get("/metrics")).text
            key = story.client.headers["Authorization"].removeprefix("Bearer ")
            url = plain_url(house.service.database_url)
            async with await psycopg.AsyncConnection.connect(url) as connection:
                found = await connection.execute(
                    "select state, count(*) from job_step where job_id = %s group by 1", [job["id"]]
                )
                states = dict(await found.fetchall())

    # One trace, from the request over the claim to the commands that the peer heard.
    (request,) = kept.named("startCreateCluster")
    (carried,) = kept.named("job create-cluster")
    started = parent_of(carried, kept.all)
    assert started is not None
    assert (started.name, parent_of(started, kept.all)) == ("start a job", request)
    of_the_job = [span for span in kept.all if trace_of(span) == trace_of(request)]
    names = Counter(span.name for span in of_the_job)
    assert names["start a job"] == names["plan"] == 1
    assert names["database transaction"] > 0
    assert names["journal record"] > 0
    command = next(s for s in of_the_job if s.name.startswith("ssh write xConfiguration"))
    step = parent_of(command, kept.all)
    assert step is not None
    assert step.name.startswith("step ")
    assert parent_of(step, kept.all) is carried
    assert {span.name for span in of_the_job if span.name.startswith("http ")}

    # Nothing that was sent or read, and nothing that opens a door.
    for secret in (entry["password"], key, key.split("_")[-1], NAME, entry["address"]):
        assert secret not in kept.text, "a value left by a span"
        assert secret not in figures, "a value left by a metric"

    families = {f.name: f for f in text_string_to_metric_families(figures)}
    counted: Counter[str] = Counter()
    for sample in families["clusterway_step_seconds"].samples:
        if sample.name.endswith("_count"):
            counted[sample.labels["state"]] += int(sample.value)
    assert counted == states
    ended = {
        (s.labels["procedure"], s.labels["state"])
        for s in families["clusterway_jobs_ended"].samples
        if s.name.endswith("_total") and s.value
    }
    assert ended == {("create-cluster", "succeeded")}
    on_record = [s for s in families["clusterway_jobs"].samples if s.value]
    assert [(s.labels, s.value) for s in on_record] == [
        ({"procedure": "create-cluster", "state": "succeeded"}, 1.0)
    ]

    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    (created,) = (line for line in told if line["event"] == "job created")
    assert created["job_id"] == job["id"]
    attributes = request.attributes or {}
    assert created["request_id"] == attributes["clusterway.request.id"]
