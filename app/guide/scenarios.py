"""One or more rehearsals for every procedure: the fleet it starts from and its parameters.

The one table behind the generated fault matrix (`make procedures`) and behind the guide coverage
(`clusterway guide coverage`). A new procedure adds its rows here and is covered by both. Fleets are
scenarios of `transports.mock.scenario`; an Expressway's name is its peer id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.domain.neighbour import Neighbour, NeighbourKind

CLUSTER = "cluster1.example.com"
KEY = "Pre-shared & secret: 4711"


EARLIER_JOB = "job-earlier"
"""The job that took the backups of `backed_up`."""


def earlier(name: str) -> str:
    """The id of the backup that an earlier job took of the Expressway."""
    return f"{EARLIER_JOB}/back-up-{name}"


def neighbours(peer_id: str) -> tuple[Neighbour, ...]:
    """One that the job can reach, and one that only people can."""
    return (
        Neighbour("n-london", "cluster-1", "London", NeighbourKind.NEIGHBOR, "to-edge", peer_id),
        Neighbour("n-trunk", "cluster-1", "Trunk", NeighbourKind.OTHER, "to-edge"),
    )


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A procedure, its parameters, and the fleet.

    The first `members` of `peers` Expressways (exp1, exp2, ...) form a cluster that has been
    healthy for hours, with exp1 as its primary. `devices` adds words to single Expressways; `off`
    are those without power when the plan is made; `version` is what all of them run; `images` are
    the software images at hand with the version each holds; `astray` are those that list peers
    without being members, and may go on doing so; `neighbours` are registered for the cluster;
    `backed_up` are those of which an earlier job has a backup, whose id `earlier` tells. `amiss`
    are settings that somebody has written on single Expressways since, by path.
    """

    procedure: str
    parameters: Mapping[str, Any]
    peers: int = 3
    members: int = 0
    devices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    off: tuple[str, ...] = ()
    astray: tuple[str, ...] = ()
    version: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    neighbours: tuple[Neighbour, ...] = ()
    backed_up: tuple[str, ...] = ()
    amiss: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    name: str = ""

    @property
    def title(self) -> str:
        """What tables call it."""
        return f"{self.procedure}, {self.name}" if self.name else self.procedure

    @property
    def scenario(self) -> dict[str, Any]:
        """The fleet, in the words of `transports.mock.scenario`."""
        names = [f"exp{n}" for n in range(1, self.peers + 1)]
        made: dict[str, Any] = {
            "expressways": [
                {
                    "name": name,
                    "address": f"192.0.2.{10 + number}",
                    **self.devices.get(name, {}),
                }
                for number, name in enumerate(names, start=1)
            ]
        }
        if self.version:
            made["version"] = self.version
        if self.members:
            made["clusters"] = [{"name": CLUSTER, "key": KEY, "members": names[: self.members]}]
        return made


