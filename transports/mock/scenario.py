"""Fleets as data: what a rehearsal starts from, one line for each thing that may be amiss.

A scenario is a dictionary (or JSON) such as

    {"domain": "example.com",
     "profile": {"prompt": "> "},
     "expressways": [{"name": "exp1", "address": "192.0.2.11"},
                     {"name": "exp2", "address": "192.0.2.12", "h323": false}],
     "clusters": [{"name": "cluster1.example.com", "key": "...", "members": ["exp1", "exp2"]}],
     "faults": [{"kind": "drop-after", "peer": "exp2", "matching": "DefaultLinksAdd"}]}

Without `expressways` it is exp1 to exp3 at 192.0.2.11 to .13, healthy and on their own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from transports.mock import commands
from transports.mock.clock import FleetClock
from transports.mock.expressway import Expressway
from transports.mock.faults import Fault, Faults
from transports.mock.fleet import Fleet
from transports.mock.profile import DEFAULT_VERSION, DeviceProfile, for_version

REHEARSAL_PASSWORD = "Rehearsal-4711"  # noqa: S105 - the password of simulated appliances
ROOT_PASSWORD = "Rehearsal-root-4711"  # noqa: S105 - the same
_OPTION_KEYS = ("116341E00-1-0A1B2C3D", "116341G00-1-4E5F6071")
_TOP = {
    "domain", "rate", "profile", "version", "admin_password", "expressways", "clusters", "faults",
    "random_faults", "cuts", "round_trips",
}  # fmt: skip
_DEVICE = {
    "name", "address", "serial", "version", "hardware", "admin_password", "root", "root_password",
    "dns_host_name", "dns_domain", "dns_servers", "ntp", "ntp_reachable", "h323", "system_name",
    "zones", "option_keys", "accounts", "calls", "ldap", "lync_b2bua", "maintenance", "settings",
    "optimized", "default_links", "power", "registrations", "static_nat", "peers", "cluster_name",
    "call_licences",
}  # fmt: skip
_CLUSTER = {"name", "key", "members", "primary"}


def build(
    scenario: Mapping[str, Any],
    *,
    clock: FleetClock | None = None,
    profile: DeviceProfile | None = None,
) -> Fleet:
    """The fleet a scenario describes. Raises ValueError on words it does not know."""
    _known(scenario, _TOP, "scenario")
    if profile is None:
        profile = for_version(str(scenario.get("version", DEFAULT_VERSION)))
    profile = replace(profile, **dict(scenario.get("profile", {})))
    fleet = Fleet(clock or FleetClock(float(scenario.get("rate", 1.0))), profile)
    password = str(scenario.get("admin_password", REHEARSAL_PASSWORD))
    domain = str(scenario.get("domain", "example.com"))
    default = [{"name": f"exp{n}", "address": f"192.0.2.{10 + n}"} for n in (1, 2, 3)]
    for data in scenario.get("expressways", default):
        _add(fleet, data, domain=domain, password=password)
    for data in scenario.get("clusters", ()):
        _cluster(fleet, data)
    for one, other in scenario.get("cuts", ()):
        fleet.cut(one, other)
    for one, other, milliseconds in scenario.get("round_trips", ()):
        fleet.round_trips[frozenset((one, other))] = float(milliseconds)
    for data in scenario.get("faults", ()):
        fleet.faults.add(Fault.of(data))
    if drawn := scenario.get("random_faults"):
        _known(drawn, {"seed", "count"}, "random_faults")
        names = [expressway.name for expressway in fleet]
        for fault in Faults.at_random(int(drawn["seed"]), names, int(drawn["count"])).plan:
            fleet.faults.add(fault)
    return fleet


def load(text: str, *, clock: FleetClock | None = None) -> Fleet:
    """The fleet of a scenario written as JSON."""
    data = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError("a scenario is a JSON object")  # noqa: TRY004 - it is the data that is bad
    return build(data, clock=clock)


def _known(data: Mapping[str, Any], words: set[str], where: str) -> None:
    if unknown := set(data) - words:
        raise ValueError(f"{where}: unknown {', '.join(sorted(unknown))}")


def _add(fleet: Fleet, data: Mapping[str, Any], *, domain: str, password: str) -> None:
    _known(data, _DEVICE, f"expressway {data.get('name', '?')}")
    name, address = str(data["name"]), str(data["address"])
    device = fleet.add(
        name,
        address,
        serial=str(data.get("serial", "")),
        version=str(data.get("version", "")),
        hardware=str(data.get("hardware", "VMware")),
    )
    device.accounts.admin_password = str(data.get("admin_password", password))
    device.accounts.root_password = str(data.get("root_password", ROOT_PASSWORD))
    device.accounts.root_ssh = bool(data.get("root", False))
    put = device.configuration.put
    put("SystemUnit Name", str(data.get("system_name", name)))
    put("IP DNS Hostname", str(data.get("dns_host_name", name)))
    put("IP DNS Domain Name", str(data.get("dns_domain", domain)))
    dns = "IP DNS Server" if device.profile.dns_servers_below_ip else "DNS Server"
    for n, server in enumerate(data.get("dns_servers", ["192.0.2.53"]), start=1):
        put(f"{dns} {n} Address", str(server))
    for n, server in enumerate(data.get("ntp", ["192.0.2.123"]), start=1):
        put(f"NTP Server {n} Address", str(server))
    put("IP Gateway", address.rsplit(".", 1)[0] + ".1" if "." in address else "127.0.0.1")
    put("H323 Mode", "On" if data.get("h323", True) else "Off")
    put("Call Routed Mode", "Optimal" if data.get("optimized", False) else "Always")
    put("SystemUnit Maintenance Mode", "On" if data.get("maintenance", False) else "Off")
    put("Ethernet 1 IP V4 StaticNAT Mode", "On" if data.get("static_nat", False) else "Off")
    if data.get("ldap"):
        put("Login Source Admin", "Both")
        put("Login Remote LDAP Server Address", str(data["ldap"]))
    if data.get("default_links", True):
        commands.add_default_links(device)
    for n, key in enumerate(data.get("option_keys", _OPTION_KEYS), start=1):
        put(f"Option {n} Key", str(key))
    _populate(device, data)
    for n, peer in enumerate(data.get("peers", ()), start=1):
        put(f"Alternates Peer {n} Address", str(peer))
    put("Alternates Cluster Name", str(data.get("cluster_name", "")))
    for path, value in dict(data.get("settings", {})).items():
        device.write(path.split(), str(value))
    fleet.names[f"{name}.{domain}"] = (address,)
    device.cluster.boot()
    if not data.get("ntp_reachable", True):
        device.set_ntp_reachable(False)
    if data.get("power", "on") == "off":
        device.lose_power()
    device.after_configuration()


def _populate(device: Expressway, data: Mapping[str, Any]) -> None:
    device.call_licences = int(data.get("call_licences", 0))
    device.lync_b2bua = bool(data.get("lync_b2bua", False))
    for account in data.get("accounts", ()):
        commands.run(
            device,
            "AdminAccountAdd",
            {"Name": str(account), "Password": device.accounts.admin_password},
        )
    for zone in data.get("zones", ()):
        kind = str(zone.get("type", "Neighbor"))
        index = commands.add_zone(device, str(zone["name"]), kind)
        for n, peer in enumerate(zone.get("peers", ()), start=1):
            device.configuration.put(f"Zones Zone {index} {kind} Peer {n} Address", str(peer))
    for seconds in data.get("calls", ()):
        device.calls.start(math.inf if seconds == "forever" else float(seconds))
    for n, alias in enumerate(data.get("registrations", ()), start=1):
        device.registrations[n] = str(alias)


def _cluster(fleet: Fleet, data: Mapping[str, Any]) -> None:
    """A cluster that has been healthy for hours."""
    _known(data, _CLUSTER, "cluster")
    members = [fleet[str(name)] for name in data["members"]]
    primary = fleet[str(data.get("primary", members[0].name))]
    for member in members:
        put = member.configuration.put
        put("Alternates Cluster Name", str(data["name"]))
        put(f"Alternates {member.profile.master_item}", str(members.index(primary) + 1))
        for n, other in enumerate(members, start=1):
            put(f"Alternates Peer {n} Address", other.address)
        if member.profile.has_pre_shared_key:
            member.cluster.key = str(data["key"])
        if member is not primary:
            member.configuration.replace_shared(primary.configuration.shared())
        member.cluster.boot()
    long_ago = fleet.clock.now() - 7200
    for member in members:
        member.cluster.settle(long_ago)
