"""One run: a story played to its end on a rehearsal, with several workers, people and a sweeper."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import itertools
import random
import typing
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.domain.plan import Plan
from app.domain.procedure import Situation
from app.engine.errors import LeaseLost
from app.engine.memory import MemoryJournal
from app.engine.records import OVER, JobRecord, Lease, NewJob
from app.procedures.base import Param, StepContext
from app.procedures.registry import PROCEDURES
from simulation import laws, schedule
from simulation.deliveries import Deliveries
from simulation.judge import in_time, judge, listening
from simulation.laws import Breach, Deed, Ledger
from simulation.people import People
from simulation.rehearsal import Rehearsal, WorkerDied
from simulation.story import Story, draw_story
from simulation.troubles import Troubles
from simulation.waiting import REQUESTER
from simulation.worker import JumpyClock, Worker
from transports.mock.witness import Witness

CALM_BOUND, TROUBLED_BOUND = 300.0, 4 * 3600.0
"""How long two peers may both take themselves for primary: a change that is interrupted by an
outage, or that fails and waits for people to mend it, takes as long as they do."""
TRIES = 12
"""How often parameters are drawn for a plan without blockers."""


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one seed."""

    seed: int
    procedure: str
    """Empty where no procedure had a plan without blockers."""
    outcome: str
    breaches: tuple[Breach, ...]
    troubles: Counter[str]
    checks: Counter[str]
    places: Counter[str]
    """Crossings between workers and the world, by what was called."""
    deaths: Counter[str]
    """Those at which a worker died."""
    digest: str
    """Over everything that was done, in order: equal for equal seeds."""
    trace: tuple[str, ...]


