"""One part of the fault matrix, and the matrix's own power to find a planted fault."""

import itertools
from dataclasses import replace

import pytest

from app.domain.job import JobState
from app.engine.records import JOB_WAITING
from app.guide.scenarios import REHEARSED, Rehearsed
from app.procedures.base import Handler, Look, StepContext
from app.procedures.registry import HANDLERS, PROCEDURES
from tests.matrix.faults import Blow, Kind, blows
from tests.matrix.parts import PARTS, dealt, part_of_this_commit
from tests.matrix.run import Result, clean, play, struck
from tests.matrix.stage import Stage
from transports.mock.virtual_time import run

PART = part_of_this_commit()


def titles() -> list[str]:
    return [rehearsed.title for rehearsed in REHEARSED if rehearsed.procedure in PROCEDURES]


def rehearsed(title: str) -> Rehearsed:
    return next(r for r in REHEARSED if r.title == title)


def test_every_procedure_is_rehearsed():
    assert set(PROCEDURES) - {r.procedure for r in REHEARSED} == set()


@pytest.mark.parametrize("title", titles())
def test_a_procedure_runs_clean_and_ends_well_or_recovers_whatever_strikes(title):
    result, found = clean(rehearsed(title))
    assert result.violations == []
    assert result.state is JobState.SUCCEEDED
    for blow in dealt(title, found, PART):
        told = f"{blow}; again: make procedures PART={PART}"
        assert struck(rehearsed(title), blow).violations == [], told


def test_all_parts_together_are_the_whole_matrix_and_none_is_much_larger():
    found = {title: clean(rehearsed(title))[1] for title in titles()}
    parts = [[b for t in found for b in dealt(t, found[t], n)] for n in range(PARTS)]
    whole = [blow for blows_of in found.values() for blow in blows_of]
    assert sorted(map(str, itertools.chain(*parts))) == sorted(map(str, whole))
    assert max(map(len, parts)) - min(map(len, parts)) <= len(found)


def test_a_part_can_be_asked_for(monkeypatch):
    monkeypatch.setenv("CLUSTERWAY_MATRIX_PART", str(PARTS + 7))
    assert part_of_this_commit() == 7


def test_every_step_that_calls_a_peer_is_struck_by_loss_and_by_wrong_answers():
    _, found = clean(rehearsed("add-peer"))
    struck_by = {kind: {blow.step for blow in found if blow.kind is kind} for kind in Kind}
    assert struck_by[Kind.DROP_BEFORE] == struck_by[Kind.WRONG_ANSWER] == struck_by[Kind.PEER_GONE]
    assert len(struck_by[Kind.PEER_GONE]) > 20
    assert {blow.kind for blow in found} == set(Kind)
    assert struck_by[Kind.RESTART_HANGS] >= {"restart-exp3"}


def test_a_step_without_calls_can_only_be_cancelled():
    assert [blow.kind for blow in blows((), frozenset(), ["gate"])] == [Kind.CANCEL]


def test_a_job_that_nothing_settles_holds_until_the_operator_has_mended_the_cause():
    one = rehearsed("maintenance-mode, on")
    blow = next(b for b in clean(one)[1] if b.kind is Kind.DROP_EVERY)

    async def story() -> tuple[Result, list[str]]:
        stage = Stage(one, blow)
        result = await play(stage, blow)
        events = await stage.journal.events(stage.job_id)
        return result, [str(e.data["reason"]) for e in events if e.type == JOB_WAITING]

    result, waits = run(story())
    assert (result.violations, result.state) == ([], JobState.SUCCEEDED)
    assert "hold" in waits


def test_a_step_that_skips_its_read_back_is_found_by_the_matrix(monkeypatch):
    """The planted bug: clustering counts as written once the device has said OK."""
    honest = HANDLERS["write-clustering"]

    async def believing(ctx: StepContext) -> Look:
        if ctx.record.acted_at is not None:
            return Look(met=True)
        return await honest.look(ctx)

    def plant(handler: Handler) -> Handler:
        return replace(handler, look=believing)

    monkeypatch.setitem(HANDLERS, "write-clustering", plant(honest))
    _, found = clean(rehearsed("add-peer"))
    blow = next(
        b for b in found if b.kind is Kind.IGNORED_WRITE and b.step.startswith("clustering-exp2")
    )
    assert _went_wrong(blow)


def _went_wrong(blow: Blow) -> bool:
    result = struck(rehearsed("add-peer"), blow)
    return bool(result.violations) or result.state is not JobState.SUCCEEDED
