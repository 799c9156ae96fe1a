"""Checks, DNS and ports over the API; names come from a name server that is not ours."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from app.domain.observation import Dns, Lan
from tests.api.conftest import World
from tests.api.observations import observation
from tests.support.name_server import NameServer, name_server
from tests.unit.dns.zones import COMPANY, HOSTS, NAPTR

IPV6 = "2001:db8::11"


@pytest.fixture(scope="module")
def server() -> Iterator[NameServer]:
    with name_server(COMPANY + HOSTS + NAPTR) as running:
        yield running


async def two_peers(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """A declared cluster, company.com, and the guide's two peers that are to join it."""
    ids = []
    for number in (1, 2):
        address = f"192.0.2.1{number}"
        peer = await world.peer(f"expe{number}", address)
        world.appliances.views[peer["id"]] = replace(
            observation(),
            peer_id=peer["id"],
            system_name=f"expe{number}",
            lans=(Lan(1, "Auto", address, "255.255.255.0", IPV6 if number == 1 else "", False),),
            dns=Dns(f"expe{number}", "company.com", ("192.0.2.53",)),
        )
        ids.append(peer["id"])
    return await world.cluster("company.com"), {"candidate": ids}


async def test_every_check_is_listed_with_its_outcome_and_unknown_is_no_pass(world: World) -> None:
    cluster, query = await two_peers(world)
    answer = await world.client.get(f"/v1/clusters/{cluster['id']}/checks", params=query)
    report = answer.json()
    assert answer.status_code == 200, report
    outcomes = {(check["key"], check["peer_id"]): check for check in report["checks"]}
    assert outcomes["h323-on", query["candidate"][0]]["outcome"] == "pass"
    assert outcomes["dns-records", None]["outcome"] == "unknown"
    assert "forward and reverse" in outcomes["dns-records", None]["settled_by"]
    assert report["outcome"] == "unknown"
    counted = report["passes"] + report["warnings"] + report["unknowns"] + report["blockers"]
    assert counted == len(report["checks"])
    assert report["blockers"] == 0


async def test_a_peer_that_does_not_answer_leaves_its_checks_unknown(world: World) -> None:
    cluster, query = await two_peers(world)
    silent = query["candidate"][1]
    del world.appliances.views[silent]
    answer = await world.client.get(f"/v1/clusters/{cluster['id']}/checks", params=query)
    checks = [c for c in answer.json()["checks"] if c["peer_id"] == silent]
    assert {c["outcome"] for c in checks if c["key"] != "access"} == {"unknown"}
    assert [c["outcome"] for c in checks if c["key"] == "access"] == ["blocker"]
    same = next(c for c in answer.json()["checks"] if c["key"] == "same-software")
    assert same["outcome"] == "unknown"
    assert "expe2" in same["settled_by"]


async def test_dns_says_what_is_expected_found_and_different(
    world: World, server: NameServer
) -> None:
    world.parts.names.instead["192.0.2.53"] = server.place  # type: ignore[attr-defined]
    cluster, query = await two_peers(world)
    url = f"/v1/clusters/{cluster['id']}/dns"
    answer = await world.client.get(url, params=query)
    document = answer.json()
    assert answer.status_code == 200, document
    assert document["differences"] == []
    assert {
        "name": "_sips._tcp.company.com.",
        "type": "SRV",
        "ttl": 86400,
        "data": "1 1 5061 expe1.company.com.",
    } in document["expected"]
    assert "_h323ls._udp.company.com. 86400 IN SRV 1 1 1719" in document["zone_text"]
    sip = next(f for f in document["found"] if f["name"] == "_sip._tcp.company.com")
    assert (sip["resolver"], sip["answer"]) == ("192.0.2.53", "records")
    assert sip["peer_ids"] == query["candidate"]
    lync = await world.client.get(url, params={**query, "name": "lync.company.com"})
    assert [d["requirements"] for d in lync.json()["differences"]] == [
        ["PRE-25", "PRE-28", "PRE-31"]
    ]
    checks = await world.client.get(f"/v1/clusters/{cluster['id']}/checks", params=query)
    found = {c["key"]: c["outcome"] for c in checks.json()["checks"] if c["peer_id"] is None}
    assert found["dns-records"] == "pass"


async def test_a_number_is_turned_into_what_is_dialled(world: World, server: NameServer) -> None:
    world.parts.names.instead["192.0.2.53"] = server.place  # type: ignore[attr-defined]
    cluster, query = await two_peers(world)
    plan = {"zone": "enum4.example.com", "number": "8734"}
    url = f"/v1/clusters/{cluster['id']}/enum"
    async with world.parts.store.transaction() as tx:
        await tx.clusters.record_members(cluster["id"], query["candidate"], query["candidate"][0])
    answer = (await world.client.get(url, params=plan)).json()
    assert answer["name"] == "4.3.7.8.enum4.example.com"
    assert [u["uri"] for u in answer["answers"][0]["uris"]] == ["bob@example.com"] * 2
    wrong = await world.client.get(url, params={**plan, "number": "8734; x"})
    assert wrong.status_code == 422
    assert "8734; x" not in wrong.text


async def test_ports_come_as_json_and_as_rules_to_paste(world: World) -> None:
    cluster, query = await two_peers(world)
    url = f"/v1/clusters/{cluster['id']}/ports"
    document = (await world.client.get(url, params=query)).json()
    assert document["software_version"] == "X8.2"
    assert {"udp", "tcp", "ah"} == {flow["protocol"] for flow in document["flows"]}
    assert document["ipsec"]["diffie_hellman_group"] == "modp4096"
    table = await world.client.get(url, params={**query, "format": "csv"})
    assert table.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert {(row["source"], row["destination"]) for row in rows} == {
        ("192.0.2.11", "192.0.2.12"),
        ("192.0.2.12", "192.0.2.11"),
    }
    for form in ("text", "nftables", "asa"):
        text = await world.client.get(url, params={**query, "format": form})
        assert text.status_code == 200
        assert "192.0.2.12" in text.text
    assert (await world.client.get(url, params={"format": "pf"})).status_code == 422


@pytest.mark.parametrize("what", ["checks", "dns", "ports"])
async def test_unknown_clusters_and_peers_are_told_apart(world: World, what: str) -> None:
    missing = await world.client.get(f"/v1/clusters/cluster-none/{what}")
    assert missing.json()["code"] == "not-found"
    cluster = await world.cluster()
    url = f"/v1/clusters/{cluster['id']}/{what}"
    wrong = await world.client.get(url, params={"candidate": "peer-none"})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["code"] == "peer-unknown"
