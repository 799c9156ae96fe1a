"""What must stop a plan: rule, requirement, remedy and field are named, the fleet is as it was."""

from dataclasses import replace
from typing import Any

import pytest

from app.domain.plan import Plan
from tests.support.rehearsal import CLUSTER, KEY, Rehearsal
from transports.mock.fleet import Fleet
from transports.mock.virtual_time import run


def three(**second: Any) -> dict[str, Any]:
    """Three Expressways; exp1 is a cluster of one, exp2 is as told."""
    return {
        "expressways": [
            {"name": "exp1", "address": "192.0.2.11"},
            {"name": "exp2", "address": "192.0.2.12", **second},
            {"name": "exp3", "address": "192.0.2.13"},
        ],
        "clusters": [{"name": CLUSTER, "key": KEY, "members": ["exp1"]}],
    }


def state_of(fleet: Fleet) -> dict[str, Any]:
    """Everything a change would touch: settings, key, power, boots, calls, accounts."""
    return {
        device.name: (
            device.configuration.values(),
            device.cluster.key,
            device.power,
            device.restarts,
            len(device.backups),
        )
        for device in fleet
    }


async def add_exp2(scenario: dict[str, Any]) -> tuple[Plan, Any, Any]:
    rehearsal = Rehearsal(scenario)
    members = ("exp1",)
    await rehearsal.registry.record_members(members, "exp1")
    before = state_of(rehearsal.fleet)
    plan = await rehearsal.plan("add-peer", peer_id="exp2")
    after = state_of(rehearsal.fleet)
    return plan, before, after


