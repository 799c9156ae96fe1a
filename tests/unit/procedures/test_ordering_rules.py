"""The guide's rules of order, each with what holds it and the bugs that were seen to break it.

`RULES` is the list. `broken` runs a procedure on a simulated fleet and says, by what the fleet did
and never by what the plan intended, how the rule was broken; by the service as it is, nowhere.
Each plant puts one bug into the service, and the same look must then find it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from app.domain.job import JobState
from app.domain.plan import PlannedStep, Stage
from app.guide import requirements
from app.guide.scenarios import REHEARSED
from app.procedures import (
    add_peer,
    change_primary,
    disband,
    remove_dead_peer,
    remove_peer,
    safe_points,
    upgrade,
)
from app.procedures.base import Handler, Look, StepContext
from app.procedures.registry import HANDLERS
from simulation.rehearsal import CLUSTER, KEY, Rehearsal, WorkerDied
from tests.matrix.stage import Stage as Rehearsed
from transports.mock.expressway import Expressway, Power
from transports.mock.faults import Fault, FaultKind
from transports.mock.virtual_time import run

Plant = Callable[[pytest.MonkeyPatch], None]
NAMES = ("exp1", "exp2", "exp3")


@dataclass(frozen=True)
class Rule:
    """One rule: its words, where the guide has it, how it is looked at, what breaks it."""

    words: str
    requirements: str
    broken: Callable[[], list[str]]
    plants: tuple[Plant, ...]


# -- looking on


class Watched:
    """A fleet of three, all members, and what it did, change by change."""

    def __init__(self, *, primary: str = "exp1", members: int = 3, **more: Any) -> None:
        devices = [
            {"name": name, "address": f"192.0.2.{n}"} for n, name in enumerate(NAMES, start=11)
        ]
        cluster = {"name": CLUSTER, "key": KEY, "members": list(NAMES[:members])}
        self.rehearsal = Rehearsal(
            {"expressways": devices, "clusters": [{**cluster, "primary": primary}], **more}
        )
        self.fleet = self.rehearsal.fleet
        self.primary, self.members = primary, NAMES[:members]
        self.seen: list[Callable[[Expressway, str], None]] = []
        self.fleet.on_change(lambda device, what: [look(device, what) for look in self.seen])

    async def record(self) -> None:
        await self.rehearsal.registry.record_members(self.members, self.primary)

    def two_primaries(self) -> list[str]:
        claiming = [d.name for d in self.fleet if d.cluster.claims_master and d.up]
        return claiming if len(claiming) > 1 else []


class Stopwatch:
    """How long, in device seconds, something has been so without a break; the longest."""

    def __init__(self, watched: Watched, so: Callable[[], Any]) -> None:
        self._fleet, self._so, self._since, self.longest = watched.fleet, so, None, 0.0
        self._since: float | None
        watched.seen.append(lambda *_: self.look())

    def look(self) -> None:
        now = self._fleet.clock.now()
        if self._since is not None:
            self.longest = max(self.longest, now - self._since)
        self._since = (self._since if self._since is not None else now) if self._so() else None


# -- CHM-02: two primaries never longer than the change itself


CHANGE_ITSELF = 30.0
"""Device seconds: three writes, each read back."""


def primaries_stopped_between() -> list[str]:
    """A cancel right behind the first write, and how long two are primary."""

    async def story() -> list[str]:
        watched = Watched()
        await watched.record()
        two = Stopwatch(watched, watched.two_primaries)
        job = await watched.rehearsal.start("change-primary", peer_id="exp2")

        async def cancel() -> None:
            await watched.rehearsal.journal.request_cancel(job.id, by="tester")

        cancelled = False

        def first_write(device: Expressway, what: str) -> None:
            nonlocal cancelled
            if not cancelled and what == "configuration" and watched.two_primaries():
                cancelled = True
                device.in_background(cancel())

        watched.seen.append(first_write)
        await watched.rehearsal.wakeups.until_idle()
        await watched.fleet.clock.sleep(600.0)
        two.look()
        return [f"two primaries for {two.longest:.0f} s"] if two.longest > CHANGE_ITSELF else []

    return run(story())


def primaries_and_a_dead_worker() -> list[str]:
    """The worker dies behind the first write: the next one goes on with the next write."""

    async def story() -> list[str]:
        watched = Watched()
        await watched.record()
        rehearsal = watched.rehearsal
        two = Stopwatch(watched, watched.two_primaries)
        died = False

        def die() -> None:
            nonlocal died
            died = True
            raise WorkerDied

        rehearsal.when_step_starts("primary-exp1", die)
        job = await rehearsal.start("change-primary", peer_id="exp2")
        await rehearsal.wakeups.until_idle()
        assert died
        await rehearsal.journal.reclaim(job.id)
        rehearsal.new_worker("worker-2")
        await rehearsal.wakeups.until_idle()
        two.look()
        ended = await rehearsal.journal.load(job.id)
        found = [] if ended.state is JobState.SUCCEEDED else [f"ended {ended.state}"]
        return found + (
            [f"two primaries for {two.longest:.0f} s"] if two.longest > CHANGE_ITSELF else []
        )

    return run(story())


def a_stop_between_the_writes(patch: pytest.MonkeyPatch) -> None:
    """The job may stop between two peers that are told."""
    honest = change_primary.set_primary
    patch.setattr(
        change_primary,
        "set_primary",
        lambda *args, **more: replace(honest(*args, **more), safe_after=True),
    )
    patch.setattr(safe_points, "_BEGIN", safe_points._BEGIN - {"set-primary"})


def a_wait_between_the_writes(patch: pytest.MonkeyPatch) -> None:
    """Each peer is looked at long after it was written to, before the next one is told."""
    honest = HANDLERS["set-primary"]

    async def late(ctx: StepContext) -> Look:
        if ctx.record.acted_at is not None:
            await ctx.clock.sleep(60.0)
        return await honest.look(ctx)

    patch.setitem(HANDLERS, "set-primary", replace(honest, look=late))


# -- NEW/ADD/UPG: restarts one after the other, each waited for


def restarts_together(slug: str = "rotate-pre-shared-key", **parameters: Any) -> list[str]:
    """Whether a peer went down before the one before it served again, web interface included."""

    async def story() -> list[str]:
        watched = Watched()
        await watched.record()
        found: list[str] = []

        def look(device: Expressway, what: str) -> None:
            if what != "restarting":
                return
            now, late = watched.fleet.clock.now(), device.profile.web_after_boot
            for other in watched.fleet:
                down = other.power is not Power.ON
                starting = other.booted_at > 0 and now < other.booted_at + late
                if other is not device and (down or starting):
                    found.append(f"{device.name} went down before {other.name} served again")

        watched.seen.append(look)
        job = await watched.rehearsal.run(slug, **parameters)
        if job.state is not JobState.SUCCEEDED:
            found.append(f"ended {job.state}: {job.failure}")
        return found

    return run(story())


def restarts_are_not_waited_for(patch: pytest.MonkeyPatch) -> None:
    """A restart counts as over once it has been sent, and nobody asks whether others are up."""
    for kind in ("restart", "restart-if-required"):
        honest = HANDLERS[kind]

        async def believing(ctx: StepContext, honest: Handler = honest) -> Look:
            return Look(met=True) if ctx.record.acted_at is not None else await honest.look(ctx)

        patch.setitem(HANDLERS, kind, replace(honest, look=believing, guard=None))
    for kind in ("same-configuration", "write-settings", "calls-clear"):
        honest = HANDLERS[kind]

        async def met(ctx: StepContext) -> Look:
            return Look(met=True)

        patch.setitem(HANDLERS, kind, replace(honest, look=met))


def the_web_interface_is_not_waited_for(patch: pytest.MonkeyPatch) -> None:
    """A peer counts as back as soon as its command line answers."""

    async def answers(_: Any) -> bool:
        return True

    patch.setattr("app.appliance.appliance.Appliance.answers_on_web", answers)
    for kind in ("same-configuration", "write-settings", "calls-clear"):
        honest = HANDLERS[kind]

        async def met(ctx: StepContext) -> Look:
            return Look(met=True)

        patch.setitem(HANDLERS, kind, replace(honest, look=met))


# -- ADD: one peer at a time, the primary first, the new peer last, nothing replicated meanwhile


def a_peer_is_added_out_of_order() -> list[str]:
    """What the lists and the replication did while exp3 was added to exp1 and exp2."""

    async def story() -> list[str]:
        watched = Watched(members=2)
        await watched.record()
        address = watched.fleet["exp3"].address
        listing: list[str] = []
        found: list[str] = []

        def look(device: Expressway, what: str) -> None:
            if device.name not in listing and address in device.cluster.saved().listed:
                listing.append(device.name)
            joined = address in watched.fleet["exp1"].cluster.met
            if what == "replicated" and listing and not joined and device.name != "exp3":
                found.append(f"{device.name} replicated while exp3 had not joined")

        watched.seen.append(look)
        # Somebody changes shared configuration while the peer is on its way.
        watched.rehearsal.when_step_starts(
            "pre-shared-key-exp3", lambda: watched.fleet["exp1"].write(["SIP", "UDP", "Mode"], "On")
        )
        job = await watched.rehearsal.run("add-peer", peer_id="exp3")
        if job.state is not JobState.SUCCEEDED:
            found.append(f"ended {job.state}: {job.failure}")
        if listing != ["exp1", "exp2", "exp3"]:
            found.append(f"listed in the order {', '.join(listing)}")
        joined_together = [v for v in watched.rehearsal.witness.violations if "added" in v.rule]
        return found + [str(violation) for violation in joined_together]

    return run(story())


def the_new_peer_is_told_first(patch: pytest.MonkeyPatch) -> None:
    """The stages in another order: the new peer joins a cluster that does not expect it."""
    swapped(patch, add_peer, "primary", "join")


def the_members_are_told_before_the_primary(patch: pytest.MonkeyPatch) -> None:
    """The stages in another order."""
    swapped(patch, add_peer, "primary", "members")


def two_peers_are_added_at_once(patch: pytest.MonkeyPatch) -> None:
    """The primary is given a second new address in the same write."""
    honest = add_peer.write_clustering

    def with_another(*args: Any, **more: Any) -> PlannedStep:
        return honest(*args, **{**more, "addresses": [*more["addresses"], "192.0.2.99"]})

    patch.setattr(add_peer, "write_clustering", with_another)


# -- RML/RMD: no holes in the list, and the primary's index moved along


def lists_after_a_removal(slug: str, gone: str) -> list[str]:
    """The clustering pages of the peers that stay, when the first in the list goes."""

    async def story() -> list[str]:
        watched = Watched(primary="exp3")
        await watched.record()
        parameters: dict[str, Any] = {"peer_id": gone}
        if slug == "remove-dead-peer":
            watched.fleet[gone].lose_power()
            parameters = {"peer_ids": (gone,)}
        job = await watched.rehearsal.run(slug, **parameters)
        found = [] if job.state is JobState.SUCCEEDED else [f"ended {job.state}: {job.failure}"]
        for name in NAMES:
            saved = watched.fleet[name].cluster.saved()
            if name == gone:
                continue
            if saved.peers[: len(saved.listed)] != saved.listed:
                found.append(f"{name} has a hole in its list: {saved.peers}")
            if saved.master_address != watched.fleet["exp3"].address:
                found.append(f"{name} names {saved.master_address or 'nobody'} as primary")
        return found

    return run(story())


def the_index_is_not_moved(patch: pytest.MonkeyPatch) -> None:
    """The list closes up and the configuration master stays the number it was."""
    for module in (remove_peer, remove_dead_peer):
        honest = module.write_clustering

        def unmoved(*args: Any, honest: Any = honest, **more: Any) -> PlannedStep:
            return honest(*args, **{**more, "primary_index": None})

        patch.setattr(module, "write_clustering", unmoved)


def the_list_keeps_a_hole(patch: pytest.MonkeyPatch) -> None:
    """The field of who has gone is emptied, and the others stay where they are."""
    for module in (remove_peer, remove_dead_peer):
        honest = module.write_clustering

        def with_hole(*args: Any, honest: Any = honest, **more: Any) -> PlannedStep:
            kept = set(more["addresses"])
            holed = [address if address in kept else "" for address in more["extends"]]
            return honest(*args, **{**more, "addresses": holed, "primary_index": 3})

        patch.setattr(module, "write_clustering", with_hole)


# -- DIS: the primary leaves last


def the_primary_leaves_early() -> list[str]:
    """The order in which the lists of a cluster's members are emptied."""

    async def story() -> list[str]:
        watched = Watched(primary="exp2")
        await watched.record()
        left: list[str] = []

        def look(device: Expressway, _: str) -> None:
            if device.name not in left and not device.cluster.saved().listed:
                left.append(device.name)

        watched.seen.append(look)
        job = await watched.rehearsal.run("disband")
        found = [] if job.state is JobState.SUCCEEDED else [f"ended {job.state}: {job.failure}"]
        return found + ([f"left: {', '.join(left)}"] if left[-1:] != ["exp2"] else [])

    return run(story())


