"""Registered clusters on the simulated fleet, and what must be true of one when a job is over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.domain.job import JobState
from app.engine.records import JobRecord
from tests.support.rehearsal import CLUSTER, KEY, Rehearsal
from transports import mock
from transports.mock.expressway import Expressway


async def cluster_of(
    size: int, *, primary: str = "exp1", spare: int = 0, off: tuple[str, ...] = (), **devices: Any
) -> Rehearsal:
    """A healthy, registered cluster of exp1..; `spare` more units stand beside it, `off` die."""
    names = [f"exp{n}" for n in range(1, size + spare + 1)]
    rehearsal = Rehearsal(
        {
            "expressways": [
                {"name": name, "address": f"192.0.2.{10 + n}", **devices.get(name, {})}
                for n, name in enumerate(names, start=1)
            ],
            "clusters": [
                {"name": CLUSTER, "key": KEY, "members": names[:size], "primary": primary}
            ],
        }
    )
    await rehearsal.registry.record_members(tuple(names[:size]), primary)
    for name in off:
        rehearsal.fleet[name].lose_power()
    return rehearsal


def as_root(rehearsal: Rehearsal) -> None:
    """The service is granted the root shell from now on."""
    rehearsal.transport = lambda endpoint: mock.create(
        replace(endpoint, options={**endpoint.options, "root": "true"})
    )


def assert_done(job: JobRecord) -> None:
    failure = job.failure
    assert job.state is JobState.SUCCEEDED, failure and (failure.code, failure.message)


def assert_cluster(rehearsal: Rehearsal, members: list[str], primary: str) -> None:
    """The members' own answers, the registry's, and the witness's."""
    addresses = [rehearsal.fleet[name].address for name in members]
    for name in members:
        device = rehearsal.fleet[name]
        saved = device.cluster.saved()
        assert saved.name == CLUSTER
        assert list(saved.peers) == addresses + [""] * (6 - len(addresses))
        assert saved.master_address == rehearsal.fleet[primary].address
        assert device.cluster.database_status() == "Active"
        assert device.alarms.listed() == []
        assert not device.maintenance
    assert [member.id for member in rehearsal.cluster.members] == members
    assert rehearsal.cluster.primary_id == primary
    assert [member.address for member in rehearsal.cluster.members] == addresses
    assert rehearsal.witness.violations == []


def assert_alone(device: Expressway, name: str) -> None:
    """It has left: no peers, no key, a name of its own, restarted since, no alarm."""
    saved = device.cluster.saved()
    assert (saved.name, saved.listed, device.cluster.key) == (name, (), "")
    assert not device.cluster.running
    assert device.restarts >= 1
    assert device.alarms.listed() == []


def without(size: int, *gone: int) -> list[str]:
    return [f"exp{n}" for n in range(1, size + 1) if n not in gone]
