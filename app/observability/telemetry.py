"""What one process tells of itself: the engine's onlooker, and whoever exchanges words with peers.

Here metrics, spans and the words that every log line carries (`job_id`, `step`, `peer`) are made
from the same events, so they agree.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from prometheus_client.exposition import choose_encoder

from app.appliance.trouble import trouble_with
from app.domain.job import StepRecord, StepState
from app.domain.plan import PlannedStep
from app.engine.errors import LeaseLost
from app.engine.onlooker import Standing
from app.engine.records import OVER, JobRecord, Leave
from app.observability import spans
from app.observability.census import Counted
from app.observability.metrics import Metrics
from app.observability.spans import SpanKind
from transports.errors import TransportError

SAMPLE_SECONDS = 0.5
"""How often the event loop is asked how late it is."""


@dataclass
class Telemetry:
    """Implements `Onlooker` and `app.services.exchanges.Exchanges`. `counted` None: no database."""

    metrics: Metrics = field(default_factory=Metrics)
    counted: Counted | None = None
    _check: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        self.metrics.beat_good.set_function(lambda: float(self.beating is True))
        if self.counted is not None:
            self.metrics.registry.register(self.counted)

    async def run(self) -> None:
        """Sample the event loop until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + SAMPLE_SECONDS
            await asyncio.sleep(SAMPLE_SECONDS)
            self.metrics.loop_lag.observe(max(0.0, loop.time() - due))

    async def text(self, accept: str = "") -> tuple[bytes, str]:
        """Everything as Prometheus reads it, and its media type."""
        if self.counted is not None:
            await self.counted.refresh()
        encode, media_type = choose_encoder(accept)
        return encode(self.metrics.registry), media_type

    @property
    def beating(self) -> bool | None:
        """Whether this process's worker may act; None where it has no worker."""
        if self._check is None:
            return None
        try:
            self._check()
        except LeaseLost:
            return False
        return True

    # -- what the engine tells

    def at_work(self, check: Callable[[], None] | None) -> None:
        """See Onlooker."""
        self._check = check

    def taken_over(self, _job: JobRecord) -> None:
        """See Onlooker."""
        self.metrics.takeovers.inc()

    @contextmanager
    def carrying(self, job: JobRecord) -> Iterator[None]:
        """See Onlooker."""
        if job.late is not None:
            self.metrics.queue_delay.observe(job.late)
        about: dict[str, str | int | float] = {
            "clusterway.job.id": job.id,
            "clusterway.procedure": job.plan.procedure,
            "clusterway.cluster.id": job.cluster_id,
            "clusterway.job.epoch": job.epoch,
        }
        name = f"job {job.plan.procedure}"
        within = spans.context_in(job.details)
        with (
            self.metrics.carried.track_inprogress(),
            structlog.contextvars.bound_contextvars(job_id=job.id),
            spans.span(name, about, kind=SpanKind.CONSUMER, within=within),
        ):
            yield

    @contextmanager
    def stepping(self, job: JobRecord, step: PlannedStep) -> Iterator[Standing]:
        """See Onlooker."""
        words = {"step": step.key} | ({"peer": step.peer_id} if step.peer_id else {})
        about = {
            "clusterway.job.id": job.id,
            "clusterway.step": step.key,
            "clusterway.step.kind": step.kind,
        } | ({"clusterway.peer.id": step.peer_id} if step.peer_id else {})
        with (
            structlog.contextvars.bound_contextvars(**words),
            spans.span(f"step {step.kind}", about) as made,
        ):

            def standing(record: StepRecord) -> None:
                made.set_attribute("clusterway.step.state", record.state.value)
                made.set_attribute("clusterway.step.attempt", record.attempt)
                if record.failure is not None:
                    spans.failed(made, record.failure.code)
                # A failed step is not on record yet: see `left`.
                if record.state in OVER:
                    self._ended(step, record)

            yield standing

    def left(self, job: JobRecord, leave: Leave) -> None:
        """See Onlooker."""
        if leave.step is not None and leave.step.state is StepState.FAILED:
            self._ended(next(s for s in job.plan.steps if s.key == leave.step.key), leave.step)
        if leave.state.ended:
            procedure = self.metrics.procedure(job.plan.procedure)
            self.metrics.jobs_ended.labels(procedure, leave.state.value).inc()

    def _ended(self, step: PlannedStep, record: StepRecord) -> None:
        if record.started_at is None or record.finished_at is None:
            return
        seconds = (record.finished_at - record.started_at).total_seconds()
        self.metrics.step_seconds.labels(step.kind, record.state.value).observe(seconds)

    # -- what is said to peers

    @contextmanager
    def exchange(self, peer_id: str, transport: str, command: str) -> Iterator[None]:
        """See Exchanges."""
        about = {
            "clusterway.peer.id": peer_id,
            "clusterway.transport": transport,
            "clusterway.command": command,
        }
        began = time.perf_counter()
        with spans.inner(f"{transport} {command}", about, kind=SpanKind.CLIENT):
            try:
                yield
            except TransportError as error:
                code = trouble_with(error).code
                self.metrics.device_errors.labels(transport, code).inc()
                raise
            finally:
                spent = time.perf_counter() - began
                self.metrics.exchange_seconds.labels(transport).observe(spent)
