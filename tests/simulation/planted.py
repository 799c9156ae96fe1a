"""Bugs to plant: each breaks one safety of the service, and the search must find it.

`python -m tests.simulation.planted` (`make simulate-plants`) plants one after the other, searches
from seed 1 on and prints what found it; exit code 1 where one is not found.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from app.engine import clearance
from app.engine.memory import MemoryJournal
from app.engine.records import JobRecord
from app.engine.runner import Runner
from app.engine.stepping import StepRun
from app.procedures import registry
from app.procedures.base import Handler, Look
from app.procedures.steps import backup, reset
from simulation import laws, world
from simulation.search import first_breach
from simulation.waiting import Waits
from simulation.world import Run

ENOUGH = range(1, 400)
"""Seeds within which every one of them has to be found."""


def swap(monkeypatch: pytest.MonkeyPatch, kind: str, change: Callable[[Handler], Handler]) -> None:
    """Put another handler in place of a step kind's."""
    handlers = {**registry.HANDLERS, kind: change(registry.HANDLERS[kind])}
    monkeypatch.setattr("simulation.worker.HANDLERS", handlers)


def only(monkeypatch: pytest.MonkeyPatch, slug: str) -> None:
    """Stories of one procedure, so that the bug is met sooner."""
    monkeypatch.setattr(world, "PROCEDURES", {slug: registry.PROCEDURES[slug]})


def skip_the_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step is done as soon as its act came back."""
    act = StepRun._act

    async def act_and_believe(self: Any, handler: Handler) -> Any:
        trouble = await act(self, handler)
        if trouble is None:
            await self._finish(handler, Look(met=True))
            self._believed = True
        return trouble

    monkeypatch.setattr(StepRun, "_act", act_and_believe)


def drop_the_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal takes every write of everybody who once had the job."""
    monkeypatch.setattr(MemoryJournal, "_owned", lambda self, lease: self._job(lease.job_id))


def restart_two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart takes another member along."""
    only(monkeypatch, "add-peer")

    async def restart_all(ctx: Any) -> None:
        for member in (await ctx.registry.cluster()).members:
            await (await ctx.appliance(member.id)).restart()

    swap(monkeypatch, "restart", lambda handler: replace(handler, act=restart_all))


def forget_the_backup(monkeypatch: pytest.MonkeyPatch) -> None:
    """The backup step says that it has one, and nobody asks where it is."""
    only(monkeypatch, "add-peer")

    async def satisfied(ctx: Any) -> Look:
        return Look(met=True)

    async def yes(ctx: Any) -> bool:
        return True

    swap(monkeypatch, "back-up", lambda handler: replace(handler, look=satisfied))
    monkeypatch.setattr(reset, "has_backup", yes)
    monkeypatch.setattr(backup, "has_backup", yes)


def swap_two_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The members are told of the new peer before the primary is."""
    procedure = registry.PROCEDURES["add-peer"]

    def draft(parameters: Any, situation: Any) -> Any:
        made = procedure.draft(parameters, situation)
        stages = {stage.key: stage for stage in made.stages}
        order = [{"primary": "members", "members": "primary"}.get(key, key) for key in stages]
        return replace(made, stages=tuple(stages[key] for key in order))

    changed = {"add-peer": replace(procedure, draft=draft)}
    monkeypatch.setattr(world, "PROCEDURES", changed)
    monkeypatch.setattr("simulation.rehearsal.PROCEDURES", changed)


def act_again_without_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an interrupted act the next worker acts before it looks."""
    run = StepRun._until_over

    async def hasty(self: Any, handler: Handler) -> Any:
        if self._record.acted_at is not None and handler.act is not None:
            await self._call(handler.act)
        return await run(self, handler)

    monkeypatch.setattr(StepRun, "_until_over", hasty)


def act_without_asking_for_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thawed worker goes on where it stood."""
    monkeypatch.setattr("app.engine.runner.guarded", lambda tools, check: tools)
    monkeypatch.setattr("app.engine.pulse.Pulse.check", lambda self: None)
    monkeypatch.setattr("app.engine.pulse.Pulse.watch", lambda self: False)
    monkeypatch.setattr("app.engine.pulse.Pulse.beaten", lambda self, at: None)


def tell_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step writes the pre-shared key into what it saw."""
    only(monkeypatch, "create-cluster")
    look = registry.HANDLERS["pre-shared-key"].look

    async def chatty(ctx: Any) -> Look:
        seen = await look(ctx)
        return replace(seen, note=await ctx.registry.pre_shared_key())

    swap(monkeypatch, "pre-shared-key", lambda handler: replace(handler, look=chatty))


def lose_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's end is never noticed."""
    monkeypatch.setattr(world.World, "reap", lambda self, worker, only="": None)


def go_on_without_the_approvers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks whether people agreed."""
    rules = tuple(rule for rule in clearance.RULES if rule is not clearance._approval)
    monkeypatch.setattr(clearance, "RULES", rules)


def begin_before_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks whether a window is open."""
    rules = tuple(rule for rule in clearance.RULES if rule is not clearance._window)
    monkeypatch.setattr(clearance, "RULES", rules)


def go_on_behind_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that has begun goes on whether a window is open or not."""
    only(monkeypatch, "rotate-pre-shared-key")
    short = Waits(openings=((60.0, 600.0), (3 * 3600.0, 600.0)), enforced=True)
    monkeypatch.setattr("simulation.story.draw_waits", lambda _: short)

    def only_before(job: JobRecord, now: datetime) -> Any:
        return None if job.started_at is not None else clearance._window(job, now)

    rules = tuple(only_before if r is clearance._window else r for r in clearance.RULES)
    monkeypatch.setattr(clearance, "RULES", rules)


def keep_the_jobs_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is asked to end interrupts its jobs and gives none back."""

    async def forget(self: Any, lease: Any) -> None:
        return

    monkeypatch.setattr(Runner, "_hand_back", forget)


PLANTED: dict[Callable[[pytest.MonkeyPatch], None], set[str]] = {
    skip_the_read_back: {laws.READ_BACK},
    drop_the_fence: {laws.FENCE},
    restart_two_at_once: {laws.FLEET},
    forget_the_backup: {laws.FLEET},
    swap_two_stages: {laws.ORDER},
    act_again_without_looking: {laws.LOOK_FIRST},
    act_without_asking_for_the_lease: {laws.LEASE},
    tell_the_key: {laws.SECRETS},
    lose_a_job: {laws.ENDS},
    go_on_without_the_approvers: {laws.AGREED},
    begin_before_the_window: {laws.WINDOWS},
    go_on_behind_the_window: {laws.WINDOWS},
    keep_the_jobs_at_the_end: {laws.GIVEN_BACK},
}


def main() -> int:
    missed = 0
    for plant, found_by in PLANTED.items():
        began = time.monotonic()
        with pytest.MonkeyPatch.context() as monkeypatch:
            plant(monkeypatch)
            run = first_breach(ENOUGH)
        missed += not finds(run, found_by)
        seed = "not found" if run is None else f"seed {run.seed}"
        law = "" if run is None else ", ".join(sorted({breach.law for breach in run.breaches}))
        took = time.monotonic() - began
        sys.stdout.write(f"{plant.__name__:36} {seed:10} {took:5.1f} s  {law}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(PLANTED)} bugs planted, {len(PLANTED) - missed} found\n")
    return 1 if missed else 0


def finds(run: Run | None, found_by: set[str]) -> bool:
    """Whether the run broke a law that this bug breaks, not just any."""
    return run is not None and bool({breach.law for breach in run.breaches} & found_by)


if __name__ == "__main__":
    sys.exit(main())
