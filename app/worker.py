"""A worker: carries out jobs with the sessions, registry and backups of an open service.

Between jobs, and beside them, it looks at the clusters whose turn it is (app.services.watching).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.appliance.appliance import Appliance
from app.domain.job import StepFailure
from app.engine.going import Pacing
from app.engine.ports import Tools
from app.engine.records import JobRecord
from app.main import Service
from app.procedures.base import StepFailed
from app.procedures.registry import HANDLERS
from app.services.problems import Problem
from app.storage.cluster_registry import ClusterRegistry

LEAST_LIMIT_SECONDS = 30.0
"""No step gives up before that many seconds of our own time."""


async def work(service: Service, drain: asyncio.Event) -> None:
    """Carry out jobs until `drain` is set; then hand them back and return within seconds."""

    @asynccontextmanager
    async def equip(job: JobRecord) -> AsyncIterator[Tools]:
        async with service.appliances.sessions() as sessions:
            registry = ClusterRegistry(
                cluster_id=job.cluster_id,
                lease=job.lease,
                store=service.store,
                vault=service.vault,
                redactor=service.redactor,
                clock=service.clock,
                new_id=service.new_id,
                moved=sessions.forget,
            )

            async def appliance(peer_id: str) -> Appliance:
                try:
                    return await sessions.appliance(peer_id)
                except Problem as problem:
                    remedy = "Correct the peer's entry, then retry."
                    failure = StepFailure(problem.code, problem.detail, remedy)
                    raise StepFailed(failure) from problem

            yield Tools(appliance, registry, service.backups.of(job.id, job.lease), service.images)

    watching = asyncio.create_task(service.services.watching.run(), name="watching")
    try:
        await service.engine.work(
            handlers=HANDLERS,
            equip=equip,
            clock=service.clock,
            drain=drain,
            pacing=Pacing(least_limit=LEAST_LIMIT_SECONDS),
        )
    finally:
        watching.cancel()
        await asyncio.wait({watching})
