"""Plans: what a job will do, before anything is touched."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from app.api.v1.schemas.words import CLUSTER, PEER, PLAN, TIME, NextCursor, Told
from app.domain.finding import Finding
from app.domain.plan import Demanded, Impact, Plan, PlannedStep, PlanState, Stage
from app.procedures.safe_points import safe_points
from app.services import change_texts

DIGEST = "5f0c3a6d1b7e4c2f9a8d0e6b3c5f7a9d2e4b6c8f0a1d3e5b7c9f2a4d6e8b0c1f"


class PlannedStepRead(Told):
    """One step."""

    key: str = Field(description="Unique in the plan.", examples=["backup-exp1"])
    title: str = Field(description="What is done.", examples=["Back up exp1"])
    peer_id: str | None = Field(description="The peer it is done on.", examples=[PEER])
    requirements: list[str] = Field(description="The guide's requirements.", examples=[["NEW-07"]])
    expected_seconds: float = Field(description="How long it usually takes.", examples=[60])
    limit_seconds: float = Field(description="After which it counts as failed.", examples=[600])
    destructive: bool = Field(description="Whether it deletes configuration.")
    safe_after: bool = Field(description="Whether a job may stop behind it.")
    attestation: str | None = Field(description="The gate an operator must state, if any.")
    statement: str | None = Field(description="What the operator states.")


class PlannedStageRead(Told):
    """Steps that belong together."""

    key: str = Field(description="Unique in the plan.", examples=["prepare"])
    title: str = Field(description="The guide's heading.", examples=["Prerequisites"])
    page: str = Field(description="The guide's page.", examples=["5"])
    steps: list[PlannedStepRead] = Field(description="In the order they run.")


class FindingRead(Told):
    """What a check found."""

    code: str = Field(description="Stable code.", examples=["h323-off"])
    severity: str = Field(description="info, warning, blocker or unknown.", examples=["blocker"])
    message: str = Field(description="What is so.", examples=["H.323 mode is Off."])
    remedy: str = Field(description="What to do.", examples=["Set H.323 mode to On."])
    requirements: list[str] = Field(description="The guide's requirements.", examples=[["PRE-12"]])
    peer_id: str | None = Field(description="The peer it is about.", examples=[PEER])
    pointer: str | None = Field(description="The parameter it is about.", examples=["/peer_id"])
    evidence: dict[str, str] = Field(description="What was seen.", examples=[{"mode": "Off"}])


class DemandedRead(Told):
    """What comes on top where an alarm demands the restarts that depend on one."""

    restarts: int = Field(description="How often at most.", examples=[1])
    calls_dropped: bool = Field(description="Whether calls in progress would end.")
    registrations_lost: bool = Field(description="Whether registrations would end.")
    outage_seconds: float = Field(description="Without service, in all.", examples=[180])


class ImpactRead(Told):
    """What users of one peer will notice."""

    peer_id: str = Field(description="The peer.", examples=[PEER])
    summary: str = Field(description="In one sentence.", examples=["Restarts once."])
    calls_refused: bool = Field(
        description="Whether new calls, and registrations, are refused meanwhile."
    )
    calls_dropped: bool = Field(description="Whether calls in progress may be ended.")
    registrations_lost: bool = Field(
        description="Whether who is registered there has to register again, there or at another."
    )
    restarts: int = Field(description="How often it restarts.", examples=[1])
    outage_seconds: float = Field(description="Away, without service.", examples=[180])
    refusing_seconds: float = Field(
        description="Taking no new calls, in maintenance mode or away.", examples=[800]
    )
    if_demanded: DemandedRead = Field(description="On top, where an alarm demands a restart.")


class SafePointRead(Told):
    """A place where the job may stop, and the way back from there."""

    after: str = Field(
        description="The step behind which it may stop; empty: the start.",
        examples=["record-members"],
    )
    words: str = Field(description="The way back.", examples=["Remove the peer again."])
    procedure: str | None = Field(
        description="The procedure that leads back, if any is needed.", examples=["remove-peer"]
    )
    parameters: dict[str, Any] | None = Field(
        description="Its parameters; null where a person has to choose.",
        examples=[{"peer_id": PEER}],
    )


class NeededAttestation(Told):
    """What an operator will have to state, with the start or while the job waits."""

    gate: str = Field(description="Name to state it under.", examples=["firewall-open"])
    statement: str = Field(description="What is stated.", examples=["The ports are open."])
    step: str = Field(description="The step that waits for it.", examples=["attest-firewall"])
    requirements: list[str] = Field(description="The guide's requirements.", examples=[["PRE-09"]])


class ChangeTextsRead(Told):
    """The plan in the words of a change form."""

    implementation_plan: str = Field(description="Stages and steps.", examples=["1. Prepare"])
    backout_plan: str = Field(description="How to get back.", examples=["- Restore the backup"])
    test_plan: str = Field(description="What shows success.", examples=["- Peers are Active"])
    risk_and_impact: str = Field(
        description="Impact, and the preflight report.", examples=["exp1 restarts."]
    )
    estimated_duration: str = Field(
        description="How long it takes, by stage; `expected_seconds` is the figure alone.",
        examples=["About 15 min. Waits for people, approvals and windows are not in it."],
    )
    approval_text: str = Field(
        description="What an approver decides on: scope, digest, impact, the preflight report.",
        examples=["add-peer on cluster cluster-1: 40 step(s), about 15 min."],
    )


class PlanRead(Told):
    """A plan. Starting it by its digest does exactly this or nothing."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": PLAN,
                    "cluster_id": CLUSTER,
                    "procedure": "create-cluster",
                    "parameters": {"primary_peer_id": PEER},
                    "digest": DIGEST,
                    "blocked": False,
                    "stages": [],
                    "findings": [],
                    "impact": [],
                    "back_out": ["Restore the backup of exp1."],
                    "safe_points": [],
                    "attestations_needed": [],
                    "expected_seconds": 900,
                    "expected_seconds_if_demanded": 900,
                    "change_texts": {
                        "implementation_plan": "1. Prepare",
                        "backout_plan": "- Restore the backup of exp1.",
                        "test_plan": "- every step reads back what it changed",
                        "risk_and_impact": "No impact expected.",
                        "estimated_duration": "About 15 min.",
                        "approval_text": "add-peer on cluster cluster-1, 40 step(s).",
                    },
                    "created_at": TIME,
                    "expires_at": TIME,
                    "requested_by": "key-1",
                }
            ]
        }
    )

    id: str = Field(description="The plan.")
    cluster_id: str = Field(description="The cluster.")
    procedure: str = Field(description="The procedure.")
    parameters: dict[str, Any] = Field(description="As given, defaults included.")
    digest: str = Field(description="Stands for this promise; send it as plan_digest.")
    blocked: bool = Field(description="Whether a finding forbids starting.")
    stages: list[PlannedStageRead] = Field(description="In the order they run.")
    findings: list[FindingRead] = Field(description="What the checks found.")
    impact: list[ImpactRead] = Field(description="What users will notice.")
    back_out: list[str] = Field(description="How to get back.")
    safe_points: list[SafePointRead] = Field(description="Where a job may stop, in order.")
    attestations_needed: list[NeededAttestation] = Field(description="What people must state.")
    expected_seconds: float = Field(description="From start to end, waits for people excluded.")
    expected_seconds_if_demanded: float = Field(
        description="The same, where alarms demand every restart that depends on one."
    )
    change_texts: ChangeTextsRead = Field(description="For the change record.")
    created_at: datetime = Field(description="When it was made.")
    expires_at: datetime = Field(description="Until when it can be started.")
    requested_by: str = Field(description="The key that asked for it.")


