"""A worker whose job has another owner records nothing in the registry, however late it wakes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from app.engine.errors import LeaseLost
from app.storage.cluster_registry import ClusterRegistry
from tests.api.conftest import World

pytestmark = pytest.mark.postgres

Write = Callable[[ClusterRegistry, str], Awaitable[object]]
WRITES: dict[str, Write] = {
    "record the members": lambda registry, peer: registry.record_members((peer,), peer),
    "record an address": lambda registry, peer: registry.record_address(peer, "192.0.2.99"),
    "make the pre-shared key": lambda registry, _: registry.pre_shared_key(),
    "renew the pre-shared key": lambda registry, _: registry.renew_pre_shared_key(None),
}


async def everything(world: World) -> list[object]:
    paths = ("clusters", "peers", "credentials")
    return [(await world.client.get(f"/v1/{path}")).json() for path in paths]


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
async def test_nothing_is_recorded_without_the_lease(world: World, write: Write) -> None:
    peer = await world.peer()
    registry = await world.registry(await world.cluster())
    await world.lose_lease(registry)
    before = await everything(world)
    with pytest.raises(LeaseLost):
        await write(registry, peer["id"])
    assert await everything(world) == before


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
async def test_with_the_lease_it_is_recorded(world: World, write: Write) -> None:
    peer = await world.peer()
    registry = await world.registry(await world.cluster())
    before = await everything(world)
    await write(registry, peer["id"])
    assert await everything(world) != before


async def test_a_job_is_not_taken_between_the_look_at_the_lease_and_the_write(
    world: World,
) -> None:
    registry = await world.registry(await world.cluster())
    async with world.parts.store.transaction() as tx:
        await tx.jobs.demand(registry.lease)
        taking = asyncio.create_task(world.lose_lease(registry))
        done, _ = await asyncio.wait({taking}, timeout=0.3)
        assert not done
    await taking