class World(Rehearsal):
    """The rehearsal a story is played on."""

    def __init__(self, story: Story) -> None:
        super().__init__(story.scenario)
        self.story = story
        self.ledger = Ledger()
        self.draw = random.Random(f"world/{story.seed}")  # noqa: S311 - repeatable on purpose
        self.witness.leave()
        bound = CALM_BOUND if story.calm else TROUBLED_BOUND
        self.witness = Witness(self.fleet, two_primaries_for=bound)
        self.over = False
        self.deeds: dict[str, list[Deed]] = {}
        self.troubles = Troubles(self)
        self.people = People(self)
        self.database_clock = JumpyClock()
        self.deliveries = Deliveries(self)
        self.journal = MemoryJournal(self.database_clock, self.deliveries)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self.workers = [Worker("worker-1", self), Worker("worker-2", self)]

    # -- what workers and deliveries ask of the world

    def seconds(self) -> float:
        """Since the run began."""
        return asyncio.get_running_loop().time()

    def job(self, job_id: str) -> JobRecord:
        """The job as the journal has it, without an await."""
        return self.journal.jobs[job_id]

    def later(self, seconds: float, call: Callable[[], object]) -> asyncio.TimerHandle:
        """Call something, unless the run is over by then."""
        handle = asyncio.get_running_loop().call_later(max(0.0, seconds), call)
        self._timers.add(handle)
        return handle

    def clock_error(self, worker: str) -> float:
        """By how many seconds a new worker's clock is ahead."""
        number, errors = int(worker.rpartition("-")[2]), self.story.clocks
        error = errors[(number - 1) % len(errors)] if errors else 0.0
        if error:
            self.ledger.struck("clock of a worker off", f"{worker} by {error:g} s")
        return error

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Have a task run until it ends or the run is over."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def hire(self) -> None:
        """One more worker, where fewer than two could work."""
        if (
            not self.troubles.nobody_may_come
            and sum(w.serves and not w.frozen for w in self.workers) < 2
        ):
            self.workers.append(Worker(f"worker-{len(self.workers) + 1}", self))

    def carry(self, worker: Worker, job_id: str, work: Awaitable[None]) -> None:
        """Have a worker do that on a job until it ends or the run is over."""
        self.spawn(self.deliveries.serve(worker, job_id, work))

    def reap(self, worker: Worker, only: str = "") -> None:
        """Others take the jobs of a worker taken for dead; `only`: it finds one it lost itself."""
        leases = [
            job.lease
            for job in self.journal.jobs.values()
            if job.owner == worker.name and (not only or job.id == only)
        ]
        if not (only and (worker.dead or worker.frozen or only in worker.runner.running)):
            self._take_over(leases, worker, itself=bool(only))

    def _take_over(self, leases: Sequence[Lease], of: Worker, *, itself: bool) -> None:
        """Again and again until no job is under its old lease: who takes over may die of it."""
        left = [lease for lease in leases if self.job(lease.job_id).lease == lease]
        if not left:
            return
        takers = [
            worker
            for worker in self.workers
            if worker.serves and not worker.frozen and (worker is of) is itself
        ]
        if takers:
            self.spawn(self.draw.choice(takers).take_over(left))
        self.later(1.0, lambda: self._take_over(left, of, itself=itself))

    def demand(self, lease: Lease) -> None:
        """Raises LeaseLost where the job has another owner, as a fenced write does."""
        job = self.job(lease.job_id)
        if (job.owner, job.epoch) != (lease.owner, lease.epoch):
            raise LeaseLost(f"job {lease.job_id} is no longer ours")

    def begins(self, worker: Worker, lease: Lease, what: str) -> None:
        """Something that changes the world is begun by a worker."""
        job = self.job(lease.job_id)
        current = job.owner == worker.name and job.epoch == lease.epoch
        self.ledger.hold(laws.LEASE, current, f"{worker.name}, {what}, {lease.job_id}")

    def act_begins(self, worker: Worker, ctx: StepContext) -> None:
        """A step's act is begun by a worker: nobody else may have the job or the cluster."""
        job = self.job(ctx.job_id)
        if worker.leases[job.id] not in worker.taken:
            self.begins(worker, worker.leases[job.id], f"act {ctx.step.key}")
        holders = [j.id for j in self.journal.jobs.values() if j.holds]
        self.ledger.hold(laws.ONE_JOB, holders == [job.id], f"{job.id} acts, {holders} hold")
        before = job.steps[: ctx.record.seq - 1]
        open_steps = [step.key for step in before if step.state not in OVER]
        self.ledger.hold(laws.ORDER, not open_steps, f"{ctx.step.key} before {open_steps}")
        in_time(self, job, ctx)

    @contextlib.contextmanager
    def fenced(self, lease: Lease) -> Iterator[None]:
        """Around a write: one with an old lease must not come out without an error."""
        job = self.job(lease.job_id)
        good = job.owner == lease.owner and job.epoch == lease.epoch
        yield
        self.ledger.hold(laws.FENCE, good, f"{lease} wrote, {job.owner} {job.epoch} had the job")

    # -- playing

    async def play(self) -> Run:
        """The whole run."""
        asyncio.get_running_loop().set_exception_handler(_bury)
        if self.story.members:
            await self.registry.record_members(self.story.members, self.story.members[0])
        plan = self._choose(await self.situation())
        if plan is None:
            return self._told("", "no plan without blockers")
        for fault in self.story.faults:
            self.fleet.faults.add(fault)
        given = self.attestations(plan) if self.story.attested else ()
        terms = self.story.waits.terms(self.database_clock.now())
        new = NewJob("job-1", plan, REQUESTER, attestations=given, terms=terms)
        with listening() as heard:
            await self.journal.create(new)
            self.people.set_going(new.id)
            self.troubles.set_going()
            job = await self.people.to_the_end(new.id, plan)
            judge(self, job, heard)
        await self._stop()
        failure = f": {job.failure.code}" if job.failure else ""
        waits = f" for {job.wait.reason.value}" if job.wait else ""
        return self._told(plan.procedure, f"{job.state.value}{failure}{waits}")

    def _choose(self, situation: Situation) -> Plan | None:
        for slug in itertools.islice(itertools.cycle(self.story.slugs), TRIES):
            try:
                plan = self.plan_over(situation, slug, self._parameters(slug))
            except (LookupError, ValueError):
                continue
            if not plan.blockers and plan.steps:
                self.ledger.trace.append(f"{slug} {plan.parameters}")
                return plan
        return None

    def _parameters(self, slug: str) -> dict[str, Any]:
        """Parameters of a procedure, by their types and names."""
        kind = PROCEDURES[slug].parameters
        hints = typing.get_type_hints(kind, include_extras=True)
        names = list(self.peers)
        drawn: dict[str, Any] = {}
        for field in dataclasses.fields(kind):
            param = next(m for m in hints[field.name].__metadata__ if isinstance(m, Param))
            given = field.default is not dataclasses.MISSING
            if field.name.endswith("peer_id"):
                if not given or self.draw.random() < 0.5:
                    drawn[field.name] = self.draw.choice(names)
            elif field.name.endswith("peer_ids"):
                if not given or self.draw.random() < 0.3:
                    drawn[field.name] = tuple(
                        self.draw.sample(names, self.draw.randint(1, len(names)))
                    )
            elif isinstance(field.default, bool):
                drawn[field.name] = self.draw.random() < 0.5
            elif "seconds" in field.name:
                drawn[field.name] = float(self.draw.choice((0, 600, 1200)))
            elif not given:
                drawn[field.name] = param.example
        return drawn

    async def _stop(self) -> None:
        self.over = True
        for worker in self.workers:
            worker.dead = True
        for handle in self._timers:
            handle.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _told(self, procedure: str, outcome: str) -> Run:
        ledger = self.ledger
        for _, fault, occasion in self.fleet.faults.struck:
            ledger.troubles[f"device: {fault.kind.value}"] += 1
            ledger.trace.append(f"fault {fault.kind} {fault.peer} {occasion}")
        ledger.trace.append(f"{procedure} {outcome}")
        digest = hashlib.sha256("\n".join(ledger.trace).encode()).hexdigest()[:16]
        return Run(
            seed=self.story.seed,
            procedure=procedure,
            outcome=outcome,
            breaches=tuple(ledger.breaches),
            troubles=ledger.troubles,
            checks=ledger.checks,
            places=ledger.places,
            deaths=ledger.deaths,
            digest=digest,
            trace=tuple(ledger.trace),
        )


def _bury(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What a worker left to tasks of its own when it was killed died with it, unheard."""
    if not isinstance(context.get("exception"), WorkerDied):
        loop.default_exception_handler(context)


def play(seed: int) -> Run:
    """Draw the story of a seed and play it."""
    return play_story(draw_story(seed, sorted(PROCEDURES)))


def play_story(story: Story) -> Run:
    """Play a story; what once found a bug is kept as one, because draws change with procedures."""

    async def main() -> Run:
        return await World(story).play()

    return schedule.run(main(), story.seed)
