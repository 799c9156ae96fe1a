"""xCommand: what each command does, and what it refuses.

Names and parameters are from device facts 3, CamelCase as X8.x writes them. Parameters are named;
a missing, unknown or out-of-range one is refused as the appliance refuses it, with a cause and a
description.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from transports.document import Node
from transports.mock.configuration import DeviceRefusal
from transports.mock.expressway import Expressway
from transports.mock.schema import ZONE_TYPES, Space

DEFAULT_LINKS = (
    ("DefaultSZtoTraversalSZ", "DefaultSubZone", "TraversalSubZone"),
    ("DefaultSZtoDefaultZ", "DefaultSubZone", "DefaultZone"),
    ("DefaultSZtoClusterSZ", "DefaultSubZone", "ClusterSubZone"),
    ("TraversalSZtoDefaultZ", "TraversalSubZone", "DefaultZone"),
)
_ACCOUNT = "Authentication Account Admin Account"
_TEXT = Space(text=(1, 1024))
_ON_OFF = Space(options=("On", "Off"))


@dataclass(frozen=True)
class Parameter:
    """One parameter of a command."""

    name: str
    space: Space = _TEXT
    required: bool = True
    secret: bool = False


Act = Callable[[Expressway, dict[str, str]], Mapping[str, str]]


@dataclass(frozen=True)
class KnownCommand:
    """A command the appliance has."""

    name: str
    act: Act
    parameters: tuple[Parameter, ...] = ()


class UnknownCommand(DeviceRefusal):
    """The appliance has no command of that name."""


def run(device: Expressway, name: str, given: Mapping[str, str]) -> Node:
    """Carry out a command; its result values as children of a node. Raises DeviceRefusal."""
    command = find(device, name)
    values: dict[str, str] = {}
    spare = {key.casefold(): value for key, value in given.items()}
    for parameter in command.parameters:
        value = spare.pop(parameter.name.casefold(), None)
        if value is None:
            if parameter.required:
                raise DeviceRefusal(f"Missing parameter: {parameter.name}", cause=10)
            continue
        kept = parameter.space.accept(value)
        if kept is None:
            shown = "" if parameter.secret else f" {parameter.space}"
            raise DeviceRefusal(f"Parameter out of range: {parameter.name}{shown}", cause=11)
        values[parameter.name] = kept
    if spare:
        raise DeviceRefusal(f"Unknown parameter: {next(iter(spare))}", cause=12)
    result = Node("Result", attributes={"status": "OK"})
    for key, text in command.act(device, values).items():
        result.add(key, text)
    return result


def find(device: Expressway, name: str) -> KnownCommand:
    """The command of that name, in any case. Raises UnknownCommand."""
    key = name.casefold()
    if key == "restart" and not device.profile.has_restart_command:
        raise UnknownCommand("Unknown command", cause=13)
    if key == "defaultvalueset" and device.profile.accepts_misspelt_default_value_set:
        key = "defaultvaluesset"
    if key not in COMMANDS:
        raise UnknownCommand("Unknown command", cause=13)
    return COMMANDS[key]


def _boot(device: Expressway, _: dict[str, str]) -> Mapping[str, str]:
    device.restart(reboot=True)
    return {}


def _restart(device: Expressway, _: dict[str, str]) -> Mapping[str, str]:
    device.restart(reboot=False)
    return {}


def _default_values_set(device: Expressway, values: dict[str, str]) -> Mapping[str, str]:
    device.reset_to_defaults(int(values["Level"]))
    return {}


def add_default_links(device: Expressway) -> None:
    """Put back the default links that are missing."""
    configuration = device.configuration
    present = {
        configuration.get(f"Bandwidth Link {n} Name")
        for n in configuration.records("Bandwidth Link")
    }
    for name, node_1, node_2 in DEFAULT_LINKS:
        if name not in present:
            prefix = f"Bandwidth Link {configuration.free_index('Bandwidth Link', 3000)}"
            configuration.put(f"{prefix} Name", name)
            configuration.put(f"{prefix} Node1 Name", node_1)
            configuration.put(f"{prefix} Node2 Name", node_2)


def _default_links_add(device: Expressway, _: dict[str, str]) -> Mapping[str, str]:
    add_default_links(device)
    return _edited(device)


def _force_config_update(device: Expressway, _: dict[str, str]) -> Mapping[str, str]:
    if not device.cluster.saved().listed:
        raise DeviceRefusal("The system is not part of a cluster", cause=14)
    device.cluster.replication.force()
    return {}


def _disconnect_call(device: Expressway, values: dict[str, str]) -> Mapping[str, str]:
    number, serial = values.get("Call"), values.get("CallSerialNumber")
    if (number is None) == (serial is None):
        raise DeviceRefusal("Give Call or CallSerialNumber", cause=10)
    device.calls.disconnect(int(number) if number else None, serial)
    return {}


def _option_key_add(device: Expressway, values: dict[str, str]) -> Mapping[str, str]:
    if values["Key"] in device.option_keys:
        raise DeviceRefusal("The option key is already installed", cause=15)
    if values["Key"].count("-") != 3:
        raise DeviceRefusal("The option key is not valid", cause=15)
    index = device.configuration.free_index("Option", 64)
    device.configuration.put(f"Option {index} Key", values["Key"])
    device.alarms.want(30025, wanted=True)
    device.after_configuration()
    return {"OptionKeyId": str(index)}


def _option_key_delete(device: Expressway, values: dict[str, str]) -> Mapping[str, str]:
    if not device.configuration.delete(f"Option {values['OptionKeyId']}"):
        raise DeviceRefusal("No such option key", cause=15)
    device.alarms.want(30025, wanted=True)
    device.after_configuration()
    return {}


def _admin_account_add(device: Expressway, values: dict[str, str]) -> Mapping[str, str]:
    name = values["Name"]
    if name in device.accounts.names():
        raise DeviceRefusal("The account already exists", cause=16)
    prefix = f"{_ACCOUNT} {device.configuration.free_index(_ACCOUNT, 100)}"
    device.configuration.put(f"{prefix} Name", name)
    for switch in ("AccessAPI", "AccessWeb", "Enabled"):
        device.configuration.put(f"{prefix} {switch}", values.get(switch, "On"))
    device.accounts.passwords[name] = values["Password"]
    return _edited(device)


def _admin_account_delete(device: Expressway, values: dict[str, str]) -> Mapping[str, str]:
    wanted = device.profile.account_deleted_by
    if wanted not in values:
        raise DeviceRefusal(f"Missing parameter: {wanted}", cause=10)
    if len(values) > 1:
        raise DeviceRefusal("Unknown parameter", cause=12)
    name = values[wanted]
    if wanted == "AdminAccountId":
        if int(name) not in device.configuration.records(_ACCOUNT):
            raise DeviceRefusal("No such account", cause=16)
        name = device.configuration.get(f"{_ACCOUNT} {name} Name")
    delete_admin_account(device, name)
    return {}


def delete_admin_account(device: Expressway, name: str) -> None:
    """Delete one administrator account; raises DeviceRefusal for `admin` and unknown names."""
    if name == "admin":
        raise DeviceRefusal("The default admin account cannot be deleted", cause=16)
    for index in device.configuration.records(_ACCOUNT):
        if device.configuration.get(f"{_ACCOUNT} {index} Name") == name:
            device.configuration.delete(f"{_ACCOUNT} {index}")
            device.accounts.passwords.pop(name, None)
            _edited(device)
            return
    raise DeviceRefusal("No such account", cause=16)


def _zone_add(device: Expressway, values: dict[str, str]) -> Mapping[str, str]:
    return {"ZoneId": str(add_zone(device, values["ZoneName"], values["Type"]))}


def add_zone(device: Expressway, name: str, kind: str) -> int:
    """Make a zone with the defaults of its kind; its index. Raises DeviceRefusal."""
    configuration = device.configuration
    taken = {configuration.get(f"Zones Zone {n} Name") for n in configuration.records("Zones Zone")}
    if name in taken:
        raise DeviceRefusal("A zone of that name already exists", cause=18)
    index = configuration.free_index("Zones Zone", 1000)
    prefix = f"Zones Zone {index}"
    leaves = {"Name": name, "Type": kind, "HopCount": "15", "H323 Mode": "On", "SIP Mode": "On"}
    if kind in {"Neighbor", "TraversalClient"}:
        leaves |= {f"{kind} Peer {n} Address": "" for n in range(1, 7)}
    if kind == "DNS":
        leaves["DNS SIP TLS Verify Mode"] = "Off"
    for path, value in leaves.items():
        configuration.put(f"{prefix} {path}", value)
    _edited(device)
    return index


def _zone_delete(device: Expressway, values: dict[str, str]) -> Mapping[str, str]:
    if not device.configuration.delete(f"Zones Zone {values['ZoneId']}"):
        raise DeviceRefusal("No such zone", cause=18)
    return _edited(device)


def _ping(device: Expressway, values: dict[str, str]) -> Mapping[str, str]:
    milliseconds = ping(device, values["Hostname"])
    if milliseconds is None:
        raise DeviceRefusal("No reply", cause=19)
    return {"Hostname": values["Hostname"], "RoundTripTime": f"{milliseconds:.1f}"}


def ping(device: Expressway, host: str) -> float | None:
    """Round trip to another appliance of the fleet in milliseconds; None where none answers."""
    other = device.fleet.at(host)
    if other is None or not other.up or not device.fleet.reachable(device, other):
        return None
    return 0.1 if other is device else device.fleet.round_trip(device, other)


def _dns_lookup(device: Expressway, values: dict[str, str]) -> Mapping[str, str]:
    addresses = device.fleet.names.get(values["Hostname"].rstrip(".").casefold(), ())
    wanted = values.get("RecordType", "all").casefold()
    shown = [a for a in addresses if wanted in {"all", "aaaa" if ":" in a else "a"}]
    if not shown:
        raise DeviceRefusal("No records found", cause=20)
    return {f"Address{n}": a for n, a in zip(itertools.count(1), shown, strict=False)}


def _edited(device: Expressway) -> Mapping[str, str]:
    device.cluster.edited_locally()
    device.after_configuration()
    return {}


_LEVEL = Parameter("Level", Space(numbers=(1, 3)))
_ALL = (
    KnownCommand("Boot", _boot),
    KnownCommand("Restart", _restart),
    KnownCommand("DefaultValuesSet", _default_values_set, (_LEVEL,)),
    KnownCommand("DefaultLinksAdd", _default_links_add),
    KnownCommand("ForceConfigUpdate", _force_config_update),
    KnownCommand(
        "DisconnectCall",
        _disconnect_call,
        (
            Parameter("Call", Space(numbers=(1, 1000)), required=False),
            Parameter("CallSerialNumber", Space(text=(1, 255)), required=False),
        ),
    ),
    KnownCommand("OptionKeyAdd", _option_key_add, (Parameter("Key", Space(text=(1, 90))),)),
    KnownCommand(
        "OptionKeyDelete",
        _option_key_delete,
        (Parameter("OptionKeyId", Space(numbers=(1, 64))),),
    ),
    KnownCommand(
        "AdminAccountAdd",
        _admin_account_add,
        (
            Parameter("Name", Space(text=(1, 128))),
            Parameter("Password", Space(text=(1, 1024)), secret=True),
            Parameter("AccessAPI", _ON_OFF, required=False),
            Parameter("AccessWeb", _ON_OFF, required=False),
            Parameter("Enabled", _ON_OFF, required=False),
        ),
    ),
    KnownCommand(
        "AdminAccountDelete",
        _admin_account_delete,
        (
            Parameter("Name", required=False),
            Parameter("AdminAccountId", Space(numbers=(1, 100)), required=False),
        ),
    ),
    KnownCommand(
        "ZoneAdd",
        _zone_add,
        (Parameter("ZoneName", Space(text=(1, 50))), Parameter("Type", Space(options=ZONE_TYPES))),
    ),
    KnownCommand("ZoneDelete", _zone_delete, (Parameter("ZoneId", Space(numbers=(1, 1000))),)),
    KnownCommand("Ping", _ping, (Parameter("Hostname"),)),
    KnownCommand(
        "DNSLookup",
        _dns_lookup,
        (
            Parameter("Hostname"),
            Parameter(
                "RecordType",
                Space(options=("all", "a", "aaaa", "srv", "naptr")),
                required=False,
            ),
        ),
    ),
)
COMMANDS = {command.name.casefold(): command for command in _ALL}
