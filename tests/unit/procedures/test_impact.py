"""What a plan foretells is what a fleet full of calls and registrations goes through, no less.

Every rehearsed procedure runs on a fleet whose Expressways are all in use; an onlooker that knows
nothing of plans counts what its users lose. The plan may not have promised less, nor much more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import pytest

from app.domain.job import JobState
from app.domain.plan import Demanded, Impact, Plan, PlannedStep, Stage
from app.guide.scenarios import REHEARSED, Rehearsed
from app.procedures.impact import foreseen
from app.procedures.registry import HANDLERS
from tests.matrix.stage import Stage as Rehearsal
from tests.support.suffered import Onlooker, Suffered
from transports.mock.virtual_time import run

ENDLESS = 1e7
ENDS_BEFORE_THE_DEADLINE = 580.0
"""Device seconds of a call that is waited for: near what the plan expects of calls."""
SLACK = 60.0
"""Device seconds for what no plan tells: until the web interface answers, and the like."""
RATIO = 1.25
"""A foretold time is too short where it took more than this much longer."""
TOO_HIGH = 1.6
"""It is far too long where it is more than this much longer than it took."""
CHECKS = 90.0
"""Device seconds a plan reckons with for alarms to clear where this fleet has none to clear."""

NOTHING = Impact("", "")
TITLES = [r.title for r in REHEARSED]


@dataclass(frozen=True)
class Went:
    """One procedure as planned and as gone through."""

    plan: Plan
    state: JobState
    took: float
    suffered: dict[str, Suffered]
    demanded: dict[str, list[float]]
    """By peer, the foretold length of each restart that an alarm really demanded."""

    def foretold(self, peer_id: str) -> Impact:
        return next((i for i in self.plan.impact if i.peer_id == peer_id), NOTHING)


def in_use(rehearsed: Rehearsed) -> Rehearsed:
    """Two registrations and a call on every Expressway, which ends only where it is waited for."""
    waits = rehearsed.procedure == "restart-peer"
    calls = [ENDS_BEFORE_THE_DEADLINE if waits else ENDLESS]
    users = {"registrations": ["anna@example.com", "bert@example.com"]}
    names = [f"exp{n}" for n in range(1, rehearsed.peers + 1)]
    devices = {
        name: {**rehearsed.devices.get(name, {}), **users, "calls": calls}
        for name in names
        if name not in rehearsed.off
    }
    return replace(rehearsed, devices={**rehearsed.devices, **devices})


@cache
def went(title: str) -> Went:
    async def story() -> Went:
        rehearsal = Rehearsal(in_use(next(r for r in REHEARSED if r.title == title)))
        await rehearsal.set_out()
        onlooker = Onlooker(rehearsal.fleet)
        job = await rehearsal.start(rehearsal.rehearsed.procedure, **rehearsal.rehearsed.parameters)
        began = rehearsal.fleet.clock.now()
        rehearsal.job_id = job.id
        job = await rehearsal.see_to_the_end(job.id)
        took = rehearsal.fleet.clock.now() - began
        suffered = {
            name: what
            for name, what in onlooker.until_now().items()
            if name not in rehearsal.rehearsed.off
        }
        demanded: dict[str, list[float]] = {name: [] for name in suffered}
        for record, step in zip(job.steps, job.plan.steps, strict=True):
            if step.kind == "restart-if-required" and record.acted_at is not None:
                demanded[str(step.peer_id)].append(float(step.params["usual"]))
        return Went(job.plan, job.state, took, suffered, demanded)

    return run(story())


def too_low(went: Went) -> list[str]:
    """Where users went through more than the plan foretold."""
    found = []
    for name, felt in went.suffered.items():
        told = went.foretold(name)
        more, by_demand = told.demanded, went.demanded[name]
        if felt.restarts > told.restarts + min(more.restarts, len(by_demand)):
            found.append(f"{name} restarted {felt.restarts} times")
        if felt.calls_lost and not (told.calls_dropped or (by_demand and more.calls_dropped)):
            found.append(f"{name} lost calls")
        if felt.registrations_lost and not (
            told.registrations_lost or (by_demand and more.registrations_lost)
        ):
            found.append(f"{name} lost registrations")
        if felt.away > RATIO * (told.outage + min(more.outage, sum(by_demand))):
            found.append(f"{name} was away for {felt.away:.0f} s")
        if felt.refusing - felt.away > SLACK and not told.calls_refused:
            found.append(f"{name} refused calls")
        if felt.refusing > RATIO * (told.refusing + sum(by_demand)) + SLACK:
            found.append(f"{name} took no calls for {felt.refusing:.0f} s")
    demanded = sum(map(sum, went.demanded.values()))
    if (
        went.took
        > RATIO * min(went.plan.expected + demanded, went.plan.expected_if_demanded) + SLACK
    ):
        found.append(f"it took {went.took:.0f} s")
    return found


def far_too_high(went: Went) -> list[str]:
    """Where the plan foretold much more than users went through."""
    found = []
    for impact in went.plan.impact:
        felt, name = went.suffered.get(impact.peer_id, Suffered()), impact.peer_id
        if impact.restarts > felt.restarts:
            found.append(f"{name} restarted only {felt.restarts} times")
        if impact.calls_dropped and not felt.calls_lost:
            found.append(f"{name} lost no call")
        if impact.registrations_lost and not felt.registrations_lost:
            found.append(f"{name} lost no registration")
        if impact.outage > TOO_HIGH * felt.away:
            found.append(f"{name} was away for {felt.away:.0f} s only")
        if impact.calls_refused and not felt.refusing:
            found.append(f"{name} refused no call")
        if impact.refusing > TOO_HIGH * felt.refusing + SLACK:
            found.append(f"{name} took no calls for {felt.refusing:.0f} s only")
    if went.plan.expected > TOO_HIGH * went.took + CHECKS:
        found.append(f"it took {went.took:.0f} s only")
    return found


@pytest.mark.parametrize("title", TITLES)
def test_no_user_goes_through_more_than_the_plan_foretold(title):
    assert went(title).state is JobState.SUCCEEDED
    assert too_low(went(title)) == []


@pytest.mark.parametrize("title", TITLES)
def test_no_plan_foretells_far_more_than_users_go_through(title):
    assert far_too_high(went(title)) == []


PLANTED = {
    "a restart that is not foretold": {"restarts": 0, "outage": 0.0},
    "calls that are said to stay": {"calls_dropped": False},
    "registrations that are said to stay": {"registrations_lost": False},
    "half the time away": {"outage": 90.0},
    "no refusal": {"calls_refused": False},
    "a tenth of the time of refusing": {"refusing": 80.0},
}


@pytest.mark.parametrize("what", PLANTED)
def test_too_low_a_prediction_is_found(what):
    true = went("add-peer")
    assert true.foretold("exp3").restarts == 1
    lower = tuple(
        replace(i, **PLANTED[what]) if i.peer_id == "exp3" else i for i in true.plan.impact
    )
    assert too_low(replace(true, plan=replace(true.plan, impact=lower)))


def test_demanded_restarts_that_are_not_foretold_are_found():
    true = went("change-peer-address")
    lower = tuple(replace(i, demanded=Demanded()) for i in true.plan.impact)
    found = too_low(replace(true, plan=replace(true.plan, impact=lower)))
    assert {"exp1 restarted 1 times", "exp2 lost calls", "exp2 lost registrations"} <= set(found)


@pytest.mark.parametrize(
    "more",
    [{"restarts": 1}, {"calls_dropped": True}, {"registrations_lost": True}, {"outage": 180.0}],
)
def test_far_too_high_a_prediction_is_found(more):
    """As it was: the members of a cluster that a peer joins were said to be away for certain."""
    true = went("remove-peer")
    higher = tuple(replace(i, **more) if i.peer_id == "exp1" else i for i in true.plan.impact)
    assert far_too_high(replace(true, plan=replace(true.plan, impact=higher)))


def test_a_wrong_total_time_is_found_either_way():
    true = went("upgrade")
    for factor, judge in ((0.4, too_low), (2.5, far_too_high)):
        stages = tuple(
            replace(
                stage, steps=tuple(replace(s, expected=s.expected * factor) for s in stage.steps)
            )
            for stage in true.plan.stages
        )
        assert any(
            "it took" in said
            for said in judge(replace(true, plan=replace(true.plan, stages=stages)))
        )


def foretold_of(*steps: PlannedStep) -> Impact:
    (impact,) = foreseen((Stage("only", "Only", steps),), [Impact("exp1", "")])
    return impact


def step(kind: str, **params: object) -> PlannedStep:
    return PlannedStep(kind, kind, "", ("X",), "exp1", params, expected=100.0)


ON = {"settings": {"SystemUnit Maintenance Mode": "On"}}
OFF = {"settings": {"SystemUnit Maintenance Mode": "Off"}}


def test_a_restart_drops_calls_unless_the_plan_waits_for_them_with_new_ones_refused():
    mode, clear, restart = step("write-settings", **ON), step("calls-clear"), step("restart")
    assert foretold_of(restart).calls_dropped
    assert foretold_of(clear, restart).calls_dropped
    assert not foretold_of(mode, clear, restart).calls_dropped
    assert foretold_of(mode, clear, step("write-settings", **OFF), restart).calls_dropped
    assert foretold_of(mode, clear, restart, restart).calls_dropped


def test_a_demanded_restart_comes_on_top_and_promises_nothing():
    impact = foretold_of(step("restart-if-required", usual=180.0))
    assert (impact.restarts, impact.calls_dropped, impact.outage) == (0, False, 0.0)
    assert impact.demanded == Demanded(1, True, True, 180.0)


def test_what_a_person_restarts_by_hand_is_foretold_too():
    assert foretold_of(step("attest", usual=180.0)).outage == 180.0
    assert foretold_of(step("attest")).restarts == 0


FELT = frozenset(
    {"restart", "restart-if-required", "restart-away", "restore-backup", "factory-reset",
     "disconnect-calls", "write-settings"}
)  # fmt: skip
UNFELT = frozenset(
    {"back-up", "default-links", "delete-accounts", "delete-pre-shared-key", "force-config-update",
     "install-software", "leave-cluster", "lync-b2bua-off", "neighbour-zone", "pre-shared-key",
     "record-address", "record-disbanded", "record-members", "renew-pre-shared-key",
     "reset-to-defaults", "set-primary", "write-address", "write-clustering"}
)  # fmt: skip
"""Their effect is taken up by a restart, or is on configuration alone."""


def test_of_every_kind_of_step_that_acts_it_is_known_whether_users_feel_it():
    assert {kind for kind, handler in HANDLERS.items() if handler.act} == FELT | UNFELT
