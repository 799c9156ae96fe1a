"""What the report takes from watching."""

from datetime import UTC, datetime

from app.checks.report import Outcome
from app.services.checks import lost_since, stated
from app.services.watch_records import Standing
from simulation.rehearsal import Rehearsal
from tests.unit.checks.every_check import outcome
from tests.unit.checks.fleet_bench import Bench
from transports.mock.virtual_time import run

THEN = datetime(2026, 3, 1, tzinfo=UTC)


def test_the_two_weeks_count_from_when_watching_first_saw_the_peer_lost():
    standing = [
        Standing("a", "silence", "peer-2", {"code": "peer-down"}, THEN),
        Standing("b", "finding", "peer-3", {"code": "h323-off"}, THEN),
        Standing("c", "finding", None, {"code": "peer-down"}, THEN),
        Standing("d", "silence", "peer-4", {"code": "peer-down"}, None),
    ]
    assert lost_since(standing) == {"peer-2": THEN}


def test_what_operators_stated_in_jobs_settles_the_same_unknown_later():
    async def story():
        on = Bench(Rehearsal())
        on.can_ping = False
        await on.rehearsal.build_cluster(3)
        before = await on.report()
        jobs = await on.rehearsal.journal.list_jobs(on.rehearsal.all_jobs)
        on.stated = stated(jobs.items)
        return before, await on.report(), {job.id for job in jobs.items}

    before, after, job_ids = run(story())
    for key in ("direct-routing", "firewalls", "round-trips"):
        assert outcome(before, key)[0] is Outcome.UNKNOWN
        settled, (entry,) = outcome(after, key)
        assert settled is Outcome.PASS
        (finding,) = entry.findings
        assert finding.evidence["stated_by"] == "Ann Operator"
        assert finding.evidence["job"] in job_ids