def the_primary_leaves_first(patch: pytest.MonkeyPatch) -> None:
    """The stages in another order, and nobody asks whether the others have left."""
    honest = HANDLERS["leave-cluster"]
    patch.setitem(HANDLERS, "leave-cluster", replace(honest, guard=None))
    swapped(patch, disband, "leaving-exp1", "primary")


# -- UPG: the primary first, one after the other; alarms ignored under way and gone at the end


def upgraded(fault: Fault | None = None) -> tuple[list[str], JobState, list[str]]:
    """The order in which peers take new software, how the job ended, alarms that stand then."""
    rehearsed = next(r for r in REHEARSED if r.procedure == "upgrade")

    async def story() -> tuple[list[str], JobState, list[str]]:
        stage = Rehearsed(replace(rehearsed, peers=3, members=3))
        await stage.set_out()
        order: list[str] = []

        def look(device: Expressway, _: str) -> None:
            if device.version == "X8.2" and device.name not in order:
                order.append(device.name)

        stage.fleet.on_change(look)
        if fault is not None:
            stage.fleet.faults.add(fault)
        stage.job_id = (await stage.start("upgrade", **rehearsed.parameters)).id
        job = await stage.see_to_the_end(stage.job_id)
        alarms = [alarm for device in stage.fleet for alarm in device.alarms.raised]
        together = [str(violation) for violation in stage.witness.violations]
        return order + together, job.state, alarms

    return run(story())


