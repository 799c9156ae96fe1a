"""Every alarm of pages 27 and 28, and every remedy for it, is a step or gate of some procedure."""

from app.guide import requirements
from app.guide.rehearsing import plans
from app.guide.scenarios import REHEARSED

REMEDIES = {"force-config-update", "align-clustering", "recover-database", "upgrade"}


def test_the_alarms_of_the_guide_are_all_cited():
    made = plans([r for r in REHEARSED if r.procedure in REMEDIES])
    cited = {r for plan in made for step in plan.steps for r in step.requirements}
    assert {r for r in requirements() if r.startswith("ALM-")} - cited == set()
    assert cited - set(requirements()) == set()


def test_every_step_of_a_rehearsed_procedure_cites_the_guide_and_has_a_key_of_its_own():
    for plan in plans():
        keys = [step.key for step in plan.steps]
        assert len(keys) == len(set(keys)), plan.procedure
        assert [step.key for step in plan.steps if not step.requirements] == [], plan.procedure
