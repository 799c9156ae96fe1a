"""Windows, change freezes, and schedules with what became of each of their occurrences."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0010"
branch_labels = None
depends_on = None

UPGRADE = """
create table maintenance_window (
    id text primary key,
    name text not null,
    kind text not null check (kind in ('window', 'blackout')),
    body jsonb not null,
    version integer not null default 1,
    created_at timestamptz not null
);
create unique index maintenance_window_name on maintenance_window (lower(name));

create table schedule (
    id text primary key,
    name text not null,
    cluster_id text not null references cluster (id),
    procedure text not null,
    parameters jsonb not null,
    timing jsonb not null,
    grace_seconds double precision not null check (grace_seconds >= 0),
    change jsonb,
    owner_id text not null,
    scopes jsonb not null,
    clusters jsonb,
    state text not null check (state in ('active', 'paused', 'stopped')),
    version integer not null default 1,
    created_at timestamptz not null,
    next_at timestamptz,
    taken_by text,
    taken_until timestamptz
);
create unique index schedule_name on schedule (lower(name));
create index schedule_of_cluster on schedule (cluster_id, id);
create index schedule_due on schedule (next_at) where state = 'active' and next_at is not null;

create table schedule_run (
    schedule_id text not null references schedule (id) on delete cascade,
    at timestamptz not null,
    outcome text not null check (outcome in ('started', 'skipped', 'refused')),
    job_id text,
    code text not null default '',
    detail text not null default '',
    decided_at timestamptz not null,
    primary key (schedule_id, at)
)
"""


def upgrade() -> None:
    for statement in UPGRADE.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    op.execute("drop table schedule_run, schedule, maintenance_window")
