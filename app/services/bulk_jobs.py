"""Bulk jobs: one request that starts the same procedure on many clusters, and its one answer.

The request only writes down which clusters, in which order; the work is app.services.bulk_work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from app.domain.bulk import (
    MOST_CLUSTERS,
    BulkState,
    Child,
    ChildState,
    Counts,
    Stop,
    StopCode,
    in_waves,
)
from app.domain.clock import Clock
from app.procedures.base import Procedure
from app.security.acting import note
from app.security.keys import Principal
from app.services.bulk_records import BulkFilter, BulkJob, BulkRequest, ChildNow, Selector
from app.services.conditions import remember, replay
from app.services.plan_document import to_json
from app.services.ports import EventFeed, NewId, Store, Transaction
from app.services.problems import Item, Problem, invalid, not_found
from app.services.records import Once, Outcome, Page, RegisteredCluster
from app.services.terms import agreed

_PIECE = 200


@dataclass(frozen=True, slots=True)
class NewBulkJob:
    """What a caller says of a bulk job beside the procedure's parameters."""

    selector: Selector
    wave_size: int
    stop_after: int
    request: BulkRequest


@dataclass(frozen=True, slots=True)
class BulkNow:
    """A bulk job with its children as they are now."""

    bulk: BulkJob
    children: Sequence[ChildNow]


@dataclass(frozen=True, slots=True)
class BulkJobsService:
    """What callers may do with bulk jobs."""

    store: Store
    procedures: Mapping[str, Procedure]
    feed: EventFeed
    clock: Clock
    new_id: NewId
    approval_lifetime: timedelta

    async def start(
        self,
        slug: str,
        parameters: Any,
        said: NewBulkJob,
        *,
        by: Principal,
        once: Once | None,
    ) -> Outcome[BulkNow]:
        """Write down a bulk job; its first wave begins at once.

        Raises Problem `invalid-request` where the selector finds nothing or too much, or names what
        is not there, and `change-required` where the policy of any of its clusters says so.
        """
        now = self.clock.now()
        async with self.store.transaction() as tx:
            found = await replay(tx, once, now, tx.bulk_jobs.get)
            if found is not None:
                return Outcome(BulkNow(found.value, await tx.bulk_jobs.children(found.value.id)),
                               replayed=True)  # fmt: skip
            selected = await _selected(tx, said.selector)
            for cluster in selected:
                self._agree(cluster, said.request)
            children = in_waves([one.cluster.id for one in selected], said.wave_size)
            bulk = BulkJob(
                id=self.new_id("bulk"),
                procedure=slug,
                parameters=to_json(parameters),
                selector=said.selector,
                wave_size=said.wave_size,
                stop_after=said.stop_after,
                request=said.request,
                owner_id=by.id,
                owner_name=by.name,
                scopes=tuple(sorted(scope.value for scope in by.limits.scopes)),
                clusters=None if by.clusters is None else tuple(sorted(by.clusters)),
                cluster_ids=tuple(child.cluster_id for child in children),
                counts=Counts.of(children),
                state=BulkState.RUNNING,
                stop=None,
                version=1,
                created_at=now,
            )
            await tx.bulk_jobs.add(bulk, children, now)
            note(bulk_job_id=bulk.id)
            await remember(tx, once, bulk.id, now)
            return Outcome(BulkNow(bulk, await tx.bulk_jobs.children(bulk.id)))

    async def preview(self, selector: Selector) -> Sequence[RegisteredCluster]:
        """The clusters a bulk job of this selector would be made of now, in their order.

        Raises Problem `invalid-request` as `start` does.
        """
        async with self.store.transaction() as tx:
            return await _selected(tx, selector)

    async def get(self, bulk_id: str) -> BulkNow:
        """A bulk job. Raises Problem `not-found`."""
        async with self.store.transaction() as tx:
            return BulkNow(await _found(tx, bulk_id), await tx.bulk_jobs.children(bulk_id))

    async def wait(self, bulk_id: str, seconds: float) -> BulkNow:
        """The bulk job as soon as it has changed, the seconds are over, or we must end."""
        found = await self.get(bulk_id)
        if seconds <= 0 or found.bulk.state.ended:
            return found
        first = found.bulk.version
        deadline = self._seconds() + seconds
        async with self.feed.watch(bulk_id) as news:
            while True:
                found = await self.get(bulk_id)
                left = deadline - self._seconds()
                if found.bulk.version != first or left <= 0 or self.feed.closing:
                    return found
                await news(left)

    async def page(self, wanted: BulkFilter, before: str | None, limit: int) -> Page[BulkJob]:
        """Some bulk jobs, newest first."""
        async with self.store.transaction() as tx:
            return await tx.bulk_jobs.page(wanted, before, limit)

    async def cancel(
        self, bulk_id: str, reason: str, *, running_too: bool, by: Principal, once: Once | None
    ) -> BulkNow:
        """Let no child begin any more; with `running_too` those under way stop at safe points.

        Asking twice is asking once; what is asked for may grow. Raises Problem `not-found`,
        `illegal-transition` where it has ended.
        """
        now = self.clock.now()
        async with self.store.transaction() as tx:
            await replay(tx, once, now, tx.bulk_jobs.get)
            bulk = await _found(tx, bulk_id, lock=True)
            before = bulk.stop
            if bulk.state.ended:
                raise Problem("illegal-transition", "the bulk job has ended", bulk_job_id=bulk_id)
            asked = before is not None and before.code is StopCode.CANCELLED
            if not asked or (running_too and before is not None and not before.cancel_running):
                stop = Stop(
                    StopCode.CANCELLED, reason or "it was cancelled", now, by.id, by.name,
                    cancel_running=running_too or (before is not None and before.cancel_running),
                )  # fmt: skip
                await tx.bulk_jobs.stop(bulk_id, stop, now)
            await remember(tx, once, bulk_id, now)
            return BulkNow(await _found(tx, bulk_id), await tx.bulk_jobs.children(bulk_id))

    def _agree(self, cluster: RegisteredCluster, request: BulkRequest) -> None:
        number = str((request.change or {}).get("number", ""))
        try:
            agreed(cluster.policy, request.terms, number, self.clock.now(), self.approval_lifetime)
        except Problem as problem:
            problem.about = {**problem.about, "cluster_id": cluster.cluster.id}
            raise

    def _seconds(self) -> float:
        return self.clock.monotonic() / self.clock.pace


