"""One change from its creation to its evidence, and the ways in which it goes wrong."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.servicenow.conftest import CLUSTER, DECIDES, RUNS, Desk, OpenDesk
from tests.servicenow.flow import RetryPolicy
from tests.servicenow.instance import ASSESS, AUTHORIZE, IMPLEMENT, NEW, REVIEW, serving
from tests.servicenow.scripts import node

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.sockets,
    pytest.mark.skipif(node() is None, reason="no Node.js: run make clients"),
]
TWO = {
    "expressways": [
        {"name": "exp1", "address": "192.0.2.11"},
        {"name": "exp2", "address": "192.0.2.12"},
    ],
    "clusters": [{"name": CLUSTER, "key": "4711-0815", "members": ["exp1", "exp2"]}],
}
SECONDS = 60.0
"""Longest wait for a message; a job takes a few seconds here."""


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")


async def people(desk: Desk, *, approve: bool = True, implement: bool = True) -> None:
    """What people do with a change, over the instance's own API."""
    now = datetime.now(UTC)
    async with (
        serving(desk.instance.api()) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        table = "/api/now/table/change_request"
        if not desk.flow.change:
            made = await client.post(
                table,
                json={
                    "short_description": "Back up both peers",
                    "start_date": stamp(now - timedelta(minutes=5)),
                    "end_date": stamp(now + timedelta(hours=2)),
                },
            )
            desk.flow.change = made.json()["result"]["sys_id"]
            return
        change = f"{table}/{desk.flow.change}"
        for state in (ASSESS, AUTHORIZE):
            assert (await client.patch(change, json={"state": state})).is_success
        if approve:
            said = {"sysapproval": desk.flow.change, "approver": "B. Approver", "state": "approved"}
            await client.post("/api/now/table/sysapproval_approver", json=said)
        if implement:
            assert (await client.patch(change, json={"state": IMPLEMENT})).is_success


async def jobs(desk: Desk) -> list[Any]:
    found: list[Any] = (await desk.house.story.get("/v1/jobs"))["items"]
    return found


async def test_a_change_is_planned_approved_carried_out_reported_and_proved(
    open_desk: OpenDesk,
) -> None:
    async with open_desk(TWO) as desk:
        flow, record = desk.flow, desk.instance.changes
        await people(desk)
        plan = await flow.plan()
        change = record[flow.change]
        assert change["implementation_plan"].startswith("1. ")
        assert all(change[text] for text in ("backout_plan", "test_plan", "risk_impact_analysis"))
        assert change["u_estimated_duration"].startswith("About ")
        assert await jobs(desk) == [], "a plan started something"

        await people(desk)
        job_id = await flow.start()
        payload, result = await flow.wait(job_id, SECONDS)
        assert payload is not None, "the webhook did not resume the flow"
        assert (payload["type"], payload["job_id"]) == ("job.succeeded", job_id)
        assert payload["change"]["number"] == change["number"]
        assert result["succeeded"] is True

        await flow.close(job_id, result)
        assert (change["state"], change["close_code"]) == (REVIEW, "successful")
        said = f"Approved by B. Approver at {datetime.now(UTC):%Y-%m-%d}"
        assert said in change["close_notes"]
        assert f"Approval record of {change['number']}" in change["close_notes"]
        assert "succeeded: " in change["work_notes"]
        ((name, evidence),) = desk.instance.attachments[flow.change].items()
        assert name == f"evidence-{job_id}.json"
        assert plan["digest"] in evidence.decode()
        (job,) = await jobs(desk)
        assert job["change"]["window_end"] == change["end_date"].replace(" ", "T") + "Z"
        assert job["terms"]["four_eyes"] is True
        assert set(desk.instance.answers) == {204}
        assert len(desk.instance.messages) == 1


async def test_the_key_that_starts_a_job_does_not_hand_over_its_approval(
    open_desk: OpenDesk,
) -> None:
    """Four eyes hold for a key with both scopes; the two of the kit have one each."""
    async with open_desk(TWO) as desk:
        body = {"name": "both", "scopes": [*RUNS, *DECIDES], "clusters": [desk.flow.cluster]}
        text = (await desk.house.story.post("/v1/keys", body))["key"]
        runs = desk.flow.runs
        both = replace(runs, alias=replace(runs.alias, key=text))
        desk.flow.runs = desk.flow.decides = both
        await people(desk)
        await desk.flow.plan()
        await people(desk)
        with pytest.raises(PermissionError, match="four-eyes"):
            await desk.flow.start()
        (job,) = await jobs(desk)
        assert (job["state"], job["waiting"]["reason"]) == ("waiting", "approval")
        # With the kit's first key the door is shut one step earlier.
        said = {"plan_digest": job["plan_digest"], "by": "A. Operator", "reason": "me again"}
        for key, code in ((both, "four-eyes"), (runs, "forbidden")):
            answer, told = await key.call("approveApproval", {"approval_id": job["id"]}, said)
            assert (answer.is_success, told["code"]) == (False, code)
        (job,) = await jobs(desk)
        assert (job["state"], job["waiting"]["reason"]) == ("waiting", "approval")
        assert all(not device.backups for device in desk.house.fleet)


async def test_neither_an_unapproved_change_nor_one_out_of_its_time_begins_anything(
    open_desk: OpenDesk,
) -> None:
    async with open_desk(TWO) as desk:
        flow = desk.flow
        await people(desk)
        await flow.plan()
        await people(desk, approve=False, implement=False)
        with pytest.raises(PermissionError, match="is not approved"):
            await flow.start()
        desk.instance.decide(flow.change, "B. Approver", "rejected")
        assert desk.instance.changes[flow.change]["state"] == NEW
        with pytest.raises(PermissionError, match="is not approved"):
            await flow.start()
        assert await jobs(desk) == []

        await people(desk)
        past = stamp(datetime.now(UTC) - timedelta(seconds=1))
        window_end = desk.instance.changes[flow.change]["end_date"]
        desk.instance.changes[flow.change]["end_date"] = past
        with pytest.raises(PermissionError, match="ended at"):
            await flow.start()
        desk.instance.changes[flow.change] |= {"end_date": window_end, "u_plan_digest": "0" * 64}
        with pytest.raises(PermissionError, match="not what would be done now"):
            await flow.start()
        assert await jobs(desk) == []


async def test_a_job_that_fails_resumes_the_flow_with_the_failure_and_the_way_out(
    open_desk: OpenDesk,
) -> None:
    faults = [{"kind": "disk-full", "peer": "exp1", "times": 99}]
    async with open_desk({**TWO, "faults": faults}) as desk:
        await people(desk)
        await desk.flow.plan()
        await people(desk)
        job_id = await desk.flow.start()
        payload, result = await desk.flow.wait(job_id, SECONDS)
        assert payload is not None
        assert (payload["type"], payload["succeeded"]) == ("job.failed", False)
        assert payload["failure"]["remedy"]
        assert payload["failure"] == result["failure"]
        recovery = payload["links"]["recovery"]
        assert recovery.endswith(f"/v1/jobs/{job_id}/recovery")
        ways = await desk.house.story.get(f"/v1/jobs/{job_id}/recovery")
        assert ways["job_id"] == job_id
        await desk.flow.close(job_id, result)
        change = desk.instance.changes[desk.flow.change]
        assert change["close_code"] == "unsuccessful"
        assert f"/v1/jobs/{job_id}/recovery" in change["close_notes"]


async def test_a_flow_that_gets_no_message_polls_through_an_outage_of_the_service(
    open_desk: OpenDesk,
) -> None:
    async with open_desk(TWO) as desk:
        await people(desk)
        await desk.flow.plan()
        await people(desk)
        desk.instance.secrets = ""  # the receiver is not set up: every delivery is answered 503
        job_id = await desk.flow.start()
        polling = None
        async with desk.away():
            polling = asyncio.create_task(desk.flow.runs.poll(job_id, RetryPolicy()))
            await asyncio.sleep(1.0)
            assert not polling.done()
        result, away = await asyncio.wait_for(polling, SECONDS)
        assert away >= 2
        assert (result["job_id"], result["succeeded"]) == (job_id, True)
        payload = await desk.instance.wait_for_message(desk.flow.context, desk.flow.message, 0.01)
        assert payload is None
