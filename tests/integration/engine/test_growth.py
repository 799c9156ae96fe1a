"""What is asked again and again is answered by an index, so it takes no longer when much is stored.

How long it takes is measured by `python -m bench.growth`; here the server is asked how it would
find the rows if it had many. A time that changes while a statement runs (`clock_timestamp()`) can
never be looked up in an index, which is how most of these were slow once.
"""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from app.domain.job import JobState
from app.engine.records import STEP_PROGRESS, Leave, NewEvent
from app.services.evidence_records import Sealed
from app.storage import evidence, liveness, retention
from app.storage.database import connect
from app.storage.desk import _LIST, _WHERE
from app.storage.evidence import EvidenceRows
from app.storage.retention import _FREE
from tests.support.engine_bench import EPOCH, new_job, step
from tests.support.journals import postgres_place

pytestmark = pytest.mark.postgres


def listed(condition: str) -> str:
    return _LIST.format(where=f"where {_WHERE[condition]}")


ASKED: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "what is to be sealed": (evidence._UNSEALED, {"age": 45.0, "limit": 20}, "job_unsealed", "<"),
    "what is due": (liveness._DUE, {"late": 3.0}, "job_due", "wake_at <"),
    "what retention may take": (
        f"select id from job where {_FREE} order by finished_at limit 1",
        {"keep": "365 days"},
        "job_ended",
        "finished_at <",
    ),
    "plans to prune": (
        f"{retention._OLD['plans']} limit 10",
        {"keep": "30 days"},
        "plan_created",
        "created_at <",
    ),
    "jobs of a procedure": (
        listed("procedure"),
        {"procedure": "upgrade", "limit": 51},
        "job_of_procedure",
        "procedure =",
    ),
    "jobs of a state": (listed("state"), {"state": "failed", "limit": 51}, "job_state", "state ="),
    "jobs of a change": (
        listed("details"),
        {"details": Jsonb({"change": {"number": "CHG1"}}), "limit": 51},
        "job_details",
        "details @>",
    ),
}

OTHERS = """
select indexname as name from pg_indexes where tablename = 'job' and indexname <> %s
    and indexname in ('job_state', 'job_ended', 'job_unsealed', 'job_due', 'job_of_procedure')
"""


@pytest.mark.parametrize("question", ASKED)
async def test_it_is_looked_up_and_not_searched_for(question: str, database_url: str) -> None:
    statement, values, index, condition = ASKED[question]
    async with await connect(database_url) as connection:
        # Tables are empty in tests, where any index is as good as another, or none.
        await connection.execute("set enable_seqscan = off")
        for other in await (await connection.execute(OTHERS, [index])).fetchall():
            await connection.execute(f"drop index {other['name']}".encode())
        rows = await (await connection.execute(f"explain {statement}".encode(), values)).fetchall()
    plan = "\n".join(str(row["QUERY PLAN"]) for row in rows)
    assert index in plan, plan
    conditions = [line for line in plan.splitlines() if "Index Cond" in line]
    assert any(condition in line for line in conditions), plan


def sealed_at(seq: int) -> Sealed:
    return Sealed("job-1", EPOCH, "digest", "key", seq, "", b"", pruned=False)


async def test_a_job_is_to_be_sealed_once_and_again_when_it_went_on(database_url: str) -> None:
    async with postgres_place(database_url) as place:
        await place.create(new_job(step("a")))
        job = await place.claim()
        await place.journal.record(job.lease, job.steps[0], [NewEvent(STEP_PROGRESS)])
        ended = await place.journal.leave(job.lease, Leave(JobState.FAILED))
        rows = EvidenceRows(place.journal._pool)  # type: ignore[attr-defined]
        assert await rows.unsealed(-1.0, 10) == ("job-1",)
        await rows.keep(sealed_at(ended.last_event_seq - 1))
        assert await rows.unsealed(-1.0, 10) == ("job-1",), "not all of its events are in there"
        await rows.keep(sealed_at(ended.last_event_seq))
        assert await rows.unsealed(-1.0, 10) == ()
        await place.journal.retry("job-1", by="key-1")
        assert await rows.unsealed(-1.0, 10) == (), "it has not ended"
        job = await place.claim()
        await place.journal.leave(job.lease, Leave(JobState.FAILED))
        assert await rows.unsealed(-1.0, 10) == ("job-1",)
