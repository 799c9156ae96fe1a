"""Neighbours' zones follow the cluster: changed where we can, stated exactly where we cannot."""

from typing import Any

import pytest

from app.domain.job import JobState
from app.domain.neighbour import Neighbour, NeighbourKind
from app.domain.observation import Observation
from tests.support.rehearsal import CLUSTER, KEY, Rehearsal
from tests.unit.procedures.test_everyday import ended
from transports.mock.virtual_time import run

LONDON = Neighbour("n-london1", "cluster-1", "London C", NeighbourKind.NEIGHBOR, "to-edge", "out1")
TRUNK = Neighbour("n-cucm001", "cluster-1", "CUCM", NeighbourKind.OTHER, "trunk")


async def world(members: int, *, spare: int = 0, zone: dict[str, Any] | None = None) -> Rehearsal:
    """A cluster of so many, Expressways beside it, and out1 with a zone to the cluster."""
    names = [f"exp{n}" for n in range(1, members + spare + 1)]
    shown = {"name": "to-edge", "peers": [f"192.0.2.{10 + n}" for n in range(1, members + 1)]}
    rehearsal = Rehearsal(
        {
            "expressways": [
                *({"name": n, "address": f"192.0.2.{10 + i}"} for i, n in enumerate(names, 1)),
                {"name": "out1", "address": "192.0.2.50", "zones": [{**shown, **(zone or {})}]},
            ],
            "clusters": [{"name": CLUSTER, "key": KEY, "members": names[:members]}]
            if members
            else [],
        }
    )
    if members:
        await rehearsal.registry.record_members(tuple(names[:members]), "exp1")
    rehearsal.neighbours = (LONDON, TRUNK)
    return rehearsal


async def zone_at(rehearsal: Rehearsal, name: str = "out1") -> tuple[str, ...]:
    view = await rehearsal.observe(name)
    assert isinstance(view, Observation)
    return view.zones[0].addresses


@pytest.mark.parametrize("size", range(1, 7))
@pytest.mark.parametrize("stale", [(), ("192.0.2.11",), ("192.0.2.12", "192.0.2.11")])
def test_a_zone_holds_exactly_the_members_afterwards(size, stale):
    async def story() -> None:
        rehearsal = await world(size, spare=6 - size, zone={"peers": list(stale)})
        job = await rehearsal.run("update-neighbours")
        assert ended(job) == (JobState.SUCCEEDED, ""), job.failure
        members = tuple(f"192.0.2.{10 + n}" for n in range(1, size + 1))
        assert await zone_at(rehearsal) == members
        again = await rehearsal.run("update-neighbours", neighbour_ids=(LONDON.id,))
        assert [step.outcome for step in again.steps] == ["already_true"]
        assert rehearsal.witness.violations == []

    run(story())


def test_what_cannot_be_reached_is_stated_to_the_address():
    async def story() -> list[str]:
        rehearsal = await world(2)
        plan = await rehearsal.plan("update-neighbours", neighbour_ids=(TRUNK.id,))
        return [step.statement for step in plan.steps]

    assert run(story()) == [
        f"On CUCM the zone trunk for {CLUSTER} holds exactly: 192.0.2.11, 192.0.2.12."
    ]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": "other"}, "no Neighbor zone to-edge"),
        ({"type": "TraversalClient"}, "no Neighbor zone to-edge"),
        ({"peers": ["192.0.2.11", "198.51.100.9"]}, "not registered here: 198.51.100.9"),
    ],
)
def test_a_zone_that_may_be_another_one_is_left_to_people(change, why):
    async def story() -> tuple[list[str], list[str]]:
        rehearsal = await world(2, zone=change)
        plan = await rehearsal.plan("update-neighbours", neighbour_ids=(LONDON.id,))
        told = [finding.message for finding in plan.findings]
        return [step.kind for step in plan.steps], told

    kinds, told = run(story())
    assert kinds == ["attest"]
    assert any(why in message for message in told)


