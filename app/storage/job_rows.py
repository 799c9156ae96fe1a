"""Jobs as rows and rows as jobs.

Plain SQL, because these statements are the hot ones and because their shape is the point: who may
write is decided in the WHERE of the same statement that writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from app.domain.job import (
    Attestation,
    Event,
    JobState,
    StepFailure,
    StepRecord,
    StepState,
    WaitReason,
)
from app.domain.terms import Decision, Verdict
from app.engine.records import JobRecord, NewEvent, Wait, failure_data
from app.services.plan_document import plan_from_json, terms_from_json, to_json

Row = Mapping[str, Any]

LOAD_JOBS = """
select *, clock_timestamp() as now from job where id = any(%(ids)s)
"""
LOCK_JOB = """
select *, clock_timestamp() as now from job where id = %(id)s for update
"""
LOCK_JOBS = """
select *, clock_timestamp() as now from job where id = any(%(ids)s) order by id
for update skip locked
"""
LOAD_STEPS = "select * from job_step where job_id = any(%(ids)s) order by job_id, seq"
LOAD_ATTESTATIONS = "select * from attestation where job_id = any(%(ids)s)"
LOAD_DECISIONS = """
select * from approval_decision where job_id = any(%(ids)s) order by job_id, seq
"""

INSERT_JOB = """
insert into job (id, cluster_id, plan_id, procedure, plan, peers, requested_by, details, terms,
    state, wait_reason, wait_note, wait_step, wait_since, wake_at, holds, approval, created_at,
    last_event_seq)
values (%(id)s, %(cluster_id)s, %(plan_id)s, %(procedure)s, %(plan)s, %(peers)s, %(requested_by)s,
    %(details)s, %(terms)s, %(state)s, %(wait_reason)s, %(wait_note)s, %(wait_step)s,
    %(wait_since)s, %(wake_at)s, %(holds)s, %(approval)s, %(created_at)s, 0)
"""
INSERT_PEER = "insert into job_peer (job_id, peer_id, holds) values (%s, %s, %s)"
UPDATE_PEERS = "update job_peer set holds = %(holds)s where job_id = %(id)s"
UPDATE_JOB = """
update job set state = %(state)s, wait_reason = %(wait_reason)s, wait_note = %(wait_note)s,
    wait_step = %(wait_step)s, wait_since = %(wait_since)s, wake_at = %(wake_at)s,
    holds = %(holds)s, owner = %(owner)s, epoch = %(epoch)s,
    cancel_requested = %(cancel_requested)s, pause_requested = %(pause_requested)s,
    failure = %(failure)s, started_at = %(started_at)s, finished_at = %(finished_at)s,
    last_event_seq = %(last_event_seq)s, approval = %(approval)s,
    sealed = false
where id = %(id)s
"""
WRITE_STEP = """
insert into job_step (job_id, seq, key, state, attempt, attempts_allowed, before, seen, outcome,
    progress, note, started_at, acted_at, act_returned, finished_at, failure)
values (%(job_id)s, %(seq)s, %(key)s, %(state)s, %(attempt)s, %(attempts_allowed)s, %(before)s,
    %(seen)s, %(outcome)s, %(progress)s, %(note)s, %(started_at)s, %(acted_at)s, %(act_returned)s,
    %(finished_at)s, %(failure)s)
on conflict (job_id, seq) do update set state = excluded.state, attempt = excluded.attempt,
    attempts_allowed = excluded.attempts_allowed, before = excluded.before, seen = excluded.seen,
    outcome = excluded.outcome, progress = excluded.progress, note = excluded.note,
    started_at = excluded.started_at, acted_at = excluded.acted_at,
    act_returned = excluded.act_returned, finished_at = excluded.finished_at,
    failure = excluded.failure
