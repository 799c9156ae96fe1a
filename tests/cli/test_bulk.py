"""`clusterway bulk`: seen before, started, watched to its end, cancelled."""

from __future__ import annotations

import pytest

from tests.cli.conftest import CLUSTER, OpenStand, Stand

pytestmark = [pytest.mark.postgres, pytest.mark.sockets]


async def furnished(stand: Stand) -> None:
    """One cluster that can be backed up, and one without a member, which cannot."""
    await stand.begin()
    cluster = await stand.ann.does("clusters", "show", CLUSTER)
    peer = await stand.ann.does("peers", "show", "exp1")
    await stand.house.record_members(cluster["id"], [peer["id"]])
    await stand.ann.does("clusters", "declare", "empty.example.com", "--label", "site=berlin")


async def test_many_clusters_by_name_and_label(open_stand: OpenStand):
    async with open_stand() as stand:
        ann = stand.ann
        await furnished(stand)
        both = ("--cluster", CLUSTER, "--label", "site=berlin")
        seen = await ann.types("bulk", "preview", *both)
        assert [line.split()[1] for line in seen.out.splitlines()[1:]] == [
            CLUSTER,
            "empty.example.com",
        ]

        good = await ann.types("bulk", "start", "backup", "--cluster", CLUSTER, "--watch")
        assert good.code == 0, good
        assert f"{CLUSTER}: started" in good.out
        assert f"{CLUSTER}: succeeded" in good.out
        assert "succeeded: 1 succeeded of 1" in good.out

        once = ("--change", "CHG1", "--idempotency-key", "one")
        made = await ann.does("bulk", "start", "backup", *both, *once)
        assert made["change"]["number"] == "CHG1"
        again = await ann.does("bulk", "start", "backup", *both, *once)
        assert again["id"] == made["id"], "the same key is the same start"
        watched = await ann.types("bulk", "watch", made["id"])
        assert watched.code == 1
        assert "empty.example.com: refused: " in watched.out
        assert "clusterway bulk show" in watched.err
        shown = await ann.types("bulk", "show", made["id"])
        assert "1 succeeded, 1 refused of 2" in shown.out
        listed = await ann.does("bulk", "list", "--change", "CHG1")
        assert [one["id"] for one in listed["items"]] == [made["id"]]
        preview = await ann.does("bulk", "cancel", made["id"], "--preview")
        assert preview["possible"] is False
        refused = await ann.types("bulk", "cancel", made["id"], "--yes")
        assert refused.code == 3


async def test_what_cannot_be_started_on_many_says_so(open_stand: OpenStand):
    async with open_stand() as stand:
        ann = stand.ann
        refused = await ann.types("bulk", "start", "restart-peer", "peer_id=exp1")
        assert refused.code == 2
        assert "one cluster at a time" in refused.err
        nothing = await ann.types("bulk", "start", "backup")
        assert nothing.code == 3
        assert "finds no cluster" in nothing.err
        cancel = await ann.types("bulk", "cancel", "bulk-06f3k2m8q1v5x7z9b2d4f6h8j0", "--yes")
        assert cancel.code == 3
        unknown = await ann.types("bulk", "start", "backup", "--cluster", "nobody")
        assert unknown.code == 2
        assert "--label" in (await ann.types("bulk", "preview", "--label", "site")).err
