"""From every safe point of every procedure the way back that its plan names leads back.

The job is cancelled so that it stops there; what its plan said beforehand is then done, no more,
and the peers' own answers are compared with the cluster before. What recovery offers for the state
as observed agrees with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import pytest

from app.domain.job import JobState, StepState
from app.engine.records import JobRecord
from app.guide.scenarios import REHEARSED, Rehearsed
from app.procedures.safe_points import SafePoint, safe_points
from tests.matrix.consistency import wrong
from tests.matrix.faults import Blow, Kind
from tests.matrix.run import ask
from tests.matrix.stage import Stage
from transports.mock.virtual_time import run

Membership = tuple[frozenset[str], str | None]
OVER = frozenset({StepState.DONE, StepState.SKIPPED})
AGAIN = {
    "recover-removed-peer": "add-peer",
    "create-cluster": "add-peer",
}
"""What the words of a way back ask for after its procedure, once for every peer still missing."""


@cache
def points() -> tuple[tuple[Rehearsed, SafePoint], ...]:
    """Every safe point but the start, and the end of the plan."""
    found: list[tuple[Rehearsed, SafePoint]] = []
    for rehearsed in REHEARSED:

        async def story(rehearsed: Rehearsed = rehearsed) -> tuple[SafePoint, ...]:
            stage = Stage(rehearsed)
            await stage.set_out()
            return safe_points(await stage.plan(rehearsed.procedure, **rehearsed.parameters))

        found += [(rehearsed, point) for point in run(story())[1:]]
    return tuple(found)


def membership(stage: Stage) -> Membership:
    return frozenset(member.id for member in stage.cluster.members), stage.cluster.primary_id


@dataclass(frozen=True)
class Return:
    """What came of it."""

    point: SafePoint
    """Where the job stopped."""
    before: Membership
    after: Membership
    state: JobState
    offered: frozenset[str]
    """The procedures that recovery offers."""
    wrong: tuple[str, ...]


async def there_and_back(rehearsed: Rehearsed, point: SafePoint) -> Return:
    stage = Stage(rehearsed, Blow(Kind.CANCEL, point.after, ""))
    await stage.set_out()
    before = membership(stage)
    job = await stage.start(rehearsed.procedure, **rehearsed.parameters)
    stage.job_id = job.id
    job = await stage.see_to_the_end(job.id)
    point = stopped_at(job)
    offered = frozenset(way.procedure for way in (await ask(stage, job)).ways)
    for name in rehearsed.off:
        stage.fleet[name].gain_power() if point.procedure == "recover-removed-peer" else None
    await stage.fleet.clock.sleep(900.0)
    if point.procedure and point.parameters is not None:
        await take(stage, point, before)
    # What was asked for of maintenance mode is no longer asked for.
    stage.rehearsed = replace(rehearsed, parameters={})
    left = (*await wrong(stage), *map(str, stage.witness.violations))
    return Return(point, before, membership(stage), job.state, offered, left)


def stopped_at(job: JobRecord) -> SafePoint:
    """The safe point where it stopped: the one asked for, or the one before a step that waited."""
    last = [record.key for record in job.steps if record.state in OVER][-1]
    (point,) = [point for point in safe_points(job.plan) if point.after == last]
    return point


async def take(stage: Stage, point: SafePoint, before: Membership) -> None:
    """The procedure the point names, and what its words say is to follow."""
    assert point.parameters is not None
    await goes_well(stage, point.procedure, **point.parameters)
    if point.procedure == "recover-removed-peer":
        await set_up_anew(stage, str(point.parameters["peer_id"]))
    now = membership(stage)[0]
    missing, extra = sorted(before[0] - now), sorted(now - before[0])
    if "with replace-peer" in point.words:
        await goes_well(stage, "replace-peer", peer_id=extra[0], replacement_peer_id=missing[0])
    elif point.procedure in AGAIN:
        for peer_id in missing:
            await goes_well(stage, AGAIN[point.procedure], peer_id=peer_id)
    if "change-primary" in point.words:
        await goes_well(stage, "change-primary", peer_id=str(before[1]))


async def set_up_anew(stage: Stage, name: str) -> None:
    """Names and servers of a unit that comes back from a factory reset, as a person enters them."""
    for path, value in (
        ("IP DNS Hostname", name),
        ("IP DNS Domain Name", "example.com"),
        ("IP DNS Server 1 Address", "192.0.2.53"),
        ("NTP Server 1 Address", "192.0.2.123"),
    ):
        stage.fleet[name].write(path.split(), value)
    await stage.fleet.clock.sleep(120.0)


async def goes_well(stage: Stage, slug: str, **parameters: object) -> None:
    job = await stage.see_to_the_end((await stage.start(slug, **parameters)).id)
    assert job.state is JobState.SUCCEEDED, (slug, job.failure)


@pytest.mark.parametrize(
    ("rehearsed", "point"), points(), ids=lambda it: getattr(it, "title", "") or it.after
)
def test_the_way_back_from_a_safe_point_leads_back(rehearsed, point):
    went = run(there_and_back(rehearsed, point))
    if not rehearsed.amiss:
        assert went.wrong == ()
    without_it = "without it" in went.point.words
    assert went.after == (without_dead(rehearsed, went) if without_it else went.before)
    dead_still = went.point.procedure == "recover-removed-peer"
    if went.point.procedure and went.state is JobState.CANCELLED and not dead_still:
        assert went.point.procedure in went.offered


def without_dead(rehearsed: Rehearsed, went: Return) -> Membership:
    """A former primary that is out of service is not brought back: the cluster does without it."""
    assert went.point.procedure == "remove-dead-peer"
    return went.before[0] - set(rehearsed.off), went.after[1]


def test_a_way_back_for_the_wrong_part_is_found():
    """As it was: a replacement that stopped between its parts was to be replaced the other way."""
    rehearsed = next(r for r in REHEARSED if r.title == "replace-peer")
    behind = next(p for r, p in points() if r is rehearsed and p.after == "remove-record-members")
    assert (behind.procedure, behind.parameters) == ("add-peer", {"peer_id": "exp2"})

    async def story() -> list[str]:
        stage = Stage(rehearsed, Blow(Kind.CANCEL, behind.after, ""))
        await stage.set_out()
        stage.job_id = (await stage.start("replace-peer", **rehearsed.parameters)).id
        await stage.see_to_the_end(stage.job_id)
        plan = await stage.plan("replace-peer", peer_id="exp3", replacement_peer_id="exp2")
        return [finding.code for finding in plan.blockers]

    assert "not-a-member" in run(story())
