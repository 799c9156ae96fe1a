"""The flow that docs/servicenow/README.md has people build, on the imported actions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.servicenow.importer import Operation
from tests.servicenow.instance import REVIEW, Instance

TEXTS = {
    "implementation_plan": "implementation_plan",
    "backout_plan": "backout_plan",
    "test_plan": "test_plan",
    "risk_impact_analysis": "risk_and_impact",
    "u_estimated_duration": "estimated_duration",
}
"""Field of the change -> text of the plan."""


@dataclass(frozen=True)
class RetryPolicy:
    """Fixed interval, on 202 and where nobody answers; seconds are this test's, not a device's."""

    interval: float = 0.2
    count: int = 300


@dataclass(frozen=True)
class Alias:
    """A Connection & Credential alias: where the service is, and one API key."""

    base: str
    key: str


@dataclass
class Clusterway:
    """The imported actions over one alias."""

    operations: Mapping[str, Operation]
    alias: Alias

    async def call(
        self, operation: str, inputs: Mapping[str, str], body: Any = None
    ) -> tuple[httpx.Response, Any]:
        """One REST step: the answer, and its outputs or its problem."""
        known = self.operations[operation]
        request = known.request(inputs, body)
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            answer = await client.request(
                request.method,
                self.alias.base + request.path,
                params=request.query,
                json=request.body,
                headers={**request.headers, "Authorization": f"Bearer {self.alias.key}"},
            )
        is_json = "json" in answer.headers.get("content-type", "")
        told = answer.json() if is_json and answer.content else None
        return answer, known.outputs(told) if answer.is_success else told

    async def poll(self, job_id: str, policy: RetryPolicy) -> tuple[Any, int]:
        """The result of a job by the retry policy, and how often nobody answered."""
        away = 0
        for _ in range(policy.count):
            try:
                answer, told = await self.call("getJobResult", {"job_id": job_id})
            except httpx.TransportError:
                away += 1
            else:
                assert answer.status_code in (200, 202), told
                if answer.status_code == 200:
                    return told, away
                assert int(answer.headers["retry-after"]) > 0
            await asyncio.sleep(policy.interval)
        raise AssertionError(f"{job_id} did not end within the policy")


@dataclass
class Flow:
    """One execution: `context` is what FlowScriptAPI.getContextID() gives."""

    instance: Instance
    change: str
    cluster: str
    parameters: Mapping[str, Any]
    runs: Clusterway
    """With the key that plans and starts."""
    decides: Clusterway
    """With the key that hands over what ServiceNow's approvers said."""
    context: str = "flow-context-1"
    message: str = "clusterway-done"

    async def plan(self) -> Any:
        """Plan, and write the texts and the digest into the change."""
        answer, plan = await self.runs.call(
            "planBackup", {"cluster_id": self.cluster}, self.parameters
        )
        assert answer.status_code == 201, plan
        record = self.instance.changes[self.change]
        record |= {name: plan["change_texts"][text] for name, text in TEXTS.items()}
        record["u_plan_digest"] = plan["digest"]
        return plan

    async def start(self) -> str:
        """Pass the gate, plan again, start exactly what was approved, hand the approval over."""
        gate = await self.instance.gate(self.change)
        if not gate["may_start"]:
            raise PermissionError(gate["reason"])
        approved = self.instance.changes[self.change]["u_plan_digest"]
        _, fresh = await self.runs.call("planBackup", {"cluster_id": self.cluster}, self.parameters)
        if fresh["digest"] != approved:
            raise PermissionError("What was approved is not what would be done now.")
        number = self.instance.changes[self.change]["number"]
        answer, job = await self.runs.call(
            "startBackup",
            {"cluster_id": self.cluster, "Idempotency-Key": f"{number}-1"},
            {
                **self.parameters,
                "plan_digest": approved,
                "change": json.loads(gate["change_block"]),
                "correlation": {
                    "id": self.change,
                    "display": number,
                    "flow_context_id": self.context,
                    "message": self.message,
                },
                "attestations": [
                    {"gate": needed["gate"], "by": "A. Operator", "reason": f"Checked for {number}"}
                    for needed in fresh["attestations_needed"]
                ],
                "approvals": {"minimum": 1, "four_eyes": True},
            },
        )
        assert answer.status_code == 202, job
        said = [a for a in self.instance.approvers if a["sysapproval"] == self.change]
        answer, told = await self.decides.call(
            "approveApproval",
            {"approval_id": job["id"]},
            {
                "plan_digest": approved,
                "by": said[-1]["approver"],
                "reason": f"Approval record of {number}",
            },
        )
        if not answer.is_success:
            raise PermissionError(told["code"])
        return str(job["id"])

    async def wait(self, job_id: str, seconds: float) -> tuple[Any, Any]:
        """Wait For Message, and by the retry policy where no message came: payload and result."""
        payload = await self.instance.wait_for_message(self.context, self.message, seconds)
        result, _ = await self.runs.poll(job_id, RetryPolicy())
        return None if payload is None else json.loads(payload), result

    async def close(self, job_id: str, result: Any) -> None:
        """Close notes and evidence into the change; Review, and never Closed by itself."""
        record = self.instance.changes[self.change]
        _, job = await self.runs.call("getJob", {"job_id": job_id})
        record["work_notes"] = job["work_notes"]
        record["close_notes"] = result["close_notes"]
        record["close_code"] = "successful" if result["succeeded"] else "unsuccessful"
        evidence, _ = await self.runs.call("getJobEvidence", {"job_id": job_id})
        self.instance.attachments[self.change] = {f"evidence-{job_id}.json": evidence.content}
        self.instance.move(self.change, REVIEW)