def upgraded_out_of_order() -> list[str]:
    """Primary first, the others as the list has them, never two at once."""
    order, state, alarms = upgraded()
    found = [] if state is JobState.SUCCEEDED else [f"ended {state}"]
    found += [f"alarms at the end: {alarms}"] if alarms else []
    return found + ([f"order {order}"] if order != [*NAMES] else [])


def an_alarm_is_left_behind() -> list[str]:
    """An alarm of clustering sticks: every peer is upgraded, and the job does not succeed."""
    order, state, alarms = upgraded(Fault(FaultKind.ALARM_STICKS, "exp1", "20004"))
    found = [] if order == [*NAMES] else [f"stopped under way, at {order}"]
    if alarms and state is JobState.SUCCEEDED:
        found.append(f"succeeded with alarms {alarms}")
    return found + ([] if alarms else ["no alarm stuck: nothing was looked at"])


def the_primary_is_upgraded_last(patch: pytest.MonkeyPatch) -> None:
    """The peers in another order."""
    honest = upgrade.outdated
    patch.setattr(upgrade, "outdated", lambda p, s: tuple(reversed(honest(p, s))))


def alarms_at_the_end_do_not_count(patch: pytest.MonkeyPatch) -> None:
    """What may be ignored under way is ignored at the end too."""
    honest = HANDLERS["alarms-cleared"]

    async def met(ctx: StepContext) -> Look:
        return Look(met=True)

    patch.setitem(HANDLERS, "alarms-cleared", replace(honest, look=met))


