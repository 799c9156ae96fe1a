"""A job may stop where peers and registry agree, and every such place says what leads back."""

import pytest

from app.domain.plan import Plan, PlannedStep, Stage
from app.guide.scenarios import REHEARSED, Rehearsed
from app.procedures.registry import PROCEDURES
from app.procedures.safe_points import only_where_recorded, safe_points
from tests.support.rehearsal import Rehearsal
from transports.mock.virtual_time import run


def plan_of(rehearsed: Rehearsed) -> Plan:
    async def story() -> Plan:
        rehearsal = Rehearsal(rehearsed.scenario)
        names = tuple(rehearsal.peers)[: rehearsed.members]
        if names:
            await rehearsal.registry.record_members(names, names[0])
        for name in rehearsed.off:
            rehearsal.fleet[name].lose_power()
        return await rehearsal.plan(rehearsed.procedure, **rehearsed.parameters)

    return run(story())


def steps(*kinds: str) -> tuple[Stage, ...]:
    made = tuple(PlannedStep(f"{n}", kind, "", ("X",), safe_after=True)
                 for n, kind in enumerate(kinds))  # fmt: skip
    return (Stage("only", "Only", made),)


def stops(stages: tuple[Stage, ...]) -> str:
    return "".join("s" if step.safe_after else "-" for stage in stages for step in stage.steps)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (("back-up", "write-clustering", "back-up", "record-members", "alarms-cleared"), "s--ss"),
        (("set-primary", "record-members", "leave-cluster", "back-up", "record-members"), "-s--s"),
        (("back-up", "write-clustering", "alarms-cleared"), "sss"),
        (("leave-cluster", "alarms-cleared", "record-disbanded"), "--s"),
    ],
)
def test_no_stop_lies_between_the_first_write_and_the_record(kinds, expected):
    assert stops(only_where_recorded(steps(*kinds))) == expected


def offered(rehearsed: Rehearsed) -> set[str]:
    return {point.procedure for point in safe_points(plan_of(rehearsed))}


@pytest.mark.parametrize(
    "rehearsed", [r for r in REHEARSED if r.procedure in PROCEDURES], ids=lambda r: r.title
)
def test_every_safe_point_of_every_procedure_names_a_way_back(rehearsed):
    plan = plan_of(rehearsed)
    points = safe_points(plan)
    assert [point.after for point in points[1:]] == [s.key for s in plan.steps if s.safe_after]
    assert all(point.words for point in points)
    for point in points:
        if point.procedure in PROCEDURES and point.parameters is not None:
            PROCEDURES[point.procedure].parameters(**point.parameters)


def test_a_peer_left_in_maintenance_mode_is_taken_out_of_it_again():
    (add,) = [r for r in REHEARSED if r.title == "add-peer"]
    (point,) = {
        p.procedure: p for p in safe_points(plan_of(add)) if p.after == "calls-clear-exp3"
    }.values()
    assert point.procedure == "maintenance-mode"
    assert point.parameters == {"peer_ids": ["exp3"], "enabled": False}


def test_the_way_back_from_an_added_peer_is_its_removal():
    (add,) = [r for r in REHEARSED if r.title == "add-peer"]
    last = safe_points(plan_of(add))[-1]
    assert (last.after, last.procedure) == ("record-members", "remove-peer")
    assert last.parameters == {"peer_id": "exp3"}
