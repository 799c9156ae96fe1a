"""What one process measures of itself, in Prometheus' terms; docs/telemetry.md lists all of it.

A registry of its own, never the library's global one: a process may hold more than one service, as
tests do. No label is an id, a name or an address: all are words of this code, so the number of
series is bounded. What the database knows is beside this: app.observability.census.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector

ENDS = ("succeeded", "failed", "cancelled")
OTHER = "other"
"""Stands for a word that this code does not know, so that no label can grow without bound."""
_DELAYS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300)
_STEPS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 1800, 3600, 4 * 3600, 24 * 3600)
_EXCHANGES = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)
_REQUESTS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)
_LAGS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5)


@dataclass(frozen=True, slots=True)
class PoolUse:
    """Connections of one pool: lent, at rest, and how many tasks wait for one."""

    used: int
    idle: int
    waiting: int


PoolLook = Callable[[], PoolUse]
"""Looks at a pool without waiting."""


class Metrics:
    """The instruments of one process, registered once."""

    def __init__(
        self, procedures: Iterable[str] = (), pools: Mapping[str, PoolLook] | None = None
    ) -> None:
        """`procedures` are the slugs that may become labels."""
        self.procedures = frozenset(procedures)
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        if pools:
            registry.register(_Pools(pools))

        build = Gauge(
            "clusterway_build_info",
            "1; its labels say what runs here.",
            ["version", "python"],
            registry=registry,
        )
        build.labels(version("clusterway"), platform.python_version()).set(1)
        self.http_requests = Counter(
            "clusterway_http_requests",
            "HTTP requests answered, by operation id and status; `none`: no operation.",
            ["operation", "status"],
            registry=registry,
        )
        self.http_seconds = Histogram(
            "clusterway_http_request_seconds",
            "Seconds from a request to the end of its answer; event streams are not in it.",
            ["operation"],
            buckets=_REQUESTS,
            registry=registry,
        )
        self.streams = Gauge(
            "clusterway_event_streams", "Event streams (SSE) open now.", registry=registry
        )
        self.queue_delay = Histogram(
            "clusterway_job_queue_delay_seconds",
            "Seconds from the moment a job is due to the moment this worker claims it.",
            buckets=_DELAYS,
            registry=registry,
        )
        self.takeovers = Counter(
            "clusterway_job_takeovers",
            "Jobs this worker took over from one that was gone or had lost them.",
            registry=registry,
        )
        self.carried = Gauge(
            "clusterway_jobs_carried", "Jobs this worker has in its hands now.", registry=registry
        )
        self.jobs_ended = Counter(
            "clusterway_jobs_ended",
            "Jobs this worker brought to their end.",
            ["procedure", "state"],
            registry=registry,
        )
        # From the start at 0: the first failure must be an increase, not a new series.
        for procedure in sorted(self.procedures):
            for state in ENDS:
                self.jobs_ended.labels(procedure, state)
        self.step_seconds = Histogram(
            "clusterway_step_seconds",
            "Seconds from a step's first look to its end, whichever workers had it.",
            ["kind", "state"],
            buckets=_STEPS,
            registry=registry,
        )
        self.exchange_seconds = Histogram(
            "clusterway_device_exchange_seconds",
            "Seconds of one exchange with a peer, log-in and wait for its turn included.",
            ["transport"],
            buckets=_EXCHANGES,
            registry=registry,
        )
        self.device_errors = Counter(
            "clusterway_device_errors",
            "Exchanges with a peer that failed, by the code of what went wrong.",
            ["transport", "error"],
            registry=registry,
        )
        self.webhook_attempts = Counter(
            "clusterway_webhook_attempts",
            "Webhooks sent: `delivered`, `retried` later, or `failed` for good.",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("delivered", "retried", "failed"):
            self.webhook_attempts.labels(outcome)
        self.beat_good = Gauge(
            "clusterway_worker_beat_good",
            "1: a worker lives in this process and its beat arrives; 0: not so.",
            registry=registry,
        )
        self.loop_lag = Histogram(
            "clusterway_event_loop_lag_seconds",
            "Seconds by which this process's event loop was late, sampled twice a second.",
            buckets=_LAGS,
            registry=registry,
        )

    def procedure(self, slug: str) -> str:
        """The slug as a label."""
        return slug if slug in self.procedures else OTHER


class _Pools:
    """Looks at the pools of connections whenever metrics are read."""

    def __init__(self, pools: Mapping[str, PoolLook]) -> None:
        self._pools = pools

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        connections = GaugeMetricFamily(
            "clusterway_database_connections",
            "Connections of this process to the database, by pool.",
            labels=["pool", "state"],
        )
        waiting = GaugeMetricFamily(
            "clusterway_database_waiting",
            "Tasks of this process that wait for a connection.",
            labels=["pool"],
        )
        for name, look in self._pools.items():
            use = look()
            connections.add_metric([name, "used"], use.used)
            connections.add_metric([name, "idle"], use.idle)
            waiting.add_metric([name], use.waiting)
        yield connections
        yield waiting