def alarms_under_way_count(patch: pytest.MonkeyPatch) -> None:
    """Alarms of clustering stop the upgrade behind its first peer."""
    honest = upgrade.alarms_cleared
    patch.setattr(
        upgrade,
        "alarms_cleared",
        lambda *args, **more: honest(*args, **{**more, "but_of_clustering": False}),
    )


def swapped(patch: pytest.MonkeyPatch, module: Any, one: str, other: str) -> None:
    """Two stages of a procedure change places."""
    honest = module.stages

    def stages(*args: Any) -> tuple[Stage, ...]:
        by_key = {stage.key: stage for stage in honest(*args)}
        places = {one: other, other: one}
        return tuple(by_key[places.get(key, key)] for key in by_key)

    patch.setattr(module, "stages", stages)


RULES = (
    Rule(
        "Two primaries never longer than the change itself: one group that nothing stops.",
        "CHM-02 CHM-08",
        primaries_stopped_between,
        (a_stop_between_the_writes, a_wait_between_the_writes),
    ),
    Rule(
        "A change of primary whose worker died is the first thing that is resumed.",
        "CHM-02",
        primaries_and_a_dead_worker,
        (a_wait_between_the_writes,),
    ),
    Rule(
        "Restarts one after the other, each waited for until the peer can be reached again.",
        "UPG-N-13 ADD-X-19 ADD-J-21 ADD-F-03 DIS-17",
        restarts_together,
        (restarts_are_not_waited_for, the_web_interface_is_not_waited_for),
    ),
    Rule(
        "One peer is added at a time: primary first, the new peer last, nothing replicated till it"
        " has joined.",
        "ADD-M-06 ADD-M-15 ADD-M-16",
        a_peer_is_added_out_of_order,
        (
            the_new_peer_is_told_first,
            the_members_are_told_before_the_primary,
            two_peers_are_added_at_once,
        ),
    ),
    Rule(
        "A live peer's removal leaves a list without holes, the primary's index moved along.",
        "RML-22 RML-23 RML-24",
        lambda: lists_after_a_removal("remove-peer", "exp1"),
        (the_index_is_not_moved, the_list_keeps_a_hole),
    ),
    Rule(
        "A dead peer's removal leaves a list without holes, the primary's index moved along.",
        "RMD-10 RMD-11 RMD-12",
        lambda: lists_after_a_removal("remove-dead-peer", "exp1"),
        (the_index_is_not_moved, the_list_keeps_a_hole),
    ),
    Rule(
        "A cluster that is disbanded loses its primary last.",
        "DIS-18 DIS-19",
        the_primary_leaves_early,
        (the_primary_leaves_first,),
    ),
    Rule(
        "The primary is upgraded first, then the others one at a time.",
        "UPG-03 UPG-04 UPG-05",
        upgraded_out_of_order,
        (the_primary_is_upgraded_last,),
    ),
    Rule(
        "Alarms of clustering may be ignored while an upgrade is under way and must be gone after.",
        "UPG-A-01 UPG-A-04 UPG-A-05 UPG-A-10 UPG-A-11",
        an_alarm_is_left_behind,
        (alarms_at_the_end_do_not_count, alarms_under_way_count),
    ),
)
PLANTED = [(rule, plant) for rule in RULES for plant in rule.plants]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.words)
def test_the_service_keeps_the_rule(rule):
    assert rule.broken() == []


@pytest.mark.parametrize(
    ("rule", "plant"), PLANTED, ids=lambda it: getattr(it, "__name__", getattr(it, "words", ""))
)
def test_a_planted_bug_that_breaks_the_rule_is_seen(rule, plant, monkeypatch):
    plant(monkeypatch)
    assert rule.broken() != []


def test_every_rule_cites_the_guide_and_has_a_plant():
    assert {name for rule in RULES for name in rule.requirements.split()} <= set(requirements())
    assert all(rule.plants for rule in RULES)
