"""A worker that dies over a bulk job, anywhere: each cluster gets one job, and none is left out.

Everything that lasts changes at a commit. So a process that dies at any moment leaves what one
leaves that dies right before a commit or right behind it, and each of them is tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from app.domain.observation import View
from app.services.bulk_work import HOLD
from app.services.jobs import JobsService
from app.services.problems import Problem
from app.storage.store import PostgresStore
from tests.api.conftest import World
from tests.support.bulk import Bulk

pytestmark = pytest.mark.postgres


@pytest.fixture
def bulk(world: World, seen: Callable[..., View]) -> Bulk:
    return Bulk(world, seen)


class Killed(BaseException):
    """No `except Exception` of ours sees the end of the process."""


@dataclass
class Death:
    """The process dies at its n-th transaction, and nothing of it runs afterwards."""

    at: int
    behind_the_commit: bool
    transactions: int = 0
    dead: bool = False

    @property
    def came(self) -> bool:
        return self.dead


def plant(death: Death, monkeypatch: pytest.MonkeyPatch) -> None:
    real = PostgresStore.transaction

    @asynccontextmanager
    async def transaction(self: PostgresStore, **more: Any) -> AsyncIterator[Any]:
        if death.dead:
            raise Killed
        death.transactions += 1
        mine = death.transactions == death.at
        async with real(self, **more) as tx:
            yield tx
            if mine and not death.behind_the_commit:
                death.dead = True
                raise Killed
        if mine:
            death.dead = True
            raise Killed

    monkeypatch.setattr(PostgresStore, "transaction", transaction)


async def works_until_it_dies(bulk: Bulk) -> None:
    try:
        while await bulk.world.services.bulk_work.run_once("worker-1"):
            pass
    except Killed:
        return


@pytest.mark.parametrize("behind_the_commit", [False, True])
async def test_whenever_a_worker_dies_each_cluster_gets_one_job(
    bulk: Bulk, monkeypatch: pytest.MonkeyPatch, *, behind_the_commit: bool
) -> None:
    clusters = [await bulk.cluster() for _ in range(2)]
    died = 0
    for at in range(1, 100):
        # In line, so that nothing but the bulk job itself forbids a second job of a cluster.
        made = (await bulk.start(*clusters, wave_size=2, queue=True)).json()
        death = Death(at, behind_the_commit)
        with monkeypatch.context() as planted:
            plant(death, planted)
            await works_until_it_dies(bulk)
        if not death.came:
            break
        died += 1
        bulk.later(seconds=HOLD.total_seconds() + 5)
        found = await bulk.to_the_end(made, "worker-2")
        jobs = await bulk.jobs(made)
        assert sorted(job["cluster_id"] for job in jobs) == sorted(clusters), at
        assert (found["state"], found["counts"]["succeeded"]) == ("succeeded", 2), at
        children = {child["cluster_id"]: child["job_id"] for child in await bulk.children(made)}
        assert children == {job["cluster_id"]: job["id"] for job in jobs}
    assert died >= 15
    assert death.transactions < at


async def test_nobody_takes_it_while_another_has_it_and_then_somebody_does(bulk: Bulk) -> None:
    cluster = await bulk.cluster()
    made = (await bulk.start(cluster)).json()
    assert await bulk.world.services.bulk_work._take("worker-1")
    assert await bulk.work("worker-2") == 0
    bulk.later(seconds=HOLD.total_seconds() + 5)
    assert await bulk.work("worker-2") > 0
    assert len(await bulk.jobs(made)) == 1


async def test_many_who_all_think_it_is_theirs_start_each_cluster_once(bulk: Bulk) -> None:
    """Workers that were frozen for longer than their turn come back all at once."""
    clusters = [await bulk.cluster() for _ in range(4)]
    made = (await bulk.start(*clusters, wave_size=4, queue=True)).json()
    work = bulk.world.services.bulk_work
    due = await work._take("worker-1")
    assert due is not None
    await asyncio.gather(*(work.carry_on(f"worker-{number}", due) for number in range(1, 5)))
    assert sorted(job["cluster_id"] for job in await bulk.jobs(made)) == sorted(clusters)
    assert await bulk.states(made) == ["started"] * 4


async def test_a_worker_that_ends_in_order_leaves_it_to_others_at_once(bulk: Bulk) -> None:
    cluster = await bulk.cluster()
    made = (await bulk.start(cluster)).json()
    bulk.world.appliances.hang = True
    ending = asyncio.create_task(bulk.world.services.bulk_work.run_once("worker-1"))
    async with asyncio.timeout(30):
        while not bulk.world.appliances.asked:  # noqa: ASYNC110 - a list has no event
            await asyncio.sleep(0.01)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    bulk.world.appliances.hang = False
    assert await bulk.world.services.bulk_work.run_once("worker-2")
    assert await bulk.states(made) == ["started"]


async def test_a_database_that_is_away_for_a_moment_refuses_no_cluster(
    bulk: Bulk, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = await bulk.cluster()
    made = (await bulk.start(cluster)).json()

    async def away(*_: Any, **__: Any) -> Any:
        raise Problem("storage-unavailable", "the database does not answer at the moment")

    with monkeypatch.context() as planted:
        planted.setattr(JobsService, "start", away)
        await bulk.work()
    assert await bulk.states(made) == ["pending"]
    bulk.later(seconds=31)
    await bulk.work()
    assert await bulk.states(made) == ["started"]


async def test_a_fault_of_the_service_costs_one_cluster_and_not_the_others(
    bulk: Bulk, monkeypatch: pytest.MonkeyPatch
) -> None:
    clusters = [await bulk.cluster() for _ in range(2)]
    made = (await bulk.start(*clusters, stop_after_failures=2)).json()
    start = JobsService.start

    async def faulty(self: JobsService, cluster_id: str, *given: Any, **more: Any) -> Any:
        if cluster_id == clusters[0]:
            raise KeyError("canary of a fault")
        return await start(self, cluster_id, *given, **more)

    monkeypatch.setattr(JobsService, "start", faulty)
    await bulk.work()
    assert await bulk.states(made) == ["refused", "started"]
    child = (await bulk.children(made))[0]
    assert child["trouble"]["code"] == "internal-error"
    assert "canary" not in str(await bulk.read(made))
    assert "canary of a fault" in bulk.world.logs.getvalue()


async def test_an_answer_to_a_commit_that_got_lost_makes_no_second_job(
    bulk: Bulk, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = await bulk.cluster()
    made = (await bulk.start(cluster, queue=True)).json()
    start = JobsService.start

    async def lost(*given: Any, **more: Any) -> Any:
        await start(*given, **more)
        raise ConnectionError("the answer got lost")

    with monkeypatch.context() as planted:
        planted.setattr(JobsService, "start", lost)
        await bulk.work()
    assert await bulk.states(made) == ["started"]
    assert (await bulk.to_the_end(made))["state"] == "succeeded"
    assert len(await bulk.jobs(made)) == 1
