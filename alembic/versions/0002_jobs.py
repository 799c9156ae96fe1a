"""Jobs: their steps, events, statements, backups, the workers, and the wake-up queue."""

from __future__ import annotations

from procrastinate.schema import SchemaManager

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
create table job (
    id text primary key,
    cluster_id text not null references cluster (id),
    plan_id text not null references plan (id),
    procedure text not null,
    plan jsonb not null,
    peers jsonb not null,
    requested_by text not null,
    details jsonb not null,
    state text not null check (state in
        ('queued', 'running', 'waiting', 'cancelling', 'succeeded', 'failed', 'cancelled')),
    wait_reason text check (wait_reason in ('approval', 'window', 'attestation', 'hold', 'peer')),
    wait_note text not null default '',
    wait_step text not null default '',
    wake_at timestamptz,
    holds boolean not null,
    owner text,
    epoch bigint not null default 0,
    cancel_requested boolean not null default false,
    pause_requested boolean not null default false,
    failure jsonb,
    created_at timestamptz not null,
    started_at timestamptz,
    finished_at timestamptz,
    last_event_seq bigint not null default 0,
    check (state not in ('succeeded', 'failed', 'cancelled') or (not holds and owner is null))
);
create unique index job_one_per_cluster on job (cluster_id) where holds;
create index job_of_cluster on job (cluster_id, id);
create index job_state on job (state, id);
create index job_details on job using gin (details jsonb_path_ops);
create index job_due on job (wake_at) where holds and owner is null and wake_at is not null;
create index job_owned on job (owner) where owner is not null;
create index job_behind on job (created_at, id)
    where not holds and state in ('queued', 'waiting', 'cancelling');

create table job_peer (
    job_id text not null references job (id) on delete cascade,
    peer_id text not null,
    holds boolean not null,
    primary key (job_id, peer_id)
);
create unique index job_one_per_peer on job_peer (peer_id) where holds;

create table job_step (
    job_id text not null references job (id) on delete cascade,
    seq integer not null,
    key text not null,
    state text not null check (state in
        ('pending', 'running', 'waiting', 'done', 'skipped', 'failed', 'unknown')),
    attempt integer not null,
    attempts_allowed integer not null,
    before jsonb not null,
    seen jsonb not null,
    outcome text not null,
    progress double precision not null,
    note text not null,
    started_at timestamptz,
    acted_at timestamptz,
    act_returned boolean not null,
    finished_at timestamptz,
    failure jsonb,
    primary key (job_id, seq),
    unique (job_id, key)
);

create table job_event (
    job_id text not null references job (id) on delete cascade,
    seq bigint not null,
    at timestamptz not null,
    type text not null,
    data jsonb not null,
    primary key (job_id, seq)
);

create table attestation (
    job_id text not null references job (id) on delete cascade,
    gate text not null,
    made_by text not null,
    reason text not null,
    recorded_for text not null,
    recorded_at timestamptz not null,
    primary key (job_id, gate)
);

create table worker (
    name text primary key,
    lock_key bigint not null unique,
    beat timestamptz not null,
    started_at timestamptz not null
);

create table backup (
    id text primary key,
    job_id text not null references job (id) on delete cascade,
    step_key text not null,
    peer_id text not null,
    file_name text not null default '',
    size bigint not null default 0,
    sha256 text not null default '',
    created_at timestamptz not null,
    finished_at timestamptz
);
create unique index backup_one_per_step on backup (job_id, step_key) where finished_at is not null;

create table backup_chunk (
    backup_id text not null references backup (id) on delete cascade,
    seq integer not null,
    sealed bytea not null,
    primary key (backup_id, seq)
);
"""

APPEND_ONLY = """
create function job_event_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'events are append-only';
end;
$$;
create trigger job_event_append_only before update on job_event
    for each row execute function job_event_is_append_only();
"""

DOWNGRADE = """
drop table backup_chunk, backup, worker, attestation, job_event, job_step, job_peer, job;
drop function job_event_is_append_only();
drop table procrastinate_events, procrastinate_periodic_defers, procrastinate_jobs,
    procrastinate_workers cascade;
"""


def _run(script: str) -> None:
    """Send a script of many statements as it is; its `%` are not parameters."""
    connection = op.get_bind().connection.driver_connection
    connection.execute(script)


def upgrade() -> None:
    _run(TABLES)
    _run(APPEND_ONLY)
    _run(SchemaManager.get_schema())


def downgrade() -> None:
    _run(DOWNGRADE)
    _run(
        """
        do $$
        declare thing record;
        begin
            for thing in select oid::regprocedure as name from pg_proc
                where proname like 'procrastinate\\_%' and pronamespace = current_schema::regnamespace
            loop execute 'drop function ' || thing.name || ' cascade'; end loop;
            for thing in select typname as name from pg_type
                where typname like 'procrastinate\\_%' and typnamespace = current_schema::regnamespace
                and typtype in ('e', 'c')
            loop execute 'drop type if exists ' || quote_ident(thing.name) || ' cascade'; end loop;
        end $$;
        """
    )
