"""Every check passes on a healthy fleet, fails on a broken one, and passes after its remedy."""

from __future__ import annotations

import ast
import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.checks.catalogue import CHECKS
from app.checks.check import STATEMENT_LASTS
from app.checks.report import Outcome
from app.checks.standing import members_joined
from app.guide import requirements
from tests.unit.checks.every_check import CASES, outcome, play
from tests.unit.checks.fleet_bench import attest, bench, do
from transports.mock.virtual_time import run

SOURCES = Path(__file__).parents[3] / "app" / "checks"
JUDGES = ("access", "dns", "equality", "licences", "membership", "naming", "network", "paths",
          "srv", "standing")  # fmt: skip
"""The modules that the catalogue's checks are made of."""
OF_PLANS = {
    "cluster-exists", "cluster-full", "cluster-not-created", "peer-in-cluster",
    "pre-shared-key-unknown", "restart-required",
}  # fmt: skip
"""About a request; only procedures make them (tests/unit/procedures/test_bad_input.py)."""
OF_THE_CALLER = {"peer-not-observed"}
"""A peer that was not asked at all; a report asks all of its peers."""


def codes() -> set[str]:
    """Every finding that the judging modules can make, read from their source."""
    found = set()
    for module in JUDGES:
        for node in ast.walk(ast.parse((SOURCES / f"{module}.py").read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                texts = ast.walk(node.args[0]) if node.args else ()
                if node.func.id in {"blocker", "warning", "info", "unknown"}:
                    found |= {t.value for t in texts if isinstance(t, ast.Constant)}
                elif node.func.id == "_unique":
                    found |= {
                        a.value
                        for a in node.args
                        if isinstance(a, ast.Constant) and isinstance(a.value, str)
                    }
    return found


@pytest.mark.parametrize("case", CASES, ids=[f"{c.key}: {c.broken}: {c.code}" for c in CASES])
def test_a_check_fails_where_it_should_and_its_remedy_makes_it_pass(case):
    seen = play(case)
    assert seen.before is case.healthy
    assert seen.broken is case.bad, seen.codes
    assert case.code in seen.codes
    assert seen.after is Outcome.PASS


def test_every_check_of_the_catalogue_has_a_case():
    keys = [check.key for check in CHECKS]
    assert len(set(keys)) == len(keys)
    assert set(keys) == {case.key for case in CASES}


def test_every_finding_that_a_check_can_make_has_a_case():
    made = codes()
    assert len(made) > 60
    shown = {case.code for case in CASES} | OF_PLANS | OF_THE_CALLER
    assert made - shown == set()
    # What is excused and never made would hide the next one.
    assert (OF_PLANS | OF_THE_CALLER) - made == set()


def test_every_check_and_finding_cites_requirements_of_the_guide():
    known = set(requirements())
    assert {r for check in CHECKS for r in check.cites} <= known
    found = run(bench().report())
    assert {r for c in found.checks for f in c.findings for r in f.requirements} <= known


def test_a_healthy_cluster_passes_everything_that_facts_can_settle():
    found = run(bench().report())
    rest = {(c.key, c.outcome) for c in found.checks if c.outcome is not Outcome.PASS}
    assert rest == {("firewalls", Outcome.UNKNOWN), ("direct-routing", Outcome.UNKNOWN)}
    assert sum(found.counts.values()) == len(found.checks)
    assert found.outcome is Outcome.UNKNOWN


UNKNOWN = [case for case in CASES if case.bad is Outcome.UNKNOWN]


@pytest.mark.parametrize("case", UNKNOWN, ids=[f"{c.key}: {c.broken}" for c in UNKNOWN])
def test_an_unknown_says_what_would_settle_it(case):
    async def story():
        on = bench(case.scenario)
        await asyncio.sleep(1)
        await do(case.break_it, on)
        await asyncio.sleep(case.wait)
        return outcome(await on.report(), case.key)[1]

    unsettled = [c for c in run(story()) if c.outcome is Outcome.UNKNOWN]
    assert unsettled
    for checked in unsettled:
        words = checked.settled_by
        assert "operator who states: " in words or " must answer" in words, words


async def stated_and_later(days):
    on = bench()
    await do(attest("direct-routing"), on)
    said = on.stated["direct-routing"]
    at_once = await on.report()
    on.stated["direct-routing"] = replace(said, at=said.at - timedelta(days=days))
    later = await on.report()
    on.stated["direct-routing"] = said
    on.candidates = ("exp4",)
    others = await on.report()
    return [outcome(found, "direct-routing") for found in (at_once, later, others)]


def test_a_statement_counts_for_its_peers_and_for_its_time_only():
    at_once, later, others = run(stated_and_later(STATEMENT_LASTS.days + 1))
    (entry,) = at_once[1]
    assert entry.outcome is Outcome.PASS
    assert (entry.findings[0].evidence["stated_by"], entry.findings[0].evidence["job"]) == (
        "Ann",
        "job-1",
    )
    assert later[0] is Outcome.UNKNOWN
    assert others[0] is Outcome.UNKNOWN


def test_the_gates_of_a_plan_ask_for_just_what_the_checks_cannot_see():
    async def story():
        on = bench()
        on.can_ping = False
        subject = await on.subject()
        plan = on.rehearsal.plan_over(subject.situation, "add-peer", {"peer_id": "exp3"})
        return plan, await on.report()

    plan, found = run(story())
    asked = {step.attestation: step.statement for step in plan.steps if step.attestation}
    for key in ("firewalls", "direct-routing", "round-trips"):
        (unsettled,) = outcome(found, key)[1][0].findings
        assert unsettled.remedy in asked[unsettled.code]


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


@pytest.mark.parametrize("hidden", ["database", "peer"])
def test_either_word_of_the_clustering_page_that_is_missing_leaves_it_unknown(hidden):
    async def story():
        on = bench()
        await asyncio.sleep(1)
        return (await on.subject()).present_members[0]

    seen = run(story())
    page = seen.clustering
    if hidden == "database":
        page = replace(page, database_status=None)
    else:
        page = replace(page, peers=tuple(replace(peer, status=None) for peer in page.peers))
    (finding,) = members_joined([replace(seen, clustering=page)])
    assert finding.code == "members-joined"
    assert finding.evidence["capability"] == "cluster_status"
