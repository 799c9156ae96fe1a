"""Who is asked before a peer joins: every registered Expressway, and by no other procedure."""

from __future__ import annotations

import pytest

from app.guide.scenarios import REHEARSED, Rehearsed
from app.procedures.registry import PROCEDURES
from tests.matrix.stage import Stage
from transports.mock.virtual_time import run

ASKED = {"NEW-O-01", "ADD-X-01"}


@pytest.mark.parametrize("rehearsed", REHEARSED, ids=lambda rehearsed: rehearsed.title)
def test_whoever_asks_about_other_expressways_says_so(rehearsed: Rehearsed) -> None:
    async def requirements() -> set[str]:
        stage = Stage(rehearsed)
        await stage.set_out()
        situation = await stage.situation()
        plan = stage.plan_over(situation, rehearsed.procedure, rehearsed.parameters)
        cited = [*plan.steps, *plan.findings]
        return {requirement for one in cited for requirement in one.requirements}

    assert bool(ASKED & run(requirements())) == PROCEDURES[rehearsed.procedure].admits
