"""What is delivered: every event once for each subscription that wants it, and nothing else."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from app.domain.terms import Label
from app.services.webhook_records import (
    DeliveryState,
    EventType,
    Result,
    SubscriptionState,
    Verdict,
)
from app.storage.database import connect
from tests.integration.webhooks.conftest import Notebook, Stage, types
from tests.support.claims import CORRELATION

pytestmark = pytest.mark.postgres


async def test_each_public_event_of_a_job_leaves_one_delivery_in_order(stage: Stage) -> None:
    await stage.subscribe()
    job = await stage.job()
    await stage.tell(job, "job.step.started", "job.step.progress", "job.step.finished")
    rows = await stage.deliveries()
    assert types(rows) == ["job.started", "job.step.started", "job.step.finished"]
    assert [row["event_id"] for row in rows] == ["job-1-2", "job-1-3", "job-1-5"]
    assert rows[0]["payload"]["correlation"] == CORRELATION
    assert rows[2]["payload"]["event"] == {"n": 2}
    notebook = Notebook()
    assert await stage.dispatch(notebook) == 3
    assert notebook.events == ["job-1-2", "job-1-3", "job-1-5"]
    assert await stage.dispatch(notebook) == 0


async def test_while_an_event_is_being_sent_the_next_of_its_job_stays_and_other_jobs_go_on(
    stage: Stage,
) -> None:
    await stage.subscribe()
    await stage.tell(await stage.job(), "job.step.started", "job.step.finished")
    await stage.job(2)
    outbox = stage.outbox
    first = await outbox.claim("token-1", hold=60, busy=())
    assert first is not None
    assert first.delivery.event_id == "job-1-2"
    other = await outbox.claim("token-2", hold=60, busy=())
    assert other is not None
    assert other.delivery.event_id == "job-2-2"
    assert await outbox.claim("token-3", hold=60, busy=()) is None
    # One try is enough, good or bad: a retry of an hour must not keep the rest of the job back.
    assert await outbox.finish(
        first, Result(0.1, 500, "status"), Verdict(DeliveryState.PENDING, 3600)
    )
    following = await outbox.claim("token-3", hold=60, busy=())
    assert following is not None
    assert following.delivery.event_id == "job-1-3"


async def test_a_subscription_is_told_only_of_what_it_asked_for(stage: Stage) -> None:
    await stage.subscribe("of-type", event_types=("job.step.finished",))
    await stage.subscribe("of-cluster", cluster_ids=("cluster-2",))
    await stage.subscribe("disabled", state=SubscriptionState.DISABLED)
    await stage.subscribe("paused", state=SubscriptionState.PAUSED)
    await stage.subscribe("of-labels", labels=(Label("site", "berlin"), Label("tier", "1")))
    for number in (1, 2):
        await stage.label(
            number, {"site": "berlin", "tier": "1", "more": "x"} if number == 2 else {}
        )
        await stage.tell(await stage.job(number), "job.step.finished")
    assert {row["job_id"] for row in await stage.deliveries("of-labels")} == {"job-2"}
    assert types(await stage.deliveries("of-type")) == ["job.step.finished"] * 2
    assert {row["job_id"] for row in await stage.deliveries("of-cluster")} == {"job-2"}
    assert await stage.deliveries("disabled") == []
    assert len(await stage.deliveries("paused")) == 4
    notebook = Notebook()
    await stage.dispatch(notebook)
    assert {claim.subscription.id for claim in notebook.sent} == {
        "of-type", "of-cluster", "of-labels",
    }  # fmt: skip


async def test_the_types_a_subscription_can_name_are_those_the_engine_and_watching_write(
    stage: Stage,
) -> None:
    """A type that is renamed on either side would silently never be delivered."""
    from app.engine import records
    from app.services import watch_records

    written = {
        value
        for module in (records, watch_records)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str)
    }
    # Bulk jobs send theirs themselves: tests/api/test_bulk_jobs.py receives one.
    own = {EventType.WEBHOOK_DISABLED, EventType.APPROVAL_REQUESTED, EventType.BULK_FINISHED}
    assert {str(kind) for kind in EventType} - own <= written


async def test_an_event_that_is_rolled_back_is_not_delivered(stage: Stage) -> None:
    await stage.subscribe()
    await stage.job()
    async with await connect(stage.url) as connection, connection.transaction():
        await connection.execute(
            "insert into job_event (job_id, seq, at, type, data)"
            " values ('job-1', 3, now(), 'job.failed', '{}')"
        )
        raise psycopg.Rollback
    assert types(await stage.deliveries()) == ["job.started"]


async def test_an_event_that_commits_late_is_not_skipped(stage: Stage) -> None:
    """A reader that kept a position would go past it: the later number is visible first."""
    await stage.subscribe()
    for number in (1, 2):
        await stage.job(number)
    notebook = Notebook()
    await stage.dispatch(notebook)
    async with await connect(stage.url) as slow:
        async with slow.transaction():
            await slow.execute(
                "insert into job_event (job_id, seq, at, type, data)"
                " values ('job-1', 3, now(), 'job.succeeded', '{}')"
            )
            async with await connect(stage.url) as quick:
                await quick.execute(
                    "insert into job_event (job_id, seq, at, type, data)"
                    " values ('job-2', 3, now(), 'job.failed', '{}')"
                )
            await stage.dispatch(notebook)
            assert notebook.events[2:] == ["job-2-3"]
            numbers = await stage.rows("select last_value from webhook_delivery_number_seq")
        await stage.dispatch(notebook)
    assert notebook.events[2:] == ["job-2-3", "job-1-3"]
    late = next(row for row in await stage.deliveries() if row["event_id"] == "job-1-3")
    assert late["number"] < numbers[0]["last_value"], "the late one did not have the lower number"


async def test_a_subscription_that_is_being_deleted_does_not_hold_up_a_jobs_write(
    stage: Stage,
) -> None:
    await stage.subscribe()
    job = await stage.job()
    async with await connect(stage.url) as other, other.transaction():
        await other.execute("delete from webhook")
        async with asyncio.timeout(5):
            await stage.tell(job, "job.step.started")
    # The write saw the subscription; its delivery is an orphan now, sent to nobody and swept away.
    assert len(await stage.deliveries()) == 2
    notebook = Notebook()
    assert await stage.dispatch(notebook) == 0
    assert await stage.outbox.sweep(keep=3600) == 2
    assert await stage.deliveries() == []


async def test_many_dispatchers_send_each_delivery_once(stage: Stage) -> None:
    await stage.subscribe()
    await stage.subscribe("webhook-2", "https://b.example.com/")
    jobs = [await stage.job(number) for number in range(1, 9)]
    for job in jobs:
        await stage.tell(job, *["job.step.started"] * 4)
    notebook = Notebook()
    sent = await asyncio.gather(*(stage.dispatch(notebook) for _ in range(6)))
    left = await stage.dispatch(notebook)
    assert sum(sent) + left == 80
    pairs = [(claim.subscription.id, claim.delivery.event_id) for claim in notebook.sent]
    assert len(pairs) == len(set(pairs)) == 80
    for job in jobs:
        for webhook_id in ("webhook-1", "webhook-2"):
            seqs = [
                claim.delivery.seq
                for claim in notebook.sent
                if (claim.delivery.job_id, claim.subscription.id) == (job.id, webhook_id)
            ]
            assert seqs == sorted(seqs), "events of one job overtook each other"
    attempts = await stage.rows("select count(*) as n from webhook_attempt")
    assert attempts[0]["n"] == 80


async def test_an_event_written_twice_leaves_one_delivery(stage: Stage) -> None:
    await stage.subscribe()
    await stage.job()
    with pytest.raises(psycopg.errors.UniqueViolation):
        await stage.rows(
            "insert into webhook_delivery (webhook_id, event_id, type, at, subject, seq, payload)"
            " select webhook_id, event_id, type, at, subject, seq, payload from webhook_delivery"
        )


async def test_a_failed_delivery_holds_up_no_later_one_of_its_job(stage: Stage) -> None:
    await stage.subscribe()
    job = await stage.job()
    await stage.tell(job, "job.step.started", "job.step.finished")
    notebook = Notebook({"webhook-1": [500, 204, 204]})
    assert await stage.dispatch(notebook) == 3
    await stage.pass_by(10)
    assert await stage.dispatch(notebook) == 1
    assert notebook.events == ["job-1-2", "job-1-3", "job-1-4", "job-1-2"]


async def test_a_claim_that_ran_out_writes_nothing(stage: Stage) -> None:
    """A process that was stopped and wakes up after its delivery was given to another."""
    await stage.subscribe()
    await stage.job()
    outbox = stage.outbox
    lost = await outbox.claim("one", hold=45, busy=())
    assert lost is not None
    assert await outbox.claim("two", hold=45, busy=()) is None
    await stage.pass_by(60)
    again = await outbox.claim("two", hold=45, busy=())
    assert again is not None
    from app.services.webhook_records import DeliveryState, Result, Verdict

    delivered, done = Result(0.1, 204), Verdict(DeliveryState.DELIVERED)
    assert not await outbox.finish(lost, delivered, done)
    assert await outbox.finish(again, delivered, done)
    assert not await outbox.finish(again, delivered, done)
    (row,) = await stage.deliveries()
    assert (row["state"], row["attempts"]) == ("delivered", 1)


async def test_sweeping_forgets_what_ended_and_gives_up_what_is_too_old(stage: Stage) -> None:
    await stage.subscribe()
    await stage.job(1)
    await stage.dispatch(Notebook())
    await stage.subscribe("paused", state=SubscriptionState.PAUSED)
    await stage.job(2)
    await stage.dispatch(Notebook())
    day = 86_400.0
    await stage.pass_by(6 * day)
    assert await stage.outbox.sweep(keep=10 * day) == 0
    await stage.pass_by(2 * day)
    assert await stage.outbox.sweep(keep=10 * day) == 1
    assert [row["state"] for row in await stage.deliveries("paused")] == ["failed"]
    await stage.pass_by(3 * day)
    assert await stage.outbox.sweep(keep=10 * day) == 2
    assert await stage.deliveries() == []
    assert len(await stage.deliveries("paused")) == 1
