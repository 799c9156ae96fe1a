"""Where a job may stop, and which way leads back from there.

A step kind says whether stopping behind it is harmless in itself (`safe_after`). Whether it is
harmless in a plan depends on what was done before: from the first write to a peer's clustering page
until the members are recorded, peers and registry differ, and a job that stopped there would leave
a cluster behind that nobody has written down (design rule 3). So these stops are taken out of every
plan here, once, rather than in each procedure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.domain.plan import Plan, PlannedStep, Stage

_BEGIN = frozenset({"write-clustering", "leave-cluster", "set-primary", "change-address"})
"""Step kinds that make peers differ from the registry."""
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
        slug, parameters, words = _INVERSE.get(plan.procedure, _no_inverse)(plan.parameters)
        return SafePoint(key, words, slug, parameters)
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


Way = tuple[str, Mapping[str, Any] | None, str]


def _no_inverse(_: Mapping[str, Any]) -> Way:
    return "", None, "No procedure undoes this; see the plan's back-out."


_INVERSE: Mapping[str, Callable[[Mapping[str, Any]], Way]] = {
    "create-cluster": lambda _: (
        "disband", {}, "Disband the cluster of one again (guide p.22)."
    ),
    "add-peer": lambda p: (
        "remove-peer",
        {"peer_id": p.get("peer_id")},
        "Remove the peer again (guide p.18).",
    ),
    "remove-peer": lambda p: (
        "add-peer", {"peer_id": p.get("peer_id")}, "Add the peer again (guide p.12)."
    ),
    "remove-dead-peer": lambda _: (
        "recover-removed-peer",
        None,
        "Recover each unit before it is connected again (guide p.21), then add it (guide p.12).",
    ),
    "change-primary": lambda _: (
        "change-primary", None, "Make the former primary the primary again (guide p.24)."
    ),
    "change-peer-address": lambda _: (
        "change-peer-address", None, "Change the address back the same way (guide p.25)."
    ),
    "replace-peer": lambda _: (
        "replace-peer", None, "Replace the new peer by the old one the same way (guide p.26)."
    ),
    "disband": lambda _: (
        "create-cluster", None, "Create the cluster again and add each peer (guide p.9-15)."
    ),
}  # fmt: skip
