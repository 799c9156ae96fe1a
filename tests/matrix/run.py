"""One run of the matrix: a procedure, one blow, and the way out where the job did not succeed."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.domain.job import JobState
from app.engine.records import JobRecord
from app.guide.scenarios import Rehearsed
from app.procedures.recovery import Ended, Recovery, WayOut, involved, recover
from app.procedures.registry import PROCEDURES
from tests.matrix.consistency import wrong
from tests.matrix.faults import Blow, Kind, blows
from tests.matrix.stage import Stage
from transports.mock.virtual_time import run

MOST_WAYS = 6
"""How many ways out are tried, one after the other, before the run counts as a violation."""


@dataclass
class Result:
    """What a run came to."""

    rehearsed: Rehearsed
    blow: Blow | None
    state: JobState
    failure: str = ""
    ways: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        ways = f"; ways: {' > '.join(self.ways)}" if self.ways else ""
        head = f"{self.rehearsed.title}: {self.blow or 'no fault'}: {self.state} {self.failure}"
        return f"{head}{ways}" + "".join(f"\n    VIOLATION {v}" for v in self.violations)


def clean(rehearsed: Rehearsed) -> tuple[Result, list[Blow]]:
    """The run without a fault, and everything that can hit it."""

    async def story() -> tuple[Result, list[Blow]]:
        stage = Stage(rehearsed)
        result = await play(stage, None)
        job = await stage.journal.load(stage.job_id)
        keys = [step.key for step in job.plan.steps]
        return result, list(blows(stage.calls, frozenset(stage.acted), keys))

    return run(story())


def struck(rehearsed: Rehearsed, blow: Blow) -> Result:
    """The run with one blow."""
    return run(play(Stage(rehearsed, blow), blow))


async def play(stage: Stage, blow: Blow | None) -> Result:
    """Plan, start and see to the end; then what the peers and the witness say."""
    rehearsed = stage.rehearsed
    await stage.set_out()
    stage.job_id = f"job-{rehearsed.procedure}"
    job = await stage.start(rehearsed.procedure, **rehearsed.parameters)
    stage.job_id = job.id
    job = await stage.see_to_the_end(job.id)
    result = Result(rehearsed, blow, job.state, job.failure.code if job.failure else "")
    if blow is not None and not stage.struck:
        result.violations.append("the fault found no place to strike")
    if blow is None and job.state is not JobState.SUCCEEDED:
        result.violations.append(f"the clean run did not succeed: {job.failure}")
    result.violations += _of_job(job)
    if job.state is not JobState.SUCCEEDED:
        await stage.operator.mend()
        await _recover(stage, job, result)
    elif blow is not None and blow.kind in {Kind.PEER_LOST, Kind.PEER_GONE}:
        await stage.operator.mend()
    result.violations += await wrong(stage)
    result.violations += [str(violation) for violation in stage.witness.violations]
    return result


def _of_job(job: JobRecord) -> list[str]:
    if not job.state.ended:
        return [f"the job never ended: {job.state} {job.wait}"]
    if job.state is JobState.FAILED:
        failure = job.failure
        if failure is None or not (failure.code and failure.message and failure.remedy):
            return [f"a failure without code, message and remedy: {failure}"]
        if failure.code in {"internal-error", "unknown-step-kind"}:
            return [f"our own mistake: {failure}"]
    return []


async def _recover(stage: Stage, job: JobRecord, result: Result) -> None:
    """Take the first way out that is not blocked; ask again where it did not lead out."""
    taken: set[str] = set()
    for _ in range(MOST_WAYS):
        job = await stage.journal.load(job.id)
        ways = [way for way in (await ask(stage, job)).ways if _face(way) not in taken]
        chosen = None
        for way in ways:
            taken.add(_face(way))
            try:
                outcome = await _take(stage, job, way)
            except (TypeError, KeyError) as error:
                result.violations.append(f"{way.request} cannot be sent: {error}")
                continue
            if outcome is not None:
                chosen = way
                result.ways.append(f"{way.procedure or 'retry'} ({outcome})")
                break
        left = await wrong(stage)
        if chosen is None:
            result.violations += [] if not left else [f"no way out of: {'; '.join(left)}"]
            return
        if not left and result.ways[-1].endswith("(succeeded)"):
            return


async def ask(stage: Stage, job: JobRecord) -> Recovery:
    """The recovery as the service would give it now."""
    plan = job.plan
    names = involved(plan, stage.cluster)
    views = {name: await stage.observe(name) for name in names}
    ended = Ended(job.id, job.state, plan, job.steps)
    return recover(ended, stage.cluster, stage.peers, views, PROCEDURES)


def _face(way: WayOut) -> str:
    return f"{way.request.path} {dict(way.request.body)}"


async def _take(stage: Stage, job: JobRecord, way: WayOut) -> str | None:
    """How the way ended; None where its plan is blocked."""
    if not way.procedure:
        await stage.journal.retry(job.id, by="tester")
        job_id = job.id
    else:
        plan = await stage.plan(way.procedure, **way.request.body)
        if plan.blockers:
            return None
        job_id = (await stage.start(way.procedure, **way.request.body)).id
    return str((await stage.see_to_the_end(job_id)).state)
