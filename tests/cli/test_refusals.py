"""What a person is told when something is not as they thought: words, remedy, exit code."""

from __future__ import annotations

import asyncio
import signal
import uuid

import httpx
import pytest

from app.cli import client as client_module
from app.cli.client import Client
from tests.cli.conftest import CLUSTER, OpenStand, attested
from tests.support.ports import free_port

pytestmark = [pytest.mark.postgres, pytest.mark.sockets]


async def test_what_is_given_wrongly_is_said_before_anything_happens(open_stand: OpenStand):
    async with open_stand() as stand:
        ann = stand.ann
        await stand.begin()

        async def refused(*words: str, code: int, says: str) -> str:
            ended = await ann.types(*words, "--json")
            assert ended.code == code, (words, ended)
            assert ended.out == "", "stdout is for documents"
            assert says in ended.err, (words, ended.err)
            assert "Traceback" not in ended.err
            return ended.err

        plan = ("plan", "create-cluster", "--cluster", CLUSTER)
        unknown = await refused("plan", "fly", "--cluster", CLUSTER, code=3, says="nothing here")
        assert "request id: req-" in unknown
        assert "remedy: Check the id" in unknown
        missing = await refused(*plan, code=2, says="primary_peer_id: missing")
        assert "planned_peer_ids ([]):" in missing, "what there is to give is shown"
        await refused(*plan, "colour=red", code=2, says="colour: no such parameter")
        await refused(*plan, "primary_peer_id", code=2, says="is not NAME=VALUE")
        await refused(*plan, "primary_peer_id=exp9", code=2, says="known: exp1")
        await refused("clusters", "show", "nowhere.example.com", code=2, says=f"known: {CLUSTER}")
        await refused("jobs", "show", "job-1", code=3, says="nothing here")
        await refused("clusters", "declare", CLUSTER, code=3, says="The name is in use")
        await refused("clusters", "declare", "no name", code=3, says="/name")
        await refused(
            "clusters", "declare", "c2.example.com", "--label", "x", code=2, says="NAME=VALUE"
        )
        await refused("jobs", "list", "--state", "asleep", code=3, says="state")

        made = await stand.plan("create-cluster", "primary_peer_id=exp1")
        apply = ("apply", made["id"])
        await refused(*apply, "--digest", "0" * 64, code=2, says=made["digest"])
        await refused(*apply, "--attest", "x=y", code=2, says="say who you are")
        await refused(*apply, "--by", "Ann", "--attest", "x=y", code=2, says="no gate 'x'")
        await refused(*apply, "--by", "Ann", "--attest", "x", code=2, says="GATE=REASON")
        await refused(*apply, "--not-before", "2026-03-01T22:00:00", code=2, says="offset")
        assert (await ann.does("jobs", "list"))["items"] == []

        ssh = f"127.0.0.1:{stand.house.reachable[1]['ssh_port']}"
        add = ("peers", "add", "exp2", "192.0.2.12", "--credential", "expressways", "--ssh", ssh)
        await refused(*add, code=2, says="--ssh-pin")
        await refused(*add, "--ssh-pin", "SHA256:wrong", code=1, says="nothing was registered")
        assert len((await ann.does("peers", "list"))["items"]) == 1


async def test_a_wrong_key_a_missing_scope_and_a_service_that_is_away(open_stand: OpenStand):
    async with open_stand() as stand:
        stranger = stand.somebody("stranger")
        stranger.environment = {"CLUSTERWAY_URL": stand.url, "CLUSTERWAY_API_KEY": "cwk_wrong"}
        wrong = await stranger.types("clusters", "list")
        assert (wrong.code, wrong.out) == (3, "")
        assert "Who is calling is not known" in wrong.err
        assert "cwk_wrong" not in wrong.err
        stranger.environment["CLUSTERWAY_API_KEY"] = await stand.key_of("reader", "jobs:read")
        assert (await stranger.types("jobs", "list")).code == 0
        short = await stranger.types("clusters", "list")
        assert short.code == 3
        assert "clusters:read" in short.err
        port = free_port()
        stranger.environment["CLUSTERWAY_URL"] = f"http://127.0.0.1:{port}"
        away = await stranger.types("clusters", "list")
        assert (away.code, away.out) == (4, "")
        assert f"http://127.0.0.1:{port} does not answer" in away.err
        assert "Traceback" not in away.err


