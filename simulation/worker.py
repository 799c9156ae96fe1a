"""A worker that can die, freeze or lose its lease at every await at which it touches the world.

Every call to a peer, to the journal, to registry or backups crosses a boundary twice: before it is
made and behind its answer. At a crossing the story may strike. A dead worker never gets past its
next crossing, in whichever task, so nothing of it writes another word: that is SIGKILL. A frozen
one stands at its next crossing until it is thawed: that is SIGSTOP and SIGCONT.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

from app.appliance.appliance import Appliance
from app.domain.job import StepRecord, StepState
from app.engine.clock import LoopClock
from app.engine.errors import EngineError, JournalDown
from app.engine.ports import Tools
from app.engine.pulse import Pulse
from app.engine.records import Flags, JobRecord, Lease, Leave, NewEvent, Wait
from app.engine.runner import Runner
from app.procedures.base import Handler, Look, StepContext
from app.procedures.registry import HANDLERS
from simulation import laws
from simulation.rehearsal import MemoryBackups, WorkerDied
from simulation.story import TroubleKind
from transports import mock
from transports.base import Capability, Operation
from transports.command import Command, Setting
from transports.document import Node, Path

if TYPE_CHECKING:
    from simulation.world import World

T = TypeVar("T")
STALE = 5.0
FROZEN = 10.0
KILLED = 1.2
GRACEFUL = 5.0
"""Seconds, as those of the product's worker."""


class JumpyClock(LoopClock):
    """A time of day that people or NTP may set forward and back."""

    def __init__(self, ahead: float = 0.0) -> None:
        """`ahead` by so many seconds from the start on."""
        super().__init__()
        super().now()
        self.offset = timedelta(seconds=ahead)

    def now(self) -> datetime:
        """See Clock."""
        return super().now() + self.offset


