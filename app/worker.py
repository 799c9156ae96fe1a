"""A worker: carries out jobs with the sessions, registry and backups of an open service.

Beside them, it looks at the clusters whose turn it is (app.services.watching), carries out the
schedules that are due (app.services.schedules), carries bulk jobs on (app.services.bulk_work) and
sends the webhooks that are due (app.webhooks.dispatcher).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from app.appliance.appliance import Appliance
from app.domain.job import StepFailure
from app.engine.errors import EngineError
from app.engine.failures import place
from app.engine.going import Pacing
from app.engine.ports import Tools
from app.engine.records import JobRecord
from app.main import Service
from app.procedures.base import StepFailed
from app.procedures.registry import HANDLERS
from app.security.signing import KeyUnusable
from app.services.problems import Problem
from app.services.second_look import SecondLook
from app.services.transcript import Notebook
from app.services.transcript_writer import TranscriptWriter
from app.storage.cluster_registry import ClusterRegistry

log = logging.getLogger(__name__)
LEAST_LIMIT_SECONDS = 30.0
"""No step gives up before that many seconds of our own time."""
LAST_ENTRIES_SECONDS = 2.0
"""How long a job that is given back waits for its transcript to be on record."""
CLOSE_SECONDS = 5.0
"""Between two looks for jobs that ended without their last observation, or are not sealed."""
ANEW_SECONDS = 5.0
"""Between the end of something that should not have ended and its new beginning."""
SEAL_AFTER_SECONDS = 45.0
"""Seconds after its end before a job is sealed: a look that was missing has been taken by then."""


async def work(service: Service, drain: asyncio.Event) -> None:
    """Carry out jobs until `drain` is set; then hand them back and return within seconds."""

    @asynccontextmanager
    async def equip(job: JobRecord) -> AsyncIterator[Tools]:
        notebook = Notebook(job.id, transcript, service.redactor, service.clock)
        async with service.appliances.sessions(notebook) as sessions:
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

            async def look_back(job: JobRecord) -> None:
                await service.closing.look(job, sessions.observe)

            yield Tools(
                appliance,
                registry,
                service.backups.of(job.id, job.lease),
                service.images,
                service.names,
                ending=look_back,
                drift=second_look.drift,
            )
        await notebook.settled(LAST_ENTRIES_SECONDS)

    second_look = SecondLook(service.services.planning, service.clock)
    transcript = TranscriptWriter(service.transcripts)
    runs: dict[str, Callable[[], Awaitable[None]]] = {
        "transcripts": transcript.run,
        "late looks": lambda: _close(service),
        "watching": service.services.watching.run,
        "webhooks": service.dispatcher.run,
        "retention": service.services.retention.run,
        "schedules": service.services.schedules.run,
        "bulk jobs": service.services.bulk_work.run,
    }
    beside = {asyncio.create_task(_kept_up(name, run), name=name) for name, run in runs.items()}
    try:
        await service.engine.work(
            handlers=HANDLERS,
            equip=equip,
            clock=service.clock,
            drain=drain,
            pacing=Pacing(least_limit=LEAST_LIMIT_SECONDS),
            onlooker=service.telemetry,
        )
    finally:
        for task in beside:
            task.cancel()
        await asyncio.wait(beside)


async def _kept_up(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Start it again where a fault of ours ended it: jobs go on, and so must what is beside."""
    while True:
        try:
            await run()
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody else would notice
            log.error(  # noqa: TRY400 - a message could hold a secret
                "%s ended and begins anew: %s", name, place(error)
            )
            await asyncio.sleep(ANEW_SECONDS)
        else:
            return


async def _close(service: Service) -> None:
    """Take the last looks that nobody took, and seal what has ended, again and again."""
    while True:
        await asyncio.sleep(CLOSE_SECONDS)
        try:
            await service.closing.look_late(service.appliances.observe)
            await service.services.evidence.seal_some(SEAL_AFTER_SECONDS)
        except (EngineError, Problem, KeyUnusable) as error:
            log.warning("late looks and seals wait: %s", error)