REHEARSED: tuple[Rehearsed, ...] = (
    Rehearsed(
        "create-cluster",
        {
            "primary_peer_id": "exp1",
            "planned_peer_ids": ("exp2", "exp3"),
            "host_name": "exp1",
            "disconnect_remaining_calls": True,
            "call_drain_seconds": 600.0,
        },
        devices={"exp1": {"calls": [120], "optimized": False}},
    ),
    Rehearsed(
        "add-peer",
        {
            "peer_id": "exp3",
            "host_name": "exp3",
            "disconnect_remaining_calls": True,
            "call_drain_seconds": 600.0,
        },
        members=2,
        devices={"exp3": {"accounts": ["alice"], "calls": [120]}},
    ),
    Rehearsed("backup", {"peer_ids": ("exp1", "exp2")}, members=2),
    Rehearsed("restart-peer", {"peer_id": "exp2"}, members=2),
    Rehearsed(
        "maintenance-mode",
        {
            "peer_ids": ("exp2",),
            "enabled": True,
            "wait_for_calls": True,
            "call_drain_seconds": 600.0,
            "disconnect_remaining_calls": True,
        },
        members=2,
        devices={"exp2": {"calls": [120]}},
        name="on",
    ),
    Rehearsed(
        "maintenance-mode",
        {"peer_ids": ("exp2",), "enabled": False},
        members=2,
        devices={"exp2": {"maintenance": True}},
        name="off",
    ),
    Rehearsed(
        "remove-peer",
        {"peer_id": "exp3"},
        peers=4,
        members=3,
        devices={"exp4": {"zones": [{"name": "to-edge", "peers": ["192.0.2.13"]}]}},
        neighbours=neighbours("exp4"),
    ),
    Rehearsed(
        "remove-peer",
        {"peer_id": "exp1", "new_primary_peer_id": "exp2"},
        members=3,
        name="primary",
    ),
    Rehearsed(
        "remove-dead-peer",
        {"peer_ids": ("exp3",)},
        peers=4,
        members=3,
        off=("exp3",),
        devices={"exp4": {"zones": [{"name": "to-edge", "peers": ["192.0.2.13"]}]}},
        neighbours=neighbours("exp4"),
    ),
    Rehearsed(
        "remove-dead-peer",
        {"peer_ids": ("exp1",), "new_primary_peer_id": "exp2"},
        members=3,
        off=("exp1",),
        name="primary",
    ),
    Rehearsed(
        "disband",
        {"rename_primary": True},
        peers=4,
        members=3,
        devices={"exp4": {"zones": [{"name": "to-edge", "peers": ["192.0.2.13"]}]}},
        neighbours=neighbours("exp4"),
    ),
    Rehearsed("change-primary", {"peer_id": "exp2"}, members=3),
    Rehearsed("change-primary", {"peer_id": "exp2"}, members=3, off=("exp1",), name="dead"),
    Rehearsed(
        "change-peer-address",
        {
            "peer_id": "exp3",
            "new_address": "192.0.2.33",
            "disconnect_remaining_calls": True,
            "call_drain_seconds": 600.0,
        },
        members=3,
    ),
    Rehearsed(
        "replace-peer",
        {
            "peer_id": "exp2",
            "replacement_peer_id": "exp3",
            "host_name": "exp3",
            "disconnect_remaining_calls": True,
            "call_drain_seconds": 600.0,
        },
        members=2,
    ),
    Rehearsed(
        "replace-peer",
        {
            "peer_id": "exp2",
            "replacement_peer_id": "exp3",
            "host_name": "exp3",
            "disconnect_remaining_calls": True,
            "call_drain_seconds": 600.0,
        },
        members=2,
        off=("exp2",),
        name="dead",
    ),
    Rehearsed(
        "recover-removed-peer",
        {"peer_id": "exp3"},
        members=2,
        devices={
            "exp3": {
                "cluster_name": CLUSTER,
                "peers": ["192.0.2.11", "192.0.2.12", "192.0.2.13"],
                "root": True,
            }
        },
        astray=("exp3",),
    ),
    Rehearsed(
        "upgrade",
        {
            "to_version": "X8.2",
            "image": "s42700x8_2_0.tar.gz",
            "disconnect_remaining_calls": True,
            "call_drain_seconds": 600.0,
        },
        peers=2,
        members=2,
        version="X8.1",
        images={"s42700x8_2_0.tar.gz": "X8.2"},
        devices={"exp2": {"calls": [120]}},
    ),
    Rehearsed("force-config-update", {"peer_id": "exp2"}, members=2),
    Rehearsed(
        "align-clustering",
        {"enter_pre_shared_key": True, "ntp_servers": ("192.0.2.123",)},
        members=3,
        amiss={
            "exp2": {"H323 Mode": "Off", "NTP Server 1 Address": ""},
            "exp3": {"Alternates Peer 2 Address": "", "Alternates Cluster Name": ""},
        },
    ),
    Rehearsed(
        "rotate-pre-shared-key",
        {"disconnect_remaining_calls": True, "call_drain_seconds": 600.0},
        peers=2,
        members=2,
    ),
    Rehearsed(
        "update-neighbours",
        {},
        members=2,
        devices={"exp3": {"zones": [{"name": "to-edge", "peers": ["192.0.2.11"]}]}},
        neighbours=neighbours("exp3"),
    ),
    Rehearsed(
        "recover-database",
        {
            "peer_id": "exp3",
            "backup_id": earlier("exp3"),
            "disconnect_remaining_calls": True,
            "call_drain_seconds": 600.0,
        },
        members=3,
        backed_up=("exp3",),
    ),
    Rehearsed(
        "recover-database",
        {
            "peer_id": "exp3",
            "backup_id": earlier("exp3"),
            "purge": True,
            "support_case": "SR-690000001",
            "disconnect_remaining_calls": True,
            "call_drain_seconds": 600.0,
        },
        members=3,
        backed_up=("exp3",),
        name="purged",
    ),
)
