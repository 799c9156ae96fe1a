"""From a cluster's policy and what a start asks for to the terms of one job.

A start may ask for more than the policy, never for less: whoever may start a job must not be able
to start it past the people and times that the cluster's owner wants.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.terms import Policy, Terms
from app.services.problems import Item, Problem, invalid

LATEST = timedelta(days=365)
"""How far ahead a start may be scheduled or an approval be waited for."""


@dataclass(frozen=True, slots=True)
class TermsAsked:
    """What a start body says about people and times; empty fields leave it to the policy."""

    approvals: int | None = None
    four_eyes: bool = False
    approve_before: datetime | None = None
    not_before: datetime | None = None


def agreed(
    policy: Policy, asked: TermsAsked, change_number: str, now: datetime, lifetime: timedelta
) -> Terms:
    """The terms of a job that starts now.

    `lifetime` is how long an approval is waited for where the start names no time; a start that is
    scheduled later is waited for until then. Raises Problem `change-required`, `invalid-request`.
    """
    if policy.change_required and not change_number.strip():
        raise Problem(
            "change-required",
            "the cluster's policy asks for the number of a change record",
            errors=(
                Item(
                    code="missing",
                    detail="the number of the change record is missing",
                    pointer="/change/number",
                ),
            ),
        )
    for pointer, at in (
        ("/not_before", asked.not_before),
        ("/approvals/expires_at", asked.approve_before),
    ):
        if at is not None and at > now + LATEST:
            raise invalid(pointer, f"more than {LATEST.days} days ahead")
    approvals = _approvals(policy, asked)
    return Terms(
        approvals=approvals,
        four_eyes=policy.four_eyes or asked.four_eyes,
        approve_before=_approve_before(asked, now, lifetime) if approvals else None,
        not_before=asked.not_before,
        enforce_window=policy.enforce_window,
        window_ids=policy.window_ids,
    )


def _approvals(policy: Policy, asked: TermsAsked) -> int:
    # Four eyes without anybody who approves would be two.
    wanted = max(policy.minimum_approvers, 1 if policy.four_eyes else 0)
    if asked.approvals is None:
        return max(wanted, 1 if asked.four_eyes else 0)
    if asked.approvals < wanted:
        raise invalid(
            "/approvals/minimum",
            f"the policy of the cluster asks for {wanted}; ask for no fewer",
        )
    if asked.four_eyes and not asked.approvals:
        raise invalid("/approvals/minimum", "four eyes need one approval at least")
    return asked.approvals


def _approve_before(asked: TermsAsked, now: datetime, lifetime: timedelta) -> datetime:
    if asked.approve_before is None:
        return max(now + lifetime, asked.not_before or now)
    if asked.approve_before <= now:
        raise invalid("/approvals/expires_at", "this time is past")
    return asked.approve_before
