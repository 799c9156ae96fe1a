"""A small workbench for the engine: one fake peer, handlers on it, jobs of a few steps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

from app.domain.job import Attestation, StepFailure
from app.domain.plan import Plan, PlannedStep, Stage
from app.engine.clock import LoopClock
from app.engine.memory import MemoryJournal, MemoryWakeups
from app.engine.ports import Tools
from app.engine.records import JobRecord, NewJob
from app.engine.runner import Runner
from app.procedures.base import Handler, Look, StepContext

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def step(key: str, kind: str = "set", **more: Any) -> PlannedStep:
    return PlannedStep(
        key=key,
        kind=kind,
        title=f"Step {key}",
        requirements=("ADD-J-22",),
        peer_id=more.pop("peer_id", "peer-1"),
        **more,
    )


def plan(*steps: PlannedStep, cluster: str = "cluster-1", plan_id: str = "plan-1") -> Plan:
    return Plan(
        id=plan_id,
        cluster_id=cluster,
        procedure="add-peer",
        parameters={"peer": "peer-1"},
        stages=(Stage("all", "All of it", tuple(steps), page="12"),),
        findings=(),
        impact=(),
        back_out=("remove the peer again",),
        fingerprint={"peer-1": "abc"},
        created_at=EPOCH,
        expires_at=EPOCH,
        requested_by="tester",
    )


def new_job(
    *steps: PlannedStep, job_id: str = "job-1", cluster: str = "cluster-1", **more: Any
) -> NewJob:
    made = plan(*steps, cluster=cluster, plan_id=f"plan-of-{job_id}")
    return NewJob(id=job_id, plan=made, requested_by="tester", **more)


def statement(gate: str, at: datetime = EPOCH) -> Attestation:
    return Attestation(gate, "Ann", "I saw it", "key-1", at)


@dataclass
class Peer:
    """What the fake handlers read and change. `acts` and `looks` count; `faults` fail them."""

    done: set[str] = field(default_factory=set)
    acts: list[str] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)
    look_fault: Callable[[StepContext], None] | None = None
    act_fault: Callable[[StepContext], None] | None = None
    act_work: Callable[[StepContext], Awaitable[None]] | None = None

    async def look(self, context: StepContext) -> Look:
        key = context.step.key
        self.looks.append(key)
        if self.look_fault is not None:
            self.look_fault(context)
        return Look(met=key in self.done, seen={"done": sorted(self.done)})

    async def act(self, context: StepContext) -> None:
        key = context.step.key
        self.acts.append(key)
        if self.act_fault is not None:
            self.act_fault(context)
        if self.act_work is not None:
            await self.act_work(context)
        self.done.add(key)

    async def attested(self, context: StepContext) -> Look:
        return Look(met=context.step.attestation in context.attestations)


@dataclass
class Bench:
    """A runner over an in-memory journal, to be used inside a virtual-time loop."""

    peer: Peer = field(default_factory=Peer)
    pace: float = 1.0
    handlers: dict[str, Handler] = field(default_factory=dict)
    drift: Callable[[JobRecord], Awaitable[StepFailure | None]] | None = None

    def __post_init__(self) -> None:
        self.clock = LoopClock(self.pace, EPOCH)
        self.wakeups = MemoryWakeups()
        self.journal = MemoryJournal(self.clock, self.wakeups)
        handlers = {
            "set": Handler("set", self.peer.look, self.peer.act),
            "restart": Handler("restart", self.peer.look, self.peer.act, settle=120),
            "wait": Handler("wait", self.peer.look),
            "attest": Handler("attest", self.peer.attested, waits_for="attestation"),
        }
        self.runner = self.worker("worker-1", handlers | self.handlers)
        self.wakeups.advance = self.runner.advance

    def worker(self, owner: str, handlers: dict[str, Handler]) -> Runner:
        return Runner(self.journal, handlers, self.equip, self.clock, owner)

    @asynccontextmanager
    async def equip(self, job: JobRecord) -> AsyncIterator[Tools]:
        nothing = cast("Any", None)
        tools = Tools(appliances=nothing, registry=nothing, backups=nothing)
        yield tools if self.drift is None else replace(tools, drift=self.drift)

    async def run(self, new: NewJob) -> JobRecord:
        await self.journal.create(new)
        await self.wakeups.until_idle()
        return await self.journal.load(new.id)

    async def types(self, job_id: str = "job-1") -> list[str]:
        return [event.type for event in await self.journal.events(job_id)]
