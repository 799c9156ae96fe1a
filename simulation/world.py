"""One run: a story played to its end on a rehearsal, with several workers, people and a sweeper."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import itertools
import logging
import random
import typing
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from app.domain.job import Attestation, JobState, StepState, WaitReason
from app.domain.plan import Plan
from app.domain.procedure import Situation
from app.domain.terms import approved
from app.engine.errors import EngineError, LeaseLost
from app.engine.memory import MemoryJournal
from app.engine.records import OVER, JobRecord, Lease, NewJob, safe_before
from app.procedures.base import Param, StepContext
from app.procedures.registry import PROCEDURES
from simulation import laws, schedule
from simulation.deliveries import Deliveries
from simulation.laws import Breach, Deed, Ledger
from simulation.rehearsal import KEY, Rehearsal, WorkerDied
from simulation.story import Story, Trouble, TroubleKind, draw_story
from simulation.waiting import REQUESTER, Word
from simulation.worker import JumpyClock, Worker
from transports.mock.expressway import Power
from transports.mock.faults import FaultKind
from transports.mock.scenario import REHEARSAL_PASSWORD, ROOT_PASSWORD
from transports.mock.witness import Witness

LIMIT = 2 * 86400.0
"""Seconds within which a job must have ended or wait for people."""
CALM_BOUND, TROUBLED_BOUND = 300.0, 4 * 3600.0
"""How long two peers may both take themselves for primary: a change that is interrupted by an
outage, or that fails and waits for people to mend it, takes as long as they do."""
NOTICED_AFTER = 3 * 3600.0
"""Seconds until people see to a job that waits for a peer without end."""
RARELY_ASKED = {WaitReason.APPROVAL, WaitReason.WINDOW}
"""Waits that take hours: what becomes of them is looked at by the minute."""
OVERRUN = timedelta(minutes=8)
"""Between the question whether a window is open and the act lies a look, which takes a while; and
the worker asks its own clock, which may be some minutes late."""
RETRIES = 2
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
        self.wake_up_troubles: dict[int, list[TroubleKind]] = {}
        self._at_crossings: list[Trouble] = []
        self._crossings: Counter[str] = Counter()
        self._parts: tuple[str, ...] = ()
        """Names of places at which a crossing is counted, because a trouble waits there."""
        self._silences: dict[int, Trouble] = {}
        self._journal_calls = 0
        self.journal_was_silent = False
        self._closed = False
        """Whether all workers are gone and none may come yet."""
        self.database_clock = JumpyClock()
        self.deliveries = Deliveries(self)
        self.journal = MemoryJournal(self.database_clock, self.deliveries)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self.workers = [Worker("worker-1", self), Worker("worker-2", self)]
        self._arm()

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
        if not self._closed and sum(w.serves and not w.frozen for w in self.workers) < 2:
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

    def strikes(self, place: str) -> list[Trouble]:
        """The troubles that come about at this crossing, whichever worker is at it."""
        self.ledger.places[place] += 1
        if not self._at_crossings:
            return []
        for part in self._parts:
            self._crossings[part] += part in place
        struck = [
            trouble
            for trouble in self._at_crossings
            if trouble.target in place and self._crossings[trouble.target] == trouble.at
        ]
        if struck:
            self._at_crossings = [t for t in self._at_crossings if t not in struck]
        return struck

    def silence(self) -> Trouble | None:
        """Whether the journal stays silent at this call of a worker."""
        self._journal_calls += 1
        trouble = self._silences.pop(self._journal_calls, None)
        if trouble is not None:
            self.journal_was_silent = True
            self.ledger.struck(trouble.kind, f"call {self._journal_calls}")
        return trouble

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
        self._in_time(job, ctx)

    def _in_time(self, job: JobRecord, ctx: StepContext) -> None:
        """Whether people agreed to what is done now, and whether it is the time for it."""
        terms, began = job.terms, job.started_at
        agreed = approved(terms, job.decisions) and began is not None
        early = terms.not_before is not None and began is not None and began < terms.not_before
        self.ledger.hold(laws.AGREED, agreed and not early, f"{ctx.step.key}, begun at {began}")
        if terms.calendar.always or began is None:
            return
        opened = terms.calendar.is_open(began)
        self.ledger.hold(laws.WINDOWS, opened, f"begun at {began}")
        fresh = [replace(s, acted_at=None) if s.key == ctx.step.key else s for s in job.steps]
        stands = ctx.record.attempt == 1 and safe_before(job.plan, tuple(fresh), ctx.record.seq - 1)
        if terms.enforce_window and stands and self._punctual:
            now = self.database_clock.now()
            good = any(terms.calendar.is_open(at) for at in (now, now - OVERRUN))
            self.ledger.hold(laws.WINDOWS, good, f"{ctx.step.key} at {now}")

    @property
    def _punctual(self) -> bool:
        """Whether clocks keep their pace and peers answer at once."""
        jumps = any(t.kind is TroubleKind.CLOCK_JUMP for t in self.story.troubles)
        slow = any(fault.kind is FaultKind.DELAY for fault in self.story.faults)
        return not (jumps or slow)

    @contextlib.contextmanager
    def fenced(self, lease: Lease) -> Iterator[None]:
        """Around a write: one with an old lease must not come out without an error."""
        job = self.job(lease.job_id)
        good = job.owner == lease.owner and job.epoch == lease.epoch
        yield
        self.ledger.hold(laws.FENCE, good, f"{lease} wrote, {job.owner} {job.epoch} had the job")

    # -- the story

    def _arm(self) -> None:
        for trouble in self.story.troubles:
            number = int(trouble.at)
            match trouble.kind:
                case (
                    TroubleKind.WORKER_KILLED
                    | TroubleKind.WORKER_FROZEN
                    | TroubleKind.WORKER_ENDS
                    | TroubleKind.LEASE_TAKEN
                ):
                    self._at_crossings.append(trouble)
                    self._parts = tuple({t.target: None for t in self._at_crossings})
                case TroubleKind.WAKE_UP_LOST | TroubleKind.WAKE_UP_DOUBLED:
                    self.wake_up_troubles.setdefault(number, []).append(trouble.kind)
                case TroubleKind.JOURNAL_SILENT:
                    self._silences[number] = trouble
                case _:
                    pass

    def _set_going(self, job_id: str) -> None:
        for word in self.story.waits.words:
            self.later(word.after, lambda word=word: self.spawn(self._say(word, job_id)))  # type: ignore[misc]  # bound in this round
        for trouble in self.story.troubles:
            strike: Callable[[Trouble], None] | None = None
            match trouble.kind:
                case TroubleKind.CLOCK_JUMP:
                    strike = self._jump
                case TroubleKind.LINK_CUT:
                    strike = self._cut
                case TroubleKind.POWER_LOST:
                    strike = self._power
                case TroubleKind.ALL_RESTARTED:
                    strike = self._restart_all
                case TroubleKind.PAUSED | TroubleKind.CANCELLED:
                    self.later(
                        trouble.at,
                        lambda trouble=trouble: self.spawn(self._people(trouble, job_id)),  # type: ignore[misc]  # bound in this round
                    )
                case _:
                    pass
            if strike is not None:
                self.later(trouble.at, lambda s=strike, t=trouble: s(t))  # type: ignore[misc]  # bound in this round

    def _jump(self, trouble: Trouble) -> None:
        clocks = {worker.name: worker.clock for worker in self.workers}
        clock = clocks.get(trouble.target, self.database_clock)
        clock.offset += timedelta(seconds=trouble.lasts)
        self.ledger.struck(trouble.kind, f"{trouble.target} by {trouble.lasts:g} s")

    def _restart_all(self, trouble: Trouble) -> None:
        self.ledger.struck(trouble.kind, f"nobody for {trouble.lasts:g} s")
        self._closed = True
        for worker in self.workers:
            if not worker.dead:
                worker.die()
        self.later(trouble.lasts, self._open_again)

    def _open_again(self) -> None:
        self._closed = False
        self.hire()
        self.hire()

    def _cut(self, trouble: Trouble) -> None:
        others = [name for name in self.peers if name != trouble.target]
        other = self.draw.choice([*others, "service", "service", "everybody"])
        if other == "everybody":
            self.fleet.isolate(trouble.target)
        else:
            self.fleet.cut(trouble.target, other)
        self.ledger.struck(trouble.kind, f"{trouble.target} - {other} for {trouble.lasts:g} s")
        self.later(trouble.lasts, self.fleet.mend_all)

    def _power(self, trouble: Trouble) -> None:
        device = self.fleet[trouble.target]
        device.lose_power()
        self.ledger.struck(trouble.kind, f"{trouble.target} for {trouble.lasts:g} s")
        self.later(trouble.lasts, device.gain_power)

    async def _say(self, word: Word, job_id: str) -> None:
        decision = word.decision(self.job(job_id).plan.digest, self.database_clock.now())
        with contextlib.suppress(EngineError):
            await self.journal.decide(job_id, decision)
            self.ledger.trace.append(f"{word.by} {word.verdict.value}")

    async def _people(self, trouble: Trouble, job_id: str) -> None:
        try:
            if trouble.kind is TroubleKind.CANCELLED:
                await self.journal.request_cancel(job_id, by="Ann", reason="a simulated wish")
            else:
                await self.journal.request_pause(job_id, by="Ann")
            self.ledger.struck(trouble.kind, job_id)
            if trouble.kind is TroubleKind.PAUSED:
                await asyncio.sleep(trouble.lasts)
                await self.journal.resume(job_id, by="Ann")
        except EngineError:
            return

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
        with self._listening() as heard:
            await self.journal.create(new)
            self._set_going(new.id)
            job = await self._to_the_end(new.id, plan)
            self._judge(job, heard)
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

    async def _to_the_end(self, job_id: str, plan: Plan) -> JobRecord:
        retries, waited = 0, 0.0
        while True:
            await asyncio.sleep(5)
            job = self.job(job_id)
            while job.wait is not None and job.wait.reason in RARELY_ASKED:
                await asyncio.sleep(60)
                job = self.job(job_id)
                if self.seconds() > LIMIT:
                    return job
            for_a_peer = job.wait is not None and job.wait.reason is WaitReason.PEER
            waited = waited + 5 if for_a_peer else 0.0
            if waited >= NOTICED_AFTER:
                waited = 0.0
                await self._mend()
            asked = job.wait is not None and job.wait.reason is WaitReason.ATTESTATION
            if asked and not job.state.ended and self.draw.random() < 0.2:
                await self._attest(job, plan)
            if job.unsettled and retries >= RETRIES:
                with contextlib.suppress(EngineError):
                    await self.journal.request_cancel(job_id, by="Ann", reason="given up")
            stuck = job.state is JobState.FAILED or job.unsettled
            if stuck and retries < RETRIES and not self.story.calm:
                retries += 1
                await self._mend()
                with contextlib.suppress(EngineError):
                    await self.journal.retry(job_id, by="Ann")
                continue
            if job.state.ended:
                return job
            if self.seconds() > LIMIT:
                self.ledger.hold(laws.ENDS, False, f"{job_id} is {job.state} at {job.current}")
                return job

    async def _attest(self, job: JobRecord, plan: Plan) -> None:
        wanted = job.current
        gate = plan.steps[wanted.seq - 1].attestation if wanted else ""
        made = Attestation(gate, "Ann", "seen it", "tester", self.database_clock.now())
        with contextlib.suppress(EngineError):
            await self.journal.attest(job.id, made)

    async def _mend(self) -> None:
        """People set everything right before they retry."""
        self.fleet.faults.clear()
        self.fleet.mend_all()
        for device in self.fleet:
            if device.power in {Power.RESTARTING, Power.OFF}:
                device.lose_power()
                device.gain_power()
        await asyncio.sleep(1800)

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

    # -- judging

    @contextlib.contextmanager
    def _listening(self) -> Iterator[list[str]]:
        """Everything our own code writes to the log."""
        heard: list[str] = []
        handler = _Ear(heard)
        loggers = [logging.getLogger("app"), logging.getLogger("transports")]
        before = [(logger.level, logger.propagate) for logger in loggers]
        for logger in loggers:
            logger.addHandler(handler)
            logger.setLevel(logging.DEBUG)
            logger.propagate = False
        try:
            yield heard
        finally:
            for logger, (level, propagate) in zip(loggers, before, strict=True):
                logger.removeHandler(handler)
                logger.setLevel(level)
                logger.propagate = propagate

    def _judge(self, job: JobRecord, heard: list[str]) -> None:
        ledger = self.ledger
        timed = job.wait is not None and job.wait.reason is WaitReason.WINDOW
        ends = job.state.ended or (timed and self.seconds() > LIMIT)
        ledger.hold(laws.ENDS, ends, f"{job.state} {job.wait}")
        self.witness.look()
        for rule, times in self.witness.looks.items():
            ledger.checks[f"{laws.FLEET}: no {rule}"] += times
        for violation in self.witness.violations:
            ledger.hold(laws.FLEET, False, str(violation))
        events = self.journal.events_of(job.id)
        numbers = [event.seq for event in events]
        gapless = numbers == list(range(1, len(numbers) + 1)) and job.last_event_seq == len(numbers)
        ledger.hold(laws.EVENTS, gapless, f"{numbers}, last {job.last_event_seq}")
        text = repr(job) + repr(events) + "".join(heard)
        told = [s for s in (KEY, REHEARSAL_PASSWORD, ROOT_PASSWORD) if s in text]
        ledger.hold(laws.SECRETS, not told, f"{len(told)} secrets in events, records or the log")
        deeds = self.deeds.get(job.id, [])
        wrong = laws.out_of_order(job.plan.procedure, deeds, self._roles(job))
        ledger.hold(laws.ORDER, not wrong, "; ".join(wrong))
        failure = job.failure
        mistakes = {"internal-error", "unknown-step-kind"}
        sound = failure is None or failure.code not in mistakes
        ledger.hold(laws.SOUND, sound, " | ".join(heard[-3:]))
        if self.story.calm:
            fair = job.state is JobState.SUCCEEDED or _people_failed(job)
            ledger.hold(laws.CALM, fair, f"{failure}")
        self._judge_end(job)

    def _judge_end(self, job: JobRecord) -> None:
        ledger, failure = self.ledger, job.failure
        members = [member.id for member in self.cluster.members]
        apart = self.witness.disagreements(*members)
        if job.state is JobState.FAILED:
            worded = failure is not None and all((failure.code, failure.message, failure.remedy))
            ledger.hold(laws.WORDS, worded, f"{failure}")
        else:
            ledger.hold(laws.AGREEMENT, not apart, f"{job.state}: {'; '.join(apart)}")
        if job.state is JobState.SUCCEEDED:
            left = [step.key for step in job.steps if step.state not in OVER]
            ledger.hold(laws.TRUTH, not left, f"succeeded without {left}")
            listed = {
                name: [self.fleet.at(a) for a in self.fleet[name].cluster.saved().listed]
                for name in members
            }
            expected = [self.fleet[name] for name in members]
            wrong = [name for name, found in listed.items() if found != expected]
            ledger.hold(laws.TRUTH, not wrong, f"registered {members}, other lists on {wrong}")
        restarted = sum(deed.what == "restart" for deed in self.deeds.get(job.id, ()))
        claimed = sum(
            planned.kind == "restart" and record.state is StepState.DONE
            for planned, record in zip(job.plan.steps, job.steps, strict=True)
        )
        ledger.hold(laws.TRUTH, restarted >= claimed, f"{claimed} restarts said, {restarted} sent")

    def _roles(self, job: JobRecord) -> dict[str, str]:
        parameters: Mapping[str, Any] = job.plan.parameters
        roles = dict.fromkeys(self.story.members, "member")
        if self.story.members:
            roles[self.story.members[0]] = "primary"
        for name, value in parameters.items():
            if name == "primary_peer_id":
                roles[value] = "primary"
            elif name == "peer_id":
                roles[value] = "new"
        return roles

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


def _people_failed(job: JobRecord) -> bool:
    """Calls that nobody ended, or a statement of something that simulated people did not do."""
    if job.failure is None or job.current is None:
        return False
    before = job.plan.steps[job.current.seq - 2]
    return job.failure.code == "calls-left" or bool(before.attestation)


def _bury(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What a worker left to tasks of its own when it was killed died with it, unheard."""
    if not isinstance(context.get("exception"), WorkerDied):
        loop.default_exception_handler(context)


class _Ear(logging.Handler):
    def __init__(self, heard: list[str]) -> None:
        super().__init__()
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self._heard.append(record.getMessage())


def play(seed: int) -> Run:
    """Draw the story of a seed and play it."""
    return play_story(draw_story(seed, sorted(PROCEDURES)))


def play_story(story: Story) -> Run:
    """Play a story; what once found a bug is kept as one, because draws change with procedures."""

    async def main() -> Run:
        return await World(story).play()

    return schedule.run(main(), story.seed)
