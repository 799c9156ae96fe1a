"""Procedures on the simulated fleet whose windows are shorter than they are."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from app.domain.forecast import foretold, stretches
from app.domain.job import WaitReason
from app.domain.plan import Plan
from app.domain.terms import Terms
from app.domain.window import Calendar, Window
from app.engine.records import JobRecord, NewJob
from tests.support.clusters import assert_cluster, assert_done, cluster_of, without
from tests.support.rehearsal import Rehearsal
from transports.mock.virtual_time import run


def nights(plan: Plan, share: float) -> Calendar:
    """Nightly windows just long enough for the longest stretch of the plan."""
    lasts = timedelta(seconds=max(stretches(plan.steps)) * share)
    start = datetime(2026, 1, 1, 2)  # noqa: DTZ001 - wall time
    return Calendar((Window("nights", "UTC", start, start + lasts, "FREQ=DAILY"),))


async def started(rehearsal: Rehearsal, share: float, slug: str, **parameters: Any) -> JobRecord:
    plan = await rehearsal.plan(slug, **parameters)
    assert not plan.blockers, plan.blockers
    terms = Terms(enforce_window=True, calendar=nights(plan, share))
    return await rehearsal.journal.create(
        NewJob("job-nights", plan, "tester", attestations=rehearsal.attestations(plan), terms=terms)
    )


def begins_only_inside(job: JobRecord) -> list[str]:
    """Keys of steps that acted first behind a safe point; each has done so inside a window."""
    found = []
    for index, record in enumerate(job.steps):
        behind = job.plan.steps[index - 1].safe_after if index else True
        if record.acted_at is not None and behind:
            assert job.terms.calendar.is_open(record.acted_at), (record.key, record.acted_at)
            found.append(record.key)
    return found


@pytest.mark.parametrize("slug", ["add-peer", "remove-peer", "backup", "restart-peer"])
def test_a_procedure_is_spread_over_nights_and_ends_like_one_without_a_stop(slug: str) -> None:
    async def story() -> None:
        rehearsal = await cluster_of(3, spare=1)
        parameters: dict[str, Any] = {
            "add-peer": {"peer_id": "exp4"},
            "remove-peer": {"peer_id": "exp3"},
            "restart-peer": {"peer_id": "exp2"},
        }.get(slug, {})
        made = await started(rehearsal, 1.2, slug, **parameters)
        assert made.wait is not None
        assert made.wait.reason is WaitReason.WINDOW
        plan = made.plan
        foreseen = foretold(
            plan, made.terms.calendar, now=rehearsal.clock.now(), pace=1.0, enforce=True
        )
        assert foreseen.starts_at == made.wake_at
        await rehearsal.wakeups.until_idle()
        job = await rehearsal.journal.load(made.id)
        assert_done(job)
        assert begins_only_inside(job)
        waits = [
            event
            for event in rehearsal.journal.events_of(job.id)
            if event.type == "job.waiting" and event.data["reason"] == "window"
        ]
        if len(stretches(plan.steps)) > 1 and sum(stretches(plan.steps)) > 2 * max(
            stretches(plan.steps)
        ):
            assert len(waits) > 1
        members = {"add-peer": without(4), "remove-peer": without(3, 3)}.get(slug, without(3))
        assert_cluster(rehearsal, members, "exp1")

    run(story())
