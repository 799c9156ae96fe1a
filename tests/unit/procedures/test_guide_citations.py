"""Every sentence of the guide about creating a cluster and adding a peer is satisfied somewhere."""

import pytest

from app.domain.plan import Plan
from app.guide import requirements
from tests.support.rehearsal import Rehearsal
from transports.mock.virtual_time import run


async def plans() -> tuple[Plan, Plan]:
    rehearsal = Rehearsal()
    create = await rehearsal.plan(
        "create-cluster",
        primary_peer_id="exp1",
        planned_peer_ids=("exp2", "exp3"),
        host_name="exp1",
        disconnect_remaining_calls=True,
    )
    await rehearsal.build_cluster(2)
    add = await rehearsal.plan("add-peer", peer_id="exp3", disconnect_remaining_calls=True)
    return create, add


def cited(plan: Plan) -> set[str]:
    return {r for step in plan.steps for r in step.requirements}


@pytest.mark.parametrize(("chapter", "which"), [("NEW-", 0), ("ADD-", 1)])
def test_every_requirement_of_the_chapter_is_cited_by_a_step_or_gate(chapter, which):
    plan = run(plans())[which]
    wanted = {r for r in requirements() if r.startswith(chapter)}
    assert wanted - cited(plan) == set()


@pytest.mark.parametrize("which", [0, 1])
def test_a_plan_cites_only_requirements_that_the_guide_has(which):
    plan = run(plans())[which]
    found = cited(plan) | {r for finding in plan.findings for r in finding.requirements}
    assert found - set(requirements()) == set()


@pytest.mark.parametrize("which", [0, 1])
def test_every_step_cites_at_least_one_requirement_and_has_a_key_of_its_own(which):
    plan = run(plans())[which]
    assert [step.key for step in plan.steps if not step.requirements] == []
    keys = [step.key for step in plan.steps]
    assert len(keys) == len(set(keys))


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