"""
INSERT_EVENT = """
insert into job_event (job_id, seq, at, type, data)
values (%(job_id)s, %(seq)s, clock_timestamp(), %(type)s, %(data)s)
"""
INSERT_OBSERVATION = """
insert into job_observation (job_id, moment, peer_id, observed_at, late, view)
values (%(job_id)s, %(moment)s, %(peer_id)s, %(observed_at)s, %(late)s, %(view)s)
on conflict (job_id, moment, peer_id) do update
set observed_at = excluded.observed_at, late = excluded.late, view = excluded.view
"""
INSERT_ATTESTATION = """
insert into attestation (job_id, gate, made_by, reason, recorded_for, recorded_at)
values (%(job_id)s, %(gate)s, %(by)s, %(reason)s, %(recorded_for)s, %(recorded_at)s)
"""
INSERT_DECISION = """
insert into approval_decision (job_id, principal, verdict, made_by, reason, digest, decided_at)
values (%(job_id)s, %(principal)s, %(verdict)s, %(by)s, %(reason)s, %(digest)s, %(at)s)
"""

RECORD = """
with fenced as (
    update job set
        last_event_seq = last_event_seq + %(count)s,
        state = case when state = 'cancelling' then state else %(job_state)s end,
        wait_reason = %(wait_reason)s, wait_note = %(wait_note)s, wait_step = %(wait_step)s,
        wait_since = case when %(wait_reason)s::text is not null then coalesce(
            %(wait_since)s::timestamptz,
            case when wait_reason = %(wait_reason)s and wait_step = %(wait_step)s
                then wait_since end,
            clock_timestamp()) end
    where id = %(job_id)s and owner = %(owner)s and epoch = %(epoch)s
    returning last_event_seq, cancel_requested, pause_requested
), stepped as (
    update job_step set state = %(state)s, attempt = %(attempt)s,
        attempts_allowed = %(attempts_allowed)s, before = %(before)s, seen = %(seen)s,
        outcome = %(outcome)s, progress = %(progress)s, note = %(note)s,
        started_at = %(started_at)s, acted_at = %(acted_at)s, act_returned = %(act_returned)s,
        finished_at = %(finished_at)s, failure = %(failure)s
    from fenced where job_step.job_id = %(job_id)s and job_step.seq = %(seq)s
), told as (
    insert into job_event (job_id, seq, at, type, data)
    select %(job_id)s, fenced.last_event_seq - %(count)s + event.place, clock_timestamp(),
        event.value ->> 'type', event.value -> 'data'
    from fenced, jsonb_array_elements(%(events)s) with ordinality as event (value, place)
)
select last_event_seq, cancel_requested, pause_requested from fenced
"""
"""One statement, so one round trip and one commit: fence, step, events, flags."""


def job_values(job: JobRecord) -> dict[str, Any]:
    """The columns of a job that change."""
    return {
        "id": job.id,
        "state": job.state.value,
        **wait_values(job.wait),
        "wake_at": job.wake_at,
        "holds": job.holds,
        "owner": job.owner,
        "epoch": job.epoch,
        "cancel_requested": job.cancel_requested,
        "pause_requested": job.pause_requested,
        "failure": _failure(job.failure),
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "last_event_seq": job.last_event_seq,
        "approval": job.approval,
    }


def first_values(job: JobRecord) -> dict[str, Any]:
    """All columns of a new job."""
    return {
        **job_values(job),
        "cluster_id": job.cluster_id,
        "plan_id": job.plan.id,
        "procedure": job.plan.procedure,
        "plan": Jsonb(to_json(job.plan)),
        "peers": Jsonb(list(job.peers)),
        "requested_by": job.requested_by,
        "details": Jsonb(to_json(job.details)),
        "terms": Jsonb(to_json(job.terms)),
        "created_at": job.created_at,
    }


def decision_values(job_id: str, decision: Decision) -> dict[str, Any]:
    """An approver's word as columns."""
    return {
        "job_id": job_id,
        "principal": decision.principal,
        "verdict": decision.verdict.value,
        "by": decision.by,
        "reason": decision.reason,
        "digest": decision.digest,
        "at": decision.at,
    }


def wait_values(wait: Wait | None) -> dict[str, Any]:
    """What a job waits for, as columns."""
    if wait is None:
        return {"wait_reason": None, "wait_note": "", "wait_step": "", "wait_since": None}
    return {
        "wait_reason": wait.reason.value,
        "wait_note": wait.note,
        "wait_step": wait.step,
        "wait_since": wait.since,
    }


def step_values(job_id: str, step: StepRecord) -> dict[str, Any]:
    """A step as columns."""
    return {
        "job_id": job_id,
        "seq": step.seq,
        "key": step.key,
        "state": step.state.value,
        "attempt": step.attempt,
        "attempts_allowed": step.attempts_allowed,
        "before": Jsonb(to_json(step.before)),
        "seen": Jsonb(to_json(step.seen)),
        "outcome": step.outcome,
        "progress": step.progress,
        "note": step.note,
        "started_at": step.started_at,
        "acted_at": step.acted_at,
        "act_returned": step.act_returned,
        "finished_at": step.finished_at,
        "failure": _failure(step.failure),
    }


