"""One procedure's stages as a part of another's (guide p.24-26).

A composite is made of the very stages of the procedures it is composed of. Their keys get the name
of the part in front, because both parts may do the same to the same peer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from app.domain.plan import PlannedStep, Stage

_REFERENCES = ("backup_gate", "as_before")
"""Parameters of steps that hold the key or gate of another step of the same part."""

_MILESTONES = frozenset({"record-members", "record-disbanded"})


def part(name: str, stages: Iterable[Stage], also: str = "") -> tuple[Stage, ...]:
    """The stages under names of their own.

    `also` are requirements of the composite that are satisfied once the part is complete: the step
    that records the members cites them beside its own.
    """
    return tuple(
        replace(
            stage,
            key=f"{name}-{stage.key}",
            steps=tuple(_renamed(name, step, also) for step in stage.steps),
        )
        for stage in stages
        if stage.steps
    )


def _renamed(name: str, step: PlannedStep, also: str) -> PlannedStep:
    params = {
        word: f"{name}-{value}" if word in _REFERENCES and value else value
        for word, value in step.params.items()
    }
    more = tuple(also.split()) if step.kind in _MILESTONES else ()
    return replace(
        step,
        key=f"{name}-{step.key}",
        attestation=f"{name}-{step.attestation}" if step.attestation else "",
        params=params,
        requirements=(*step.requirements, *more),
    )


def with_steps(*stages: Stage) -> tuple[Stage, ...]:
    """The stages that have anything to do: a cluster of two has no remaining non-primaries."""
    return tuple(stage for stage in stages if stage.steps)
