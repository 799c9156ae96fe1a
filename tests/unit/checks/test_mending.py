"""The request that a diagnosis offers mends what it names: planned, run, and looked at again.

Every broken fleet whose first cause comes with a procedure of this service is mended by that
procedure with just the offered parameters; afterwards the diagnosis finds the cluster well.
"""

from __future__ import annotations

import asyncio

import pytest

from app.checks.diagnosis import Case, Diagnosis, diagnose
from app.domain.cluster import Cluster
from app.domain.job import JobState
from app.procedures.registry import PROCEDURES
from app.services.diagnosis import missing
from tests.support.rehearsal import CLUSTER, Rehearsal
from tests.unit.checks.test_diagnosis import (
    BROKEN,
    LONG_ENOUGH,
    Broken,
    look_at,
    scenario_of,
)
from transports.mock.virtual_time import run

BY_A_PERSON = {
    "registry-differs": "a person says which of the two is right",
    "software-versions-differ": "a person brings the software",
    "database-failure": "a person names the backup to restore",
}
MENDED = [
    broken for broken in BROKEN if broken.mended_by in PROCEDURES and broken.code not in BY_A_PERSON
]


async def judged(rehearsal: Rehearsal) -> Diagnosis:
    reach = {
        (one.name, other.name): rehearsal.fleet.reachable(one, other) and other.up
        for one in rehearsal.fleet
        for other in rehearsal.fleet
        if one is not other and one.up
    }
    views = {peer.id: await rehearsal.observe(peer.id) for peer in rehearsal.cluster.members}
    return diagnose(Case(rehearsal.cluster, views, None, reach))


@pytest.mark.parametrize("broken", MENDED, ids=lambda broken: broken.title)
def test_what_the_diagnosis_offers_mends_the_cluster(broken: Broken) -> None:
    async def story() -> tuple[Diagnosis, list[str], list[str]]:
        rehearsal = Rehearsal(scenario_of(broken))
        members = tuple(rehearsal.peers.values())
        rehearsal.cluster = Cluster("cluster-1", CLUSTER, members, members[0].id)
        broken.break_it(rehearsal.fleet)
        await asyncio.sleep(LONG_ENOUGH)
        first = (await judged(rehearsal)).causes[0]
        mend = first.mends[0]
        assert missing(PROCEDURES[mend.procedure], mend.parameters) == (), mend
        rehearsal.fleet.faults.clear()
        rehearsal.witness.violations.clear()
        job = await rehearsal.run(mend.procedure, **mend.parameters)
        assert job.state is JobState.SUCCEEDED, (job.failure, job.wait)
        await asyncio.sleep(LONG_ENOUGH)
        after = await judged(rehearsal)
        return after, [c.finding.message for c in after.causes], rehearsal.witness.violations

    after, left, violations = run(story())
    assert after.healthy, left
    assert violations == []


def test_what_only_a_person_can_decide_is_offered_with_its_condition() -> None:
    for broken in (b for b in BROKEN if b.code in BY_A_PERSON):
        (mend,) = look_at(broken).causes[0].mends
        assert mend.when, broken.title
        assert missing(PROCEDURES[mend.procedure], mend.parameters) is not None, mend


def test_an_offer_says_what_only_the_caller_knows() -> None:
    recover = PROCEDURES["recover-database"]
    assert missing(recover, {"peer_id": "exp3"}) == ("backup_id",)
    assert missing(recover, {"peer_id": "exp3", "backup_id": "b", "purge": True}) is None
    assert missing(recover, {"peer": "exp3"}) is None
