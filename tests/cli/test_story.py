"""The daily work, from a key to proven evidence, by the command line alone."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import CLUSTER, OpenStand, attested
from transports.mock.scenario import REHEARSAL_PASSWORD

pytestmark = [pytest.mark.postgres, pytest.mark.sockets]


async def test_two_people_build_a_cluster_and_prove_it(open_stand: OpenStand, tmp_path):
    async with open_stand() as stand:
        ann, bob = stand.ann, stand.somebody("bob")
        key = await stand.key_of("bob", "approvals:decide", "jobs:read")
        words = ["profiles", "add", "lab", "--url", stand.url, "--key-env", "BOBS_KEY"]
        assert (await bob.types(*words)).code == 0
        bob.environment["BOBS_KEY"] = key

        await stand.begin(peers=2)
        listed = await ann.types("peers", "list")
        assert [line.split()[1] for line in listed.out.splitlines()] == ["name", "exp1", "exp2"]
        assert REHEARSAL_PASSWORD not in listed.out
        seen = await ann.does("peers", "observe", "exp1")
        assert seen["clustering"]["peers"] == []

        plan = await stand.plan("create-cluster", "primary_peer_id=exp1", "planned_peer_ids=exp2")
        started = await ann.types(
            "apply", plan["id"], "--digest", plan["digest"], *attested(plan),
            "--change", "CHG0031234", "--approvals", "1", "--four-eyes", "--json",
        )  # fmt: skip
        job = started.json
        assert (job["state"], job["change"]["number"]) == ("waiting", "CHG0031234")
        own = await ann.types(
            "approvals", "approve", job["id"], "--digest", plan["digest"],
            "--by", "Ann", "--reason", "x",
        )  # fmt: skip
        assert own.code == 3
        assert "Somebody else has to decide" in own.err
        pending = await bob.does("approvals", "list", "--state", "pending")
        assert [one["id"] for one in pending["items"]] == [job["id"]]
        shown = await bob.types("approvals", "show", job["id"])
        assert plan["digest"] in shown.out
        other = await bob.types(
            "approvals", "approve", job["id"], "--digest", "0" * 64, "--by", "Bob", "--reason", "x"
        )
        assert other.code == 2
        assert "read it before you decide" in other.err
        decided = await bob.does(
            "approvals", "approve", job["id"], "--digest", plan["digest"][:12],
            "--by", "Bob", "--reason", "agreed",
        )  # fmt: skip
        assert decided["state"] == "approved"

        watched = await ann.types("jobs", "watch", job["id"])
        assert watched.code == 0, watched
        assert "Restart exp1" in watched.out
        assert "\x1b" not in watched.out

        plan = await stand.plan("add-peer", "peer_id=exp2")
        ended = await ann.types("apply", plan["id"], *attested(plan), "--watch", "--json")
        assert ended.code == 0, ended
        assert ended.json["state"] == "succeeded"
        assert [m["name"] for m in (await ann.does("clusters", "show", CLUSTER))["members"]] == [
            "exp1",
            "exp2",
        ]
        found = await ann.types("diagnose", CLUSTER, "--json")
        assert found.json["healthy"] is True, found
        assert found.code == 0
        report = await ann.types("clusters", "check", CLUSTER, "--json")
        assert report.code == (1 if report.json["blockers"] else 0)

        file, keys = tmp_path / "evidence.json", tmp_path / "keys.json"
        fetched = await ann.types(
            "evidence", "fetch", ended.json["id"], "--to", str(file), "--keys", str(keys)
        )
        assert fetched.code == 0, fetched
        verify = ("evidence", "verify", str(file), "--key", str(keys))
        proven = await ann.types(*verify)
        assert proven.code == 0, proven.out
        altered = json.loads(file.read_text())
        altered["sections"]["steps"][0]["state"] = "skipped"
        file.write_text(json.dumps(altered))
        wrong = await ann.types(*verify, "--json")
        assert (wrong.code, wrong.json["proven"]) == (1, False)

        listed = await ann.types("jobs", "list", "--cluster", CLUSTER, "--change", "CHG0031234")
        assert job["id"] in listed.out
        assert ended.json["id"] not in listed.out
        assert stand.house.witness.violations == []
