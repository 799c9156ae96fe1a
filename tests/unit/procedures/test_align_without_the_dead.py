"""A cluster whose members differ while a member is dead: aligned without it, in one job."""

from app.domain.job import JobState
from tests.support.rehearsal import Rehearsal
from tests.unit.procedures.test_everyday import cluster_of, ended
from transports.mock.virtual_time import run


async def broken(dead: str, edited: str) -> Rehearsal:
    rehearsal = await cluster_of(3)
    rehearsal.fleet[edited].write(["Alternates", "Cluster", "Name"], "other.example.com")
    rehearsal.fleet[dead].lose_power()
    return rehearsal


def test_the_members_that_answer_agree_and_the_dead_primary_is_a_member_no_longer():
    async def story() -> None:
        rehearsal = await broken("exp1", "exp2")
        job = await rehearsal.run(
            "align-clustering", out_of_service_peer_ids=("exp1",), new_primary_peer_id="exp3"
        )
        assert ended(job) == (JobState.SUCCEEDED, ""), job.failure
        assert [member.id for member in rehearsal.cluster.members] == ["exp2", "exp3"]
        assert rehearsal.cluster.primary_id == "exp3"
        assert rehearsal.witness.disagreements("exp2", "exp3") == []
        assert rehearsal.witness.violations == []

    run(story())


def test_who_answers_is_not_left_out_and_a_primary_is_needed():
    async def story() -> tuple[set[str], set[str]]:
        rehearsal = await broken("exp1", "exp2")
        answers = await rehearsal.plan("align-clustering", out_of_service_peer_ids=("exp3",))
        headless = await rehearsal.plan("align-clustering", out_of_service_peer_ids=("exp1",))
        return {f.code for f in answers.blockers}, {f.code for f in headless.blockers}

    answers, headless = run(story())
    assert "peer-answers" in answers
    assert "primary-is-removed" in headless