class PlanSummary(Told):
    """A plan without its steps."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": PLAN,
                    "cluster_id": CLUSTER,
                    "procedure": "add-peer",
                    "digest": DIGEST,
                    "state": "ready",
                    "created_at": TIME,
                    "expires_at": TIME,
                    "requested_by": "key-1",
                }
            ]
        }
    )

    id: str = Field(description="The plan.")
    cluster_id: str = Field(description="The cluster.")
    procedure: str = Field(description="The procedure.")
    digest: str = Field(description="Stands for this promise; send it as plan_digest.")
    state: PlanState = Field(
        description="`ready`, `blocked` (a finding forbids starting) or `expired`. What has "
        "changed at the peers since shows at the start only."
    )
    created_at: datetime = Field(description="When it was made.")
    expires_at: datetime = Field(description="Until when it can be started.")
    requested_by: str = Field(description="The key that asked for it.")


class PlanList(Told):
    """A page of plans."""

    items: list[PlanSummary] = Field(description="Newest first.")
    next_cursor: NextCursor = None


def plan_read(plan: Plan) -> PlanRead:
    """As a reader sees it."""
    return PlanRead(
        id=plan.id,
        cluster_id=plan.cluster_id,
        procedure=plan.procedure,
        parameters=dict(plan.parameters),
        digest=plan.digest,
        blocked=bool(plan.blockers),
        stages=[_stage(stage) for stage in plan.stages],
        findings=[finding_read(finding) for finding in plan.findings],
        impact=[impact_read(impact) for impact in plan.impact],
        back_out=list(plan.back_out),
        safe_points=[
            SafePointRead(
                after=point.after,
                words=point.words,
                procedure=point.procedure or None,
                parameters=None if point.parameters is None else dict(point.parameters),
            )
            for point in safe_points(plan)
        ],
        attestations_needed=[
            NeededAttestation(
                gate=step.attestation,
                statement=step.statement,
                step=step.key,
                requirements=list(step.requirements),
            )
            for step in plan.steps
            if step.attestation
        ],
        expected_seconds=plan.expected,
        expected_seconds_if_demanded=plan.expected_if_demanded,
        change_texts=ChangeTextsRead.model_validate(change_texts.of_plan(plan)),
        created_at=plan.created_at,
        expires_at=plan.expires_at,
        requested_by=plan.requested_by,
    )


def _stage(stage: Stage) -> PlannedStageRead:
    return PlannedStageRead(
        key=stage.key,
        title=stage.title,
        page=stage.page,
        steps=[planned_step_read(step) for step in stage.steps],
    )


def planned_step_read(step: PlannedStep) -> PlannedStepRead:
    """As a reader sees it."""
    return PlannedStepRead(
        key=step.key,
        title=step.title,
        peer_id=step.peer_id,
        requirements=list(step.requirements),
        expected_seconds=step.expected,
        limit_seconds=step.limit,
        destructive=step.destructive,
        safe_after=step.safe_after,
        attestation=step.attestation or None,
        statement=step.statement or None,
    )


def finding_read(finding: Finding) -> FindingRead:
    """As a reader sees it."""
    return FindingRead(
        code=finding.code,
        severity=finding.severity.value,
        message=finding.message,
        remedy=finding.remedy,
        requirements=list(finding.requirements),
        peer_id=finding.peer_id,
        pointer=finding.pointer,
        evidence=dict(finding.evidence),
    )


def impact_read(impact: Impact) -> ImpactRead:
    """As a reader sees it."""
    return ImpactRead(
        peer_id=impact.peer_id,
        summary=impact.summary,
        calls_refused=impact.calls_refused,
        calls_dropped=impact.calls_dropped,
        registrations_lost=impact.registrations_lost,
        restarts=impact.restarts,
        outage_seconds=impact.outage,
        refusing_seconds=impact.refusing,
        if_demanded=_demanded(impact.demanded),
    )


def _demanded(demanded: Demanded) -> DemandedRead:
    return DemandedRead(
        restarts=demanded.restarts,
        calls_dropped=demanded.calls_dropped,
        registrations_lost=demanded.registrations_lost,
        outage_seconds=demanded.outage,
    )
