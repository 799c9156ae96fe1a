"""Evidence: chained events, transcripts, observations of a job, sealed bundles, their keys."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0004"
branch_labels = None
depends_on = None

EVENTS = """
alter table job_event add column hash bytea;

create function job_event_text(event job_event) returns text language sql stable as $$
    select jsonb_build_object(
        'job_id', event.job_id, 'seq', event.seq, 'type', event.type, 'data', event.data,
        'at', to_char(event.at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text
$$;

create table job_evidence (
    job_id text primary key,
    made_at timestamptz not null,
    digest text not null,
    key_id text not null,
    event_seq bigint not null,
    event_hash bytea,
    document bytea not null,
    rows_pruned_at timestamptz
);

create function job_event_is_chained() returns trigger language plpgsql as $$
declare before bytea;
begin
    if new.seq = 1 then
        before := '\\x'::bytea;
    else
        select hash into before from job_event where job_id = new.job_id and seq = new.seq - 1;
        if before is null then
            select event_hash into before from job_evidence
                where job_id = new.job_id and event_seq = new.seq - 1;
        end if;
        if before is null then
            raise exception 'event % of job % has no event before it', new.seq, new.job_id;
        end if;
    end if;
    new.hash := sha256(before || convert_to(job_event_text(new), 'UTF8'));
    return new;
end;
$$;

alter table job_event disable trigger job_event_append_only;
do $$
declare event job_event; before bytea;
begin
    for event in select * from job_event order by job_id, seq loop
        if event.seq = 1 then before := '\\x'::bytea; end if;
        before := sha256(before || convert_to(job_event_text(event), 'UTF8'));
        update job_event set hash = before where job_id = event.job_id and seq = event.seq;
    end loop;
end;
$$;
create or replace function job_event_is_append_only() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_setting('clusterway.retention', true) = 'on' then
        return old;
    end if;
    raise exception 'events are append-only';
end;
$$;
drop trigger job_event_append_only on job_event;
create trigger job_event_append_only before update or delete on job_event
    for each row execute function job_event_is_append_only();
alter table job_event alter column hash set not null;
create trigger job_event_chained before insert on job_event
    for each row execute function job_event_is_chained();
"""

TABLES = """
create table job_transcript_head (
    job_id text primary key references job (id) on delete cascade,
    seq bigint not null default 0,
    hash bytea not null default '\\x',
    size bigint not null default 0,
    notebook text not null default '',
    number bigint not null default 0
);

create table job_transcript (
    job_id text not null references job (id) on delete cascade,
    seq bigint not null,
    body jsonb not null,
    at timestamptz not null,
    hash bytea not null,
    primary key (job_id, seq)
);
create trigger job_transcript_append_only before update or delete on job_transcript
    for each row execute function job_event_is_append_only();

create table job_observation (
    job_id text not null references job (id) on delete cascade,
    moment text not null check (moment in ('before', 'after')),
    peer_id text not null,
    observed_at timestamptz not null,
    late boolean not null default false,
    view jsonb not null,
    primary key (job_id, moment, peer_id)
);

create table evidence_key (
    id text primary key,
    public bytea not null,
    sealed bytea not null,
    created_at timestamptz not null
);

create table retention_hold (
    job_id text primary key,
    reason text not null,
    held_by text not null,
    held_at timestamptz not null
);

create index job_ended on job (finished_at) where finished_at is not null;
create index backup_of_peer on backup (peer_id, finished_at);
create index plan_created on plan (created_at);
create index job_of_plan on job (plan_id);
"""

DOWNGRADE = """
drop index job_ended, backup_of_peer, plan_created, job_of_plan;
drop table retention_hold, evidence_key, job_observation, job_transcript, job_transcript_head;
drop trigger job_event_chained on job_event;
drop trigger job_event_append_only on job_event;
create trigger job_event_append_only before update on job_event
    for each row execute function job_event_is_append_only();
drop function job_event_is_chained();
drop function job_event_text(job_event);
drop table job_evidence;
alter table job_event drop column hash;
"""


def _run(script: str) -> None:
    """Send a script of many statements as it is; its `%` are not parameters."""
    connection = op.get_bind().connection.driver_connection
    connection.execute(script)


def upgrade() -> None:
    _run(EVENTS)
    _run(TABLES)


def downgrade() -> None:
    _run(DOWNGRADE)
