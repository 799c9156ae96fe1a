"""One attempt over real TLS sockets, to receivers that behave and that do not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from dataclasses import replace
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app.engine.clock import LoopClock
from app.services.webhook_records import AuthKind, BodyFormat
from app.webhooks.signing import new_secret
from tests.support.claims import CORRELATION, Desk
from tests.support.receiver import (
    NAME,
    Receiver,
    endless,
    hang,
    receiver,
    status,
    trickle,
)
from transports.mock.forms.certificate import ServerIdentity, self_signed

pytestmark = pytest.mark.sockets


async def test_the_receiver_can_verify_what_it_gets(
    desk: Desk, hook: Receiver, identity: ServerIdentity
) -> None:
    claim = desk.claim(hook.url(path="/hook?a=1"), identity.certificate_pem)
    result = await desk.sender().send(claim)
    assert (result.status, result.error) == (204, None)
    (got,) = hook.received
    told = Webhook(desk.secrets[0]).verify(got.body, got.headers)
    assert told["type"] == "job.succeeded"
    assert told["data"]["correlation"] == CORRELATION
    here = "https://clusterway.example.com/v1/jobs/job-1"
    links = {"job": here, "result": f"{here}/result", "evidence": f"{here}/evidence"}
    assert told["data"]["links"] == links
    assert got.headers["webhook-id"] == told["data"]["event_id"] == "job-1-12"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["host"] == f"{NAME}:{hook.port}"
    assert got.path == "/hook?a=1"
    assert hook.names == [NAME]


async def test_a_job_that_did_not_succeed_links_to_what_leads_out(
    desk: Desk, hook: Receiver, identity: ServerIdentity
) -> None:
    for kind in ("job.failed", "job.cancelled", "job.waiting"):
        claim = desk.claim(hook.url(), identity.certificate_pem)
        claim = replace(claim, delivery=replace(claim.delivery, type=kind))
        assert (await desk.sender().send(claim)).status == 204
    recovery = "https://clusterway.example.com/v1/jobs/job-1/recovery"
    found = [got.data["data"]["links"].get("recovery") for got in hook.received]
    assert found == [recovery, recovery, None]


async def test_an_altered_body_and_another_secret_do_not_verify(
    desk: Desk, hook: Receiver, identity: ServerIdentity
) -> None:
    await desk.sender().send(desk.claim(hook.url(), identity.certificate_pem))
    (got,) = hook.received
    for secret, body in (
        (desk.secrets[0], got.body.replace("succeeded", "failed...")),
        (new_secret(), got.body),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, got.headers)


async def test_while_a_secret_is_rotated_each_of_them_verifies_and_an_expired_one_does_not(
    desk: Desk, hook: Receiver, identity: ServerIdentity
) -> None:
    desk.secrets = [new_secret(), new_secret(), new_secret()]
    claim = desk.claim(hook.url(), identity.certificate_pem, ends={0: -1.0, 1: 3600.0})
    await desk.sender().send(claim)
    (got,) = hook.received
    for secret in desk.secrets[1:]:
        Webhook(secret).verify(got.body, got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(desk.secrets[0]).verify(got.body, got.headers)


async def test_the_body_is_the_same_at_every_attempt_and_the_time_is_not(
    desk: Desk, hook: Receiver, identity: ServerIdentity
) -> None:
    hook.answers = [status(503), status(204)]
    claim = desk.claim(hook.url(), identity.certificate_pem)
    clock = LoopClock()
    first = await desk.sender(clock=clock).send(claim)
    clock._start = clock._start.replace(year=2027)
    second = await desk.sender(clock=clock).send(claim)
    assert (first.error, second.error) == ("status", None)
    one, two = hook.received
    assert (one.body, one.headers["webhook-id"]) == (two.body, two.headers["webhook-id"])
    assert one.headers["webhook-timestamp"] != two.headers["webhook-timestamp"]


async def test_a_cloud_event_carries_the_same_data(
    desk: Desk, hook: Receiver, identity: ServerIdentity
) -> None:
    url, bundle = hook.url(), identity.certificate_pem
    await desk.sender().send(desk.claim(url, bundle))
    await desk.sender().send(desk.claim(url, bundle, format=BodyFormat.CLOUDEVENTS))
    plain, event = hook.received
    assert event.headers["content-type"] == "application/cloudevents+json"
    assert event.data["data"] == plain.data["data"]
    assert {name: event.data[name] for name in ("specversion", "id", "type", "subject")} == {
        "specversion": "1.0",
        "id": "job-1-12",
        "type": "job.succeeded",
        "subject": "job-1",
    }
    assert event.data["source"] == "https://clusterway.example.com/v1/jobs/job-1"
    Webhook(desk.secrets[0]).verify(event.body, event.headers)


@pytest.mark.parametrize(
    ("code", "error"), [(200, None), (299, None), (302, "redirect"), (400, "status"),
                        (410, "gone"), (500, "status")]
)  # fmt: skip
async def test_only_2xx_counts_and_nothing_is_followed(
    code: int, error: str | None, desk: Desk, hook: Receiver, identity: ServerIdentity
) -> None:
    hook.answers = [status(code, f"Location: {hook.url(path='/elsewhere')}")]
    result = await desk.sender().send(desk.claim(hook.url(), identity.certificate_pem))
    assert (result.status, result.error) == (code, error)
    assert len(hook.received) == 1


async def test_retry_after_is_read_in_both_forms(
    desk: Desk, hook: Receiver, identity: ServerIdentity
) -> None:
    clock = LoopClock()
    hook.answers = [
        status(429, "Retry-After: 120"),
        status(503, "Retry-After: Thu, 01 Jan 2026 00:10:00 GMT"),
        status(503, "Retry-After: nonsense"),
    ]
    claim = desk.claim(hook.url(), identity.certificate_pem)
    asked = [(await desk.sender(clock=clock).send(claim)).retry_after for _ in range(3)]
    assert asked[0] == 120
    assert asked[1] == pytest.approx(600, abs=5)
    assert asked[2] is None


@pytest.mark.parametrize("answer", [hang, trickle])
async def test_a_receiver_that_does_not_answer_is_left(
    answer: object, desk: Desk, hook: Receiver, identity: ServerIdentity
) -> None:
    hook.answers = [answer]  # type: ignore[list-item]
    sender = desk.sender(limit=0.5)
    result = await sender.send(desk.claim(hook.url(), identity.certificate_pem))
    # Headers without an end are refused for their size or for the time, whichever is first.
    assert result.error in {"time-out", "broken-answer"}
    assert result.seconds < 5


async def test_of_an_endless_answer_only_the_status_is_read(
    desk: Desk, hook: Receiver, identity: ServerIdentity
) -> None:
    hook.answers = [endless]
    result = await desk.sender().send(desk.claim(hook.url(), identity.certificate_pem))
    assert (result.status, result.error) == (200, None)


async def test_an_answer_that_is_not_http_is_a_failure(
    desk: Desk, hook: Receiver, identity: ServerIdentity
) -> None:
    hook.answers = [b"SSH-2.0-x\r\n\r\n", b""]
    claim = desk.claim(hook.url(), identity.certificate_pem)
    for _ in range(2):
        assert (await desk.sender().send(claim)).error == "broken-answer"


# -- who is connected to


async def test_a_certificate_of_another_name_or_of_nobody_we_know_is_refused(
    desk: Desk, hook: Receiver, identity: ServerIdentity
) -> None:
    desk.names.answers = [["127.0.0.1"]]
    for claim in (
        desk.claim(hook.url("other.example.com"), identity.certificate_pem),
        desk.claim(hook.url(), self_signed(NAME).certificate_pem),
        desk.claim(hook.url(), ""),
    ):
        assert (await desk.sender().send(claim)).error == "tls"
    assert hook.received == []


async def test_the_environment_is_not_asked_for_a_proxy(
    desk: Desk, hook: Receiver, identity: ServerIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiver(None) as proxy:
        for name in ("HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url("127.0.0.1", "", "http"))
        monkeypatch.setenv("SSL_CERT_FILE", str(Path(__file__)))
        result = await desk.sender().send(desk.claim(hook.url(), identity.certificate_pem))
        assert result.error is None
        assert proxy.received == []


@pytest.mark.parametrize(
    "found",
    [
        ["169.254.169.254"],
        ["127.0.0.1", "169.254.169.254"],
        ["::ffff:169.254.169.254"],
        ["64:ff9b::a9fe:a9fe"],
        ["fd00:ec2::254"],
        ["0.0.0.0"],
        ["::1", "fe80::1"],
        ["224.0.0.1"],
    ],
)
async def test_a_name_that_leads_to_a_forbidden_address_gets_nothing(
    found: list[str], desk: Desk, hook: Receiver, identity: ServerIdentity
) -> None:
    desk.names.answers = [found]
    result = await desk.sender().send(desk.claim(hook.url(), identity.certificate_pem))
    assert (result.status, result.error) == (None, "address-refused")
    assert hook.received == []
    assert hook.names == []


async def test_loopback_is_refused_where_no_setting_allows_it(
    desk: Desk, hook: Receiver, identity: ServerIdentity
) -> None:
    desk.allow_loopback = False
    for host in (NAME, "127.0.0.1", "[::1]", "2130706433", "0x7f.1"):
        result = await desk.sender().send(desk.claim(hook.url(host), identity.certificate_pem))
        assert result.error == "address-refused", host
    assert hook.names == []


async def test_a_name_that_changes_its_address_after_the_check_leads_nowhere(desk: Desk) -> None:
    """DNS rebinding: what was checked is connected to, whatever the name says afterwards.

    The guard is told 127.0.0.2 for `localhost`; whoever asks the machine again hears 127.0.0.1,
    where something else listens on the same port.
    """
    identity = self_signed("localhost", ())
    async with (
        receiver(identity, "127.0.0.2") as outer,
        receiver(identity, "127.0.0.1", outer.port) as inner,
    ):
        desk.names.answers = [["127.0.0.2"], ["169.254.169.254"], ["127.0.0.2"]]
        sender = desk.sender()
        claim = desk.claim(outer.url("localhost"), identity.certificate_pem)
        assert (await sender.send(claim)).error is None
        assert desk.names.asked == ["localhost"], "the name was asked again after the check"
        assert (await sender.send(claim)).error == "address-refused", "the check was remembered"
        assert (await sender.send(claim)).error is None
        assert len(outer.received) == 2
        assert inner.received == []


async def test_plain_http_goes_to_loopback_only_and_only_where_allowed(desk: Desk) -> None:
    async with receiver(None) as hook:
        claim = desk.claim(hook.url("127.0.0.1", scheme="http"))
        assert (await desk.sender().send(claim)).error is None
        desk.names.answers = [["192.0.2.1"]]
        claim = desk.claim(hook.url("localhost", scheme="http"))
        assert (await desk.sender().send(claim)).error == "address-refused"
        desk.allow_loopback = False
        claim = desk.claim(hook.url("127.0.0.1", scheme="http"))
        assert (await desk.sender().send(claim)).error == "address-refused"
        assert len(hook.received) == 1


async def test_the_next_address_is_tried_where_the_first_takes_no_connection(
    desk: Desk, hook: Receiver, identity: ServerIdentity
) -> None:
    desk.names.answers = [["::1", "127.0.0.1"]]
    result = await desk.sender().send(desk.claim(hook.url(), identity.certificate_pem))
    assert (result.status, len(hook.received)) == (204, 1)


async def test_no_address_and_nobody_there_are_told_apart(
    desk: Desk, hook: Receiver, identity: ServerIdentity
) -> None:
    desk.names.answers = [[]]
    claim = desk.claim(hook.url(), identity.certificate_pem)
    assert (await desk.sender().send(claim)).error == "name-not-found"
    desk.names.answers = [["127.0.0.1"]]
    with_nobody = desk.claim(f"https://{NAME}:1/", identity.certificate_pem)
    assert (await desk.sender().send(with_nobody)).error == "not-connected"


# -- how it proves itself


async def test_header_basic_and_servicenow_authorizations(
    desk: Desk, hook: Receiver, identity: ServerIdentity
) -> None:
    for auth in (
        (AuthKind.HEADER, {"header": "x-sn-apikey"}, "canary-1"),
        (AuthKind.BASIC, {"username": "clusterway"}, "canary-ü:2"),
        (AuthKind.SN_HMAC, {}, "canary-3"),
    ):
        claim = desk.claim(hook.url(), identity.certificate_pem, auth=auth)
        assert (await desk.sender().send(claim)).error is None
    header, basic, servicenow = hook.received
    assert header.headers["x-sn-apikey"] == "canary-1"
    given = base64.b64decode(basic.headers["authorization"].removeprefix("Basic "))
    assert given.decode() == "clusterway:canary-ü:2"
    mac = hmac.new(b"canary-3", servicenow.body.encode(), hashlib.sha256).digest()
    assert base64.b64decode(servicenow.headers["x-sn-hmac-signature-256"]) == mac
    assert "canary" not in desk.redactor.text("canary-1 canary-ü:2 canary-3")


def oauth(token_url: str, **more: str) -> tuple[AuthKind, dict[str, str], str]:
    return AuthKind.OAUTH2, {"token_url": token_url, "client_id": "c 1", **more}, "s&cret"


async def test_a_token_is_fetched_kept_and_fetched_anew_when_it_is_declined(
    desk: Desk, hook: Receiver, identity: ServerIdentity
) -> None:
    async with receiver(identity) as tokens:
        tokens.answers = [
            status(200, body=json.dumps({"access_token": f"t{n}", "expires_in": 1800}).encode())
            for n in (1, 2)
        ]
        hook.answers = [status(204), status(401), status(204)]
        auth = oauth(tokens.url(path="/token"), client_authentication="body", scope="events")
        claim = desk.claim(hook.url(), identity.certificate_pem, auth=auth)
        sender = desk.sender()
        for _ in range(3):
            await sender.send(claim)
        used = [got.headers["authorization"] for got in hook.received]
        assert used == ["Bearer t1", "Bearer t1", "Bearer t2"]
        assert tokens.received[0].body == (
            "grant_type=client_credentials&scope=events&client_id=c+1&client_secret=s%26cret"
        )


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (status(302, "Location: https://evil.example.com/"), "token-refused"),
        (status(401), "token-refused"),
        (status(200, body=b"[1]"), "token-unreadable"),
        (status(200, body=b'{"access_token": "a\\r\\nX: 1"}'), "token-unreadable"),
        (status(200, body=b'{"access_token": "t", "token_type": "mac"}'), "token-unreadable"),
        (endless, "token-unreadable"),
    ],
)
async def test_a_token_server_that_misbehaves_stops_the_attempt(
    answer: object, error: str, desk: Desk, hook: Receiver, identity: ServerIdentity
) -> None:
    async with receiver(identity) as tokens:
        tokens.answers = [answer]  # type: ignore[list-item]
        claim = desk.claim(
            hook.url(), identity.certificate_pem, auth=oauth(tokens.url(path="/token"))
        )
        assert (await desk.sender().send(claim)).error == error
        assert hook.received == []


async def test_a_token_server_on_a_forbidden_address_is_not_asked(
    desk: Desk, hook: Receiver, identity: ServerIdentity
) -> None:
    claim = desk.claim(
        hook.url(), identity.certificate_pem, auth=oauth("https://169.254.169.254/token")
    )
    assert (await desk.sender().send(claim)).error == "address-refused"
    assert hook.received == []


async def test_being_cancelled_is_not_taken_for_a_failure(
    desk: Desk, hook: Receiver, identity: ServerIdentity
) -> None:
    hook.answers = [hang]
    sending = asyncio.create_task(
        desk.sender().send(desk.claim(hook.url(), identity.certificate_pem))
    )
    await hook.arrived.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
