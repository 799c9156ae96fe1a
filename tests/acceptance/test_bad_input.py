"""Bad input over the API: field, rule, requirement and remedy are named, the fleet unchanged."""

from typing import Any

import pytest

from tests.acceptance.conftest import House, OpenHouse
from tests.support.api_story import mock_endpoint, ssh_endpoint
from transports.mock.fleet import Fleet
from transports.mock.scenario import REHEARSAL_PASSWORD

CLUSTER = "cluster1.example.com"
pytestmark = [pytest.mark.postgres, pytest.mark.sockets]

BROKEN: dict[str, tuple[dict[str, Any], str, str]] = {
    "other-version": ({"version": "X8.1"}, "software-versions-differ", "NEW-P-02"),
    "no-host-name": ({"dns_host_name": ""}, "dns-host-name-missing", "NEW-M-19"),
    "no-time": ({"ntp_reachable": False}, "ntp-not-synchronised", "NEW-M-14"),
    "no-h323": ({"h323": False}, "h323-off", "PRE-20"),
    "elsewhere": ({"peers": ["192.0.2.250"]}, "peers-configured", "NEW-M-15"),
    "zoned": ({"zones": [{"name": "to one", "peers": ["192.0.2.11"]}]}, "zone-names-peer", "NEW-M"),
}
SCENARIO = {
    "expressways": [
        {"name": "good", "address": "192.0.2.11"},
        *(
            {"name": name, "address": f"192.0.2.{20 + n}", **amiss}
            for n, (name, (amiss, _, _)) in enumerate(BROKEN.items())
        ),
    ]
}


def state_of(fleet: Fleet) -> dict[str, Any]:
    return {
        e.name: (e.configuration.values(), e.cluster.key, e.power, e.restarts, len(e.backups))
        for e in fleet
    }


async def register(house: House) -> dict[str, str]:
    admin = await house.story.credential(REHEARSAL_PASSWORD)
    return {
        e.name: await house.story.peer(e.name, e.address, mock_endpoint(e.address, admin))
        for e in house.fleet
    }


def assert_finding(found: list[dict[str, Any]], code: str, requirement: str) -> None:
    matching = [f for f in found if f["code"] == code]
    assert matching, found
    assert any(r.startswith(requirement) for r in matching[0]["requirements"])
    assert matching[0]["remedy"]
    assert matching[0]["pointer"]


async def test_a_peer_in_the_wrong_state_is_refused_and_nothing_is_touched(open_house: OpenHouse):
    async with open_house(SCENARIO) as house:
        peers = await register(house)
        before = state_of(house.fleet)
        for name, (_, code, requirement) in BROKEN.items():
            cluster_id = await house.story.cluster(f"{name}.example.com")
            parameters = {"primary_peer_id": peers[name], "planned_peer_ids": [peers["good"]]}
            plan = await house.story.plan(cluster_id, "create-cluster", parameters)
            assert plan["blocked"]
            assert_finding(plan["findings"], code, requirement)
            path = f"/v1/clusters/{cluster_id}/procedures/create-cluster"
            answer = await house.story.ask(path, {**parameters, "plan_digest": plan["digest"]})
            assert answer.status_code == 409
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == "plan-blocked"
            assert_finding(answer.json()["errors"], code, requirement)
        assert state_of(house.fleet) == before


async def test_a_seventh_peer_is_refused(open_house: OpenHouse):
    names = [f"exp{n}" for n in range(1, 8)]
    scenario = {
        "expressways": [
            {"name": name, "address": f"192.0.2.{10 + n}"} for n, name in enumerate(names)
        ],
        "clusters": [{"name": CLUSTER, "key": "a key of long ago", "members": names[:6]}],
    }
    async with open_house(scenario) as house:
        peers = await register(house)
        cluster_id = await house.story.cluster(CLUSTER)
        await house.record_members(cluster_id, [peers[name] for name in names[:6]])
        before = state_of(house.fleet)
        plan = await house.story.plan(cluster_id, "add-peer", {"peer_id": peers["exp7"]})
        codes = {f["code"]: f for f in plan["findings"] if f["severity"] == "blocker"}
        assert "cluster-full" in codes
        assert "ADD-04" in codes["cluster-full"]["requirements"]
        assert state_of(house.fleet) == before


async def test_an_address_is_registered_once(open_house: OpenHouse):
    async with open_house({}) as house:
        admin = await house.story.credential(REHEARSAL_PASSWORD)
        endpoint = mock_endpoint("192.0.2.11", admin)
        await house.story.peer("one", "192.0.2.11", endpoint)
        body = {"name": "two", "address": "192.0.2.11", "endpoints": [endpoint]}
        answer = await house.story.ask("/v1/peers", body)
        assert answer.status_code == 409
        assert answer.json()["code"] == "address-taken"


async def test_a_wrong_password_is_tried_once_and_never_again(open_house: OpenHouse):
    async with open_house({}) as house:
        wrong = await house.story.credential("not the password")
        entry = house.reachable[0]
        peer = await house.story.peer(entry["name"], entry["address"], ssh_endpoint(entry, wrong))
        device = house.fleet[entry["name"]]
        for _ in range(3):
            answer = await house.story.ask(f"/v1/peers/{peer}/observations")
            assert answer.status_code == 502
            (error,) = answer.json()["errors"]
            assert error["code"] == "authentication-failed"
            assert error["remedy"]
        assert failed_logins(device) == 1
        cluster_id = await house.story.cluster(CLUSTER)
        plan = await house.story.plan(cluster_id, "create-cluster", {"primary_peer_id": peer})
        assert_finding(plan["findings"], "authentication-failed", "NEW-M-03")
        assert failed_logins(device) == 1
        read = await house.story.client.get(f"/v1/credentials/{wrong}")
        right = await house.story.client.put(
            f"/v1/credentials/{wrong}/secret",
            json={"secret": REHEARSAL_PASSWORD},
            headers={"If-Match": read.headers["etag"]},
        )
        assert right.is_success, right.json()
        seen = await house.story.post(f"/v1/peers/{peer}/observations")
        assert seen["system_name"] == entry["name"]


async def test_an_unknown_host_key_stops_before_the_password_is_sent(open_house: OpenHouse):
    async with open_house({}) as house:
        admin = await house.story.credential(REHEARSAL_PASSWORD)
        entry, other = house.reachable[0], house.reachable[1]
        swapped = {**entry, "host_key": other["host_key"]}
        peer = await house.story.peer(entry["name"], entry["address"], ssh_endpoint(swapped, admin))
        cluster_id = await house.story.cluster(CLUSTER)
        before = state_of(house.fleet)
        plan = await house.story.plan(cluster_id, "create-cluster", {"primary_peer_id": peer})
        assert_finding(plan["findings"], "identity-changed", "NEW-M-03")
        (finding,) = [f for f in plan["findings"] if f["code"] == "identity-changed"]
        assert finding["message"].count("SHA256:") == 2
        assert failed_logins(house.fleet[entry["name"]]) == 0
        assert state_of(house.fleet) == before


def failed_logins(device: Any) -> int:
    """As the appliance counts them in its own intrusion protection."""
    category = device.status().find("IntrusionProtection")
    return sum(int(node.get("TotalFails") or 0) for node in category.all("Category"))