def test_a_zone_that_vanishes_meanwhile_ends_the_job_with_a_way_out():
    async def story() -> tuple[JobState, str]:
        rehearsal = await world(1, zone={"peers": []})
        device = rehearsal.fleet["out1"]
        rehearsal.when_step_starts(
            "neighbour-london-c-ondon1", lambda: device.configuration.delete("Zones Zone 1")
        )
        return ended(await rehearsal.run("update-neighbours"))

    assert run(story()) == (JobState.FAILED, "zone-missing")


def test_an_unknown_neighbour_is_refused():
    async def story() -> list[str]:
        plan = await (await world(1)).plan("update-neighbours", neighbour_ids=("n-nobody",))
        return [finding.code for finding in plan.blockers]

    assert run(story()) == ["neighbour-unknown"]


def test_every_change_of_members_takes_the_neighbours_along():
    async def story() -> list[tuple[str, ...]]:
        rehearsal = await world(0, spare=3, zone={"peers": []})
        zones = []
        for slug, parameters in (
            ("create-cluster", {"primary_peer_id": "exp1"}),
            ("add-peer", {"peer_id": "exp2"}),
            ("add-peer", {"peer_id": "exp3"}),
            ("remove-peer", {"peer_id": "exp2"}),
            ("change-peer-address", {"peer_id": "exp3", "new_address": "192.0.2.33"}),
            ("replace-peer", {"peer_id": "exp3", "replacement_peer_id": "exp2"}),
        ):
            job = await rehearsal.run(slug, **parameters)
            assert ended(job) == (JobState.SUCCEEDED, ""), (slug, job.failure)
            attested = {step.attestation for step in job.plan.steps}
            assert not any("london" in name for name in attested), slug
            zones.append(await zone_at(rehearsal))
        assert rehearsal.witness.violations == []
        return zones

    assert run(story()) == [
        ("192.0.2.11",),
        ("192.0.2.11", "192.0.2.12"),
        ("192.0.2.11", "192.0.2.12", "192.0.2.13"),
        ("192.0.2.11", "192.0.2.13"),
        ("192.0.2.11", "192.0.2.33"),
        ("192.0.2.11", "192.0.2.12"),
    ]


def test_neighbours_leave_out_the_dead_and_follow_who_keeps_the_name():
    async def story() -> list[tuple[str, ...]]:
        rehearsal = await world(3)
        rehearsal.fleet["exp3"].lose_power()
        zones = []
        for slug, parameters in (("remove-dead-peer", {"peer_ids": ("exp3",)}), ("disband", {})):
            job = await rehearsal.run(slug, **parameters)
            assert ended(job) == (JobState.SUCCEEDED, ""), (slug, job.failure)
            said = [step.statement for step in job.plan.steps if "CUCM" in step.statement]
            left = "192.0.2.11, 192.0.2.12" if slug == "remove-dead-peer" else "192.0.2.11"
            assert said == [f"On CUCM the zone trunk for {CLUSTER} holds exactly: {left}."]
            zones.append(await zone_at(rehearsal))
        assert rehearsal.witness.violations == []
        return zones

    assert run(story()) == [("192.0.2.11", "192.0.2.12"), ("192.0.2.11",)]


def test_a_name_that_nobody_keeps_leaves_every_zone_to_people():
    async def story() -> tuple[list[str], tuple[str, ...]]:
        rehearsal = await world(2)
        job = await rehearsal.run("disband", rename_primary=True)
        assert ended(job) == (JobState.SUCCEEDED, ""), job.failure
        said = [step.statement for step in job.plan.steps if "the zone" in step.statement]
        return said, await zone_at(rehearsal)

    rest = f"for {CLUSTER} is removed, or changed to suit the Expressways that now stand alone."
    assert run(story()) == (
        [f"On London C (out1) the zone to-edge {rest}", f"On CUCM the zone trunk {rest}"],
        ("192.0.2.11", "192.0.2.12"),
    )
