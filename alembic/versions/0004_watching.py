"""Watching: whose turn it is, what stands, what was seen, and a cluster's events."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UPGRADE = """
create table cluster_watch (
    cluster_id text primary key references cluster (id) on delete cascade,
    interval_seconds double precision check (interval_seconds >= 0),
    version integer not null default 1,
    next_at timestamptz not null,
    owner text,
    held_until timestamptz,
    last_at timestamptz,
    accepted jsonb,
    accepted_at timestamptz,
    accepted_by text not null default '',
    last_event_seq bigint not null default 0
);
create index cluster_watch_due on cluster_watch (next_at);

create table cluster_standing (
    cluster_id text not null references cluster (id) on delete cascade,
    key text not null,
    kind text not null check (kind in ('finding', 'alarm', 'silence')),
    peer_id text,
    body jsonb not null,
    first_seen timestamptz not null,
    primary key (cluster_id, key)
);

create table cluster_period (
    cluster_id text not null references cluster (id) on delete cascade,
    seq bigint not null,
    first_at timestamptz not null,
    last_at timestamptz not null,
    passes integer not null,
    healthy boolean not null,
    facts jsonb not null,
    findings jsonb not null,
    primary key (cluster_id, seq)
);

create table cluster_event (
    cluster_id text not null references cluster (id) on delete cascade,
    seq bigint not null,
    at timestamptz not null,
    type text not null,
    data jsonb not null,
    primary key (cluster_id, seq)
);
create trigger cluster_event_append_only before update on cluster_event
    for each row execute function job_event_is_append_only();
"""


def upgrade() -> None:
    for statement in UPGRADE.split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    op.execute("drop table cluster_event, cluster_period, cluster_standing, cluster_watch")