def event_values(events: Sequence[NewEvent]) -> Jsonb:
    """Events for RECORD."""
    return Jsonb([{"type": event.type, "data": to_json(event.data)} for event in events])


def read_event(row: Row) -> Event:
    """An event from its row."""
    return Event(row["job_id"], row["seq"], row["at"], row["type"], row["data"])


async def read_jobs(connection: AsyncConnection[Any], rows: Sequence[Row]) -> tuple[JobRecord, ...]:
    """Whole jobs from rows of the job table, in their order: three more queries for all of them."""
    ids = [row["id"] for row in rows]
    steps: dict[str, list[StepRecord]] = {job_id: [] for job_id in ids}
    made: dict[str, dict[str, Attestation]] = {job_id: {} for job_id in ids}
    decided: dict[str, list[Decision]] = {job_id: [] for job_id in ids}
    if ids:
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(LOAD_STEPS, {"ids": ids})
            for row in await cursor.fetchall():
                steps[row["job_id"]].append(_read_step(row))
            await cursor.execute(LOAD_ATTESTATIONS, {"ids": ids})
            for row in await cursor.fetchall():
                made[row["job_id"]][row["gate"]] = _read_attestation(row)
            await cursor.execute(LOAD_DECISIONS, {"ids": ids})
            for row in await cursor.fetchall():
                decided[row["job_id"]].append(_read_decision(row))
    return tuple(
        _read_job(row, tuple(steps[row["id"]]), made[row["id"]], tuple(decided[row["id"]]))
        for row in rows
    )


def _read_job(
    row: Row,
    steps: tuple[StepRecord, ...],
    attestations: Mapping[str, Attestation],
    decisions: tuple[Decision, ...],
) -> JobRecord:
    wait = None
    if row["wait_reason"]:
        reason = WaitReason(row["wait_reason"])
        wait = Wait(reason, row["wait_note"], row["wait_step"], row["wait_since"])
    return JobRecord(
        id=row["id"],
        plan=plan_from_json(row["plan"]),
        state=JobState(row["state"]),
        steps=steps,
        peers=tuple(row["peers"]),
        requested_by=row["requested_by"],
        created_at=row["created_at"],
        details=row["details"],
        wait=wait,
        wake_at=row["wake_at"],
        holds=row["holds"],
        owner=row["owner"],
        epoch=row["epoch"],
        cancel_requested=row["cancel_requested"],
        pause_requested=row["pause_requested"],
        failure=read_failure(row["failure"]),
        attestations=attestations,
        terms=terms_from_json(row["terms"]),
        decisions=decisions,
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        last_event_seq=row["last_event_seq"],
    )


def _read_step(row: Row) -> StepRecord:
    return StepRecord(
        seq=row["seq"],
        key=row["key"],
        state=StepState(row["state"]),
        attempt=row["attempt"],
        before=row["before"],
        seen=row["seen"],
        outcome=row["outcome"],
        progress=row["progress"],
        note=row["note"],
        started_at=row["started_at"],
        acted_at=row["acted_at"],
        act_returned=row["act_returned"],
        finished_at=row["finished_at"],
        failure=read_failure(row["failure"]),
        attempts_allowed=row["attempts_allowed"],
    )


def _read_attestation(row: Row) -> Attestation:
    return Attestation(
        row["gate"], row["made_by"], row["reason"], row["recorded_for"], row["recorded_at"]
    )


def _read_decision(row: Row) -> Decision:
    return Decision(
        principal=row["principal"],
        verdict=Verdict(row["verdict"]),
        by=row["made_by"],
        reason=row["reason"],
        digest=row["digest"],
        at=row["decided_at"],
    )


def _failure(failure: StepFailure | None) -> Jsonb | None:
    data = failure_data(failure)
    return None if data is None else Jsonb(data)


def read_failure(data: Mapping[str, Any] | None) -> StepFailure | None:
    """The failure of a job or step out of its JSON."""
    if data is None:
        return None
    return StepFailure(data["code"], data["message"], data["remedy"], tuple(data["requirements"]))
