"""The search finds nothing in the service as it is, and every bug that is planted in it.

A checker that cannot fail proves nothing: each planted bug (tests.simulation.planted) breaks one
safety of the service, and the search must find it within a bounded number of seeds.
"""

import functools
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import typer

from app.procedures.registry import PROCEDURES
from simulation import laws
from simulation.__main__ import main
from simulation.rehearsal import CLUSTER, KEY
from simulation.search import Tally, first_breach, search
from simulation.story import ENDINGS, Story, Trouble, TroubleKind, draw_story
from simulation.waiting import NOTHING_ASKED
from simulation.world import play, play_story
from tests.simulation.planted import ENOUGH, PLANTED, finds, forget_the_backup
from transports.mock import witness

BUDGET = 40
"""Seeds that CI plays; `make simulate RUNS=100000` plays more."""


@functools.cache
def searched() -> Tally:
    return search(1, BUDGET, processes=1)


@pytest.mark.xdist_group("simulation budget")
def test_no_law_is_broken_by_the_seeds_of_the_fixed_budget():
    tally = searched()
    assert tally.failed == []
    assert tally.faults > BUDGET // 2


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


@pytest.mark.parametrize("seed", range(4))
def test_a_worker_whose_clock_is_ahead_does_not_take_a_peer_for_restarted(seed):
    """Found by seed 20735: then the next peer was restarted while the first went down."""
    devices = [{"name": f"exp{n}", "address": f"192.0.2.{10 + n}"} for n in (1, 2)]
    cluster = {"name": CLUSTER, "key": KEY, "members": ["exp1", "exp2"]}
    story = Story(
        seed=seed,
        scenario={"expressways": devices, "clusters": [cluster]},
        members=("exp1", "exp2"),
        slugs=("rotate-pre-shared-key",),
        troubles=(Trouble(TroubleKind.LEASE_TAKEN, 1, target="RestartSystem"),),
        clocks=(0.0, 135.0) if seed % 2 else (135.0, 0.0),
    )
    run = play_story(story)
    assert run.troubles[TroubleKind.LEASE_TAKEN] == 1
    assert run.breaches == ()


@pytest.mark.parametrize("calls", [(6, 7), (6, 7, 8)])
def test_a_job_whose_take_over_was_not_confirmed_is_found_again(calls):
    """Found by seed 20414, in the simulated reaper: the real one looks again and again."""
    devices = [{"name": "exp1", "address": "192.0.2.11"}]
    cluster = {"name": CLUSTER, "key": KEY, "members": ["exp1"]}
    story = Story(
        seed=20414,
        scenario={"expressways": devices, "clusters": [cluster]},
        members=("exp1",),
        slugs=("disband",),
        troubles=tuple(Trouble(TroubleKind.JOURNAL_SILENT, n, 1.0) for n in calls),
    )
    run = play_story(story)
    assert run.troubles[TroubleKind.JOURNAL_SILENT] == len(calls)
    assert (run.outcome, run.breaches) == ("succeeded", ())


@pytest.mark.parametrize("seed", [5048])
def test_seeds_that_broke_a_law_once_break_none(seed):
    """5048: a disband stayed running, its worker frozen and the journal silent meanwhile.

    Without what stories have been given since.
    """
    story = draw_story(seed, sorted(PROCEDURES))
    then = tuple(trouble for trouble in story.troubles if trouble.kind not in ENDINGS)
    run = play_story(replace(story, troubles=then, waits=NOTHING_ASKED))
    assert run.troubles[TroubleKind.JOURNAL_SILENT] > 0
    assert run.breaches == ()


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


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant, monkeypatch):
    plant(monkeypatch)
    run = first_breach(ENOUGH)
    assert finds(run, PLANTED[plant]), run


RULES = (
    witness.TWO_PRIMARIES,
    witness.TWO_RESTARTS,
    witness.WIPED_PRIMARY,
    witness.WIPED_SERVING,
    witness.NO_BACKUP,
    witness.TOO_MANY,
    witness.TWO_JOINERS,
    witness.SECRET_SHOWN,
)
"""Of the appliances, in rule 3 of the architecture."""


@pytest.mark.xdist_group("simulation budget")
def test_every_law_is_looked_at_and_counted():
    tally = searched()
    for rule in RULES:
        assert tally.checks[f"{laws.FLEET}: no {rule}"] > 0, rule
    names = {name for name in vars(laws) if name.isupper() and name not in {"FLEET", "GUIDE_ORDER"}}
    unseen = [name for name in names if not tally.checks[getattr(laws, name)]]
    assert unseen == []


def test_a_run_that_breaks_a_law_is_told_with_the_seed_that_plays_it_again(monkeypatch, capsys):
    """What the search told of a seed is what playing it again gives, with exit code 1."""
    forget_the_backup(monkeypatch)
    told: list[int] = []
    tally = search(1, BUDGET, lambda run: told.append(run.seed), processes=1)
    assert told
    assert tally.failed
    again = play(told[0])
    assert [breach for seed, breach in tally.failed if seed == told[0]] == list(again.breaches)
    with pytest.raises(typer.Exit) as ended:
        main(runs=1, seed=told[0], processes=1)
    assert ended.value.exit_code == 1
    written = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"violation in seed {told[0]}:") for line in written)
    assert f"  again: make simulate RUNS=1 SEED={told[0]}" in written
    assert written[-1] == (
        f"1 runs, {sum(again.troubles.values())} faults, {len(again.breaches)} violations"
    )
