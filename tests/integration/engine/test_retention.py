"""Retention on PostgreSQL: what goes, what never does, and that nobody notices."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.domain.job import JobState
from app.engine.clock import SystemClock
from app.engine.records import STEP_PROGRESS, Leave, NewEvent
from app.security.signing import read_public_keys
from app.security.vault import Vault
from app.services.evidence import EvidenceService
from app.services.evidence_check import check
from app.services.evidence_records import RetentionHold
from app.services.problems import Problem
from app.services.retention import KINDS, Keep, RetentionService
from app.storage.backups import BackupArchive
from app.storage.database import connect, resource_engine
from app.storage.engine import PostgresEngine, open_engine
from app.storage.evidence import EvidenceRows
from app.storage.retention import BATCH, Retention
from app.storage.store import PostgresStore
from app.storage.transcripts import Transcripts
from tests.integration.engine.test_transcripts import entry
from tests.integration.engine.test_workers import PATIENCE, acted, process, start, until, working
from tests.support.archive_suite import produce
from tests.support.engine_bench import new_job, step
from tests.support.journals import register
from tests.support.worker_process import acts

pytestmark = pytest.mark.postgres
OLD = timedelta(0)
YEARS = timedelta(days=3650)
NOTHING = Keep(YEARS, YEARS, YEARS, YEARS, YEARS, YEARS, YEARS, YEARS, 1000)
EVERYTHING = Keep(OLD, OLD, OLD, OLD, OLD, OLD, OLD, OLD, 1)


@dataclass
class Yard:
    """An engine on a database, with what prunes it and what proves it."""

    url: str
    engine: PostgresEngine
    evidence: EvidenceService
    rows: Retention
    archive: BackupArchive
    retention: RetentionService

    async def ended(self, number: int = 1, events: int = 1, **more: Any) -> str:
        """A job of a cluster and a peer of its own that has ended, with many events."""
        new = new_job(
            step("a", peer_id=f"peer-{number}"),
            job_id=f"job-{number}",
            cluster=f"cluster-{number}",
            **more,
        )
        await register(self.url, new)
        await self.engine.journal.create(new)
        job = await self.engine.journal.claim(new.id, "w")
        assert job is not None
        told = [NewEvent(STEP_PROGRESS, {"note": str(n)}) for n in range(500)]
        for begin in range(0, events, 500):
            await self.engine.journal.record(job.lease, job.steps[0], told[: events - begin])
        await Transcripts(self.engine.pool).append(
            [entry(n, notebook=new.id, job=new.id) for n in range(1, 4)]
        )
        await self.engine.journal.leave(job.lease, Leave(JobState.FAILED))
        return new.id

    async def count(self, table: str, job_id: str) -> int:
        async with await connect(self.url) as connection:
            column = "id" if table == "job" else "job_id"
            row = await (
                await connection.execute(
                    f"select count(*) as n from {table} where {column} = %s".encode(), [job_id]
                )
            ).fetchone()
            assert row is not None
            return int(row["n"])

    async def proven(self, job_id: str) -> dict[str, Any]:
        document = json.loads(await self.evidence.document(job_id))
        keys = {"keys": [key.jwk for key in await self.evidence.keys()]}
        wrong = [one for one in check(document, read_public_keys(json.dumps(keys))) if not one.good]
        assert wrong == []
        sections: dict[str, Any] = document["sections"]
        return sections


@pytest.fixture
async def yard(database_url: str) -> AsyncIterator[Yard]:
    resources = resource_engine(database_url)
    vault, clock = Vault({"k1": bytes(32)}), SystemClock()
    async with open_engine(database_url) as engine:
        store = PostgresStore(resources, engine.desk_on)
        archive = BackupArchive(engine.pool, vault)
        evidence = EvidenceService(
            store=store,
            rows=EvidenceRows(engine.pool),
            transcripts=Transcripts(engine.pool),
            backups=archive,
            vault=vault,
            clock=clock,
            version="1",
        )
        rows = Retention(engine.pool)
        yield Yard(
            database_url, engine, evidence, rows, archive,
            RetentionService(rows, store, clock, EVERYTHING, 0),
        )  # fmt: skip
    await resources.dispose()


async def test_what_is_young_stays(yard: Yard) -> None:
    job_id = await yard.ended()
    await yard.evidence.seal(job_id)
    young = replace(yard.retention, keep=NOTHING)
    assert not any((await young.would_go()).values())
    assert not any((await young.prune()).values())
    assert await yard.count("job_event", job_id) > 0


async def test_nothing_goes_of_a_job_that_is_not_sealed_or_has_not_ended_or_is_on_hold(
    yard: Yard,
) -> None:
    unsealed, held = await yard.ended(1), await yard.ended(2)
    await yard.evidence.seal(held)
    await yard.rows.hold(RetentionHold(held, "a case", "key-1", datetime.now(UTC)))
    new = new_job(step("a", peer_id="peer-3"), job_id="job-3", cluster="cluster-3")
    await register(yard.url, new)
    await yard.engine.journal.create(new)
    kept = [await yard.count("job_event", job) for job in (unsealed, held, "job-3")]
    assert not any((await yard.retention.prune()).values())
    assert [await yard.count("job_event", job) for job in (unsealed, held, "job-3")] == kept
    assert await yard.rows.release(held)
    assert (await yard.retention.prune())["events"] == kept[1]


async def test_evidence_is_as_provable_after_pruning_as_before(yard: Yard) -> None:
    job_id = await yard.ended(events=1700)
    await yard.evidence.seal(job_id)
    before = await yard.evidence.document(job_id)
    rules = replace(yard.retention, keep=replace(EVERYTHING, evidence=YEARS))
    would = await rules.would_go()
    gone = await rules.prune()
    # A plan goes once its job is gone, in the same pass.
    assert (would | {"plans": 1}, would["plans"]) == (gone, 0)
    assert gone["events"] > 1700
    assert gone["transcripts"] == 3
    assert gone["jobs"] == 1
    for table in ("job", "job_event", "job_transcript", "job_step"):
        assert await yard.count(table, job_id) == 0
    assert await yard.evidence.document(job_id) == before
    assert (await yard.retention.prune())["evidence"] == 1
    with pytest.raises(Problem, match="not-found"):
        await yard.evidence.document(job_id)


async def test_a_job_that_goes_on_after_it_was_pruned_is_proven_whole(yard: Yard) -> None:
    job_id = await yard.ended(events=10)
    await yard.evidence.seal(job_id)
    rules = replace(yard.retention, keep=replace(EVERYTHING, jobs=YEARS, evidence=YEARS))
    assert (await rules.prune())["events"] > 10
    assert await yard.count("job_event", job_id) == 0
    earlier = len((await yard.proven(job_id))["events"])
    await yard.engine.journal.retry(job_id, by="Ann")
    job = await yard.engine.journal.claim(job_id, "w2")
    assert job is not None
    await Transcripts(yard.engine.pool).append([entry(1, notebook="second")])
    await yard.engine.journal.leave(job.lease, Leave(JobState.FAILED))
    assert not any((await rules.prune()).values())  # not sealed as it is now
    await yard.evidence.seal(job_id)
    sections = await yard.proven(job_id)
    assert len(sections["events"]) > earlier
    assert len(sections["transcript"]) == 4
    assert (await rules.prune())["events"] > 0
    assert await yard.proven(job_id) == sections


async def test_ten_thousand_events_go_while_a_job_of_another_cluster_runs(
    yard: Yard, tmp_path: Path
) -> None:
    old = await yard.ended(events=10_000)
    await yard.evidence.seal(old)
    device = tmp_path / "device"
    rules = replace(yard.retention, keep=replace(EVERYTHING, jobs=YEARS, evidence=YEARS))
    async with working(yard.engine, device):
        steps = [step(f"s{n}", peer_id="peer-of-live", params={"takes": 0.05}) for n in range(20)]
        await start(yard.engine, yard.url, *steps, job_id="live")
        pruning = asyncio.create_task(rules.prune())
        job = await until(yard.engine, JobState.SUCCEEDED, "live")
        async with asyncio.timeout(PATIENCE):
            gone = await pruning
    assert gone["events"] > 10_000
    assert gone["events"] // BATCH >= 10
    assert acts(device) == [f"s{n}" for n in range(20)]
    assert await yard.count("job_event", "live") == job.last_event_seq
    assert len((await yard.proven(old))["events"]) > 10_000


async def test_one_process_prunes_at_a_time(yard: Yard) -> None:
    await yard.evidence.seal(await yard.ended())
    async with await connect(yard.url) as other, other.transaction():
        await other.execute("select pg_advisory_xact_lock(%s)", [0x636C770A])
        assert not any((await yard.retention.prune()).values())
    assert any((await yard.retention.prune()).values())


async def test_only_retention_deletes_events(yard: Yard) -> None:
    job_id = await yard.ended()
    async with await connect(yard.url) as connection:
        for table in ("job_event", "job_transcript"):
            with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                await connection.execute(f"delete from {table}".encode())
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            await connection.execute("delete from job where id = %s", [job_id])


async def test_backups_go_by_number_and_never_those_that_are_needed(yard: Yard) -> None:
    for number in range(1, 4):
        job_id = await yard.ended(number)
        await yard.archive.of(job_id).receive("old", "peer-shared", produce(b"x" * 300_000))
        await yard.archive.of(job_id).receive("own", f"peer-{number}", produce(b"y"))
    held = (await yard.archive.of_job("job-1"))[0]
    await yard.rows.hold(RetentionHold("job-1", "a case", "key-1", datetime.now(UTC)))
    rules = replace(yard.retention, keep=replace(NOTHING, backups_per_peer=1))
    assert (await rules.would_go())["backups"] == 1
    await rules.prune()
    found = [await yard.archive.of_job(f"job-{n}") for n in range(1, 4)]
    kept = {(backup.job_id, backup.step_key) for of_job in found for backup in of_job}
    own = {(f"job-{n}", "own") for n in range(1, 4)}
    assert kept == own | {("job-1", "old"), ("job-3", "old")}
    async with await connect(yard.url) as connection:
        rows = await (
            await connection.execute("select distinct backup_id from backup_chunk")
        ).fetchall()
        assert len(rows) == len(kept)
    assert [piece async for piece in yard.archive.read(held.id)]


async def test_a_job_stays_while_its_backups_do(yard: Yard) -> None:
    job_id = await yard.ended()
    await yard.archive.of(job_id).receive("b", "peer-1", produce(b"only one"))
    await yard.evidence.seal(job_id)
    gone = await yard.retention.prune()
    assert (gone["events"] > 0, gone["jobs"], gone["backups"]) == (True, 0, 0)


_BULK = """
insert into bulk_job (id, procedure, parameters, selector, wave_size, stop_after, request,
    owner_id, owner_name, scopes, cluster_ids, state, created_at, finished_at)
