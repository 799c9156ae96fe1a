"""Whatever is asked of jobs, in whatever order, both journals do the same, and nothing forbidden.

Sequences of acts of people, workers and time are drawn from seeds and carried out on the journal in
memory and on that in PostgreSQL, step by step. The database's clock is moved along: a function of
its own stands before PostgreSQL's.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from app.domain.job import Attestation, JobState, StepFailure, StepRecord, StepState, WaitReason
from app.domain.terms import Decision, Terms, Verdict
from app.domain.window import Calendar, Window
from app.engine import transitions
from app.engine.clock import SystemClock
from app.engine.deciding import decided
from app.engine.errors import (
    DecisionRefused,
    EngineError,
    IllegalTransition,
    LeaseLost,
    NoSuchGate,
    SkipRefused,
)
from app.engine.memory import MemoryJournal, MemoryWakeups
from app.engine.records import STEP_FINISHED, JobRecord, Lease, Leave, NewEvent, Wait, safe_before
from app.engine.skipping import Skip, skipped
from app.storage.database import plain_url
from tests.support.engine_bench import new_job, statement, step
from tests.support.journals import FullJournal, Place, postgres_place

pytestmark = pytest.mark.postgres
ACTS = 70
MOST_JOBS = 8
FAILURE = StepFailure("not-verified", "not there", "look", ("ADD-J-22",))
HOUR = timedelta(hours=1)
LATER = """
create schema late;
create table late.by (by interval not null);
insert into late.by values (interval '0');
create function late.clock_timestamp() returns timestamptz language sql volatile
    as 'select pg_catalog.clock_timestamp() + by from late.by';
do $$ begin
    execute format('alter database %I set search_path = late, pg_catalog, public',
        current_database());
end $$
"""
"""Who connects after this asks `late` for the time before it asks PostgreSQL."""


class LaterClock(SystemClock):
    """The machine's time of day and some."""

    by = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.by


def sql(url: str, statement: str) -> None:
    with psycopg.connect(plain_url(url), autocommit=True) as connection:
        connection.execute(statement.encode())


@dataclass
class Pair:
    """The two journals, and one face of them."""

    clock: LaterClock
    memory: FullJournal
    postgres: Place
    told: list[str] = field(default_factory=list)
    made: int = 0

    def let_pass(self, hours: int) -> None:
        self.clock.by += hours * HOUR
        sql(self.postgres.url, f"update late.by set by = interval '{hours} hours' + by")

    async def both(self, act: Callable[[FullJournal], Awaitable[Any]]) -> str:
        """Do it on both; what came of it, which is the same."""
        outcomes = []
        for journal in (self.memory, self.postgres.journal):
            try:
                gave = await act(journal)
                outcomes.append("nothing" if gave in (None, []) else "done")
            except EngineError as error:
                outcomes.append(f"{type(error).__name__}: {error}")
        assert outcomes[0] == outcomes[1], self.told
        return outcomes[0]

    async def another(self, draw: random.Random) -> None:
        """One more job, in line behind those whose cluster or peer it needs."""
        self.made += 1
        peer = f"peer-{draw.randint(1, 2)}"
        steps = [
            step("a", peer_id=peer, safe_after=True),
            step("gate", "attest", attestation="gate-1", peer_id=""),
            step("b", peer_id=peer),
            step("c", "back-up", peer_id=peer),
        ]
        draw.shuffle(steps)
        asked = terms(draw, self.clock.now()) if draw.random() < 0.6 else Terms()
        cluster = f"cluster-{draw.randint(1, 2)}"
        new = new_job(*steps, job_id=f"job-{self.made}", cluster=cluster, terms=asked)
        await self.memory.create(new, queue=True)
        await self.postgres.create(new, queue=True)

    async def jobs(self) -> list[JobRecord]:
        """The jobs, which are the same on both."""
        found = []
        for number in range(1, self.made + 1):
            job_id = f"job-{number}"
            one = await self.memory.load(job_id)
            other = await self.postgres.journal.load(job_id)
            assert face(one) == face(other), self.told
            events = [
                [(e.seq, e.type) for e in await journal.events(job_id)]
                for journal in (self.memory, self.postgres.journal)
            ]
            assert events[0] == events[1], self.told
            assert [seq for seq, _ in events[0]] == list(range(1, one.last_event_seq + 1))
            found.append(one)
        return found


def face(job: JobRecord) -> dict[str, Any]:
    """All of a job but moments: of those, whether there is one."""

    def step_face(record: StepRecord) -> tuple[Any, ...]:
        moments = (record.started_at, record.acted_at, record.finished_at)
        bare = replace(record, started_at=None, acted_at=None, finished_at=None)
        return bare, *(moment is None for moment in moments)

    return {
        "state": job.state,
        "steps": [step_face(record) for record in job.steps],
        "wait": job.wait and (job.wait.reason, job.wait.step, job.wait.since is not None),
        "asked again": job.wake_at is not None,
        "lease": (job.holds, job.owner, job.epoch),
        "flags": job.flags,
        "failure": job.failure and job.failure.code,
        "approval": (job.approval, [(d.principal, d.verdict) for d in job.decisions]),
        "gates": sorted(job.attestations),
        "seq": job.last_event_seq,
        "moments": (job.started_at is None, job.finished_at is None),
    }


