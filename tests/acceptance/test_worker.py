"""What a worker gives to its jobs, seen from outside: name servers, and words while a peer is away.

The whole service with its worker over PostgreSQL and a simulated fleet; the name server is a real
one on loopback, which keeps what it was asked.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.appliance.profiles import X8_2
from app.dns.expected import SERVICES
from tests.acceptance.conftest import House, OpenHouse
from tests.support.api_story import ENDED, mock_endpoint
from tests.support.name_server import name_server
from transports.mock.faults import Fault, FaultKind
from transports.mock.scenario import REHEARSAL_PASSWORD

CLUSTER = "cluster1.example.com"
KEY = "Pre-shared & secret: 4711"
PEERS_ASK = "192.0.2.53"
"""The name server that the Expressways have, which nobody on this machine can reach."""

pytestmark = pytest.mark.postgres


def zone() -> str:
    """Everything the service wants of DNS for exp1 and exp2."""
    lines = [f"$ORIGIN {CLUSTER}.", "$TTL 60"]
    for number, name in enumerate(("exp1", "exp2"), start=11):
        host = f"{name}.example.com."
        lines += [f"{s.name(CLUSTER)}. IN SRV 1 1 {s.port} {host}" for s in SERVICES]
        lines += [f"{host} IN A 192.0.2.{number}", f"{number}.2.0.192.in-addr.arpa. IN PTR {host}"]
    return "\n".join([*lines, "ntp.example.com. IN A 192.0.2.123"]) + "\n"


async def registered(house: House, *, members: int) -> tuple[str, list[str]]:
    """The cluster with so many of the fleet's Expressways in it; all of them are registered."""
    story = house.story
    admin = await story.credential(REHEARSAL_PASSWORD)
    key = {"name": "key", "kind": "pre_shared_key", "secret": KEY}
    credential = (await story.post("/v1/credentials", key))["id"]
    peers = [
        await story.peer(e.name, e.address, mock_endpoint(e.address, admin)) for e in house.fleet
    ]
    body = {"name": CLUSTER, "pre_shared_key_id": credential}
    cluster = str((await story.post("/v1/clusters", body))["id"])
    await house.record_members(cluster, peers[:members])
    return cluster, peers


def fleet_of(size: int, members: int) -> dict[str, Any]:
    names = [f"exp{n}" for n in range(1, size + 1)]
    return {
        "expressways": [
            {"name": name, "address": f"192.0.2.{n}"} for n, name in enumerate(names, start=11)
        ],
        "clusters": [{"name": CLUSTER, "key": KEY, "members": names[:members]}],
    }


def steps_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps of a plan or a job, in the order they run."""
    return [step for stage in document["stages"] for step in stage["steps"]]


async def test_a_worker_gives_its_name_servers_to_its_jobs(open_house: OpenHouse):
    with name_server(zone()) as server:
        resolvers = {PEERS_ASK: server.place}
        async with open_house(fleet_of(2, 1), dns_resolvers=resolvers) as house:
            cluster, peers = await registered(house, members=1)
            job_id = await house.story.start(cluster, "add-peer", {"peer_id": peers[1]})
            asked_for_the_plan = len(server.zone.asked)
            assert asked_for_the_plan > 0
            job = await house.story.finish(job_id)
            assert job["state"] == "succeeded", job["failure"]
            (step,) = [step for step in steps_of(job) if step["key"] == "in-dns-exp2"]
            assert (step["state"], step["note"]) == ("done", f"asked {PEERS_ASK}")
            by_the_worker = server.zone.asked[asked_for_the_plan:]
            assert (f"_sips._tcp.{CLUSTER}", "SRV") in by_the_worker
            assert ("exp2.example.com", "A") in by_the_worker
            assert house.witness.violations == []


async def test_a_restart_slowed_by_a_disk_check_says_so_while_it_lasts(open_house: OpenHouse):
    async with open_house(fleet_of(2, 2), dns_lookups=False) as house:
        cluster, peers = await registered(house, members=2)
        house.fleet.faults.add(Fault(FaultKind.RESTART_HANGS, "exp2", value=900.0))
        body = {"peer_id": peers[1]}
        plan = await house.story.plan(cluster, "restart-peer", body)
        (restart,) = [step for step in steps_of(plan) if step["key"] == "restart-exp2"]
        assert restart["limit_seconds"] == X8_2.timings.restart_limit
        job_id = await house.story.start(cluster, "restart-peer", body)
        said: list[str] = []
        async with asyncio.timeout(120.0):
            while (job := await house.story.get(f"/v1/jobs/{job_id}"))["state"] not in ENDED:
                said += [
                    str(step["note"]) for step in steps_of(job) if step["key"] == "restart-exp2"
                ]
                await asyncio.sleep(0.1)
        assert job["state"] == "succeeded", job["failure"]
        usual = [note for note in said if "usually about 180 s" in note]
        slow = [note for note in said if "a disk check may be running" in note]
        assert usual
        assert slow, said
        assert all("about every 30 restarts or after 6 months" in note for note in slow)
        assert all(f"waiting up to {X8_2.timings.restart_limit:.0f} s" in note for note in slow)
        assert said.index(usual[0]) < said.index(slow[0])
