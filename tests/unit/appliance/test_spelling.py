"""Settings that versions name differently: asked for in one name, said in the peer's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from app.appliance.appliance import Appliance
from tests.support.rehearsal import CLUSTER, KEY, Rehearsal
from transports import mock
from transports.command import Setting
from transports.document import Node, Path
from transports.errors import CommandRejected
from transports.mock.virtual_time import run

LINE = {
    "as X8.2": {"master_item": "ConfigurationMaster", "dns_servers_below_ip": True},
    "as X15": {"master_item": "ConfigurationPrimary", "dns_servers_below_ip": False},
    "half way": {"master_item": "ConfigurationPrimary", "dns_servers_below_ip": True},
}
each_spelling = pytest.mark.parametrize("profile", LINE.values(), ids=LINE)


class Silent:
    """A peer that lists nothing: only its refusals tell which names it knows."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.written: list[Sequence[Setting]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def read_configuration(self, path: Path) -> Node:
        return Node("Configuration")

    async def write(self, settings: Sequence[Setting]) -> None:
        self.written.append(settings)
        await self._inner.write(settings)


def fleet(profile: Mapping[str, Any], **more: Any) -> Rehearsal:
    return Rehearsal({"profile": dict(profile), **more})


def own_names(profile: Mapping[str, Any]) -> tuple[str, str]:
    dns = "IP DNS Server" if profile["dns_servers_below_ip"] else "DNS Server"
    return f"Alternates {profile['master_item']}", dns


@each_spelling
def test_dns_servers_are_read_and_written_under_the_name_the_peer_shows(profile):
    async def story():
        rehearsal = fleet(profile)
        device, appliance = rehearsal.fleet["exp1"], rehearsal.appliance("exp1")
        assert (await appliance.dns()).servers == ("192.0.2.53",)
        assert (await appliance.observe()).dns.servers == ("192.0.2.53",)
        await appliance.write(("IP DNS Server 2 Address", "192.0.2.54"))
        assert device.configuration.get(f"{own_names(profile)[1]} 2 Address") == "192.0.2.54"
        asked = await appliance.settings("IP DNS Server 2 Address")
        assert asked == {"IP DNS Server 2 Address": "192.0.2.54"}
        fresh = await rehearsal.appliance("exp1").settings("IP DNS Server 1 Address")
        assert fresh == {"IP DNS Server 1 Address": "192.0.2.53"}

    run(story())


@each_spelling
def test_the_primary_is_named_by_the_setting_the_peer_shows(profile):
    async def story():
        rehearsal = fleet(profile)
        appliance = rehearsal.appliance("exp1")
        await appliance.write_clustering(primary_index=3)
        assert rehearsal.fleet["exp1"].configuration.get(own_names(profile)[0]) == "3"
        assert (await appliance.clustering()).primary_index == 3

    run(story())


@each_spelling
def test_a_peer_that_shows_no_name_is_asked_by_writing_and_the_answer_is_remembered(profile):
    async def story():
        rehearsal = fleet(profile)
        opened: list[Silent] = []

        def silent(endpoint: Any) -> Any:
            opened.append(Silent(mock.create(endpoint)))
            return opened[-1]

        rehearsal.transport = silent
        appliance = rehearsal.appliance("exp1")
        both = (("Alternates ConfigurationMaster", "2"), ("IP DNS Server 1 Address", "192.0.2.9"))
        await appliance.write(*both)
        device = rehearsal.fleet["exp1"]
        primary, dns = own_names(profile)
        assert device.configuration.get(primary) == "2"
        assert device.configuration.get(f"{dns} 1 Address") == "192.0.2.9"
        opened[0].written.clear()
        await appliance.write(*both)
        assert len(opened[0].written) == 1, "what it took once is what it is given"
        with pytest.raises(CommandRejected):
            await rehearsal.appliance("exp1").write(("IP DNS Server 1 Address", "no address"))

    run(story())


def test_a_restart_may_bring_other_names(monkeypatch):
    async def story():
        rehearsal = fleet(LINE["as X8.2"])
        appliance = rehearsal.appliance("exp1")
        assert (await appliance.dns()).servers
        later = fleet(LINE["as X15"])
        await appliance.restart()
        monkeypatch.setattr(appliance, "_transports", (later.transport(_endpoint(later)),))
        await appliance.write(("IP DNS Server 3 Address", "192.0.2.9"))
        assert later.fleet["exp1"].configuration.get("DNS Server 3 Address") == "192.0.2.9"

    run(story())


def _endpoint(rehearsal: Rehearsal) -> Any:
    seen: list[Any] = []

    def keep(endpoint: Any) -> Any:
        seen.append(endpoint)
        return mock.create(endpoint)

    rehearsal.transport = keep
    rehearsal.appliance("exp1")
    return seen[0]


@each_spelling
def test_a_cluster_is_made_and_grown_whatever_its_settings_are_called(profile):
    async def story():
        rehearsal = fleet(profile)
        await rehearsal.build_cluster(2)
        for device in list(rehearsal.fleet)[:2]:
            assert device.configuration.get(own_names(profile)[0]) == "1"
            assert device.configuration.get("Alternates Cluster Name") == CLUSTER
            assert device.cluster.key == KEY
            assert device.configuration.get(f"{own_names(profile)[1]} 1 Address") == "192.0.2.53"
        assert not rehearsal.witness.violations

    run(story())


@each_spelling
def test_dns_servers_lost_in_the_reset_are_put_back_under_the_peers_own_name(profile):
    async def story():
        below = own_names(profile)[1]
        rehearsal = fleet({**profile, "level_2_also_resets": (below,)})
        await rehearsal.build_cluster(2)
        device = rehearsal.fleet["exp2"]
        assert device.configuration.get(f"{below} 1 Address") == "192.0.2.53"

    run(story())


def test_an_appliance_is_safe_with_an_empty_write():
    async def story():
        appliance: Appliance = fleet({}).appliance("exp1")
        await appliance.write()

    run(story())
