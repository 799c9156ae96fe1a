"""In what the world differs from the one a plan was made for, in words a caller can act on."""

from __future__ import annotations

from app.services.plan_document import facts
from app.services.planning import Drafted
from app.services.problems import Item
from app.services.records import StoredPlan

MOST_FACTS = 20
"""How many differing facts of one peer are listed."""


def differences(promised: StoredPlan, now: Drafted) -> tuple[Item, ...]:
    """In what the world, as far as the plan relies on it, is not as it was when it was made."""
    items: list[Item] = []
    before, after = promised.plan.fingerprint, now.plan.fingerprint
    for peer_id in sorted({*before, *after}):
        if before.get(peer_id) == after.get(peer_id):
            continue
        if peer_id == promised.plan.cluster_id:
            items.append(
                Item(
                    code="members-changed",
                    detail="members or primary of the cluster are not what the plan was made from",
                    evidence={
                        "then": before.get(peer_id, "absent"),
                        "now": after.get(peer_id, "absent"),
                    },
                )
            )
            continue
        then = promised.observations.get(peer_id, {})
        view = now.views.get(peer_id)
        present = {} if view is None else facts(view)
        changed = sorted(name for name in {*then, *present} if then.get(name) != present.get(name))
        items.extend(
            Item(
                code="fact-changed",
                detail=f"{name} is not what the plan was made from",
                peer_id=peer_id,
                evidence={
                    "fact": name,
                    "then": then.get(name, "absent"),
                    "now": present.get(name, "absent"),
                },
            )
            for name in changed[:MOST_FACTS]
        )
        if not changed:
            items.append(
                Item(
                    code="peer-changed",
                    detail="what the plan relies on at this peer has changed",
                    peer_id=peer_id,
                )
            )
    then_steps = {step.key for step in promised.plan.steps}
    now_steps = {step.key for step in now.plan.steps}
    items += [
        Item(code="step-gone", detail=f"step {key} would no longer be needed")
        for key in sorted(then_steps - now_steps)
    ]
    items += [
        Item(code="step-new", detail=f"step {key} would now be needed")
        for key in sorted(now_steps - then_steps)
    ]
    return tuple(items) or (Item(code="plan-changed", detail="the steps differ in their details"),)
