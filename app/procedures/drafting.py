"""From a procedure to the draft of a plan: its own words, and what follows from its steps alone.

A procedure says which steps there are. Where the job may stop among them and what users will notice
of them follows from the steps, so it is worked out here, once, and no procedure can forget it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from app.domain.plan import PlannedStep, Stage
from app.domain.procedure import Draft, Situation
from app.procedures.base import Procedure
from app.procedures.impact import foreseen
from app.procedures.safe_points import only_where_recorded


def drafted(procedure: Procedure, parameters: Any, situation: Situation) -> Draft:
    """What the procedure makes of the situation, whole; pure."""
    draft = procedure.draft(parameters, situation)
    stages = waited_for_together(only_where_recorded(draft.stages))
    return replace(draft, stages=stages, impact=foreseen(stages, draft.impact))


_WAITED_FOR = frozenset({"alarms-cleared", "database-active"})
"""Kinds that only wait for what comes about by itself, on all peers at the same time."""
_A_LOOK = 1.0


def waited_for_together(stages: Iterable[Stage]) -> tuple[Stage, ...]:
    """The stages; the same wait on one peer after the other takes as long as on the first."""
    return tuple(replace(stage, steps=_together(stage.steps)) for stage in stages)


def _together(steps: Iterable[PlannedStep]) -> tuple[PlannedStep, ...]:
    made: list[PlannedStep] = []
    for step in steps:
        again = bool(made) and made[-1].kind == step.kind and step.kind in _WAITED_FOR
        made.append(replace(step, expected=min(step.expected, _A_LOOK)) if again else step)
    return tuple(made)
