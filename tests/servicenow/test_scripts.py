"""The kit's scripts as they are: what the receiver takes, and when the gate lets a job start."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.services.webhook_records import AuthKind, BodyFormat
from app.webhooks.payload import Composer
from app.webhooks.signing import new_secret, signed_headers
from tests.servicenow.instance import (
    AUTHORIZE,
    EVENTS,
    IMPLEMENT,
    INBOUND_KEY,
    NEW,
    REVIEW,
    SCHEDULED,
    Instance,
    serving,
)
from tests.servicenow.scripts import node
from tests.support.claims import Desk, delivery

pytestmark = pytest.mark.skipif(node() is None, reason="no Node.js: run make clients")
SECRET = new_secret()


def message(
    kind: str = "job.succeeded", at: datetime | None = None, secret: str = SECRET, **payload: Any
) -> tuple[dict[str, str], str]:
    """A delivery as this service composes and signs it."""
    told = delivery(type=kind, payload={**delivery().payload, **payload})
    body = Composer(Desk().redactor).body(told, BodyFormat.STANDARD)
    return signed_headers("job-1-12", at or datetime.now(UTC), body, [secret]), body


async def test_an_end_resumes_the_flow_that_the_caller_named_once() -> None:
    instance = Instance(SECRET)
    headers, body = message()
    assert await instance.take(headers, body) == 204
    told = await instance.wait_for_message("f-1", "done", 0.1)
    assert told is not None
    payload = json.loads(told)
    assert (payload["succeeded"], payload["job_id"]) == (True, "job-1")
    assert payload["change"] == {"number": "CHG1"}
    assert await instance.take(headers, body) == 204
    assert len(instance.messages) == 1, "a replayed delivery was acted on"
    assert [row["event_id"] for row in instance.tables["x_clusterway_delivery"]] == ["job-1-12"]
    assert instance.logs == []


async def test_what_is_altered_old_unsigned_or_not_ours_resumes_nobody() -> None:
    headers, body = message()
    now = datetime.now(UTC)
    old, _ = message(at=now - timedelta(minutes=6))
    early, _ = message(at=now + timedelta(minutes=6))
    foreign, _ = message(secret=new_secret())
    fresh = str(int(now.timestamp()))
    cases = [
        (headers, body.replace("job.succeeded", "job.cancelled")),
        (headers, body + " "),
        (headers, ""),
        (old, body),
        (early, body),
        (foreign, body),
        ({**old, "webhook-timestamp": fresh}, body),
        ({**headers, "webhook-id": "job-1-13"}, body),
        ({**headers, "webhook-signature": ""}, body),
        ({**headers, "webhook-signature": headers["webhook-signature"][:-1]}, body),
        ({}, body),
    ]

    async def one(headers: dict[str, str], body: str) -> tuple[int, dict[str, Any]]:
        instance = Instance(SECRET)
        return await instance.take(headers, body), {"sent": instance.messages, **instance.tables}

    for number, (status, done) in enumerate([await one(*case) for case in cases]):
        assert (status, done) == (401, {"sent": []}), f"case {number}"
    huge = Instance(SECRET)
    assert await huge.take(headers, "x" * 1_000_001) == 413


async def test_a_secret_that_is_being_rotated_is_taken_beside_the_new_one() -> None:
    instance = Instance(f"{new_secret()} {SECRET}")
    assert await instance.take(*message()) == 204


async def test_a_receiver_without_its_secret_has_the_delivery_sent_again() -> None:
    instance = Instance("")
    assert await instance.take(*message()) == 503
    assert instance.logs == [
        "error: Clusterway: the property x_clusterway.webhook_secrets holds no whsec_ secret"
    ]
    instance.secrets = SECRET
    assert await instance.take(*message()) == 204


async def test_events_that_are_no_end_and_callers_without_a_flow_are_recorded_only() -> None:
    for kind, correlation in (
        ("job.waiting", {"flow_context_id": "f-1", "message": "done"}),
        ("job.succeeded", {"id": "9d38"}),
        ("job.succeeded", None),
    ):
        instance = Instance(SECRET)
        assert await instance.take(*message(kind, correlation=correlation)) == 204
        assert await instance.wait_for_message("f-1", "done", 0.01) is None
        assert len(instance.tables["x_clusterway_delivery"]) == 1


@pytest.mark.sockets
async def test_the_real_sender_is_let_in_by_key_and_signature() -> None:
    instance = Instance(SECRET)
    async with serving(instance.api()) as port:
        url = f"http://127.0.0.1:{port}{EVENTS}"
        good, unsigned = Desk(secrets=[SECRET]), Desk()
        auth = (AuthKind.HEADER, {"header": "x-sn-apikey"}, INBOUND_KEY)
        for desk, status in ((good, 204), (good, 204), (unsigned, 401)):
            assert (await desk.sender().send(desk.claim(url, auth=auth))).status == status
        assert (await good.sender().send(good.claim(url))).status == 401, "without the key"
    assert len(instance.messages) == len(instance.tables["x_clusterway_delivery"]) == 1


WINDOW = {"start_date": "2027-01-09 22:00:00", "end_date": "2027-01-10 02:00:00"}
OPEN = {"state": IMPLEMENT, "approval": "approved", "number": "CHG0031234", **WINDOW}


@pytest.mark.parametrize(
    ("change", "now", "reason"),
    [
        ({}, "2027-01-09 22:00:00", ""),
        ({}, "2027-01-10 01:59:59", ""),
        ({}, "2027-01-09 21:59:59", "CHG0031234 begins at 2027-01-09 22:00:00 UTC."),
        ({}, "2027-01-10 02:00:00", "CHG0031234 ended at 2027-01-10 02:00:00 UTC."),
        ({"approval": "requested"}, "2027-01-09 23:00:00", "CHG0031234 is not approved."),
        ({"approval": "rejected"}, "2027-01-09 23:00:00", "CHG0031234 is not approved."),
        *(
            ({"state": state}, "2027-01-09 23:00:00", "CHG0031234 is not in state Implement.")
            for state in (NEW, AUTHORIZE, SCHEDULED, REVIEW)
        ),
        ({"end_date": ""}, "2027-01-09 23:00:00", "CHG0031234 has no planned start and end."),
    ],
)
async def test_a_job_starts_in_state_implement_approved_and_inside_the_window_only(
    change: dict[str, str], now: str, reason: str
) -> None:
    instance = Instance(now=now, changes={"sys-1": {**OPEN, **change}})
    outputs = await instance.gate("sys-1")
    assert (outputs["may_start"], outputs["reason"]) == (not reason, reason)
    if not reason:
        assert json.loads(outputs["change_block"]) == {
            "system": "servicenow",
            "number": "CHG0031234",
            "sys_id": "sys-1",
            "window_start": "2027-01-09T22:00:00Z",
            "window_end": "2027-01-10T02:00:00Z",
        }
    else:
        assert outputs["change_block"] == ""


async def test_a_change_that_does_not_exist_lets_nothing_start() -> None:
    outputs = await Instance().gate("nobody")
    assert (outputs["may_start"], outputs["reason"]) == (False, "There is no such change.")
