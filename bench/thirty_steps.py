"""A procedure of thirty steps that asks no peer: the service and its database are measured."""

from __future__ import annotations

from dataclasses import dataclass

from app import main
from app.domain.plan import PlannedStep, Stage
from app.domain.procedure import Draft, Situation
from app.procedures.base import Procedure

SLUG = "thirty-steps"
STEPS = 30


@dataclass(frozen=True)
class Parameters:
    """Nothing needs to be said."""


def _draft(_: Parameters, __: Situation) -> Draft:
    steps = tuple(
        PlannedStep(f"step-{number}", "set", f"Step {number} of thirty", ("PRE-01",),
                    params={"value": "On", "name": "SystemUnit Name"}, safe_after=True)
        for number in range(1, STEPS + 1)
    )  # fmt: skip
    stage = Stage("all", "All of them", steps, "9")
    return Draft(stages=(stage,), findings=(), back_out=("Nothing to undo.",), relies_on={})


PROCEDURE = Procedure(
    slug=SLUG,
    title="Thirty steps",
    summary="Does nothing, in thirty steps.",
    guide_pages="9",
    parameters=Parameters,
    named_peers=lambda _: (),
    draft=_draft,
)


def offer() -> None:
    """Services that are opened in this process from now on have it."""
    main.PROCEDURES = {**main.PROCEDURES, SLUG: PROCEDURE}
