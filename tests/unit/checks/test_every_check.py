"""Every check passes on a healthy fleet, fails on a broken one, and passes after its remedy."""

from __future__ import annotations

import pytest

from app.checks.catalogue import CHECKS
from app.checks.report import Outcome
from app.guide import requirements
from tests.unit.checks.every_check import CASES, NO_FACTS, bench, play
from transports.mock.virtual_time import run


@pytest.mark.parametrize("case", CASES, ids=[f"{c.key}: {c.broken}" for c in CASES])
def test_a_check_fails_where_it_should_and_its_remedy_mends_it(case):
    seen = play(case)
    assert seen.before is case.good
    assert seen.broken is case.bad, seen.codes
    assert case.code in seen.codes
    assert seen.after is case.good


def test_every_check_of_the_catalogue_has_a_case_or_a_reason():
    keys = [check.key for check in CHECKS]
    assert len(set(keys)) == len(keys)
    assert set(keys) == {case.key for case in CASES} | NO_FACTS.keys()


def test_every_check_and_finding_cites_requirements_of_the_guide():
    known = set(requirements())
    assert {r for check in CHECKS for r in check.cites} <= known
    found = run(bench().report())
    assert {r for c in found.checks for f in c.findings for r in f.requirements} <= known


def test_a_healthy_cluster_passes_everything_that_facts_can_settle():
    found = run(bench().report())
    rest = {(c.key, c.outcome) for c in found.checks if c.outcome is not Outcome.PASS}
    assert rest == {("firewalls", Outcome.UNKNOWN), ("round-trips", Outcome.UNKNOWN)}
    assert all(c.settled_by for c in found.checks if c.outcome is Outcome.UNKNOWN)
    assert sum(found.counts.values()) == len(found.checks)
    assert found.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("complete", [True, False])
def test_a_plan_is_blocked_by_wrong_names_and_asks_nobody_about_right_ones(complete):
    async def story():
        on = bench()
        if not complete:
            on.zone = ""
        situation = (await on.subject()).situation
        return on.rehearsal.plan_over(situation, "add-peer", {"peer_id": "exp3"})

    plan = run(story())
    gates = {step.attestation for step in plan.steps}
    blockers = {finding.code for finding in plan.blockers}
    assert "dns-records" not in gates
    assert ("srv-records-missing" in blockers) is not complete
    assert blockers if not complete else not blockers