def would_not_begin(found: BulkNow) -> Sequence[Child]:
    """The children that a cancel would keep from beginning."""
    return [one.child for one in found.children if one.child.state is ChildState.PENDING]


async def _selected(tx: Transaction, selector: Selector) -> Sequence[RegisteredCluster]:
    """The clusters named by id as they were named, then those found by labels, by id."""
    _distinct(selector)
    named = {one.cluster.id: one for one in await tx.clusters.some(selector.cluster_ids)}
    absent = [
        Item(
            code="cluster-unknown",
            detail="there is no cluster with this id",
            pointer=f"/selector/cluster_ids/{place}",
            remedy="`GET /v1/clusters` lists them",
        )
        for place, cluster_id in enumerate(selector.cluster_ids)
        if cluster_id not in named
    ]
    if absent:
        raise Problem("invalid-request", "the selector names unknown clusters", errors=absent)
    found = {cluster_id: named[cluster_id] for cluster_id in selector.cluster_ids}
    after: str | None = None
    while selector.labels:
        page = await tx.clusters.page(after, _PIECE, selector.labels)
        for one in page.items:
            found.setdefault(one.cluster.id, one)
        after = page.next
        if after is None or len(found) > MOST_CLUSTERS:
            break
    if not found:
        raise invalid(
            "/selector",
            "the selector finds no cluster",
            code="nothing-selected",
            remedy="name clusters by id, or labels that some cluster has; "
            "`GET /v1/clusters?label=name=value` shows which",
        )
    if len(found) > MOST_CLUSTERS:
        raise invalid(
            "/selector",
            f"the selector finds more than {MOST_CLUSTERS} clusters",
            code="too-many-clusters",
            remedy="add a label, and start several bulk jobs",
        )
    return list(found.values())


def _distinct(selector: Selector) -> None:
    """Raises Problem where a cluster or a label's name is given twice."""
    for field, values in (
        ("cluster_ids", selector.cluster_ids),
        ("labels", [label.name for label in selector.labels]),
    ):
        for place, value in enumerate(values):
            if value in values[:place]:
                raise invalid(f"/selector/{field}/{place}", "given twice", code="given-twice")


async def _found(tx: Transaction, bulk_id: str, *, lock: bool = False) -> BulkJob:
    found = await tx.bulk_jobs.get(bulk_id, lock=lock)
    if found is None:
        raise not_found("bulk_job", bulk_id)
    return found
