"""When deliveries are sent: retries over days, receivers that are gone, slow or dead for long."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from app.services.webhook_records import Claim, Result
from app.webhooks.dispatcher import PER_HOST
from app.webhooks.schedule import JITTER, PAUSES
from tests.integration.webhooks.conftest import Notebook, Stage
from tests.support.receiver import hang, receiver
from transports.mock.forms.certificate import self_signed

pytestmark = pytest.mark.postgres
DAY = 86_400.0


async def test_a_delivery_is_tried_over_three_days_and_then_given_up(stage: Stage) -> None:
    await stage.subscribe()
    await stage.job()
    notebook = Notebook({"webhook-1": [500]})
    for pause in PAUSES:
        assert await stage.dispatch(notebook) == 1
        await stage.pass_by(pause * (1 - JITTER) - 1)
        assert await stage.dispatch(notebook) == 0, "sent before its time"
        await stage.pass_by(pause * 2 * JITTER + 2)
    assert await stage.dispatch(notebook) == 1
    (row,) = await stage.deliveries()
    assert (row["state"], row["attempts"]) == ("failed", len(PAUSES) + 1)
    assert sum(PAUSES) > 2.5 * DAY
    assert len(set(notebook.events)) == 1
    log = await stage.rows("select attempt, status, error from webhook_attempt order by attempt")
    assert [entry["attempt"] for entry in log] == list(range(1, len(PAUSES) + 2))
    assert {(entry["status"], entry["error"]) for entry in log} == {(500, "status")}


async def test_a_receiver_that_recovers_gets_everything(stage: Stage) -> None:
    await stage.subscribe()
    await stage.job()
    notebook = Notebook({"webhook-1": [500, 503, 204]})
    for _ in range(3):
        await stage.dispatch(notebook)
        await stage.pass_by(3600)
    (row,) = await stage.deliveries()
    assert (row["state"], row["attempts"]) == ("delivered", 3)
    (webhook,) = await stage.rows("select failures, failing_since from webhook")
    assert (webhook["failures"], webhook["failing_since"]) == (0, None)


async def test_a_receiver_that_is_gone_is_disabled_at_once_and_others_are_told_once(
    stage: Stage,
) -> None:
    await stage.subscribe()
    await stage.subscribe("watcher", "https://b.example.com/", event_types=("webhook.disabled",))
    await stage.subscribe("elsewhere", event_types=("webhook.disabled",), cluster_ids=("c",))
    job = await stage.job()
    await stage.tell(job, "job.step.started")
    notebook = Notebook({"webhook-1": [410]})
    await stage.dispatch(notebook)
    (webhook,) = await stage.rows("select * from webhook where id = 'webhook-1'")
    assert (webhook["state"], webhook["state_reason"]) == ("disabled", "gone")
    assert [row["state"] for row in await stage.deliveries()] == ["failed", "pending"]
    (told,) = await stage.deliveries("watcher")
    assert told["payload"]["event"] == {
        "webhook_id": "webhook-1", "name": "webhook-1", "reason": "gone",
    }  # fmt: skip
    assert await stage.deliveries("elsewhere") == []
    await stage.tell(job, "job.step.finished")
    assert len(await stage.deliveries()) == 2, "a disabled subscription went on collecting"


async def test_failing_for_days_disables_and_a_success_in_between_starts_anew(
    stage: Stage,
) -> None:
    await stage.subscribe()
    job = await stage.job()
    notebook = Notebook({"webhook-1": [500]})
    for day in range(8):
        await stage.tell(job, "job.step.started", "job.step.finished")
        if day == 3:
            notebook.statuses["webhook-1"] = [204]
        await stage.dispatch(notebook)
        notebook.statuses["webhook-1"] = [500]
        (webhook,) = await stage.rows("select state, failures from webhook")
        assert webhook["state"] == "active", day
        await stage.pass_by(DAY)
    await stage.dispatch(notebook)
    for _ in range(2):
        await stage.pass_by(DAY)
        await stage.tell(job, "job.step.started")
        await stage.dispatch(notebook)
    (webhook,) = await stage.rows("select state, state_reason from webhook")
    assert (webhook["state"], webhook["state_reason"]) == ("disabled", "failing")


async def test_a_few_failures_over_a_long_time_disable_nobody(stage: Stage) -> None:
    await stage.subscribe()
    await stage.job()
    notebook = Notebook({"webhook-1": [500]})
    for _ in range(4):
        await stage.dispatch(notebook)
        await stage.pass_by(6 * DAY)
    (webhook,) = await stage.rows("select state, failures from webhook")
    assert (webhook["state"], webhook["failures"]) == ("active", 4)


async def test_a_slow_receiver_holds_nobody_else_up(stage: Stage) -> None:
    await stage.subscribe("slow", "https://slow.example.com/")
    await stage.subscribe("quick", "https://quick.example.com/")
    for number in range(1, 13):
        await stage.job(number)
    now, most, quick = Counter[str](), Counter[str](), asyncio.Event()

    class Sender:
        done = 0

        async def send(self, claim: Claim) -> Result:
            host = claim.subscription.host
            now[host] += 1
            most[host] = max(most[host], now[host])
            if host == "slow.example.com":
                await asyncio.Event().wait()
            now[host] -= 1
            self.done += 1
            if self.done == 12:
                quick.set()
            return Result(0.0, 204)

    running = asyncio.create_task(stage.dispatcher(Sender()).run())
    try:
        async with asyncio.timeout(60):
            await quick.wait()
    finally:
        running.cancel()
        await asyncio.wait({running})
    assert most["slow.example.com"] == PER_HOST
    assert now["slow.example.com"] == PER_HOST


async def test_a_worker_killed_while_it_sends_is_followed_by_another_under_the_same_id(
    stage: Stage,
) -> None:
    identity = self_signed("127.0.0.1")
    async with receiver(identity) as hook:
        hook.answers = [hang]
        url = hook.url("127.0.0.1")
        await stage.subscribe("webhook-1", url, ca_bundle=identity.certificate_pem)
        await stage.job()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.dispatcher_process", stage.url,
            cwd=Path(__file__).parents[3], env=os.environ,
        )  # fmt: skip
        async with asyncio.timeout(60):
            await hook.arrived.wait()
        process.send_signal(signal.SIGKILL)
        await process.wait()
        sender = stage.desk.sender()
        assert await stage.dispatch(sender) == 0, "a claim was taken before it ran out"
        await stage.pass_by(46)
        assert await stage.dispatch(sender) == 1
    first, second = hook.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "job-1-2"
    assert first.body == second.body
    Webhook(stage.desk.secrets[0]).verify(second.body, second.headers)
    (row,) = await stage.deliveries()
    assert (row["state"], row["attempts"]) == ("delivered", 1)


async def test_a_database_that_is_away_is_waited_out(stage: Stage) -> None:
    await stage.subscribe()
    await stage.job()
    notebook = Notebook()
    running = asyncio.create_task(stage.dispatcher(notebook).run())
    try:
        async with asyncio.timeout(60):
            await notebook.more.wait()
            notebook.more.clear()
            await stage.rows(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
                " and application_name = ''"
            )
            await stage.rows(
                "insert into job_event (job_id, seq, at, type, data)"
                " values ('job-1', 3, now(), 'job.succeeded', '{}')"
            )
            await notebook.more.wait()
    finally:
        running.cancel()
        await asyncio.wait({running})
    assert notebook.events == ["job-1-2", "job-1-3"]
