"""The search finds nothing in the service as it is, and every bug that is planted in it.

A checker that cannot fail proves nothing: each planted bug below breaks one safety of the service,
and the search must find it within a bounded number of seeds.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app.engine.memory import MemoryJournal
from app.engine.stepping import StepRun
from app.procedures import registry
from app.procedures.base import Handler, Look
from app.procedures.steps import backup, reset
from simulation import laws, world
from simulation.rehearsal import CLUSTER, KEY
from simulation.search import first_breach, search
from simulation.story import Story, Trouble, TroubleKind
from simulation.world import play, play_story

BUDGET = 40
"""Seeds that CI plays; `make simulate RUNS=100000` plays more."""
ENOUGH = range(1, 400)


@pytest.mark.parametrize("part", range(2))
def test_no_law_is_broken_by_the_seeds_of_the_fixed_budget(part):
    tally = search(1 + part * BUDGET // 2, BUDGET // 2, processes=1)
    assert tally.failed == []
    assert tally.faults > BUDGET // 4


@pytest.mark.parametrize("moment", range(4, 40, 12))
@pytest.mark.parametrize("kind", [TroubleKind.WORKER_FROZEN, TroubleKind.WORKER_KILLED])
def test_a_worker_frozen_or_killed_behind_a_write_does_nothing_after_its_lease(kind, moment):
    """Found by thinking about thawed workers: a beat before the look at the clock renewed them."""
    devices = [{"name": f"exp{n}", "address": f"192.0.2.{10 + n}"} for n in (1, 2)]
    cluster = {"name": CLUSTER, "key": KEY, "members": ["exp1"]}
    trouble = Trouble(kind, moment, 12.0, "behind journal record")
    story = Story(
        seed=moment,
        scenario={"expressways": devices, "clusters": [cluster]},
        members=("exp1",),
        slugs=("add-peer",),
        troubles=(trouble,),
    )
    run = play_story(story)
    assert run.troubles[kind] == 1
    assert (run.procedure, run.outcome, run.breaches) == ("add-peer", "succeeded", ())


def test_a_seed_gives_the_same_run_to_the_last_act_in_any_process():
    seeds = (3, 8, 12)
    program = f"from simulation.world import play; print(*(play(s).digest for s in {seeds}))"
    told = [
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert told[0] == told[1] == " ".join(play(s).digest for s in seeds) + "\n"


def swap(monkeypatch: pytest.MonkeyPatch, kind: str, change: Callable[[Handler], Handler]) -> None:
    """Put another handler in place of a step kind's."""
    handlers = {**registry.HANDLERS, kind: change(registry.HANDLERS[kind])}
    monkeypatch.setattr("simulation.worker.HANDLERS", handlers)


def only(monkeypatch: pytest.MonkeyPatch, slug: str) -> None:
    """Stories of one procedure, so that the bug is met sooner."""
    monkeypatch.setattr(world, "PROCEDURES", {slug: registry.PROCEDURES[slug]})


def skip_the_read_back(monkeypatch):
    """A step is done as soon as its act came back."""
    act = StepRun._act

    async def act_and_believe(self: Any, handler: Handler) -> Any:
        trouble = await act(self, handler)
        if trouble is None:
            await self._finish(handler, Look(met=True))
            self._believed = True
        return trouble

    monkeypatch.setattr(StepRun, "_act", act_and_believe)


def drop_the_fence(monkeypatch):
    """The journal takes every write of everybody who once had the job."""
    monkeypatch.setattr(MemoryJournal, "_owned", lambda self, lease: self._job(lease.job_id))


def restart_two_at_once(monkeypatch):
    """A restart takes another member along."""
    only(monkeypatch, "add-peer")

    async def restart_all(ctx: Any) -> None:
        for member in (await ctx.registry.cluster()).members:
            await (await ctx.appliance(member.id)).restart()

    swap(monkeypatch, "restart", lambda handler: replace(handler, act=restart_all))


def forget_the_backup(monkeypatch):
    """The backup step says that it has one, and nobody asks where it is."""
    only(monkeypatch, "add-peer")

    async def satisfied(ctx: Any) -> Look:
        return Look(met=True)

    async def yes(ctx: Any) -> bool:
        return True

    swap(monkeypatch, "back-up", lambda handler: replace(handler, look=satisfied))
    monkeypatch.setattr(reset, "has_backup", yes)
    monkeypatch.setattr(backup, "has_backup", yes)


def swap_two_stages(monkeypatch):
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


def act_again_without_looking(monkeypatch):
    """After an interrupted act the next worker acts before it looks."""
    run = StepRun._until_over

    async def hasty(self: Any, handler: Handler) -> Any:
        if self._record.acted_at is not None and handler.act is not None:
            await self._call(handler.act)
        return await run(self, handler)

    monkeypatch.setattr(StepRun, "_until_over", hasty)


def act_without_asking_for_the_lease(monkeypatch):
    """A thawed worker goes on where it stood."""
    monkeypatch.setattr("app.engine.runner.guarded", lambda tools, check: tools)
    monkeypatch.setattr("app.engine.pulse.Pulse.check", lambda self: None)
    monkeypatch.setattr("app.engine.pulse.Pulse.watch", lambda self: False)
    monkeypatch.setattr("app.engine.pulse.Pulse.beaten", lambda self, at: None)


def tell_the_key(monkeypatch):
    """A step writes the pre-shared key into what it saw."""
    only(monkeypatch, "create-cluster")
    look = registry.HANDLERS["pre-shared-key"].look

    async def chatty(ctx: Any) -> Look:
        seen = await look(ctx)
        return replace(seen, note=await ctx.registry.pre_shared_key())

    swap(monkeypatch, "pre-shared-key", lambda handler: replace(handler, look=chatty))


def lose_a_job(monkeypatch):
    """A worker's end is never noticed."""
    monkeypatch.setattr(world.World, "reap", lambda self, worker, only="": None)


PLANTED = {
    skip_the_read_back: {laws.READ_BACK},
    drop_the_fence: {laws.FENCE},
    restart_two_at_once: {laws.FLEET},
    forget_the_backup: {laws.FLEET},
    swap_two_stages: {laws.ORDER},
    act_again_without_looking: {laws.LOOK_FIRST},
    act_without_asking_for_the_lease: {laws.LEASE},
    tell_the_key: {laws.SECRETS},
    lose_a_job: {laws.ENDS},
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant, monkeypatch):
    plant(monkeypatch)
    run = first_breach(ENOUGH)
    assert run is not None
    assert {breach.law for breach in run.breaches} & PLANTED[plant], run.breaches
