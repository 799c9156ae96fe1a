"""What the database knows, as gauges: jobs, workers, findings, approvals, webhooks, backups.

Every process that serves metrics counts the same rows, so these figures are the same wherever they
are read: an alert takes their maximum, never their sum. They are counted at most once in
`KEEP_SECONDS`, however often metrics are read, and limits of the caller's key do not apply: who
reads metrics reads totals of everything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from app.domain.bulk import BulkState
from app.domain.job import JobState, WaitReason
from app.observability.metrics import OTHER
from app.services.problems import Problem
from app.services.webhook_records import DeliveryState, SubscriptionState

KEEP_SECONDS = 5.0
PATIENCE_SECONDS = 4.0
"""How long a reader of metrics waits for the database before it is told that it is down."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Jobs that wait for one reason: how many, and for how many seconds the longest does."""

    count: int
    longest: float


@dataclass(frozen=True, slots=True)
class Figures:
    """One count of everything. Ages are seconds by the database's clock; 0 where there is none."""

    jobs: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By procedure and state."""
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    due: int = 0
    longest_due: float = 0.0
    workers_beating: int = 0
    workers_silent: int = 0
    approvals: int = 0
    bulk_jobs: Mapping[str, int] = field(default_factory=dict)
    findings: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By severity and code."""
    alarms: int = 0
    webhooks: Mapping[str, int] = field(default_factory=dict)
    deliveries: Mapping[str, int] = field(default_factory=dict)
    oldest_delivery: float = 0.0
    clusters: int = 0
    members: int = 0
    members_without_backup: int = 0
    oldest_backup: float = 0.0


class Census(Protocol):
    """Counts what is in the database."""

    async def count(self) -> Figures:
        """Count now. Raises Problem `storage-unavailable`."""


@dataclass(slots=True, eq=False)
class Counted:
    """The newest figures, no older than `KEEP_SECONDS` when they are shown."""

    census: Census
    procedures: Iterable[str]
    _figures: Figures | None = None
    _at: float = float("-inf")
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def refresh(self) -> None:
        """Count again where the figures are too old; side by side readers count once."""
        async with self._turn:
            now = asyncio.get_running_loop().time()
            if now - self._at < KEEP_SECONDS:
                return
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    self._figures = await self.census.count()
            except (Problem, TimeoutError):
                # Old figures would look like a database that is well.
                self._figures = None
            self._at = asyncio.get_running_loop().time()

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client; only `clusterway_database_up` where nothing could be counted."""
        found = self._figures
        yield _plain(
            "clusterway_database_up", "1: the database answered; 0: not.", int(found is not None)
        )
        if found is not None:
            yield from _jobs(found, sorted(self.procedures))
            yield from _others(found)


def _jobs(found: Figures, procedures: list[str]) -> Iterator[Metric]:
    counts = {(slug, state.value): 0 for slug in procedures for state in JobState}
    for (slug, state), count in found.jobs.items():
        key = (slug if slug in procedures else OTHER, state)
        counts[key] = counts.get(key, 0) + count
    yield _labelled(
        "clusterway_jobs", "Jobs on record, by procedure and state.", ("procedure", "state"), counts
    )
    nothing = Waiting(0, 0.0)
    waiting = {reason.value: found.waiting.get(reason.value, nothing) for reason in WaitReason}
    yield _labelled(
        "clusterway_jobs_waiting",
        "Jobs that wait, by what for.",
        ("reason",),
        {(reason,): entry.count for reason, entry in waiting.items()},
    )
    yield _labelled(
        "clusterway_jobs_longest_wait_seconds",
        "Seconds for which one job waits already, the longest by what for.",
        ("reason",),
        {(reason,): entry.longest for reason, entry in waiting.items()},
    )
    yield _plain("clusterway_jobs_due", "Jobs that are due and that no worker has.", found.due)
    yield _plain(
        "clusterway_jobs_longest_due_seconds",
        "Seconds for which one of those is due, the longest.",
        found.longest_due,
    )
    yield _plain(
        "clusterway_approvals_pending", "Jobs somebody has yet to approve.", found.approvals
    )
    yield _labelled(
        "clusterway_bulk_jobs",
        "Bulk jobs on record, by state.",
        ("state",),
        {(state.value,): found.bulk_jobs.get(state.value, 0) for state in BulkState},
    )


def _others(found: Figures) -> Iterator[Metric]:
    beats = {("beating",): found.workers_beating, ("silent",): found.workers_silent}
    yield _labelled(
        "clusterway_workers",
        "Workers that signed on and not off, by whether their beat is fresh.",
        ("state",),
        beats,
    )
    yield _labelled(
        "clusterway_findings",
        "What watching found wrong and still stands.",
        ("severity", "code"),
        found.findings,
    )
    yield _plain("clusterway_alarms", "Alarms of peers that stand.", found.alarms)
    yield _labelled(
        "clusterway_webhooks",
        "Subscriptions to events.",
        ("state",),
        {(state.value,): found.webhooks.get(state.value, 0) for state in SubscriptionState},
    )
    yield _labelled(
        "clusterway_webhook_deliveries",
        "Deliveries on record.",
        ("state",),
        {(state.value,): found.deliveries.get(state.value, 0) for state in DeliveryState},
    )
    yield _plain(
        "clusterway_webhook_oldest_pending_seconds",
        "Age of the oldest delivery that is still to be made.",
        found.oldest_delivery,
    )
    yield _plain("clusterway_clusters", "Registered clusters.", found.clusters)
    yield _plain("clusterway_members", "Members of registered clusters.", found.members)
    yield _plain(
        "clusterway_members_without_backup",
        "Members of whom no backup is kept.",
        found.members_without_backup,
    )
    yield _plain(
        "clusterway_oldest_backup_seconds",
        "Age of the newest backup of the member whose newest is the oldest.",
        found.oldest_backup,
    )


def _plain(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _labelled(name: str, text: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Metric:
    """`values` by tuples of the labels' values."""
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(list(key), value)
    return family
