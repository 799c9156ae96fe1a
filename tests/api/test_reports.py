"""Reports: the same findings as a page to print, as rows for a spreadsheet, and as JSON."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import httpx

from app.appliance.alarms import read_alarm
from tests.api.conftest import World
from tests.api.test_diagnosis import lose_itself, member, standing

HOSTILE = '<script src="https://elsewhere.example/x.js">alert(1)</script>'


class Page(HTMLParser):
    """What a browser makes of a page: its elements, its words, and what it would fetch."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.fetched: list[str] = []
        self.words = ""
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        self.feed(answer.text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.fetched += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        self.words += data


async def test_a_cluster_report_is_one_readable_page(world: World) -> None:
    cluster, (_, second) = await standing(world)
    lose_itself(world, second)
    path = f"/v1/clusters/{cluster['id']}/report"
    page = Page(await world.client.get(path, params={"format": "html"}))
    assert "Cluster cluster.example.com" in page.words
    for words in (
        "The peer list of exp2 does not name exp2 itself",
        "Check and correct the list on the primary",
        "ALM-18",
        "Cluster communication failure",
        "192.0.2.12",
    ):
        assert words in page.words
    assert "Settled by: An operator who states: Every firewall between the peers" in page.words
    assert page.words.count("H.323 mode is On") == 1, "one row for all peers that pass"
    assert re.search(r"Observed 2\d{3}-\d\d-\d\d \d\d:\d\d:\d\d UTC", page.words)
    assert second not in re.sub(r"/v1/\S+", "", page.words), "peers go by their names"
    assert page.fetched == []
    assert "script" not in page.tags


async def test_what_an_appliance_says_is_shown_and_not_obeyed(world: World) -> None:
    cluster, (first, _) = await standing(world)
    alarm = read_alarm("", f"Fan failure - {HOSTILE}", "Unacknowledged")
    hostile = member(first, 1, alarms=(alarm,))
    hostile = replace(hostile, clustering=replace(hostile.clustering, cluster_name=HOSTILE))
    world.appliances.views[first] = hostile
    path = f"/v1/clusters/{cluster['id']}/report"
    page = Page(await world.client.get(path, params={"format": "html"}))
    assert "script" not in page.tags
    assert page.fetched == []
    assert HOSTILE in page.words


async def test_the_same_report_as_json_and_as_rows(world: World) -> None:
    cluster, (_, second) = await standing(world)
    lose_itself(world, second)
    path = f"/v1/clusters/{cluster['id']}/report"
    document = (await world.client.get(path)).json()
    answer = await world.client.get(path, params={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    causes = [row for row in rows if row["kind"] == "cause"]
    assert [row["code"] for row in causes] == [
        cause["finding"]["code"] for cause in document["diagnosis"]["causes"]
    ]
    checks = [row["code"] for row in rows if row["kind"] == "check"]
    assert checks == [checked["key"] for checked in document["checks"]["checks"]]
    assert causes[0]["peer"] == "exp2"
    assert [m["alarms"] for m in document["members"]] == [0, 1]


async def test_a_spreadsheet_takes_no_cell_for_a_formula(world: World) -> None:
    cluster, (first, _) = await standing(world)
    alarm = read_alarm("", "=HYPERLINK(1) - x", "Unacknowledged")
    seen = member(first, 1, alarms=(alarm,))
    world.appliances.views[first] = replace(seen, system_name='=cmd|"/c"!A0')
    path = f"/v1/clusters/{cluster['id']}/report"
    answer = await world.client.get(path, params={"format": "csv"})
    for row in csv.reader(io.StringIO(answer.text, newline="")):
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row), row


async def test_a_plan_has_a_preflight_report(world: World) -> None:
    peer = await world.peer()
    cluster = await world.cluster()
    world.appliances.views[peer["id"]] = replace(member(peer["id"], 1), system_name="forbidden")
    plan = (await world.plan(cluster, peer_id=peer["id"], label="<b>blue</b>")).json()
    path = f"/v1/plans/{plan['id']}/report"
    page = Page(await world.client.get(path))
    for words in ("name-forbidden", "Rename it.", "forbids starting", "The door is open.",
                  "Name it back.", "<b>blue</b>", plan["digest"]):  # fmt: skip
        assert words in page.words
    assert page.fetched == []
    rows = list(csv.DictReader(io.StringIO(
        (await world.client.get(path, params={"format": "csv"})).text, newline="")))  # fmt: skip
    assert [(row["severity"], row["code"], row["peer"]) for row in rows] == [
        ("blocker", "name-forbidden", "exp1")
    ]


async def test_reports_of_nothing_and_in_unknown_formats_are_refused(world: World) -> None:
    cluster = await world.cluster()
    for path, status in (
        ("/v1/clusters/cluster-0/report", 404),
        ("/v1/plans/plan-0/report", 404),
        (f"/v1/clusters/{cluster['id']}/report?format=pdf", 422),
    ):
        assert (await world.client.get(path)).status_code == status
        assert (await world.anonymous.get(path)).status_code == 401
    empty = Page(await world.client.get(f"/v1/clusters/{cluster['id']}/report?format=html"))
    assert "The cluster has no members yet." in empty.words


async def test_a_job_and_its_change_texts_carry_the_preflight_report(world: World) -> None:
    peer = await world.peer()
    cluster = await world.cluster()
    plan = (await world.plan(cluster, peer_id=peer["id"])).json()
    texts = plan["change_texts"]
    verdict = texts["backout_plan"].splitlines()[-1]
    assert "Nothing forbids starting; 0 blocker(s)" in verdict
    assert f"/v1/plans/{plan['id']}/report" in verdict
    assert plan["digest"] in texts["approval_text"]
    for finding in plan["findings"]:
        for text in (texts["risk_and_impact"], texts["approval_text"]):
            assert finding["message"] in text
            assert finding["remedy"] in text
    job = (await world.start(cluster, "k1", peer_id=peer["id"], plan_digest=plan["digest"])).json()
    report = await world.client.get(f"/v1/plans/{job['plan_id']}/report")
    assert "Nothing forbids starting" in Page(report).words


async def test_blockers_stand_in_the_texts_of_a_change_too(world: World) -> None:
    peer = await world.peer()
    cluster = await world.cluster()
    world.appliances.views[peer["id"]] = replace(member(peer["id"], 1), system_name="forbidden")
    texts = (await world.plan(cluster, peer_id=peer["id"])).json()["change_texts"]
    assert "A finding forbids starting; 1 blocker(s)" in texts["approval_text"]
    assert "Rename it." in texts["risk_and_impact"]
