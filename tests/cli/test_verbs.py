"""What a person does to a job that is under way, and to those who are told of it."""

from __future__ import annotations

import asyncio

import pytest

from tests.cli.conftest import CLUSTER, OpenStand, Stand
from tests.support.ports import free_port

pytestmark = [pytest.mark.postgres, pytest.mark.sockets]


async def waiting(stand: Stand, job_id: str) -> str:
    """The step at which the job waits for a person."""
    async with asyncio.timeout(60):
        while True:
            job = await stand.ann.does("jobs", "show", job_id)
            if job["waiting"] and job["waiting"]["reason"] == "attestation":
                return str(job["waiting"]["step"])
            await asyncio.sleep(0.05)


async def test_a_job_is_attested_held_let_go_cancelled_and_run_again(open_stand: OpenStand):
    async with open_stand() as stand:
        ann = stand.ann
        await stand.begin()
        plan = await stand.plan("create-cluster", "primary_peer_id=exp1")
        applied = await ann.types("apply", plan["id"], "--idempotency-key", "one")
        assert applied.code == 0, applied
        job = applied.out.split()[0]
        assert "the job will wait for" in applied.err
        again = await ann.does("apply", plan["id"], "--idempotency-key", "one")
        assert again["id"] == job, "the same key is the same start"

        step = await waiting(stand, job)
        unnamed = await ann.types("jobs", "attest", job, step, "--reason", "seen it")
        assert unnamed.code == 2
        assert "--by" in unnamed.err
        words = ("jobs", "attest", job, step, "--by", "Ann", "--reason", "seen it")
        attested = await ann.does(*words)
        assert [one["by"] for one in attested["attestations"]] == ["Ann"]
        assert await waiting(stand, job) != step

        assert (await ann.does("jobs", "pause", job))["pause_requested"] is True
        assert (await ann.does("jobs", "resume", job))["pause_requested"] is False
        refused = await ann.types("jobs", "retry", job)
        assert refused.code == 3
        aside = await ann.types("jobs", "skip", job, "no-such-step", "--reason", "x")
        assert aside.code == 3
        await ann.does("jobs", "cancel", job, "--yes", "--reason", "window closed")
        assert (await stand.house.story.finish(job, 60))["state"] == "cancelled"
        rerun = await ann.does("jobs", "rerun", job, "--change", "CHG2")
        assert (rerun["rerun_of"], rerun["change"]["number"]) == (job, "CHG2")
        unlabelled = await ann.does("jobs", "list", "--label", "site=nowhere")
        assert unlabelled["items"] == []
        listed = await ann.does("jobs", "list", "--cluster", CLUSTER)
        assert len(listed["items"]) == 2


async def test_a_subscription_that_nobody_hears_is_shown_so(open_stand: OpenStand):
    async with open_stand() as stand:
        port = free_port()
        body = {"name": "change desk", "url": f"https://192.0.2.99:{port}/",
                "event_types": ["job.failed"]}  # fmt: skip
        await stand.house.story.post("/v1/webhooks", body)
        listed = await stand.ann.types("webhooks", "list")
        assert "change desk" in listed.out
        tried = await stand.ann.types("webhooks", "test", "change desk", "--wait", "0", "--json")
        assert tried.code == 1
        assert tried.json["type"] == "webhook.test"
        assert "not taken" in tried.err
        assert (await stand.ann.types("webhooks", "test", "nobody")).code == 2


async def test_procedures_say_what_they_need(open_stand: OpenStand):
    async with open_stand() as stand:
        assert "add-peer" in (await stand.ann.types("procedures", "list")).out
        shown = await stand.ann.types("procedures", "show", "add-peer")
        assert "peer_id" in shown.out
        assert "required" in shown.out
