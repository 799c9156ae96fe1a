from __future__ import annotations

import json

import pytest

from transports.mock import Fleet, FleetClock
from transports.mock.scenario import load
from transports.mock.virtual_time import run


def test_the_default_is_three_healthy_appliances_on_their_own():
    fleet = Fleet.from_scenario()
    assert [(e.name, e.address) for e in fleet] == [
        ("exp1", "192.0.2.11"),
        ("exp2", "192.0.2.12"),
        ("exp3", "192.0.2.13"),
    ]
    assert len({e.serial for e in fleet}) == 3
    assert all(not e.cluster.saved().listed and not e.alarms.raised for e in fleet)
    assert fleet.names["exp2.example.com"] == ("192.0.2.12",)


def test_one_line_each_for_what_may_be_amiss():
    zones = [{"name": "to b", "peers": ["192.0.2.2"]}]
    fleet = load(
        json.dumps(
            {
                "expressways": [
                    {"name": "a", "address": "192.0.2.1", "zones": zones},
                    {"name": "b", "address": "192.0.2.2", "ntp_reachable": False},
                    {"name": "c", "address": "192.0.2.3", "h323": False},
                    {"name": "d", "address": "192.0.2.4", "dns_host_name": ""},
                    {"name": "e", "address": "192.0.2.5", "version": "X8.1"},
                    {"name": "f", "address": "192.0.2.6", "peers": ["192.0.2.6", "192.0.2.99"]},
                    {"name": "g", "address": "192.0.2.7", "option_keys": []},
                    {"name": "h", "address": "192.0.2.8", "power": "off"},
                ],
                "cuts": [["a", "c"]],
            }
        )
    )  # fmt: skip

    async def story():
        await fleet.clock.sleep(2)
        a, b, c, d, e, f, g, h = fleet
        assert a.configuration.get("Zones Zone 1 Neighbor Peer 1 Address") == "192.0.2.2"
        assert not b.ntp_synchronized
        assert {25002, 25021} <= set(b.alarms.raised)
        assert c.configuration.get("H323 Mode") == "Off"
        assert d.configuration.get("IP DNS Hostname") == ""
        assert e.version == "X8.1"
        assert {20004, 20019} <= set(f.alarms.raised)
        assert g.option_keys == ()
        assert not h.up
        assert not fleet.reachable(a, c)
        assert fleet.reachable(a, b)

    run(story())


@pytest.mark.parametrize(
    "scenario",
    [
        {"expresways": []},
        {"expressways": [{"name": "a", "address": "192.0.2.1", "h232": False}]},
        {"clusters": [{"name": "c", "keys": "k", "members": ["exp1"]}]},
        {"expressways": [{"name": "a", "address": "192.0.2.1"}] * 2},
        {"faults": [{"kind": "nonsense"}]},
        {"profile": {"restart_alarm_for": "sometimes"}},
        {"profile": {"ntp_status_path": "Nowhere"}},
    ],
)
def test_a_scenario_with_a_misspelt_word_is_refused(scenario):
    with pytest.raises(ValueError, match=r".+"):
        Fleet.from_scenario(scenario)


def test_a_description_is_plain_data_without_secrets(trio):
    text = json.dumps(trio.fleet.describe())
    assert json.loads(text)[1]["peer_status"]["192.0.2.11"] == "Active"
    assert "Canary" not in text
    assert "Rehearsal" not in text


def test_timers_fire_in_the_order_of_their_due_times_and_then_of_asking():
    clock = FleetClock(rate=100.0)
    seen: list[str] = []
    clock.call_later(5, lambda: seen.append("five"))
    clock.call_later(1, lambda: seen.append("one"))
    clock.call_later(5, lambda: seen.append("five again"))
    clock.call_later(3, lambda: seen.append("never")).cancel()
    assert clock.now() == 0.0

    async def story():
        await clock.sleep(4.9)
        assert seen == ["one"]
        await clock.sleep(0.2)
        assert clock.now() == pytest.approx(5.1)

    run(story())
    assert seen == ["one", "five", "five again"]


def test_the_clock_goes_on_in_another_loop():
    clock = FleetClock()
    seen: list[float] = []
    clock.call_later(15, lambda: seen.append(clock.now()))

    async def ten():
        await clock.sleep(10)
        return clock.now()

    assert run(ten()) == pytest.approx(10)
    assert run(ten()) == pytest.approx(20)
    assert seen == [pytest.approx(15)]


def test_a_clock_needs_a_rate():
    with pytest.raises(ValueError, match="above 0"):
        FleetClock(0)