async def test_a_plan_that_is_blocked_and_a_job_that_fails(open_stand: OpenStand):
    async with open_stand() as stand:
        ann = stand.ann
        await stand.begin(peers=2)
        device = next(iter(stand.house.fleet))
        plan = await stand.plan("create-cluster", "primary_peer_id=exp1")
        apply = ("apply", plan["id"], *attested(plan), "--watch")
        device.lose_power()
        blocked = await ann.types(
            "plan", "create-cluster", "--cluster", CLUSTER, "primary_peer_id=exp1"
        )
        assert blocked.code == 1, blocked
        assert "blocker:" in blocked.out
        assert "the plan is blocked" in blocked.err
        refused = await ann.types(*apply)
        assert refused.code == 3, refused
        assert (await ann.does("jobs", "list"))["items"] == []
        device.gain_power()


async def test_a_job_that_fails_says_why_and_what_leads_out(open_stand: OpenStand):
    full = {"kind": "disk-full", "peer": "exp1"}
    async with open_stand({"faults": [full], "profile": {}}) as stand:
        ann = stand.ann
        await stand.begin()
        plan = await stand.plan("create-cluster", "primary_peer_id=exp1")
        failed = await ann.types("apply", plan["id"], *attested(plan), "--watch")
        assert failed.code == 1, failed
        assert "Remedy:" in failed.out
        job = failed.out.split()[0]
        assert f"clusterway jobs recovery {job}" in failed.err
        shown = await ann.types("jobs", "show", job)
        assert "failed" in shown.out
        ways = (await ann.does("jobs", "recovery", job))["ways"]
        assert ways
        assert ways[0]["title"] in (await ann.types("jobs", "recovery", job)).out


async def test_ctrl_c_ends_the_watching_and_not_the_job(open_stand: OpenStand):
    async with open_stand() as stand:
        ann = stand.ann
        await stand.begin()
        plan = await stand.plan("create-cluster", "primary_peer_id=exp1")
        job = await ann.does("apply", plan["id"])  # unattested: it waits at its first gate
        assert job["state"] != "succeeded"
        async with ann.process("jobs", "watch", job["id"]) as watching:
            assert watching.stdout is not None
            await asyncio.wait_for(watching.stdout.readline(), 60)
            watching.send_signal(signal.SIGINT)
            out, err = await asyncio.wait_for(watching.communicate(), 60)
        assert watching.returncode == 130, (out, err)
        assert f"clusterway jobs watch {job['id']}" in err.decode()
        assert "Traceback" not in err.decode()
        now = await ann.does("jobs", "show", job["id"])
        assert now["state"] == "waiting"

        cancel = ("jobs", "cancel", job["id"])
        meant = await ann.does(*cancel, "--preview")
        assert meant["possible"] is True
        unasked = await ann.types(*cancel)
        assert unasked.code == 2
        assert "--yes" in unasked.err
        assert "not done:" in unasked.out, "what it means is shown before anybody is asked"
        assert (await ann.does("jobs", "show", job["id"]))["state"] == "waiting"
        await ann.does(*cancel, "--yes", "--reason", "window closed")
        again = await ann.types(*cancel, "--yes")
        assert again.code in {0, 3}


async def test_a_start_without_an_answer_is_sent_again_under_its_own_key(monkeypatch):
    monkeypatch.setattr(client_module, "PAUSE_SECONDS", 0.0)
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["idempotency-key"])
        if len(sent) == 1:
            raise httpx.ReadTimeout("no answer", request=request)
        if len(sent) == 2:
            return httpx.Response(409, json={"title": "x", "code": "idempotency-in-flight"})
        return httpx.Response(202, json={"id": "job-1"})

    async with Client("http://service.test", "cwk_key") as client:
        client._http = httpx.AsyncClient(
            base_url="http://service.test", transport=httpx.MockTransport(answer)
        )
        assert await client.post("/v1/x", {}) == {"id": "job-1"}
        assert len(sent) == 3
        assert len(set(sent)) == 1
        uuid.UUID(sent[0])
        sent.clear()
        assert await client.post("/v1/x", {}, "mine") == {"id": "job-1"}
        assert set(sent) == {"mine"}
        assert "cwk_key" not in repr(client)
