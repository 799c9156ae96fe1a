"""A simulated fleet to play with, and the few moves that most stories about it start with."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from transports import mock
from transports.base import (
    ClusteringPage,
    CreateBackup,
    Endpoint,
    ReadClusteringPage,
    RestartSystem,
    SetPreSharedKey,
    Transport,
)
from transports.command import Setting
from transports.mock.scenario import REHEARSAL_PASSWORD, ROOT_PASSWORD

CLUSTER = "cluster1.example.com"
KEY = "Canary-pre-shared-key-92"
_NUMBERS = itertools.count()


class Lab:
    """A registered fleet, its witness, and transports to its appliances."""

    def __init__(self, scenario: Mapping[str, Any]) -> None:
        self.name = f"lab{next(_NUMBERS)}"
        self.fleet = mock.Fleet.from_scenario(scenario)
        self.witness = mock.Witness(self.fleet)
        mock.register(self.name, self.fleet)

    def __getitem__(self, name: str) -> mock.Expressway:
        return self.fleet[name]

    def transport(self, name: str, **changes: Any) -> Transport:
        options = {"fleet": self.name, **changes.pop("options", {})}
        given = {
            "host": self.fleet[name].address,
            "port": 0,
            "username": "admin",
            "password": REHEARSAL_PASSWORD,
            "root_password": ROOT_PASSWORD,
            "trust": None,
            **changes,
        }
        return mock.create(Endpoint(options=options, **given))

    async def wait(self, device_seconds: float) -> None:
        await self.fleet.clock.sleep(device_seconds)

    async def save_list(
        self, name: str, members: Sequence[str], *, primary: str = "exp1", key: str = KEY
    ) -> None:
        """Fill in System > Clustering on one appliance."""
        transport = self.transport(name)
        await transport.perform(SetPreSharedKey(key))
        addresses = [self.fleet[member].address for member in members] + [""] * 6
        await transport.write(
            [
                Setting.of("Alternates Cluster Name", CLUSTER),
                Setting.of("Alternates ConfigurationMaster", str(members.index(primary) + 1)),
                *[
                    Setting.of(f"Alternates Peer {n} Address", address)
                    for n, address in enumerate(addresses[:6], start=1)
                ],
            ]
        )

    async def restart(self, name: str, wait: float = 220.0) -> None:
        await self.transport(name).perform(RestartSystem())
        await self.wait(wait)

    async def back_up(self, name: str) -> bytes:
        data = bytearray()

        async def take(piece: bytes) -> None:
            data.extend(piece)

        await self.transport(name).perform(CreateBackup(take))
        return bytes(data)

    async def page(self, name: str) -> ClusteringPage:
        return await self.transport(name).perform(ReadClusteringPage())

    async def words(self, name: str) -> dict[str, str]:
        return {peer.address: peer.status for peer in (await self.page(name)).peers}

    def alarms(self, name: str) -> set[int]:
        return set(self.fleet[name].alarms.raised)


@pytest.fixture
def lab() -> Iterator[Callable[..., Lab]]:
    """Makes labs; `lab(clusters=...)` gives scenario words by name."""
    made: list[Lab] = []

    def make(**scenario: Any) -> Lab:
        made.append(Lab(scenario))
        return made[-1]

    yield make
    for one in made:
        mock.forget(one.name)


@pytest.fixture
def pair(lab: Callable[..., Lab]) -> Lab:
    """exp1 (primary) and exp2 in a healthy cluster; exp3 on its own."""
    return lab(clusters=[{"name": CLUSTER, "key": KEY, "members": ["exp1", "exp2"]}])


@pytest.fixture
def trio(lab: Callable[..., Lab]) -> Lab:
    """exp1 (primary), exp2 and exp3 in a healthy cluster."""
    return lab(clusters=[{"name": CLUSTER, "key": KEY, "members": ["exp1", "exp2", "exp3"]}])
