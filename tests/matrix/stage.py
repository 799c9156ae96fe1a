"""A rehearsal in which every call of every step is seen, and one blow falls where it should."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from app.engine.records import JobRecord
from app.guide.scenarios import EARLIER_JOB, Rehearsed
from app.procedures.base import Handler, Look, StepContext
from simulation.rehearsal import MemoryBackups
from tests.matrix.faults import EXCHANGE, LASTING, Blow, Call, Kind, Phase
from tests.matrix.operator import Operator
from tests.support.rehearsal import Rehearsal, WorkerDied
from transports import mock
from transports.base import Capability, Endpoint, Operation
from transports.command import Command, Setting
from transports.document import Node, Path
from transports.mock.faults import Fault, FaultKind
from transports.mock.web import image

FOREVER = 1_000_000
NEVER_BACK = 0.0
SLOW = 900.0
"""Device seconds a restart with a disk check takes longer."""


class Seen:
    """The transport of one peer, watched by its stage."""

    name = "mock"

    def __init__(self, endpoint: Endpoint, stage: Stage) -> None:
        self._inner = mock.create(endpoint)
        self._host = endpoint.host
        self._stage = stage

    @property
    def capabilities(self) -> frozenset[Capability]:
        return self._inner.capabilities

    async def read_status(self, path: Path) -> Node:
        return await self._call("read", self._inner.read_status(path))

    async def read_configuration(self, path: Path) -> Node:
        return await self._call("read", self._inner.read_configuration(path))

    async def write(self, settings: Sequence[Setting]) -> None:
        await self._call("write", self._inner.write(settings), len(settings))

    async def run(self, command: Command) -> Node:
        return await self._call(command.name, self._inner.run(command))

    async def perform(self, operation: Operation[Any]) -> Any:
        return await self._call(type(operation).__name__, self._inner.perform(operation))

    async def close(self) -> None:
        await self._inner.close()

    async def _call(self, what: str, call: Awaitable[Any], parts: int = 1) -> Any:
        device = self._stage.fleet.at(self._host)
        return await self._stage.call(what, device.name if device else "", call, parts)


class Stage(Rehearsal):
    """One run of one rehearsed procedure, with at most one blow."""

    def __init__(self, rehearsed: Rehearsed, blow: Blow | None = None, pace: float = 1.0) -> None:
        self.calls: list[Call] = []
        self.acted: set[str] = set()
        self.blow = blow
        self.struck = False
        self.mended = False
        self.job_id = ""
        self._at: tuple[str, str, Phase] | None = None
        self._visits: dict[tuple[str, Phase], int] = {}
        self._number = 0
        self.operator = Operator(self)
        super().__init__(rehearsed.scenario, pace)
        self.rehearsed = rehearsed
        for file, version in rehearsed.images.items():
            self.images.files[file] = image(version)
        self.neighbours = rehearsed.neighbours
        for name, settings in rehearsed.amiss.items():
            for path, value in settings.items():
                self.fleet[name].write(path.split(), value)
        for name in rehearsed.off:
            self.fleet[name].lose_power()
        for device in self.fleet:
            device.accounts.root_ssh = True
        self.transport = lambda endpoint: Seen(
            replace(endpoint, options={**endpoint.options, "root": "true"}), self
        )

    async def set_out(self) -> None:
        """Record the members the scenario starts with."""
        names = tuple(self.peers)[: self.rehearsed.members]
        if names:
            await self.registry.record_members(names, names[0])
        for name in self.rehearsed.backed_up:
            await self._back_up_earlier(name)

    async def _back_up_earlier(self, name: str) -> None:
        async def produce(write: Callable[[bytes], Awaitable[None]]) -> dict[str, Any]:
            appliance = self.appliance(name)
            try:
                made = await appliance.back_up(write)
            finally:
                await appliance.close()
            return {"file_name": made.file_name, "size": made.size, "sha256": made.sha256}

        store = self.backups.setdefault(EARLIER_JOB, MemoryBackups(self.backups))
        await store.receive(f"back-up-{name}", name, produce)

    # -- the steps

    def _watched(self, handler: Handler) -> Handler:
        watched = super()._watched(handler)

        async def look(ctx: StepContext) -> Look:
            acted = ctx.record.acted_at is not None
            await self._step_begins(ctx)
            with_phase = Phase.VERIFY if acted else Phase.LOOK
            return await self._in(ctx, with_phase, watched.look(ctx))

        async def act(ctx: StepContext) -> None:
            assert watched.act is not None
            self._die(ctx, Kind.DEATH_BEFORE)
            self.acted.add(ctx.step.key)
            await self._in(ctx, Phase.ACT, watched.act(ctx))
            self._die(ctx, Kind.DEATH_AFTER)

        async def guard(ctx: StepContext) -> None:
            assert watched.guard is not None
            await self._in(ctx, Phase.GUARD, watched.guard(ctx))

        return replace(
            watched,
            look=look,
            act=act if watched.act else None,
            guard=guard if watched.guard else None,
        )

    async def _in(self, ctx: StepContext, phase: Phase, work: Awaitable[Any]) -> Any:
        key = (ctx.step.key, phase)
        self._visits[key] = self._visits.get(key, 0) + 1
        self._at = (ctx.step.key, ctx.step.kind, phase) if ctx.job_id == self.job_id else None
        self._number = 0
        try:
            return await work
        finally:
            self._at = None

    def _mine(self, ctx: StepContext, *kinds: Kind) -> Blow | None:
        blow = self.blow
        if self.struck or blow is None or blow.kind not in kinds:
            return None
        return blow if (ctx.job_id, ctx.step.key) == (self.job_id, blow.step) else None

    def _die(self, ctx: StepContext, kind: Kind) -> None:
        if self._mine(ctx, kind):
            self.struck = True
            raise WorkerDied

    async def _step_begins(self, ctx: StepContext) -> None:
        blow = self._mine(
            ctx, Kind.PEER_LOST, Kind.PEER_GONE, Kind.RESTART_SLOW, Kind.RESTART_HANGS,
            Kind.CANCEL, *LASTING,
        )  # fmt: skip
        if blow is None:
            return
        self.struck = True
        if blow.kind is Kind.CANCEL:
            await self.journal.request_cancel(self.job_id, by="tester")
        elif blow.kind in LASTING:
            self.fleet.faults.add(Fault(LASTING[blow.kind], blow.peer))
        elif blow.kind in {Kind.PEER_LOST, Kind.PEER_GONE}:
            self.fleet[blow.peer].lose_power()
        else:
            late = SLOW if blow.kind is Kind.RESTART_SLOW else NEVER_BACK
            self.fleet.faults.add(Fault(FaultKind.RESTART_HANGS, blow.peer, value=late))

    # -- the calls

    async def call(self, what: str, peer: str, call: Awaitable[Any], parts: int) -> Any:
        """Every call to a device comes through here."""
        if self._at is None:
            return await call
        step, kind, phase = self._at
        self._number += 1
        seen = Call(step, kind, phase, self._number, what, peer, parts)
        first = self._visits[step, phase] == 1
        if self.blow is None:
            if first:
                self.calls.append(seen)
            return await call
        return await self._struck_or_not(self.blow, seen, call)

    async def _struck_or_not(self, blow: Blow, seen: Call, call: Awaitable[Any]) -> Any:
        again = blow.kind is Kind.DROP_EVERY and not self.mended
        if self.struck and not again:
            return await call
        if blow.kind is Kind.DEATH_WITHIN and (seen.step, seen.phase) == (blow.step, Phase.ACT):
            self.struck = True
            await call
            raise WorkerDied
        aimed = blow.call
        here = aimed is not None and (aimed.step, aimed.phase, aimed.number) == (
            seen.step, seen.phase, seen.number,
        )  # fmt: skip
        if not here or blow.kind not in EXCHANGE:
            return await call
        self.struck = True
        second = 2 if blow.kind is Kind.DROP_WITHIN else 1
        fault = Fault(EXCHANGE[blow.kind], seen.peer, occurrence=second, value=1e6)
        self.fleet.faults.add(fault)
        try:
            return await call
        finally:
            self.fleet.faults.plan.remove(fault)

    # -- the job

    def insists(self, kind: str) -> bool:
        """Whether a step of that kind may wait for a silent peer without end."""
        handler = self.handlers.get(kind)
        return handler is not None and handler.insists is not None

    async def see_to_the_end(self, job_id: str) -> JobRecord:
        """Carry the job until it has ended, an operator standing by."""
        standing_by = asyncio.create_task(self.operator.stand_by(job_id))
        try:
            await self._carry(job_id)
        finally:
            standing_by.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await standing_by
        return await self.journal.load(job_id)

    async def _carry(self, job_id: str, tries: int = 20) -> None:
        """Serve wake-ups until the job has ended; a dead worker's job goes to the next one."""
        for number in range(tries):
            await self.wakeups.until_idle()
            job = await self.journal.load(job_id)
            if job.state.ended:
                return
            if job.unsettled:
                await self.operator.settle(job_id)
                continue
            await self.journal.reclaim(job_id)
            self.new_worker(f"worker-after-{number + 1}")
