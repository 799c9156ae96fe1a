"""The diagnosis of a cluster as callers get it: observed now, with ready requests that mend it.

Observing and judging are apart: the judging (app.checks.diagnosis) is pure. What this service adds
is the job that is at work, whose doings are expected, and the plan request for each procedure that
mends a cause: planning changes nothing, so it can be sent without a second thought.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from datetime import datetime
from typing import Any

from app.checks.diagnosis import Case, Diagnosis, Mend, RunningJob, diagnose
from app.domain.clock import Clock
from app.domain.cluster import Cluster
from app.domain.observation import View
from app.engine.records import UNENDED, JobFilter
from app.observability.spans import traced
from app.procedures.base import Procedure
from app.services.clusters import ClustersService
from app.services.plan_document import to_json
from app.services.ports import Appliances, Store
from app.services.surroundings import Surroundings

MOST_JOBS = 50
UNSETTLED = frozenset({"peers-do-not-join", "network-between-peers", "pre-shared-key-differs"})
"""Causes that a packet from peer to peer tells apart."""


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """A request that plans and changes nothing. `when`: only if that is so.

    `needs` names parameters that only the caller knows; where it is empty the request is ready.
    """

    procedure: str
    title: str
    method: str
    path: str
    body: Mapping[str, Any]
    when: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """A cluster, what its members said, and what follows from it."""

    cluster: Cluster
    at: datetime
    views: Mapping[str, View]
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class DiagnosisService:
    """Observes the members of a cluster and says what is wrong."""

    store: Store
    clusters: ClustersService
    appliances: Appliances
    surroundings: Surroundings
    procedures: Mapping[str, Procedure]
    clock: Clock

    @traced("diagnose a cluster")
    async def diagnose(self, cluster_id: str) -> Diagnosed:
        """What is wrong now, root causes first. Raises Problem `not-found`. Changes nothing."""
        views = await self.clusters.observe(cluster_id)
        return await self.judge(cluster_id, {view.peer_id: view for view in views})

    async def judge(self, cluster_id: str, views: Mapping[str, View]) -> Diagnosed:
        """The same over answers that are at hand already."""
        registered = await self.clusters.get(cluster_id)
        running = await self._running(cluster_id)
        case = Case(registered.cluster, views, running)
        found = diagnose(case)
        if any(cause.finding.code in UNSETTLED for cause in found.causes):
            found = diagnose(replace(case, reach=await self._reach(case)))
        return Diagnosed(registered.cluster, self.clock.now(), views, found)

    def request(self, cluster_id: str, mend: Mend) -> PlanRequest | None:
        """The plan request of a mend; None where this service has no such procedure."""
        procedure = self.procedures.get(mend.procedure)
        needs = None if procedure is None else missing(procedure, mend.parameters)
        if procedure is None or needs is None:
            return None
        return PlanRequest(
            procedure=procedure.slug,
            title=procedure.title,
            method="POST",
            path=f"/v1/clusters/{cluster_id}/procedures/{procedure.slug}/plan",
            body=to_json(mend.parameters),
            when=mend.when,
            needs=needs,
        )

    async def _reach(self, case: Case) -> dict[tuple[str, str], bool]:
        """Which member's packets reach which other, as far as the members can send one."""
        seen = [view for _, view in case.observed]
        can = {view.peer_id: await self.appliances.capabilities(view.peer_id) for view in seen}
        measured = await self.surroundings.round_trips(seen, can)
        return {way: took is not None for way, took in measured.items()}

    async def _running(self, cluster_id: str) -> RunningJob | None:
        """The job that holds the cluster, if any."""
        async with self.store.transaction() as tx:
            page = await tx.jobs.list_jobs(JobFilter(UNENDED, cluster_id), limit=MOST_JOBS)
        held = next((job for job in page.items if job.holds), None)
        return None if held is None else RunningJob(held.id, held.plan)


def missing(procedure: Procedure, parameters: Mapping[str, object]) -> tuple[str, ...] | None:
    """The required parameters that are not among these; None where these are not the procedure's.

    Empty: the procedure takes them as they are.
    """
    known = {field.name: field for field in fields(procedure.parameters)}
    if parameters.keys() - known.keys():
        return None
    needed = tuple(
        name
        for name, field in known.items()
        if name not in parameters and field.default is MISSING and field.default_factory is MISSING
    )
    if not needed:
        try:
            procedure.parameters(**parameters)
        except (TypeError, ValueError):
            return None
    return needed
