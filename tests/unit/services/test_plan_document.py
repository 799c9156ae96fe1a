from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.domain.finding import Finding, Severity
from app.domain.plan import Demanded, Impact, Plan, PlannedStep, Stage
from app.services.plan_document import facts, plan_from_json, to_json
from tests.api.observations import observation

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PLAN = Plan(
    id="plan-1",
    cluster_id="cluster-1",
    procedure="add-peer",
    parameters={"peer_id": "peer-1", "others": ["peer-2"]},
    stages=(
        Stage(
            "one",
            "One",
            (
                PlannedStep("a", "wait", "A", ("ADD-J-22",), "peer-1", {"names": ("x", "y")}),
                PlannedStep("b", "attest", "B", ("PRE-01",), attestation="gate", destructive=True),
            ),
            "12",
        ),
    ),
    findings=(Finding("f", Severity.WARNING, "m", "r", ("PRE-02",), evidence={"a": "b"}),),
    impact=(Impact("peer-1", "restarts", outage=180.0, demanded=Demanded(restarts=1)),),
    back_out=("restore",),
    fingerprint={"peer-1": "abc"},
    created_at=NOW,
    expires_at=NOW + timedelta(hours=1),
    requested_by="key-1",
)


def test_a_plan_comes_back_from_the_database_with_the_same_promise() -> None:
    back = plan_from_json(json.loads(json.dumps(to_json(PLAN))))
    assert back.digest == PLAN.digest
    assert to_json(back) == to_json(PLAN)
    assert [step.key for step in back.steps] == ["a", "b"]
    assert back.findings == PLAN.findings
    assert back.impact == PLAN.impact
    assert (back.created_at, back.expires_at) == (PLAN.created_at, PLAN.expires_at)


def test_a_plan_keeps_its_digest_where_a_reader_writes_60_for_60_0() -> None:
    drained = replace(PLAN, parameters={"drain": 60.0, "of": [{"limit": 1.5, "rest": 0.0}]})
    as_javascript_does = replace(PLAN, parameters={"drain": 60, "of": [{"limit": 1.5, "rest": 0}]})
    assert drained.digest == as_javascript_does.digest
    assert drained.digest != replace(drained, parameters={"drain": 60.5}).digest
    assert drained.digest != replace(drained, parameters={"drain": "60"}).digest


def test_facts_that_change_by_themselves_explain_no_difference() -> None:
    before = observation()
    after = replace(before, observed_at=NOW, uptime=5, calls=7)
    assert facts(before) == facts(after)
    assert facts(before) != facts(replace(before, system_name="other"))
    assert facts(before)["dns.host_name"] == "exp1"


def test_a_plan_of_an_older_version_is_read_without_what_it_did_not_foretell():
    document = to_json(PLAN)
    for new in ("registrations_lost", "restarts", "refusing", "demanded"):
        del document["impact"][0][new]
    assert plan_from_json(document).impact == (Impact("peer-1", "restarts", outage=180.0),)
