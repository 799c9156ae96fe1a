"""Odd parameters on odd fleets: a clear refusal with rule and remedy, or a consistent cluster.

Every procedure is asked for every peer that might be meant wrongly (the primary, the last member, a
stranger, a dead one, the same one twice) on clusters of one, two and six, with dead members, and
with a hole in everybody's list. Plans are pure, so all of them are made; what no finding forbids is
then carried out, and the fleet is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from app.domain.job import JobState
from app.domain.plan import Plan
from app.guide import requirements
from app.procedures.registry import PROCEDURES
from simulation.rehearsal import CLUSTER, KEY, Rehearsal
from transports.mock.virtual_time import run

ADDRESSES = ("192.0.2.11", "2001:db8::5", "not-an-address", "127.0.0.1", "0.0.0.0", "224.0.0.1",
             "192.0.2.256", "", " 192.0.2.98")  # fmt: skip
"""None of them can be a new LAN 1 address; the first is that of a member."""

Asked = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Odd:
    """A cluster of `size` with exp1 as primary, one stranger beside it, and what is wrong."""

    size: int
    dead: tuple[str, ...] = ()
    hole: bool = False

    def __str__(self) -> str:
        what = f" without {' '.join(self.dead)}" if self.dead else ""
        return f"{self.size}{what}{' and a hole' if self.hole else ''}"

    @property
    def members(self) -> tuple[str, ...]:
        return tuple(f"exp{n}" for n in range(1, self.size + 1))

    @property
    def stranger(self) -> str:
        return f"exp{self.size + 1}"

    async def rehearsal(self) -> Rehearsal:
        names = (*self.members, self.stranger)
        devices = [
            {"name": name, "address": f"192.0.2.{n}"} for n, name in enumerate(names, start=11)
        ]
        cluster = {"name": CLUSTER, "key": KEY, "members": list(self.members)}
        rehearsal = Rehearsal({"expressways": devices, "clusters": [cluster]})
        await rehearsal.registry.record_members(self.members, "exp1")
        for name in self.dead:
            rehearsal.fleet[name].lose_power()
        for name in self.members if self.hole else ():
            device = rehearsal.fleet[name]
            last = f"192.0.2.{10 + self.size}"
            device.configuration.put(f"Alternates Peer {self.size + 1} Address", last)
            device.configuration.put(f"Alternates Peer {self.size} Address", "")
            device.after_configuration()
        return rehearsal


ODD = (
    Odd(1), Odd(1, ("exp1",)), Odd(2), Odd(2, ("exp1",)), Odd(2, ("exp1", "exp2")),
    Odd(3, hole=True), Odd(6, ("exp6",)), Odd(6, ("exp1", "exp6")), Odd(6, ("exp2", "exp3")),
)  # fmt: skip


def asked_of(odd: Odd) -> Iterator[Asked]:
    """Everything that is asked of one fleet."""
    primary, last = odd.members[0], odd.members[-1]
    meant = tuple(dict.fromkeys((primary, last, odd.stranger, *odd.dead)))
    for peer in meant:
        yield from _of_one(odd, peer)
        for other in meant:
            parameters = {"peer_id": peer, "replacement_peer_id": other}
            yield "replace-peer", parameters
            yield "replace-peer", {**parameters, "new_primary_peer_id": last}
            yield "remove-peer", {"peer_id": peer, "new_primary_peer_id": other}
            yield "remove-dead-peer", {"peer_ids": (peer,), "new_primary_peer_id": other}
            yield "remove-dead-peer", {"peer_ids": (peer, other)}
            yield "align-clustering", {"out_of_service_peer_ids": (peer, other)}
    everyone = odd.members[:6]
    yield "remove-dead-peer", {"peer_ids": everyone, "new_primary_peer_id": last}
    yield "maintenance-mode", {"peer_ids": everyone, "enabled": True}
    for slug in ("disband", "align-clustering", "rotate-pre-shared-key", "backup"):
        yield slug, {}
    yield "upgrade", {"to_version": "X8.2", "image": "gone.tar.gz"}


def _of_one(odd: Odd, peer: str) -> Iterator[Asked]:
    for slug in ("add-peer", "remove-peer", "change-primary", "restart-peer",
                 "force-config-update", "recover-removed-peer"):  # fmt: skip
        yield slug, {"peer_id": peer}
    yield "create-cluster", {"primary_peer_id": peer, "planned_peer_ids": (peer, peer)}
    yield "backup", {"peer_ids": (peer, peer)}
    yield "maintenance-mode", {"peer_ids": (peer, peer), "enabled": True}
    yield "maintenance-mode", {"peer_ids": (peer, peer), "enabled": False}
    for address in (*ADDRESSES, "192.0.2.99"):
        yield "change-peer-address", {"peer_id": peer, "new_address": address}
    moved = {"peer_id": peer, "new_address": "192.0.2.99", "new_primary_peer_id": odd.members[-1]}
    yield "change-peer-address", moved


def told(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in parameters.items())


def unclear(plan: Plan) -> list[str]:
    """Refusals that do not say which rule of the guide forbids it and what to do."""
    return [
        f"{finding.code}: {finding.message}"
        for finding in plan.blockers
        if not (finding.code and finding.message and finding.remedy)
        or not finding.requirements
        or not set(finding.requirements) <= set(requirements())
    ]


async def carried_out(odd: Odd, slug: str, parameters: Mapping[str, Any]) -> list[str]:
    """What is wrong with the fleet, or with how the job ended."""
    rehearsal = await odd.rehearsal()
    job = await rehearsal.run(slug, **parameters)
    await rehearsal.fleet.clock.sleep(900.0)
    found = [str(violation) for violation in rehearsal.witness.violations]
    members = rehearsal.cluster.members
    found += rehearsal.witness.disagreements(*(member.id for member in members))
    for member in members:
        device = rehearsal.fleet[member.id]
        saved = device.cluster.saved()
        if device.up and (holed := saved.peers[: len(saved.listed)] != saved.listed):
            found += [f"{member.id} has a hole in its list"] if holed and not odd.hole else []
        if device.up and saved.listed != tuple(peer.address for peer in members):
            found.append(f"{member.id} lists {saved.listed}")
    if job.state is not JobState.SUCCEEDED:
        found.append(f"{job.state}: {job.failure}")
    return found


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_what_is_odd_is_refused_with_its_rule_or_ends_in_a_consistent_cluster(odd):
    async def story() -> tuple[list[str], int, int]:
        rehearsal = await odd.rehearsal()
        situation = await rehearsal.situation()
        wrong, refused, ran = [], 0, 0
        for slug, parameters in {f"{s} {told(p)}": (s, p) for s, p in asked_of(odd)}.values():
            plan = rehearsal.plan_over(situation, slug, parameters)
            if plan.blockers:
                refused += 1
                wrong += [f"{slug}, {told(parameters)}: {what}" for what in unclear(plan)]
                continue
            ran += 1
            found = await carried_out(odd, slug, parameters)
            wrong += [f"{slug}, {told(parameters)}: {what}" for what in found]
        return wrong, refused, ran

    wrong, refused, ran = run(story())
    assert wrong == []
    assert refused > 20
    assert ran > 0 or not set(odd.members) - set(odd.dead)


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_peer_gets_an_address_that_cannot_be_one(address):
    async def story() -> list[str]:
        rehearsal = await Odd(2).rehearsal()
        plan = await rehearsal.plan("change-peer-address", peer_id="exp2", new_address=address)
        return [str(finding.pointer) for finding in plan.blockers]

    assert "/new_address" in run(story())


def test_every_procedure_that_takes_a_peer_is_asked():
    asked = {slug for odd in ODD for slug, _ in asked_of(odd)}
    assert set(PROCEDURES) - asked == {"recover-database", "update-neighbours"}