values (%(id)s, 'backup', '{}', '{}', 1, 1, '{}',
    'key-1', 'ann', '[]', array[%(cluster)s], %(state)s, now(),
    case when %(state)s <> 'running' then now() end)
"""
_CHILD = """
insert into bulk_child (bulk_id, cluster_id, position, wave, state, job_id)
values (%(id)s, %(cluster)s, 0, 0, 'started', %(job)s)
"""


async def test_a_bulk_job_goes_behind_its_jobs_and_once_it_has_ended(yard: Yard) -> None:
    sealed, unsealed = await yard.ended(1), await yard.ended(2)
    await yard.evidence.seal(sealed)
    async with await connect(yard.url) as connection:
        for name, number, job, state in (
            ("of-sealed", 1, sealed, "failed"),
            ("of-unsealed", 2, unsealed, "failed"),
            ("without-jobs", 1, None, "running"),
        ):
            values = {"id": name, "cluster": f"cluster-{number}", "job": job, "state": state}
            await connection.execute(_BULK, values)
            if job is not None:
                await connection.execute(_CHILD, values)
    young = replace(yard.retention, keep=replace(EVERYTHING, bulk_jobs=YEARS))
    assert (await young.prune())["bulk_jobs"] == 0
    gone = await yard.retention.prune()
    assert gone["bulk_jobs"] == 1
    async with await connect(yard.url) as connection:
        left = await (await connection.execute("select id from bulk_job order by id")).fetchall()
        children = await (await connection.execute("select bulk_id from bulk_child")).fetchall()
    assert [row["id"] for row in left] == ["of-unsealed", "without-jobs"]
    assert [row["bulk_id"] for row in children] == ["of-unsealed"]


async def test_plans_and_idempotency_keys_that_led_to_nothing_go(yard: Yard) -> None:
    new = new_job(step("a"), job_id="never")
    await register(yard.url, new)
    async with await connect(yard.url) as connection:
        await connection.execute(
            "insert into idempotency values ('k', 'POST', '/v1', 'x', 'd', 'r', now())"
        )
    await yard.ended(2)
    gone = await yard.retention.prune()
    assert (gone["plans"], gone["idempotency"]) == (1, 1)
    assert set(gone) == set(KINDS)


async def test_evidence_of_a_job_that_was_killed_and_taken_over_is_whole(
    yard: Yard, tmp_path: Path
) -> None:
    device = tmp_path / "device"
    async with process(yard.url, device) as child:
        await start(yard.engine, yard.url, step("a", params={"takes": 30}), step("b"))
        await acted(device)
        child.kill()
        await child.wait()
        async with working(yard.engine, device):
            await until(yard.engine, JobState.SUCCEEDED)
    await yard.evidence.seal("job-1")
    sections = await yard.proven("job-1")
    assert "worker-lost" in [event["data"].get("why") for event in sections["events"]]
    assert [one["state"] for one in sections["steps"]] == ["done", "done"]
    sealed = await yard.evidence.rows.sealed("job-1")
    assert sealed is not None
    assert len(zlib.decompress(sealed.document)) > len(sealed.document)
