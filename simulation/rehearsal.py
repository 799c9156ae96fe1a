"""A whole service in one process without a database: fleet, in-memory engine, registry.

Under virtual time a procedure of twenty minutes runs in milliseconds, and the witness looks at the
fleet after every change.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from app.appliance.appliance import Appliance
from app.appliance.trouble import trouble_with
from app.domain.cluster import Cluster
from app.domain.dns import DnsView
from app.domain.job import Attestation, JobState
from app.domain.neighbour import Neighbour
from app.domain.observation import NotObserved, Observation, View
from app.domain.peer import Peer
from app.domain.plan import Plan
from app.domain.procedure import Situation
from app.engine.clock import LoopClock
from app.engine.memory import MemoryJournal, MemoryWakeups
from app.engine.ports import Tools
from app.engine.records import JobFilter, JobRecord, NewJob
from app.engine.runner import Runner
from app.procedures.base import Handler, Look, NameLookups, NoNames, StepContext
from app.procedures.drafting import drafted
from app.procedures.registry import HANDLERS, PROCEDURES
from app.procedures.steps.names import look_up
from transports import mock
from transports.base import Endpoint, Transport
from transports.errors import TransportError
from transports.mock.fleet import Fleet
from transports.mock.scenario import REHEARSAL_PASSWORD
from transports.mock.witness import Witness

CLUSTER = "cluster1.example.com"
KEY = "Pre-shared & secret: 4711"

BuildAppliance = Callable[[Peer], Awaitable[Appliance]]


class WorkerDied(BaseException):
    """The worker is gone: raised where it stood, and nothing of it writes another word."""


class MemoryBackups:
    """Backups of one job, in memory; kept only when they came to their end."""

    def __init__(self, of_jobs: Mapping[str, MemoryBackups] | None = None) -> None:
        self.kept: dict[str, tuple[str, bytes, Mapping[str, Any]]] = {}
        self._of_jobs = of_jobs or {}

    async def taken(self, step_key: str) -> Mapping[str, Any] | None:
        """See BackupStore."""
        entry = self.kept.get(step_key)
        return None if entry is None else entry[2]

    async def of_peer(self, peer_id: str) -> bool:
        """See BackupStore."""
        return any(owner == peer_id for owner, _, _ in self.kept.values())

    async def receive(
        self,
        step_key: str,
        peer_id: str,
        produce: Callable[[Callable[[bytes], Awaitable[None]]], Awaitable[Mapping[str, Any]]],
    ) -> None:
        """See BackupStore."""
        pieces: list[bytes] = []

        async def write(piece: bytes) -> None:
            pieces.append(piece)

        receipt = await produce(write)
        self.kept[step_key] = (peer_id, b"".join(pieces), receipt)

    async def find(self, backup_id: str) -> Mapping[str, Any] | None:
        """See BackupStore. The id of a backup is `<job>/<step>`."""
        entry = self._entry(backup_id)
        return None if entry is None else {**entry[2], "peer_id": entry[0]}

    async def contents(self, backup_id: str) -> Callable[[], AsyncIterator[bytes]]:
        """See BackupStore."""
        entry = self._entry(backup_id)
        if entry is None:
            raise LookupError(backup_id)

        async def read() -> AsyncIterator[bytes]:
            yield entry[1]

        return read

    def _entry(self, backup_id: str) -> tuple[str, bytes, Mapping[str, Any]] | None:
        job_id, _, step_key = backup_id.partition("/")
        of_job = self._of_jobs.get(job_id)
        return None if of_job is None else of_job.kept.get(step_key)


class MemoryImages:
    """Software images in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    async def size(self, name: str) -> int | None:
        """Bytes of the image, or None."""
        return len(self.files[name]) if name in self.files else None

    async def read(self, name: str) -> AsyncIterator[bytes]:
        """The image in small pieces."""
        data = self.files[name]
        for start in range(0, len(data), 8):
            yield data[start : start + 8]