CASES = {
    "another version": (three(version="X8.1"), "software-versions-differ", "PRE-02"),
    "a version the guide does not cover": (
        three(version="X8.11.3"),
        "software-version-not-covered",
        "ADD-P-01",
    ),
    "no DNS host name": (three(dns_host_name=""), "dns-host-name-missing", "ADD-J-08"),
    "no DNS server": (three(dns_servers=[]), "dns-server-missing", "ADD-X-10"),
    "an unqualified NTP name without a domain": (
        three(ntp=["time"], dns_domain=""),
        "dns-domain-missing",
        "ADD-X-11",
    ),
    "no NTP server": (three(ntp=[]), "ntp-server-missing", "ADD-X-13"),
    "NTP not synchronised": (three(ntp_reachable=False), "ntp-not-synchronised", "ADD-X-14"),
    "H.323 off": (three(h323=False), "h323-off", "PRE-20"),
    "static NAT on LAN 1": (three(static_nat=True), "static-nat-on-lan-1", "ADD-M-09"),
    "peers already configured": (
        three(peers=["192.0.2.99"], cluster_name="other.example.com"),
        "peers-configured",
        "ADD-X-15",
    ),
    "the system name of another peer": (
        three(system_name="exp1"),
        "system-name-used-twice",
        "PRE-19",
    ),
    "the host name of another peer": (
        three(dns_host_name="exp1"),
        "host-name-used-twice",
        "ADD-J-10",
    ),
    "no power": (three(power="off"), "peer-unreachable", "ADD-X-03"),
    "another password": (three(admin_password="not this"), "authentication-failed", "ADD-X-03"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_peer_that_must_not_be_added_is_refused_with_rule_requirement_remedy_and_field(case):
    scenario, code, requirement = CASES[case]
    plan, before, after = run(add_exp2(scenario))
    found = {finding.code: finding for finding in plan.blockers}
    assert code in found
    assert requirement in found[code].requirements
    assert found[code].remedy
    assert found[code].pointer == "/peer_id"
    if code != "authentication-failed":  # a declined password is counted by the device
        assert before == after


def test_a_zone_of_the_primary_that_names_the_new_peer_blocks():
    scenario = three()
    scenario["expressways"][0]["zones"] = [{"name": "old way", "peers": ["192.0.2.12"]}]
    plan, before, after = run(add_exp2(scenario))
    (finding,) = [f for f in plan.blockers if f.code == "zone-names-peer"]
    assert finding.requirements == ("ADD-M-01",)
    assert "old way" in finding.remedy
    assert before == after


ENTERING_A_KEY: dict[str, dict[str, Any]] = {
    "add-peer": {"peer_id": "exp2"},
    "align-clustering": {"enter_pre_shared_key": True},
    "rotate-pre-shared-key": {"use_registered_key": True},
}


@pytest.mark.parametrize("slug", sorted(ENTERING_A_KEY))
def test_a_key_that_the_service_does_not_know_is_entered_nowhere(slug: str):
    """It would make one, and peers that were given it would no longer trust the others."""

    async def blockers(*, known: bool) -> set[str]:
        rehearsal = Rehearsal(three())
        await rehearsal.registry.record_members(("exp1",), "exp1")
        situation = replace(await rehearsal.situation(), pre_shared_key_known=known)
        plan = rehearsal.plan_over(situation, slug, ENTERING_A_KEY[slug])
        return {finding.code for finding in plan.blockers}

    assert "pre-shared-key-unknown" in run(blockers(known=False))
    assert "pre-shared-key-unknown" not in run(blockers(known=True))


def test_a_peer_that_another_expressway_lists_blocks():
    scenario = three()
    scenario["expressways"][2]["peers"] = ["192.0.2.13", "192.0.2.12"]
    plan, before, after = run(add_exp2(scenario))
    assert "listed-elsewhere" in {finding.code for finding in plan.blockers}
    assert before == after


def test_a_seventh_peer_blocks():
    async def seventh() -> Plan:
        names = [f"exp{n}" for n in range(1, 8)]
        rehearsal = Rehearsal(
            {
                "expressways": [
                    {"name": name, "address": f"192.0.2.{10 + n}"}
                    for n, name in enumerate(names, start=1)
                ],
                "clusters": [{"name": CLUSTER, "key": KEY, "members": names[:6]}],
            }
        )
        await rehearsal.registry.record_members(tuple(names[:6]), "exp1")
        return await rehearsal.plan("add-peer", peer_id="exp7")

    plan = run(seventh())
    (finding,) = plan.blockers
    assert finding.code == "cluster-full"
    assert "ADD-04" in finding.requirements


def test_a_member_that_does_not_answer_blocks():
    scenario = three()
    scenario["expressways"][0]["power"] = "off"
    plan, _, _ = run(add_exp2(scenario))
    assert {f.peer_id for f in plan.blockers if f.code == "peer-unreachable"} == {"exp1"}


def test_a_peer_that_is_a_member_already_blocks():
    async def again() -> Plan:
        rehearsal = Rehearsal()
        await rehearsal.build_cluster(2)
        return await rehearsal.plan("add-peer", peer_id="exp2")

    assert "peer-in-cluster" in {finding.code for finding in run(again()).blockers}


def test_a_cluster_that_is_not_created_yet_cannot_be_added_to():
    async def too_early() -> Plan:
        return await Rehearsal().plan("add-peer", peer_id="exp2")

    assert "cluster-not-created" in {finding.code for finding in run(too_early()).blockers}


def test_a_cluster_that_exists_cannot_be_created_again():
    async def twice() -> Plan:
        rehearsal = Rehearsal()
        await rehearsal.build_cluster(1)
        return await rehearsal.plan("create-cluster", primary_peer_id="exp2")

    assert "cluster-exists" in {finding.code for finding in run(twice()).blockers}


@pytest.mark.parametrize(
    "name", ["cluster1", "cluster 1.example.com", "10.1.1.1", "-a.example.com"]
)
def test_a_cluster_name_that_is_no_fqdn_blocks(name):
    async def misnamed() -> Plan:
        rehearsal = Rehearsal()
        rehearsal.rename_cluster(name)
        return await rehearsal.plan("create-cluster", primary_peer_id="exp1")

    assert "cluster-name-not-fqdn" in {finding.code for finding in run(misnamed()).blockers}