class Worker:
    """One worker process."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.world = world
        self.clock = JumpyClock(world.clock_error(name))
        self.dead = False
        self.ending = False
        self.taken: set[Lease] = set()
        """Leases that somebody wrongly took away: it could not know."""
        self.leases: dict[str, Lease] = {}
        """By job, as it got them."""
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._recovering = False
        self.runner = Runner(
            journal=MortalJournal(self),
            handlers={kind: self._watched(handler) for kind, handler in HANDLERS.items()},
            equip=self._equip,
            clock=self.clock,
            owner=name,
            lease_check=self._check,
        )
        self._pulse = Pulse(STALE, self.runner.interrupt)

    @property
    def serves(self) -> bool:
        """Whether it takes wake-ups, at once or when it is thawed."""
        return not (self.dead or self.ending)

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return not self._thawed.is_set()

    # -- what becomes of it

    async def cross(self, place: str) -> None:
        """One crossing of the boundary between the worker and the world. Raises WorkerDied."""
        if self.dead:
            raise WorkerDied
        for trouble in self.world.troubles.strikes(place):
            self.world.ledger.struck(trouble.kind, f"{self.name} at {place}")
            if trouble.kind is TroubleKind.WORKER_KILLED:
                self.world.ledger.deaths[place] += 1
                self.die()
            elif trouble.kind is TroubleKind.WORKER_FROZEN:
                self._freeze(trouble.lasts)
            elif trouble.kind is TroubleKind.WORKER_ENDS:
                self._end()
            else:
                jobs = self.world.journal.jobs.values()
                self.taken |= {job.lease for job in jobs if job.owner == self.name}
                self.world.reap(self)
        if not self._thawed.is_set():
            await self._thawed.wait()
        if self.dead:
            raise WorkerDied

    async def over(self, place: str, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call to the world."""
        await self.cross(f"before {place}")
        try:
            return await call()
        finally:
            await self.cross(f"behind {place}")

    async def take_over(self, leases: Sequence[Lease]) -> None:
        """Go on with jobs of another worker, or with what this one lost inside itself."""
        try:
            taken = await self.runner.journal.take_over(leases, self.name)
        except EngineError:
            for lease in leases:
                self.world.later(1.0, lambda lost=lease.job_id: self.world.reap(self, lost))  # type: ignore[misc]  # bound in this round
            return
        except WorkerDied:
            return
        for job in taken:
            self.world.carry(self, job.id, self.runner.take_up(job))

    def die(self) -> None:
        """SIGKILL."""
        self.dead = True
        self._thawed.set()
        self.world.hire()
        self.world.later(KILLED + self.world.draw.random(), lambda: self.world.reap(self))

    def _end(self) -> None:
        """SIGTERM."""
        if self.ending:
            return
        self.ending = True
        self.runner.drain()
        self.world.hire()
        self.world.spawn(self._finish())

    async def _finish(self) -> None:
        await self.runner.finish(GRACEFUL)
        hindered = self.dead or self.frozen or self.world.troubles.journal_was_silent
        if not hindered:
            left = [job.id for job in self.world.journal.jobs.values() if job.owner == self.name]
            self.world.ledger.hold(laws.GIVEN_BACK, not left, f"{self.name} left {left}")
        if not self.dead:
            self.die()

    def _freeze(self, seconds: float) -> None:
        self._thawed.clear()
        self._recovering = True
        self._pulse = Pulse(STALE, self.runner.interrupt)
        self._pulse.beaten(self.world.seconds() - self.world.draw.random())
        self.world.later(seconds, self._thaw)
        if seconds > FROZEN:
            self.world.hire()
            taken = FROZEN + self.world.draw.random()
            self.world.later(min(taken, seconds), lambda: self.world.reap(self))

    def _thaw(self) -> None:
        """SIGCONT: everything goes on, and watch and beat come when they come."""
        if self.dead:
            return
        draw = self.world.draw
        self._thawed.set()
        self.world.later(draw.choice((0.0, 0.0, 0.3)), self._pulse.watch)
        self.world.later(draw.choice((0.0, 0.001, 0.5)), self._beat_again)

    def _beat_again(self) -> None:
        if not self.frozen:
            self._recovering = False
            self._pulse.beaten(self.world.seconds())

    def _check(self) -> None:
        """The lease check of the product; beats come all the time while nothing is amiss."""
        if self.dead:
            raise WorkerDied
        if self._recovering:
            self._pulse.check()

    # -- what it may use

    def _watched(self, handler: Handler) -> Handler:
        ledger = self.world.ledger
        act = handler.act

        async def look(ctx: StepContext) -> Look:
            seen = await handler.look(ctx)
            ledger.looked(ctx.job_id, ctx.step.key)
            return seen

        async def watched_act(ctx: StepContext) -> None:
            self.world.act_begins(self, ctx)
            ledger.acts(ctx.job_id, ctx.step.key)
            if act is not None:
                await act(ctx)

        return replace(handler, look=look, act=None if act is None else watched_act)

    @asynccontextmanager
    async def _equip(self, job: JobRecord) -> AsyncIterator[Tools]:
        world = self.world
        self.leases[job.id] = job.lease
        appliances: dict[str, Appliance] = {}

        async def appliance(peer_id: str) -> Appliance:
            if peer_id not in appliances:
                transport = MortalTransport(self, job, peer_id)
                appliances[peer_id] = Appliance(peer_id, [transport], self.clock)
            return appliances[peer_id]

        backups = world.backups.setdefault(job.id, MemoryBackups())
        try:
            yield Tools(
                appliance,
                cast("Any", Mortal(self, job, "registry", world.registry)),
                cast("Any", Mortal(self, job, "backups", backups)),
            )
        finally:
            for opened in appliances.values():
                await opened.close()


class Mortal:
    """Registry or backups behind the boundary; all their methods are coroutines."""

    def __init__(self, worker: Worker, job: JobRecord, name: str, inner: object) -> None:
        self._worker, self._job, self._name, self._inner = worker, job, name, inner

    def __getattr__(self, method: str) -> Callable[..., Any]:
        call = getattr(self._inner, method)

        async def fenced(*args: Any) -> Any:
            """The registry's writes are fenced like the journal's."""
            if method.startswith("record"):
                self._worker.world.demand(self._job.lease)
            return await call(*args)

        async def cross(*args: Any) -> Any:
            return await self._worker.over(f"{self._name} {method}", lambda: fenced(*args))

        return cross


