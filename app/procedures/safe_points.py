"""Where a job may stop, and which way leads back from there.

A step kind says whether stopping behind it is harmless in itself (`safe_after`). Whether it is
harmless in a plan depends on what was done before: from the first write to a peer's clustering page
until the members are recorded, peers and registry differ, and a job that stopped there would leave
a cluster behind that nobody has written down (design rule 3). So these stops are taken out of every
plan here, once, rather than in each procedure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.domain.plan import Plan, PlannedStep, Stage
from app.procedures.way_back import way_back

_BEGIN = frozenset(
    {"write-clustering", "leave-cluster", "set-primary", "write-address", "pre-shared-key"}
)
"""Step kinds that make peers differ from the registry, or, with a new key, from one another."""
_END = frozenset({"record-members", "record-disbanded", "record-address"})
"""Step kinds that write down what the peers have become."""


@dataclass(frozen=True, slots=True)
class SafePoint:
    """A place where the job may stop. `after` is a step's key, "" is the start.

    `procedure` and `parameters` are what leads back to the cluster before the job, where something
    has to be done and a procedure can do it; `parameters` is None where a person has to choose.
    """

    after: str
    words: str
    procedure: str = ""
    parameters: Mapping[str, Any] | None = None


def only_where_recorded(stages: Iterable[Stage]) -> tuple[Stage, ...]:
    """The stages, without the stops at which the registry would not know what the peers are."""
    given = tuple(stages)
    kinds = [step.kind for stage in given for step in stage.steps]
    last_record = max((i for i, kind in enumerate(kinds) if kind in _END), default=-1)
    between, number = False, 0
    made = []
    for stage in given:
        steps = []
        for step in stage.steps:
            if step.kind in _BEGIN and number < last_record:
                between = True
            if step.kind in _END:
                between = False
            number += 1
            steps.append(replace(step, safe_after=False) if between else step)
        made.append(replace(stage, steps=tuple(steps)))
    return tuple(made)


def safe_points(plan: Plan) -> tuple[SafePoint, ...]:
    """The start, and every step behind which the job may stop, each with the way back."""
    points = [SafePoint("", "Nothing has been changed yet.")]
    done: list[PlannedStep] = []
    for step in plan.steps:
        done.append(step)
        if step.safe_after:
            points.append(_way_back(plan, done))
    return tuple(points)


def _way_back(plan: Plan, done: list[PlannedStep]) -> SafePoint:
    key = done[-1].key
    if any(step.kind in _END for step in done):
        way = way_back(plan, done)
        return SafePoint(key, way.words, way.procedure, way.parameters)
    if any(_installs(step) for step in done):
        return SafePoint(
            key,
            "Members run different software and serve partitioned (PRE-04). No procedure goes back"
            " to the earlier release: finish the upgrade by planning it again.",
            "upgrade",
            dict(plan.parameters),
        )
    left_on = _in_maintenance(done)
    if left_on:
        return SafePoint(
            key,
            "The cluster is as before; take the peers out of maintenance mode.",
            "maintenance-mode",
            {"peer_ids": left_on, "enabled": False},
        )
    if not any(_changes(step) for step in done):
        return SafePoint(key, "Nothing that users notice has been changed.")
    return SafePoint(key, "The cluster is as before; what was set on the peers may stay.")


def _installs(step: PlannedStep) -> bool:
    return step.kind == "install-software" or step.attestation.startswith("software-installed")


def _changes(step: PlannedStep) -> bool:
    return step.kind not in {
        "attest", "back-up", "review", "zones-do-not-name", "calls-clear", "alarms-cleared",
        "database-active", "same-configuration", "peer-status", "out-of-service",
    }  # fmt: skip


def _in_maintenance(done: Iterable[PlannedStep]) -> list[str]:
    modes: dict[str, str] = {}
    for step in done:
        mode = step.params.get("settings", {}).get("SystemUnit Maintenance Mode")
        if step.peer_id and mode:
            modes[step.peer_id] = str(mode)
        elif step.peer_id and step.kind in {"restart", "factory-reset"}:
            # An appliance comes back from a restart with maintenance mode off (guide p.6).
            modes.pop(step.peer_id, None)
    return [peer_id for peer_id, mode in modes.items() if mode == "On"]