def terms(draw: random.Random, now: datetime) -> Terms:
    """Times lie at half an hour, and time passes by the hour: no journal is at a border."""
    half = now + HOUR / 2

    def opening(hours: int) -> Window:
        start = (half + hours * HOUR).astimezone(UTC).replace(tzinfo=None)
        return Window("w", "UTC", start, start + 2 * HOUR, "FREQ=DAILY")

    windows = tuple(opening(draw.randint(-1, 6)) for _ in range(draw.choice((0, 0, 1, 2))))
    approvals = draw.choice((0, 0, 1, 2))
    return Terms(
        approvals=approvals,
        four_eyes=draw.random() < 0.5,
        approve_before=half + draw.randint(0, 6) * HOUR if approvals else None,
        not_before=half + draw.randint(0, 4) * HOUR if draw.random() < 0.3 else None,
        enforce_window=draw.random() < 0.5,
        calendar=Calendar(windows),
    )


def over(record: StepRecord, now: datetime) -> StepRecord:
    return replace(
        record,
        state=StepState.DONE,
        outcome="acted",
        started_at=now,
        acted_at=now,
        act_returned=True,
        finished_at=now,
        attempt=record.attempt + 1,
    )


def _lively(job: JobRecord) -> int:
    """How likely something is to happen to a job: most, to one that a worker has."""
    return 1 if job.state.ended else 12 if job.owner else 4


def people(draw: random.Random, job: JobRecord, now: datetime) -> tuple[str, Any]:
    """What people ask, sensible or not."""
    who = draw.choice(("tester", "Bea", "Cid", "Dan"))
    key = draw.choice(job.steps).key if draw.random() < 0.3 or not job.current else job.current.key
    verdict = draw.choice((Verdict.APPROVED,) * 5 + (Verdict.REJECTED,))
    decision = Decision(who, verdict, who, "said so", job.plan.digest, now)
    skip = Skip(key, "Ann", "no need", settled=draw.random() < 0.8)
    made = statement(draw.choice(("gate-1", "gate-1", "no-gate")), now)
    asked: dict[str, Any] = {
        "pause": lambda j: j.request_pause(job.id, by="Ann"),
        "resume": lambda j: j.resume(job.id, by="Ann"),
        "cancel": lambda j: j.request_cancel(job.id, by="Ann"),
        "retry": lambda j: j.retry(job.id, by="Ann"),
        f"skip {key}": lambda j: j.skip(job.id, skip),
        f"attest {made.gate}": lambda j: j.attest(job.id, made),
        f"{verdict} by {who}": lambda j: j.decide(job.id, decision),
    }
    names = list(asked)
    name = draw.choices(names, [2, 4, 1, 4, 2, 4, 6])[0]
    return name, asked[name]


def worker(draw: random.Random, job: JobRecord, now: datetime) -> tuple[str, Any]:
    """What a worker does next that has the job; sometimes one that has lost it."""
    if job.owner is None and draw.random() < 0.95:
        return "claim", lambda j: j.claim(job.id, "worker-1")
    lease = job.lease if draw.random() < 0.9 else Lease(job.id, "nobody", job.epoch)
    current = job.current
    if draw.random() < 0.15:
        return "reclaim", lambda j: j.reclaim(job.id)
    if draw.random() < 0.15:
        return "take over", lambda j: j.take_over([lease], "taker")
    if current is None:
        leave = Leave(JobState.SUCCEEDED)
        return "succeed", lambda j: j.leave(lease, leave)
    index = current.seq - 1
    if job.cancel_requested and safe_before(job.plan, job.steps, index):
        leave = Leave(JobState.CANCELLED, flags=job.flags)
        return "stop", lambda j: j.leave(lease, leave)
    peer = Wait(WaitReason.PEER, "silent", current.key)
    flags = job.flags if draw.random() < 0.7 else replace(job.flags, cancel=False, pause=False)
    unknown = replace(current, state=StepState.UNKNOWN, started_at=now, acted_at=now, attempt=1)
    leaves = {
        "give back": Leave(JobState.QUEUED, why="draining", flags=flags),
        "wait for the peer": Leave(JobState.WAITING, wait=peer, wake_in=60.0, flags=flags),
        "hold": Leave(
            JobState.WAITING, wait=Wait(WaitReason.HOLD, "paused", current.key), flags=flags
        ),
        "unsettled": Leave(
            JobState.WAITING,
            wait=Wait(WaitReason.HOLD, "unsettled", current.key),
            step=unknown,
            flags=flags,
        ),
        "fail": Leave(
            JobState.FAILED,
            failure=FAILURE,
            step=replace(current, state=StepState.FAILED, failure=FAILURE, finished_at=now),
            flags=flags,
        ),
    }
    gate = job.plan.steps[index].attestation
    if gate and gate not in job.attestations:
        wait = Wait(WaitReason.ATTESTATION, "waits for people", current.key)
        leave = Leave(JobState.WAITING, wait=wait, flags=flags)
        return "wait for people", lambda j: j.leave(lease, leave)
    choice = draw.random()
    if choice < 0.45:
        done = over(current, now)
        event = NewEvent(STEP_FINISHED, {"step": current.key})
        return f"finish {current.key}", lambda j: j.record(lease, done, (event,))
    if choice < 0.6:
        return "cannot reach the peer", lambda j: j.record(lease, current, (), peer)
    name = draw.choice(list(leaves))
    return name, lambda j: j.leave(lease, leaves[name])