class MemoryRegistry:
    """The registry of one cluster, in memory."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self._rehearsal = rehearsal
        self.keys = [KEY]
        """Every pre-shared key the cluster has had, the present one last."""

    async def cluster(self) -> Cluster:
        """See Registry."""
        return self._rehearsal.cluster

    async def peer(self, peer_id: str) -> Peer:
        """See Registry."""
        return self._rehearsal.peers[peer_id]

    async def pre_shared_key(self) -> str:
        """See Registry."""
        return self.keys[-1]

    async def pre_shared_key_id(self) -> str | None:
        """See Registry."""
        return f"credential-{len(self.keys)}"

    async def renew_pre_shared_key(self, instead_of: str | None) -> None:
        """See Registry."""
        if instead_of == await self.pre_shared_key_id():
            self.keys.append(f"{KEY} renewed {len(self.keys)}")

    async def record_members(self, members: tuple[str, ...], primary_id: str | None) -> None:
        """See Registry."""
        peers = tuple(self._rehearsal.peers[member] for member in members)
        self._rehearsal.cluster = replace(
            self._rehearsal.cluster, members=peers, primary_id=primary_id
        )

    async def record_address(self, peer_id: str, address: str) -> None:
        """See Registry."""
        self._rehearsal.peers[peer_id] = replace(self._rehearsal.peers[peer_id], address=address)


class Rehearsal:
    """Runs procedures on a fleet. `peers` are the fleet's appliances by name, which is their id.

    `pace` is the appliance seconds in one second of the loop, for fleet and engine alike.
    """

    def __init__(self, scenario: Mapping[str, Any] | None = None, pace: float = 1.0) -> None:
        self.clock = LoopClock(pace)
        self.fleet = Fleet.from_scenario({"rate": pace, **(scenario or {})})
        self.witness = Witness(self.fleet)
        mock.register("rehearsal", self.fleet)
        self.peers = {e.name: Peer(e.name, e.name, e.address) for e in self.fleet}
        self.cluster = Cluster("cluster-1", CLUSTER)
        self.wakeups = MemoryWakeups()
        self.journal = MemoryJournal(self.clock, self.wakeups)
        self.backups: dict[str, MemoryBackups] = {}
        self.images = MemoryImages()
        self.names: NameLookups = NoNames()
        self.neighbours: tuple[Neighbour, ...] = ()
        self.handlers = {kind: self._watched(handler) for kind, handler in HANDLERS.items()}
        self.transport: Callable[[Endpoint], Transport] = mock.create
        self.new_worker("worker-1")
        self.registry = MemoryRegistry(self)
        self.all_jobs = JobFilter()
        self._numbers = itertools.count(1)
        self._when: dict[str, Callable[[], object]] = {}

    def new_worker(self, name: str) -> None:
        """From now on this worker serves the wake-ups."""
        self.runner = Runner(self.journal, self.handlers, self._equip, self.clock, name)
        self.wakeups.advance = self._advance

    async def _advance(self, job_id: str) -> None:
        try:
            await self.runner.advance(job_id)
        except WorkerDied:
            return

    def rename_cluster(self, name: str) -> None:
        """Register the cluster under another name."""
        self.cluster = replace(self.cluster, name=name)

    def when_step_starts(self, key: str, call: Callable[[], object]) -> None:
        """Call once when the step is first looked at."""
        self._when[key] = call

    def appliance(self, peer_id: str, password: str = REHEARSAL_PASSWORD) -> Appliance:
        """A new appliance over the mock transport."""
        return Appliance(peer_id, [self.transport(self.endpoint(peer_id, password))], self.clock)

    def endpoint(self, peer_id: str, password: str = REHEARSAL_PASSWORD) -> Endpoint:
        """How the peer is reached in process."""
        return Endpoint(
            host=self.peers[peer_id].address,
            port=0,
            username="admin",
            password=password,
            trust=None,
            options={"fleet": "rehearsal"},
        )

    async def observe(self, peer_id: str) -> View:
        """What the peer says now, or why it says nothing."""
        appliance = self.appliance(peer_id)
        try:
            return await appliance.observe()
        except TransportError as error:
            trouble = trouble_with(error)
            return NotObserved(peer_id, self.clock.now(), trouble.code, str(error), trouble.remedy)
        finally:
            await appliance.close()

    async def situation(self) -> Situation:
        """All peers as they are now."""
        capabilities = {
            peer_id: frozenset(c.value for c in self.appliance(peer_id).capabilities)
            for peer_id in self.peers
        }
        views = {peer_id: await self.observe(peer_id) for peer_id in self.peers}
        return Situation(
            cluster=self.cluster,
            peers=self.peers,
            views=views,
            capabilities=capabilities,
            memberships={member.id: self.cluster.id for member in self.cluster.members},
            images={name: len(data) for name, data in self.images.files.items()},
            neighbours=self.neighbours,
            dns=await self._dns([v for v in views.values() if isinstance(v, Observation)]),
        )

    async def _dns(self, seen: Sequence[Observation]) -> DnsView | None:
        """What the name servers say, where a rehearsal has any."""
        if isinstance(self.names, NoNames):
            return None
        return await look_up(self.names, self.cluster.name, seen)

    async def plan(self, slug: str, **parameters: Any) -> Plan:
        """A plan over what the peers say now."""
        return self.plan_over(await self.situation(), slug, parameters)

    def plan_over(self, situation: Situation, slug: str, parameters: Mapping[str, Any]) -> Plan:
        """A plan over a situation; pure but for its number and time."""
        procedure = PROCEDURES[slug]
        draft = drafted(procedure, procedure.parameters(**parameters), situation)
        now = self.clock.now()
        return Plan(
            id=f"plan-{next(self._numbers)}",
            cluster_id=self.cluster.id,
            procedure=slug,
            parameters=parameters,
            stages=draft.stages,
            findings=draft.findings,
            impact=draft.impact,
            back_out=draft.back_out,
            fingerprint=dict(draft.relies_on),
            created_at=now,
            expires_at=now + timedelta(days=1),
            requested_by="tester",
        )

    def _watched(self, handler: Handler) -> Handler:
        async def look(ctx: StepContext) -> Look:
            self._when.pop(ctx.step.key, lambda: None)()
            return await handler.look(ctx)

        return replace(handler, look=look)

    async def start_unattested(self, plan: Plan) -> JobRecord:
        """Start a plan; its gates wait."""
        new = NewJob(id=f"job-{next(self._numbers)}", plan=plan, requested_by="tester")
        return await self.journal.create(new)

    async def start(self, slug: str, **parameters: Any) -> JobRecord:
        """Plan and start with every gate attested up front.

        Raises AssertionError where the plan has blockers.
        """
        plan = await self.plan(slug, **parameters)
        if plan.blockers:
            raise AssertionError([(f.code, f.message) for f in plan.blockers])
        return await self.journal.create(
            NewJob(
                id=f"job-{next(self._numbers)}",
                plan=plan,
                requested_by="tester",
                attestations=self.attestations(plan),
            )
        )

    def attestations(self, plan: Plan) -> tuple[Attestation, ...]:
        """A statement for every gate of the plan."""
        return tuple(
            Attestation(step.attestation, "Ann Operator", "seen it", "tester", self.clock.now())
            for step in plan.steps
            if step.attestation
        )

    async def run(self, slug: str, **parameters: Any) -> JobRecord:
        """Plan, start and see to the end."""
        job = await self.start(slug, **parameters)
        await self.wakeups.until_idle()
        return await self.journal.load(job.id)

    async def build_cluster(self, size: int) -> None:
        """create-cluster on the first peer, add-peer for the others; each must succeed."""
        names = list(self.peers)
        for index, name in enumerate(names[:size]):
            job = await (
                self.run("create-cluster", primary_peer_id=name)
                if index == 0
                else self.run("add-peer", peer_id=name)
            )
            if job.state is not JobState.SUCCEEDED:
                raise AssertionError(job.wait, job.failure)

    @asynccontextmanager
    async def _equip(self, job: JobRecord) -> AsyncIterator[Tools]:
        appliances: dict[tuple[str, str], Appliance] = {}

        async def appliance(peer_id: str) -> Appliance:
            # A peer that moved is opened anew at its new address.
            where = (peer_id, self.peers[peer_id].address)
            if where not in appliances:
                appliances[where] = self.appliance(peer_id)
            return appliances[where]

        backups = self.backups.setdefault(job.id, MemoryBackups(self.backups))
        try:
            yield Tools(appliance, self.registry, backups, self.images, names=self.names)
        finally:
            for opened in appliances.values():
                await opened.close()