class MortalTransport:
    """The in-process transport behind the boundary; notes every deed."""

    name = "mock"

    def __init__(self, worker: Worker, job: JobRecord, peer_id: str) -> None:
        self._inner = mock.create(worker.world.endpoint(peer_id))
        self._worker, self._job, self._peer = worker, job, peer_id

    @property
    def capabilities(self) -> frozenset[Capability]:
        """See Transport."""
        return self._inner.capabilities

    async def read_status(self, path: Path) -> Node:
        """See Transport."""
        return await self._worker.over("a look", lambda: self._inner.read_status(path))

    async def read_configuration(self, path: Path) -> Node:
        """See Transport."""
        return await self._worker.over("a look", lambda: self._inner.read_configuration(path))

    async def write(self, settings: Sequence[Setting]) -> None:
        """See Transport; the worker may die between two settings."""
        said = ", ".join(f"{setting.path}={setting.value}" for setting in settings)
        self._deed(f"write {said}")
        for setting in settings:
            await self._worker.over("a write", lambda setting=setting: self._inner.write([setting]))  # type: ignore[misc]  # bound in this round

    async def run(self, command: Command) -> Node:
        """See Transport."""
        self._deed("restart" if command.name == "Boot" else command.name)
        return await self._worker.over(command.name, lambda: self._inner.run(command))

    async def perform(self, operation: Operation[T]) -> T:
        """See Transport."""
        name = type(operation).__name__
        if not name.startswith(("Read", "Check", "Ping")):
            self._deed("restart" if name == "RestartSystem" else name)
        return await self._worker.over(name, lambda: self._inner.perform(operation))

    async def close(self) -> None:
        """See Transport; a dead worker's connections are closed by its machine."""
        await self._inner.close()

    def _deed(self, what: str) -> None:
        world = self._worker.world
        world.deeds.setdefault(self._job.id, []).append(laws.Deed(self._peer, what))
        world.ledger.trace.append(f"{world.seconds():.3f} {self._worker.name} {self._peer} {what}")
        if self._job.lease not in self._worker.taken:
            world.begins(self._worker, self._job.lease, f"{what} on {self._peer}")


class MortalJournal:
    """The journal behind the boundary; its calls may also stay without an answer."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def claim(self, job_id: str, owner: str) -> JobRecord | None:
        """See Journal."""
        journal = self._worker.world.journal
        return await self._call("claim", lambda: journal.claim(job_id, owner))

    async def record(
        self,
        lease: Lease,
        step: StepRecord,
        events: Sequence[NewEvent] = (),
        wait: Wait | None = None,
    ) -> Flags:
        """See Journal."""
        world = self._worker.world
        if step.state is StepState.DONE and step.outcome == "acted":
            world.ledger.done(lease.job_id, step.key)

        async def record() -> Flags:
            with world.fenced(lease):
                return await world.journal.record(lease, step, events, wait)

        return await self._call("record", record)

    async def leave(self, lease: Lease, leave: Leave) -> JobRecord:
        """See Journal."""
        world = self._worker.world

        async def give_back() -> JobRecord:
            with world.fenced(lease):
                return await world.journal.leave(lease, leave)

        return await self._call("leave", give_back)

    async def take_over(self, leases: Sequence[Lease], owner: str) -> Sequence[JobRecord]:
        """See Journal."""
        journal = self._worker.world.journal
        return await self._call("take-over", lambda: journal.take_over(leases, owner))

    async def load(self, job_id: str) -> JobRecord:
        """See Journal."""
        return await self._call("load", lambda: self._worker.world.journal.load(job_id))

    async def _call(self, place: str, call: Callable[[], Awaitable[T]]) -> T:
        silence = self._worker.world.troubles.silence()
        if silence is not None and not silence.lasts:
            raise JournalDown("the simulated database did not take it")
        answer = await self._worker.over(f"journal {place}", call)
        if silence is not None:
            raise JournalDown("the simulated database took it and did not say so")
        return answer
