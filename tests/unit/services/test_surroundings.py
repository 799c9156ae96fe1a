"""Round trips are measured from peer to peer over the transport, on the simulated fleet."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from app.checks.paths import ASSUMPTION, between_peers, round_trips
from app.dns.lookup import NameServers
from app.domain.finding import Severity
from app.domain.observation import Observation
from app.services.access import Access
from app.services.appliances import ConnectedPeers
from app.services.open_sessions import OpenSessions
from app.services.surroundings import PING, Surroundings
from simulation.rehearsal import Rehearsal
from transports import registry
from transports.mock.fleet import SERVICE
from transports.mock.virtual_time import run


@dataclass
class FleetAccess:
    """The fleet's endpoints, as the registry would give them."""

    rehearsal: Rehearsal

    async def endpoints(self, peer_id: str) -> tuple[Access, ...]:
        endpoint = self.rehearsal.endpoint(peer_id)
        return (Access("mock", endpoint, peer_id, "credential-1", 1, rejected=False),)

    async def credential_rejected(self, access: Access, *, root: bool = False) -> bool:
        return False

    async def mark_rejected(self, access: Access, *, root: bool = False) -> None:
        raise AssertionError("the password is right")


async def measured(rehearsal, able=("exp1", "exp2", "exp3")):
    connected = ConnectedPeers(
        FleetAccess(rehearsal), registry.create, rehearsal.clock, OpenSessions(10)
    )
    views = [await connected.observe(name) for name in rehearsal.peers]
    seen = [view for view in views if isinstance(view, Observation)]
    around = Surroundings(NameServers(enabled=False), connected)
    capabilities = {name: frozenset({PING}) for name in able}
    return seen, await around.round_trips(seen, capabilities)


def judged(scenario=None, **options):
    async def story():
        seen, found = await measured(Rehearsal(scenario), **options)
        return found, {finding.code: finding for finding in between_peers(seen, found)}

    return run(story())


def test_every_pair_is_measured_in_both_directions():
    found, findings = judged({"round_trips": [["exp1", "exp2", 12.5]]})
    assert len(found) == 6
    assert found["exp1", "exp2"] == found["exp2", "exp1"] == 12.5
    assert set(findings) == {"firewall-open", "direct-routing"}


def test_a_pair_too_far_apart_forbids_the_cluster():
    _, findings = judged({"round_trips": [["exp1", "exp3", 31]]})
    assert findings["round-trip-too-long"].severity is Severity.BLOCKER
    assert findings["round-trip-too-long"].requirements == ("PRE-08",)


def test_an_echo_that_does_not_come_leaves_the_path_to_an_operator():
    found, findings = judged({"cuts": [["exp1", "exp2"]]})
    assert found["exp1", "exp2"] is None
    assert findings["peer-does-not-answer-peer"].severity is Severity.WARNING
    assert findings["round-trips"].severity is Severity.UNKNOWN
    assert "exp1 (192.0.2.11) and exp2 (192.0.2.12)." in findings["round-trips"].remedy


def test_peers_whose_transports_cannot_ping_are_not_asked_and_stay_unknown():
    found, findings = judged(able=("exp1",))
    assert {one for one, _ in found} == {"exp1"}
    assert findings["round-trips"].requirements == ("PRE-08",)
    assert "exp2 (192.0.2.12) and exp3 (192.0.2.13)." in findings["round-trips"].remedy
    assert "exp1" not in findings["round-trips"].remedy


def test_a_peer_lost_in_between_leaves_its_round_trips_out():
    async def story():
        rehearsal = Rehearsal()
        connected = ConnectedPeers(
            FleetAccess(rehearsal), registry.create, rehearsal.clock, OpenSessions(10)
        )
        seen = [await connected.observe(name) for name in rehearsal.peers]
        rehearsal.fleet["exp2"].lose_power()
        around = Surroundings(NameServers(enabled=False), connected)
        everyone = {one.peer_id: frozenset({PING}) for one in seen}
        return await around.round_trips(seen, everyone)

    found = run(story())
    assert {one for one, _ in found} == {"exp1", "exp3"}
    assert found["exp1", "exp2"] is None


@pytest.mark.parametrize("milliseconds", [30.0, 30.1])
def test_thirty_milliseconds_are_allowed_and_no_more(milliseconds):
    _, findings = judged({"round_trips": [["exp1", "exp2", milliseconds]]})
    assert ("round-trip-too-long" in findings) is (milliseconds > 30)


@pytest.mark.parametrize(
    ("version", "far"), [("X8.8", True), ("X8.11.3", True), ("X12.5", False), ("nonsense", True)]
)
def test_only_versions_on_record_allow_longer_round_trips(version, far):
    async def story():
        seen, found = await measured(Rehearsal({"round_trips": [["exp1", "exp2", 60]]}))
        return seen, found

    seen, found = run(story())
    later = [replace(one, software_version=version) for one in seen]
    codes = {finding.code for finding in between_peers(later, found)}
    assert ("round-trip-too-long" in codes) is far


def from_outside(distances):
    """What is said of three peers that cannot ping, at these distances from the service."""

    async def story():
        rehearsal = Rehearsal()
        for name, milliseconds in distances.items():
            rehearsal.fleet.round_trips[frozenset((SERVICE, name))] = milliseconds
        seen, found = await measured(rehearsal, able=())
        return {f.code: f for f in between_peers(seen, found)}

    return run(story())


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (10, 20, f"10 to 30 ms {ASSUMPTION}: within 30 ms"),
        (10, 20.1, f"10.1 to 30.1 ms {ASSUMPTION}: tells nothing about 30 ms"),
        (45, 14.9, f"30.1 to 59.9 ms {ASSUMPTION}: beyond 30 ms"),
        (45, 15, f"30 to 60 ms {ASSUMPTION}: tells nothing about 30 ms"),
    ],
)
def test_a_bound_from_outside_is_told_with_its_assumption_and_settles_nothing(first, second, words):
    findings = from_outside({"exp1": first, "exp2": second, "exp3": 1})
    finding = findings["round-trips"]
    assert finding.severity is Severity.UNKNOWN
    assert finding.evidence["exp1 to exp2"] == words
    assert finding.evidence["from here to exp1"] == f"{first:.3g} ms there and back"
    assert finding.evidence["capability"] == PING
    assert "round-trip-too-long" not in findings


def test_what_no_connection_told_is_not_bounded():
    async def story():
        seen, _ = await measured(Rehearsal(), able=())
        return [replace(one, round_trip_from_here=None) for one in seen]

    (finding,) = round_trips(run(story()), {})
    assert finding.evidence["from here to exp1"] == "not measured"
    assert not [name for name in finding.evidence if " to exp2" in name and "here" not in name]
