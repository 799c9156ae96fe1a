"""What leads back once a job has recorded a change: from what is recorded now to what was before.

Read off the records that the steps make, not off the name of the procedure: a composite that stops
between its parts has done the first of them only, and the way back is the way back from that one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.domain.plan import Plan, PlannedStep

_RECORDS = frozenset({"record-members", "record-disbanded"})


@dataclass(frozen=True, slots=True)
class WayBack:
    """The procedure that leads back. `parameters` is None where a person has to choose them."""

    words: str
    procedure: str = ""
    parameters: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Change:
    """The cluster before the job and as recorded now, by peer ids in the order of the list."""

    before: tuple[str, ...]
    primary_before: str | None
    now: tuple[str, ...]
    primary_now: str | None
    dead: frozenset[str]
    """Who was out of service when the job was planned."""

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(peer for peer in self.before if peer not in self.now)

    @property
    def extra(self) -> tuple[str, ...]:
        return tuple(peer for peer in self.now if peer not in self.before)

    @property
    def then_the_primary(self) -> str:
        """What is still to be done once all are members again."""
        old = self.primary_before
        if old in {None, self.primary_now} or not self.now:
            return ""
        return " Then make the former primary the primary again with change-primary (guide p.24)."


def way_back(plan: Plan, done: Sequence[PlannedStep]) -> WayBack:
    """The way back to the cluster before the plan, from behind these steps of it."""
    addressed = [step for step in done if step.kind == "record-address"]
    change = _change(plan, done)
    if change is None:
        return _UNTOLD
    if change.missing and change.extra:
        return _replaced(change)
    if change.missing:
        return _gone(change)
    if change.extra:
        return _came(change)
    if change.primary_before != change.primary_now:
        return _handed_over(change)
    return _moved(plan, addressed[0]) if addressed else _UNTOLD


_UNTOLD = WayBack("No procedure undoes this; see the plan's back-out.")


def _change(plan: Plan, done: Sequence[PlannedStep]) -> _Change | None:
    records = [step.params for step in done if step.kind in _RECORDS]
    if not records or "before" not in records[0]:
        return None
    before, now = records[0]["before"], records[-1]
    return _Change(
        tuple(before["members"]),
        before["primary"],
        tuple(now.get("members", ())),
        now.get("primary"),
        frozenset(str(step.peer_id) for step in plan.steps if step.kind == "out-of-service"),
    )


def _came(change: _Change) -> WayBack:
    if not change.before:
        return WayBack("Disband the cluster of one again (guide p.22).", "disband", {})
    return WayBack(
        "Remove the peer again (guide p.18).", "remove-peer", {"peer_id": change.extra[0]}
    )


def _gone(change: _Change) -> WayBack:
    if change.dead.intersection(change.missing):
        return WayBack(
            "Recover each unit before it is connected again (guide p.21), enter its names and"
            " servers anew, then add it (guide p.12)." + change.then_the_primary,
            "recover-removed-peer",
            {"peer_id": change.missing[0]} if len(change.missing) == 1 else None,
        )
    if not change.now:
        return WayBack(
            "Create the cluster again on the former primary, then add each other peer"
            " (guide p.9-15).",
            "create-cluster",
            {"primary_peer_id": change.primary_before},
        )
    return WayBack(
        f"Add the peer again (guide p.12).{change.then_the_primary}",
        "add-peer",
        {"peer_id": change.missing[0]},
    )


def _replaced(change: _Change) -> WayBack:
    if change.dead.intersection(change.missing):
        return WayBack(
            "Recover the old unit before it is connected again (guide p.21) and enter its names and"
            " servers anew; then replace the new peer by it with replace-peer (guide p.26)."
            + change.then_the_primary,
            "recover-removed-peer",
            {"peer_id": change.missing[0]},
        )
    return WayBack(
        "Replace the new peer by the old one the same way (guide p.26)." + change.then_the_primary,
        "replace-peer",
        {"peer_id": change.extra[0], "replacement_peer_id": change.missing[0]},
    )


def _handed_over(change: _Change) -> WayBack:
    old = str(change.primary_before)
    if old in change.dead:
        return WayBack(
            "The former primary is out of service and cannot be the primary again; the cluster is"
            " consistent without it. Remove it (guide p.20).",
            "remove-dead-peer",
            {"peer_ids": [old]},
        )
    return WayBack(
        "Make the former primary the primary again (guide p.24).",
        "change-primary",
        {"peer_id": old},
    )


def _moved(plan: Plan, recorded: PlannedStep) -> WayBack:
    """Back to its old address; a mask or gateway that was changed too has to be given again."""
    first = next(step.params["before"] for step in plan.steps if step.kind in _RECORDS)
    was = dict(zip(first["members"], first["addresses"], strict=True))
    changed = plan.parameters.get("subnet_mask") or plan.parameters.get("gateway")
    return WayBack(
        "Change the address back the same way (guide p.25).",
        "change-peer-address",
        None
        if changed
        else {"peer_id": recorded.peer_id, "new_address": was[str(recorded.peer_id)]},
    )