def accepted(job: JobRecord, now: datetime) -> set[str]:
    """The actions that would be taken now, found by trying each."""
    key = job.current.key if job.current else job.steps[-1].key
    index = (job.current or job.steps[-1]).seq - 1
    gate = job.plan.steps[index].attestation
    made = Attestation(gate, "Ann", "seen", "Ann", now)

    def said(verdict: Verdict) -> Decision:
        return Decision("Zoe", verdict, "Zoe", "said so", job.plan.digest, now)

    tries: dict[str, Callable[[], object]] = {
        "cancel": lambda: transitions.cancel_requested(job, "Ann", "", now),
        "pause": lambda: transitions.pause_requested(job, "Ann"),
        "resume": lambda: transitions.resumed(job, "Ann", now),
        "retry": lambda: transitions.retried(job, "Ann", now),
        "skip": lambda: skipped(job, Skip(key, "Ann", "why", settled=True), now),
        "attest": lambda: transitions.attested(job, made, now),
        "approve": lambda: decided(job, said(Verdict.APPROVED), now),
        "reject": lambda: decided(job, said(Verdict.REJECTED), now),
    }
    found = set()
    for name, attempt in tries.items():
        try:
            attempt()
        except SkipRefused:
            found.add(name)  # by the rule of what protects a cluster, which has words of its own
        except DecisionRefused as refused:
            if str(refused) == "the time to decide is over":
                found.add(name)  # nobody has woken the job since; its state does not know yet
        except (IllegalTransition, NoSuchGate):
            continue
        else:
            found.add(name)
    return found | ({"rerun"} if job.state.ended else set())


def check_actions(job: JobRecord, now: datetime, story: Sequence[str]) -> None:
    told, taken = set(transitions.legal_actions(job)), accepted(job, now)
    # A statement may be made before it is asked for; a pause asked for twice is one.
    ahead = {"attest", *({"pause"} if job.pause_requested else ())}
    assert told <= taken, (job.state, job.wait, told - taken, story)
    assert taken - told <= ahead, (job.state, job.wait, taken - told, story)


@pytest.mark.parametrize("seed", range(6))
async def test_both_journals_take_the_same_way(database_url: str, seed: int) -> None:
    draw = random.Random(f"journals/{seed}")
    sql(database_url, LATER)
    clock = LaterClock()
    async with postgres_place(database_url) as place:
        pair = Pair(clock, MemoryJournal(clock, MemoryWakeups()), place)
        for _ in range(3):
            await pair.another(draw)
        before = await pair.jobs()
        done = 0
        for _ in range(ACTS):
            job, now = draw.choices(before, [_lively(job) for job in before])[0], clock.now()
            if pair.made < MOST_JOBS and sum(not job.state.ended for job in before) < 3:
                await pair.another(draw)
                pair.told.append(f"job-{pair.made} is made")
            elif draw.random() < 0.1:
                hours = draw.randint(1, 3)
                pair.let_pass(hours)
                pair.told.append(f"{hours} h pass")
            else:
                able = job.owner is not None or transitions.may_claim(job, now)
                by = worker if able and draw.random() < 0.65 else people
                name, act = by(draw, job, now)
                pair.told.append(f"{job.id} {name}")
                outcome = await pair.both(act)
                pair.told[-1] += f": {outcome}"
                done += outcome == "done"
            jobs = await pair.jobs()
            for was, job in zip(before, jobs, strict=False):
                if was.state in {JobState.SUCCEEDED, JobState.CANCELLED}:
                    assert face(job) == face(was), pair.told
                check_actions(job, clock.now(), pair.told)
            holding = [job for job in jobs if job.holds]
            assert len({job.cluster_id for job in holding}) == len(holding), pair.told
            named = [peer for job in holding for peer in job.peers]
            assert len(set(named)) == len(named), pair.told
            assert all(job.holds or job.owner is None for job in jobs), pair.told
            before = jobs
        assert done > ACTS / 4, pair.told
        with pytest.raises(LeaseLost):
            await place.journal.leave(Lease("job-1", "nobody", 99), Leave(JobState.QUEUED))
