"""Broken fleets, and what the diagnosis says first about each: the thing that was broken.

Every fleet starts as a healthy cluster of three (or two) that has stood for hours. One thing is
broken, appliance time passes, and the service looks at the peers as it does in production. A wrong
peer list raises up to ten alarms on three peers; the first finding must be the list.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from app.appliance.appliance import Appliance
from app.appliance.trouble import trouble_with
from app.checks.diagnosis import Case, Diagnosis, RunningJob, diagnose
from app.domain.cluster import Cluster
from app.domain.finding import Severity
from app.domain.observation import NotObserved, View
from app.domain.peer import Peer
from app.domain.plan import Plan, PlannedStep, Stage
from app.engine.clock import LoopClock
from app.guide import requirements
from transports import mock
from transports.base import Endpoint
from transports.errors import TransportError
from transports.mock.faults import Fault, FaultKind
from transports.mock.fleet import Fleet
from transports.mock.scenario import REHEARSAL_PASSWORD
from transports.mock.virtual_time import run

KEY = "Pre-shared & secret: 4711"
NAME = "cluster1.example.com"
LONG_ENOUGH = 900.0
"""Appliance seconds: all alarms are raised, status words and replication have caught up."""


def put(fleet: Fleet, name: str, **settings: str) -> None:
    """Write settings as an administrator would: `peer_3="192.0.2.13"`."""
    paths = {"cluster_name": "Alternates Cluster Name", "primary": "Alternates ConfigurationMaster"}
    paths |= {f"peer_{n}": f"Alternates Peer {n} Address" for n in range(1, 7)}
    for key, value in settings.items():
        fleet[name].write(paths[key].split(), value)


def setting(fleet: Fleet, name: str, path: str, value: str) -> None:
    fleet[name].write(path.split(), value)


def restart(fleet: Fleet, name: str) -> None:
    fleet[name].restart(reboot=False)


@dataclass(frozen=True)
class Broken:
    """One thing to break, and what the first finding must be."""

    title: str
    break_it: Callable[[Fleet], object]
    code: str
    peer: str | None = None
    mended_by: str = ""
    expressways: int = 3
    ping: bool = True
    scenario: Any = None


def wrong_list(fleet: Fleet) -> None:
    put(fleet, "exp3", peer_2="192.0.2.99")


def missing_self(fleet: Fleet) -> None:
    put(fleet, "exp3", peer_3="")


def listed_twice(fleet: Fleet) -> None:
    put(fleet, "exp2", peer_4="192.0.2.11")


def other_order(fleet: Fleet) -> None:
    put(fleet, "exp2", peer_2="192.0.2.13", peer_3="192.0.2.12")


def stranger_listed(fleet: Fleet) -> None:
    put(fleet, "exp1", peer_4="192.0.2.14")


def alone(fleet: Fleet) -> None:
    put(fleet, "exp3", peer_1="", peer_2="", peer_3="")
    restart(fleet, "exp3")


def other_key(fleet: Fleet) -> None:
    fleet["exp2"].cluster.set_key("another key")
    restart(fleet, "exp2")


def no_key(fleet: Fleet) -> None:
    fleet["exp2"].cluster.set_key("")
    restart(fleet, "exp2")


def corrected_key(fleet: Fleet) -> None:
    member = fleet["exp2"].cluster
    member.set_key("another key")
    member.boot()
    member.set_key(KEY)


def other_name(fleet: Fleet) -> None:
    put(fleet, "exp2", cluster_name="cluster2.example.com")
    restart(fleet, "exp2")


def no_name(fleet: Fleet) -> None:
    put(fleet, "exp3", cluster_name="")
    restart(fleet, "exp3")


def all_renamed(fleet: Fleet) -> None:
    for name in ("exp1", "exp2", "exp3"):
        put(fleet, name, cluster_name="other.example.com")
        fleet[name].cluster.boot()
        fleet[name].alarms.clear_now(20007)


def edited(fleet: Fleet) -> None:
    fleet["exp2"].cluster.replication.edited = True
    setting(fleet, "exp2", "Call Routed Mode", "Optimal")


def stuck(fleet: Fleet) -> None:
    fleet.faults.add(Fault(FaultKind.REPLICATION_STUCK, "exp3"))
    setting(fleet, "exp1", "Call Routed Mode", "Optimal")


def alarm(number: int, name: str) -> Callable[[Fleet], object]:
    return lambda fleet: fleet[name].alarms.want(number, wanted=True)


def same_lan_2(fleet: Fleet) -> None:
    for name in ("exp2", "exp3"):
        fleet[name].configuration.put("Ethernet 2 IP V4 Address", "198.51.100.7")


BROKEN = (
    Broken("another address in one peer's list", wrong_list, "peer-list-wrong", "exp3",
           "align-clustering"),
    Broken("a peer misses itself in its list", missing_self, "peer-misses-itself", "exp3",
           "align-clustering"),
    Broken("a peer lists another twice", listed_twice, "peer-listed-twice", "exp2",
           "align-clustering"),
    Broken("a peer lists the same peers in another order", other_order, "peer-list-wrong", "exp2",
           "align-clustering"),
    Broken("the primary lists a stranger", stranger_listed, "peer-list-wrong", "exp1",
           "align-clustering"),
    Broken("a member lists nobody", alone, "peer-not-joined", "exp3", "align-clustering"),
    Broken("another cluster name", other_name, "cluster-name-differs", "exp2",
           "align-clustering"),
    Broken("no cluster name", no_name, "cluster-name-missing", "exp3", "align-clustering"),
    Broken("all peers renamed by hand", all_renamed, "registry-differs", None, "align-clustering"),
    Broken("two primaries", lambda f: put(f, "exp2", primary="2"), "two-primaries", "exp2",
           "align-clustering"),
    Broken("a third peer named as primary by one", lambda f: put(f, "exp2", primary="3"),
           "primary-differs", "exp2", "align-clustering"),
    Broken("the primary index names an empty field", lambda f: put(f, "exp3", primary="5"),
           "primary-differs", "exp3", "align-clustering"),
    Broken("another pre-shared key", other_key, "pre-shared-key-differs", "exp2",
           "rotate-pre-shared-key"),
    Broken("another pre-shared key in a cluster of two", other_key, "pre-shared-key-differs", None,
           "rotate-pre-shared-key", expressways=2),
    Broken("another pre-shared key, and no peer can ping", other_key, "peers-do-not-join", "exp2",
           "rotate-pre-shared-key", ping=False),
    Broken("no pre-shared key on one peer", no_key, "pre-shared-key-differs", "exp2",
           "rotate-pre-shared-key", ping=False),
    Broken("a member without power", lambda f: f["exp3"].lose_power(), "peer-down", "exp3",
           "remove-dead-peer"),
    Broken("the primary without power", lambda f: f["exp1"].lose_power(), "peer-down", "exp1",
           "remove-dead-peer"),
    Broken("a member cut off from everybody", lambda f: f.isolate("exp2"), "peer-down", "exp2",
           "remove-dead-peer"),
    Broken("a member cut off from the service only", lambda f: f.cut("exp2"), "peer-unreachable",
           "exp2"),
    Broken("the link between two members cut", lambda f: f.cut("exp1", "exp2"),
           "network-between-peers"),
    Broken("the link between two members cut, and no peer can ping",
           lambda f: f.cut("exp2", "exp3"), "network-between-peers", ping=False),
    Broken("a member cut off from the others only",
           lambda f: (f.cut("exp3", "exp1"), f.cut("exp3", "exp2")), "network-between-peers",
           "exp3"),
    Broken("static NAT on LAN 1", lambda f: setting(
        f, "exp2", "Ethernet 1 IP V4 StaticNAT Mode", "On"), "static-nat-on-lan-1", "exp2"),
    Broken("H.323 off on a member",
           lambda f: f["exp2"].configuration.put("H323 Mode", "Off")
           or f["exp2"].after_configuration(), "h323-off", "exp2",
           "align-clustering"),
    Broken("H.323 off on the primary", lambda f: setting(f, "exp1", "H323 Mode", "Off"),
           "h323-off", "exp1", "align-clustering"),
    Broken("NTP does not answer one peer", lambda f: f["exp2"].set_ntp_reachable(False),
           "ntp-not-synchronised", "exp2"),
    Broken("no NTP server on one peer", lambda f: setting(f, "exp3", "NTP Server 1 Address", ""),
           "ntp-server-missing", "exp3", "align-clustering"),
    Broken("an older version on one member", lambda f: None, "software-versions-differ", "exp3",
           "upgrade", scenario={"exp3": {"version": "X8.1"}}),
    Broken("maintenance mode left on", lambda f: setting(
        f, "exp2", "SystemUnit Maintenance Mode", "On"), "maintenance-mode-on", "exp2",
        "maintenance-mode"),
    Broken("replication stuck without an alarm", stuck, "replication-stuck", "exp3",
           "force-config-update"),
    Broken("edits on a member conflict", edited, "configuration-conflict", "exp2",
           "force-config-update", scenario={"profile": {"local_edits_conflict": True}}),
    Broken("a restart is pending for an option key", alarm(30025, "exp2"), "restart-pending",
           "exp2", "restart-peer"),
    Broken("a restart is pending for clustering", corrected_key,
           "restart-pending", "exp2", "restart-peer"),
    Broken("an address on two peers", same_lan_2, "address-used-twice", "exp3"),
    Broken("a database failure", alarm(15005, "exp3"), "database-failure", "exp3",
           "recover-database"),
    Broken("a peer without a System host name",
           lambda f: setting(f, "exp3", "IP DNS Hostname", ""), "dns-host-name-missing", "exp3"),
    Broken("two peers with one System name",
           lambda f: setting(f, "exp3", "SystemUnit Name", "exp2"), "system-name-used-twice",
           "exp3"),
    Broken("the default admin password", alarm(40005, "exp1"), "alarm", "exp1"),
)  # fmt: skip


def scenario_of(broken: Broken | None) -> dict[str, Any]:
    """A cluster that has stood for hours, with what the broken one has different."""
    changes = dict((broken and broken.scenario) or {})
    names = [f"exp{n}" for n in range(1, (broken.expressways if broken else 3) + 1)]
    return {
        "expressways": [
            {"name": name, "address": f"192.0.2.{10 + n}", **changes.pop(name, {})}
            for n, name in enumerate(names, start=1)
        ],
        "clusters": [{"name": NAME, "key": KEY, "members": names}],
        **changes,
    }


def look_at(broken: Broken | None, *, running: RunningJob | None = None) -> Diagnosis:
    """Build the fleet, break it, let time pass, observe, diagnose."""

    async def story() -> Diagnosis:
        fleet = Fleet.from_scenario(scenario_of(broken))
        mock.register("broken", fleet)
        if broken:
            broken.break_it(fleet)
        await asyncio.sleep(LONG_ENOUGH)
        peers = tuple(Peer(e.name, e.name, e.address) for e in fleet)
        views = {peer.id: await observe(peer) for peer in peers}
        reach: dict[tuple[str, str], bool] = {}
        if broken and broken.ping:
            reach = {
                (one.name, other.name): fleet.reachable(one, other) and other.up
                for one in fleet
                for other in fleet
                if one is not other and one.up
            }
        return diagnose(Case(Cluster("c", NAME, peers, "exp1"), views, running, reach))

    return run(story())


async def observe(peer: Peer) -> View:
    options = {"fleet": "broken"}
    endpoint = Endpoint(peer.address, 0, "admin", REHEARSAL_PASSWORD, None, options)
    appliance = Appliance(peer.id, [mock.create(endpoint)], LoopClock())
    try:
        return await appliance.observe()
    except TransportError as error:
        trouble = trouble_with(error)
        now = LoopClock().now()
        return NotObserved(peer.id, now, trouble.code, str(error), trouble.remedy)
    finally:
        await appliance.close()


def test_a_healthy_cluster_has_nothing_to_find() -> None:
    found = look_at(None)
    assert found.healthy
    assert found.causes == ()
    assert found.symptoms == ()


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.title)
def test_the_first_finding_names_what_was_broken(broken: Broken) -> None:
    found = look_at(broken)
    first = found.causes[0]
    told = [(c.finding.code, c.finding.peer_id, [s.key for s in c.explains]) for c in found.causes]
    assert (first.finding.code, first.finding.peer_id) == (broken.code, broken.peer), told
    assert not found.healthy
    assert first.finding.remedy
    assert (first.mends[0].procedure if first.mends else "") == broken.mended_by
    assert not first.expected
    unexplained = [
        sign for sign in found.symptoms if not any(sign in cause.explains for cause in found.causes)
    ]
    assert unexplained == [], told


def test_ten_alarms_of_one_wrong_list_are_one_finding() -> None:
    found = look_at(BROKEN[0])
    assert len(found.symptoms) >= 10
    assert [cause.finding.code for cause in found.causes] == ["peer-list-wrong"]
    assert found.causes[0].explains == found.symptoms


def test_every_finding_cites_requirements_that_exist_and_repeats_under_the_same_key() -> None:
    known = requirements()
    for broken in BROKEN:
        found, again = look_at(broken), look_at(broken)
        for cause in found.causes:
            assert set(cause.finding.requirements) <= known.keys(), cause.finding.code
        keys = [cause.key for cause in found.causes]
        assert len(keys) == len(set(keys)), keys
        assert keys == [cause.key for cause in again.causes]


def running(*steps: tuple[str, str], procedure: str = "restart-peer") -> RunningJob:
    """A job with steps of these kinds on these peers."""
    planned = tuple(
        PlannedStep(f"step-{n}", kind, kind, (), peer, {"settings": {MODE: "On"}})
        for n, (kind, peer) in enumerate(steps)
    )
    now = datetime(2026, 3, 1, tzinfo=UTC)
    plan = Plan("plan-1", "c", procedure, {}, (Stage("s", "s", planned),), (), (), (), {},
                now, now, "tester")  # fmt: skip
    return RunningJob("job-1", plan)


MODE = "SystemUnit Maintenance Mode"


def broken_by(title: str) -> Broken:
    return next(broken for broken in BROKEN if broken.title == title)


def test_what_a_running_job_brings_about_is_expected_and_comes_last() -> None:
    job = running(("write-settings", "exp3"), ("restart", "exp3"))
    down = look_at(broken_by("a member without power"), running=job)
    assert down.healthy
    assert all(cause.expected for cause in down.causes)
    assert down.causes[0].finding.severity is Severity.INFO
    listed = look_at(broken_by("another address in one peer's list"), running=job)
    assert listed.healthy
    assert all(sign.expected for sign in listed.symptoms)


def test_what_no_job_brings_about_stays_first_while_one_runs() -> None:
    def both(fleet: Fleet) -> None:
        wrong_list(fleet)
        fleet["exp2"].set_ntp_reachable(False)

    job = running(("restart", "exp3"))
    found = look_at(Broken("list and time", both, "", None), running=job)
    assert not found.healthy
    assert found.causes[0].finding.code == "ntp-not-synchronised"
    assert found.causes[0].expected == ""
    assert [c.finding.code for c in found.causes if c.expected] == ["peer-list-wrong"]


def test_another_peer_than_the_job_restarts_may_not_be_down() -> None:
    found = look_at(broken_by("a member without power"), running=running(("restart", "exp1")))
    assert not found.healthy
    assert found.causes[0].finding.code == "peer-down"


def test_maintenance_mode_is_expected_only_where_the_job_uses_it() -> None:
    left_on = broken_by("maintenance mode left on")
    used = look_at(left_on, running=running(("write-settings", "exp2")))
    assert used.healthy
    assert used.causes[0].expected
    other = look_at(left_on, running=running(("write-settings", "exp1")))
    assert not other.healthy
    assert not any(sign.expected for sign in other.symptoms)


def test_a_job_that_only_reads_excuses_nothing() -> None:
    job = running(("back-up", "exp3"), ("review", "exp3"), procedure="backup")
    found = look_at(BROKEN[0], running=job)
    assert not found.healthy
    assert not any(sign.expected for sign in found.symptoms)


def test_later_software_names_its_alarms_differently_and_is_understood_alike() -> None:
    words = {"profile": {"master_word": "primary", "subordinate_word": "subordinate"}}
    found = look_at(Broken("later words", wrong_list, "", scenario=words))
    assert [cause.finding.code for cause in found.causes] == ["peer-list-wrong"]
    assert [s.key for s in found.symptoms] == [s.key for s in look_at(BROKEN[0]).symptoms]


def test_two_things_broken_at_once_are_both_found() -> None:
    def both(fleet: Fleet) -> None:
        missing_self(fleet)
        fleet["exp2"].set_ntp_reachable(False)

    codes = [c.finding.code for c in look_at(Broken("both", both, "")).causes]
    assert codes == ["peer-misses-itself", "ntp-not-synchronised"]
