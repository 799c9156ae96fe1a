"""A plan as callers read it says what users of each peer will notice."""

from app.api.v1.schemas.plans import ImpactRead, PlanRead, plan_read
from app.guide.rehearsing import plans
from app.guide.scenarios import REHEARSED
from app.services.change_texts import of_plan


def shown(title: str) -> PlanRead:
    (plan,) = plans([r for r in REHEARSED if r.title == title])
    return plan_read(plan)


def of(plan: PlanRead, peer_id: str) -> ImpactRead:
    (impact,) = [entry for entry in plan.impact if entry.peer_id == peer_id]
    return impact


def test_only_the_peer_that_joins_restarts_for_certain():
    plan = shown("add-peer")
    new, member = of(plan, "exp3"), of(plan, "exp1")
    assert (new.restarts, new.registrations_lost, new.outage_seconds) == (1, True, 180)
    assert (member.restarts, member.calls_dropped, member.outage_seconds) == (0, False, 0)
    assert (member.calls_refused, member.registrations_lost) == (False, False)
    assert (member.if_demanded.restarts, member.if_demanded.calls_dropped) == (1, True)
    assert plan.expected_seconds_if_demanded > plan.expected_seconds


def test_the_removal_of_a_dead_primary_tells_of_the_handover_too():
    plan = shown("remove-dead-peer, primary")
    assert "becomes the primary" in of(plan, "exp2").summary
    assert "(exp2)" in of(plan, "exp3").summary
    assert any("two peers may take themselves for primary" in line for line in plan.back_out)
    without = shown("remove-dead-peer")
    assert "nothing is restarted" in of(without, "exp1").summary
    assert not any("take themselves for primary" in line for line in without.back_out)


def test_the_change_record_has_the_figures():
    (plan,) = plans([r for r in REHEARSED if r.title == "add-peer"])
    told = of_plan(plan).risk_and_impact
    assert "registrations lost; 1 restart(s), away for about 3 min" in told
    assert "where an alarm demands it, it restarts and drops calls" in told
