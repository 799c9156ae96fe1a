"""What the engine tells becomes figures, spans and words of log lines, and they agree."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Iterator
from io import StringIO

import pytest
import structlog

from app.domain.job import JobState
from app.engine.errors import LeaseLost
from app.engine.records import JobRecord
from app.observability import spans
from app.observability.logs import set_up
from app.observability.metrics import Metrics
from app.observability.telemetry import Telemetry
from app.observability.tracing import exporting, wanted
from app.procedures.base import StepContext
from app.security.redaction import Redactor
from tests.support.engine_bench import Bench, new_job, step
from tests.support.tracing import Kept, kept_spans, parent_of, trace_of
from transports.errors import CommandRejected, Unreachable


@pytest.fixture
def kept() -> Iterator[Kept]:
    with kept_spans() as found:
        yield found


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


def bench_with(told: Telemetry) -> Bench:
    bench = Bench()
    bench.runner.onlooker = told
    return bench


def value(told: Telemetry, name: str, **labels: str) -> float | None:
    return told.metrics.registry.get_sample_value(name, labels)


async def test_a_job_is_counted_with_its_steps_and_its_delay() -> None:
    told = Telemetry(Metrics(["add-peer"]))
    assert value(told, "clusterway_jobs_ended_total", procedure="add-peer", state="failed") == 0
    job = await bench_with(told).run(new_job(step("a"), step("b")))
    assert job.state is JobState.SUCCEEDED
    ended = {"procedure": "add-peer", "state": "succeeded"}
    assert value(told, "clusterway_jobs_ended_total", **ended) == 1
    assert value(told, "clusterway_step_seconds_count", kind="set", state="done") == 2
    assert value(told, "clusterway_job_queue_delay_seconds_count") == 1
    assert value(told, "clusterway_jobs_carried") == 0
    assert value(told, "clusterway_job_takeovers_total") == 0


async def test_a_failed_step_counts_once_and_only_when_it_is_on_record() -> None:
    told = Telemetry(Metrics())
    bench = bench_with(told)

    def declined(_context: StepContext) -> None:
        raise CommandRejected("no")

    bench.peer.act_fault = declined
    job = await bench.run(new_job(step("a")))
    assert job.state is JobState.FAILED
    assert value(told, "clusterway_step_seconds_count", kind="set", state="failed") == 1
    ended = {"procedure": "other", "state": "failed"}
    assert value(told, "clusterway_jobs_ended_total", **ended) == 1, "not a slug of the catalogue"

    bench = bench_with(told)
    bench.peer.act_fault = declined
    await bench.journal.create(new_job(step("a")))

    async def lost(*_: object) -> JobRecord:
        raise LeaseLost("another has it")

    bench.journal.leave = lost  # type: ignore[method-assign, assignment]
    await bench.runner.advance("job-1")
    assert value(told, "clusterway_step_seconds_count", kind="set", state="failed") == 1


async def test_what_is_taken_over_counts_as_that_and_not_as_delay() -> None:
    told = Telemetry()
    bench = bench_with(told)
    await bench.journal.create(new_job(step("a")))
    gone = await bench.journal.claim("job-1", "worker-gone")
    assert gone is not None
    (taken,) = await bench.journal.take_over([gone.lease], bench.runner.owner)
    await bench.runner.take_up(taken)
    assert (await bench.journal.load("job-1")).state is JobState.SUCCEEDED
    assert value(told, "clusterway_job_takeovers_total") == 1
    assert value(told, "clusterway_job_queue_delay_seconds_count") == 0


async def test_workers_one_after_the_other_go_on_with_the_trace_of_the_request(kept: Kept) -> None:
    told = Telemetry()
    bench = bench_with(told)
    with spans.span("POST") as request:
        new = new_job(step("a"), step("b"), details=spans.now_traced())
    await bench.journal.create(new)

    async def dies(context: StepContext) -> None:
        if context.step.key == "b" and bench.peer.acts.count("b") == 1:
            raise asyncio.CancelledError

    bench.peer.act_work = dies
    with pytest.raises(asyncio.CancelledError):
        await bench.runner.advance("job-1")
    second = bench.worker("worker-2", dict(bench.runner.handlers))
    second.onlooker = Telemetry()
    await second.advance("job-1")
    assert (await bench.journal.load("job-1")).state is JobState.SUCCEEDED

    assert {trace_of(span) for span in kept.all} == {request.get_span_context().trace_id}
    jobs = kept.named("job add-peer")
    assert len(jobs) == 2
    assert [parent_of(job, kept.all).name for job in jobs] == ["POST", "POST"]  # type: ignore[union-attr]
    steps = [(s.attributes or {}).get("clusterway.step") for s in kept.named("step set")]
    assert steps == ["a", "b", "b"]


async def test_what_polls_by_itself_begins_no_trace(kept: Kept) -> None:
    with spans.inner("database transaction"):
        pass
    with Telemetry().exchange("peer-1", "ssh", "xStatus"):
        pass
    assert kept.all == ()
    assert spans.now_traced() == {}


async def test_an_exchange_that_fails_is_counted_by_its_code_and_keeps_its_words(
    kept: Kept,
) -> None:
    told = Telemetry()
    with (
        spans.span("step"),
        pytest.raises(Unreachable),
        told.exchange("peer-1", "ssh", "xCommand Boot"),
    ):
        raise Unreachable("canary: no route to 192.0.2.1")
    found = {"transport": "ssh", "error": "peer-unreachable"}
    assert value(told, "clusterway_device_errors_total", **found) == 1
    assert value(told, "clusterway_device_exchange_seconds_count", transport="ssh") == 1
    (exchange,) = kept.named("ssh xCommand Boot")
    assert exchange.status.description == "peer-unreachable"
    assert "canary" not in kept.text


async def test_the_message_of_an_exception_is_in_no_span(kept: Kept) -> None:
    with pytest.raises(ValueError, match="canary"), spans.span("work"):
        raise ValueError("canary-secret")
    (made,) = kept.all
    assert (made.status.description, made.events) == ("ValueError", ())
    assert "canary" not in kept.text


async def test_lines_of_a_worker_name_job_step_and_peer(lines: StringIO) -> None:
    bench = bench_with(Telemetry())
    log = logging.getLogger("a.library")

    async def talk(_context: StepContext) -> None:
        log.warning("acting")

    bench.peer.act_work = talk
    await bench.run(new_job(step("a")))
    log.warning("afterwards")
    acting, afterwards = (json.loads(line) for line in lines.getvalue().splitlines())
    assert (acting["job_id"], acting["step"], acting["peer"]) == ("job-1", "a", "peer-1")
    assert not {"job_id", "step", "peer"} & afterwards.keys()


def test_traces_are_asked_for_by_an_endpoint_and_by_nothing_else() -> None:
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    assert not wanted({})
    assert not wanted({"OTEL_TRACES_EXPORTER": "otlp"})
    assert wanted(endpoint)
    assert wanted({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"})
    assert not wanted(endpoint | {"OTEL_SDK_DISABLED": "TRUE"})
    assert not wanted(endpoint | {"OTEL_TRACES_EXPORTER": "none"})


async def test_a_collector_that_is_asked_for_and_missing_is_a_warning(
    lines: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "app.observability.collector", None)
    async with exporting({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}):
        with spans.span("work") as made:
            assert not made.is_recording()
    assert "install clusterway[otel]" in lines.getvalue()
