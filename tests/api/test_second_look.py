"""A job that waited is compared with the world anew before it begins, as a start compares."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.domain.job import StepFailure
from app.services.second_look import SecondLook
from tests.api.conftest import World
from transports.errors import Unreachable

pytestmark = pytest.mark.postgres


@pytest.fixture
async def peer(world: World, seen: Any) -> Any:
    peer = await world.peer()
    world.appliances.views[peer["id"]] = seen(peer["id"])
    return peer


async def look(world: World, job: Any) -> StepFailure | None:
    record = await world.services.jobs.get(job["id"])
    return await SecondLook(world.services.planning, world.clock).drift(record)


async def started(world: World, peer: Any) -> Any:
    answer = await world.start(await world.cluster(), "k1", peer_id=peer["id"])
    assert answer.status_code == 202, answer.text
    return answer.json()


async def test_a_job_that_begins_at_once_is_not_looked_at_twice(world: World, peer: Any) -> None:
    job = await started(world, peer)
    world.appliances.asked.clear()
    assert await look(world, job) is None
    assert world.appliances.asked == []


async def test_a_job_that_waited_for_days_begins_where_nothing_has_changed(
    world: World, peer: Any
) -> None:
    job = await started(world, peer)
    world.appliances.asked.clear()
    world.clock.ahead = timedelta(days=2)
    assert await look(world, job) is None
    assert world.appliances.asked == [peer["id"]]


async def test_a_job_that_waited_does_not_begin_on_a_peer_that_was_changed_by_hand(
    world: World, peer: Any, seen: Any
) -> None:
    job = await started(world, peer)
    world.clock.ahead = timedelta(days=2)
    world.appliances.views[peer["id"]] = seen(peer["id"], "renamed by hand")
    failure = await look(world, job)
    assert failure is not None
    assert failure.code == "plan-drifted"
    assert peer["id"] in failure.message
    assert "system_name" in failure.message
    assert "(exp1; now: renamed by hand)" in failure.message


async def test_a_peer_that_was_seen_and_is_silent_now_is_waited_for(
    world: World, peer: Any
) -> None:
    job = await started(world, peer)
    world.clock.ahead = timedelta(days=2)
    del world.appliances.views[peer["id"]]
    with pytest.raises(Unreachable, match="no connection"):
        await look(world, job)


async def test_a_peer_that_was_silent_for_the_plan_and_still_is_changes_nothing(
    world: World,
) -> None:
    peer = await world.peer()
    job = await started(world, peer)
    world.clock.ahead = timedelta(days=2)
    assert await look(world, job) is None


async def test_a_peer_that_was_deleted_meanwhile_is_said(world: World, peer: Any) -> None:
    job = await started(world, peer)
    world.clock.ahead = timedelta(days=2)
    async with world.parts.store.transaction() as tx:
        await tx.peers.remove(peer["id"])
    failure = await look(world, job)
    assert failure is not None
    assert failure.code == "plan-drifted"
