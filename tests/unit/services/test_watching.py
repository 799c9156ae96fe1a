"""Watching spreads its looks over time, and does only so many of them at once."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field

import pytest

from app.services.problems import Problem
from app.services.watch_records import Turn, Watch
from app.services.watching import JITTER, POLL_SECONDS, SIDE_BY_SIDE, Pace, WatchingService
from transports.mock.virtual_time import run

PACE = Pace(interval=300.0, keep=86400.0, observation_limit=20.0)
LOOK_SECONDS = 7.0


@dataclass
class Due:
    """Clusters that are due at once, as the database would hand them out."""

    count: int
    given_back: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ids = iter([f"cluster-{n}" for n in range(self.count)])

    async def take_turn(self, owner, *, default, hold):
        cluster = next(self._ids, None)
        return None if cluster is None else Turn(owner, Watch(cluster))

    async def give_back(self, turn, *, next_in):
        self.given_back.append(next_in)


@dataclass
class SlowLooks:
    """A diagnosis that takes its time and then fails, which gives the turn back."""

    now: int = 0
    most: int = 0
    seen: list[str] = field(default_factory=list)

    async def diagnose(self, cluster_id):
        self.now += 1
        self.most = max(self.most, self.now)
        self.seen.append(cluster_id)
        await asyncio.sleep(LOOK_SECONDS)
        self.now -= 1
        raise Problem("peer-not-observed", "this test ends here", cluster_id=cluster_id)


def watching(due, looks):
    numbers = itertools.count()
    return WatchingService(
        store=None,
        watches=due,
        clusters=None,
        diagnosis=looks,
        new_id=lambda kind: f"{kind}-{next(numbers)}",
        pace=PACE,
    )


async def for_a_while(service, seconds):
    task = asyncio.create_task(service.run())
    await asyncio.sleep(seconds)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_no_more_clusters_are_looked_at_at_once_than_agreed():
    due, looks = Due(3 * SIDE_BY_SIDE + 1), SlowLooks()
    run(for_a_while(watching(due, looks), 4 * LOOK_SECONDS + POLL_SECONDS))
    assert looks.most == SIDE_BY_SIDE
    assert sorted(looks.seen) == sorted(f"cluster-{n}" for n in range(due.count))
    assert len(due.given_back) == due.count


def test_a_slow_cluster_holds_up_nobody_else():
    due, looks = Due(SIDE_BY_SIDE), SlowLooks()
    run(for_a_while(watching(due, looks), LOOK_SECONDS / 2))
    assert len(looks.seen) == SIDE_BY_SIDE


def test_next_looks_are_spread_around_the_interval():
    due, looks = Due(200), SlowLooks()
    run(for_a_while(watching(due, looks), 60 * LOOK_SECONDS))
    drawn = due.given_back
    assert len(drawn) == due.count
    assert all(PACE.interval * (1 - JITTER) <= d <= PACE.interval * (1 + JITTER) for d in drawn)
    assert len(set(drawn)) == len(drawn)
    early = sum(d < PACE.interval for d in drawn)
    assert 60 < early < 140, "neither all early nor all late"
