"""Every sentence of the guide that a procedure is about is satisfied somewhere in its plans."""

from functools import cache

import pytest

from app.domain.plan import Plan
from app.guide import requirements
from app.guide.scenarios import REHEARSED, Rehearsed
from app.procedures.registry import PROCEDURES
from tests.support.rehearsal import Rehearsal
from transports.mock.virtual_time import run

BY_STEPS = ("NEW-", "ADD-")
"""Chapters of which each sentence is satisfied by a step or a gate."""

BY_ANYTHING = ("RML-", "RMD-", "DIS-", "CHM-", "CIP-", "REP-")
"""Chapters that also say which procedure is for whom: those sentences are findings."""

MORE = (
    Rehearsed(
        "remove-peer", {"peer_id": "exp1"}, members=3, off=("exp2",), name="a primary, one dead"
    ),
    Rehearsed("remove-peer", {"peer_id": "exp2"}, members=3, off=("exp2",), name="dead"),
    Rehearsed("remove-dead-peer", {"peer_ids": ("exp1", "exp2")}, members=3, name="live"),
    Rehearsed("disband", {}, members=3, off=("exp3",), name="one dead"),
    Rehearsed("change-primary", {"peer_id": "exp2"}, members=3, off=("exp1",), name="dead"),
    Rehearsed("recover-removed-peer", {"peer_id": "exp3"}, members=2),
    Rehearsed("recover-removed-peer", {"peer_id": "exp3"}, members=2, off=("exp3",), name="dead"),
    Rehearsed(
        "replace-peer",
        {"peer_id": "exp1", "replacement_peer_id": "exp3"},
        members=2,
        name="primary",
    ),
)
"""Situations beside the catalogue's: refused ones, and what only a missing peer shows."""

ROWS = {
    f"{number} {row.title}": row
    for number, row in enumerate((*(r for r in REHEARSED if r.procedure in PROCEDURES), *MORE))
}


async def planned(row: Rehearsed) -> Plan:
    rehearsal = Rehearsal(row.scenario)
    names = tuple(rehearsal.peers)[: row.members]
    if names:
        await rehearsal.registry.record_members(names, names[0])
    for name in row.off:
        rehearsal.fleet[name].lose_power()
    return await rehearsal.plan(row.procedure, **row.parameters)


@cache
def plan_of(title: str) -> Plan:
    return run(planned(ROWS[title]))


def by_steps(plan: Plan) -> set[str]:
    """What steps and gates cite."""
    return {r for step in plan.steps for r in step.requirements}


def cited(plan: Plan) -> set[str]:
    """What steps, gates and findings cite."""
    return by_steps(plan) | {r for finding in plan.findings for r in finding.requirements}


def sentences(chapter: str) -> set[str]:
    wanted = {r for r in requirements() if r.startswith(chapter)}
    assert wanted
    return wanted


@pytest.mark.parametrize("chapter", BY_STEPS)
def test_every_requirement_of_the_chapter_is_cited_by_a_step_or_gate(chapter):
    assert sentences(chapter) - {r for title in ROWS for r in by_steps(plan_of(title))} == set()


@pytest.mark.parametrize("chapter", BY_ANYTHING)
def test_every_requirement_of_the_chapter_is_cited_by_a_step_gate_or_finding(chapter):
    assert sentences(chapter) - {r for title in ROWS for r in cited(plan_of(title))} == set()


@pytest.mark.parametrize("title", ROWS)
def test_a_plan_cites_only_requirements_that_the_guide_has(title):
    assert cited(plan_of(title)) - set(requirements()) == set()


@pytest.mark.parametrize("title", ROWS)
def test_every_step_cites_at_least_one_requirement_and_has_a_key_of_its_own(title):
    plan = plan_of(title)
    assert [step.key for step in plan.steps if not step.requirements] == []
    assert [f.code for f in plan.findings if not f.requirements] == []
    keys = [step.key for step in plan.steps]
    assert len(keys) == len(set(keys))
    gates = [step.attestation for step in plan.steps if step.attestation]
    assert len(gates) == len(set(gates))


def test_the_same_situation_gives_the_same_digest_and_a_changed_one_another():
    async def digests() -> tuple[str, str, str]:
        rehearsal = Rehearsal()
        first = await rehearsal.plan("create-cluster", primary_peer_id="exp1")
        again = await rehearsal.plan("create-cluster", primary_peer_id="exp1")
        await rehearsal.appliance("exp1").write(("SystemUnit Name", "renamed"))
        changed = await rehearsal.plan("create-cluster", primary_peer_id="exp1")
        return first.digest, again.digest, changed.digest

    first, again, changed = run(digests())
    assert first == again
    assert first != changed
