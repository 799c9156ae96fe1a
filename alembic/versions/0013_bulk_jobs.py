"""Bulk jobs and what becomes of each of their clusters."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

UPGRADE = """
create table bulk_job (
    id text primary key,
    procedure text not null,
    parameters jsonb not null,
    selector jsonb not null,
    wave_size integer not null check (wave_size > 0),
    stop_after integer not null check (stop_after > 0),
    request jsonb not null,
    owner_id text not null,
    owner_name text not null,
    scopes jsonb not null,
    clusters jsonb,
    cluster_ids text[] not null check (cardinality(cluster_ids) > 0),
    state text not null
        check (state in ('running', 'stopping', 'succeeded', 'failed', 'cancelled')),
    stop jsonb,
    version bigint not null default 1,
    created_at timestamptz not null,
    finished_at timestamptz,
    next_at timestamptz,
    taken_by text,
    taken_until timestamptz,
    check ((finished_at is null) = (state in ('running', 'stopping')))
);
create index bulk_job_due on bulk_job (next_at) where finished_at is null;
create index bulk_job_of_clusters on bulk_job using gin (cluster_ids);

create table bulk_child (
    bulk_id text not null references bulk_job (id) on delete cascade,
    cluster_id text not null references cluster (id),
    position integer not null,
    wave integer not null,
    state text not null check (state in ('pending', 'started', 'succeeded', 'failed', 'cancelled',
        'refused', 'not_started')),
    job_id text unique,
    plan_id text,
    trouble jsonb,
    decided_at timestamptz,
    primary key (bulk_id, cluster_id),
    unique (bulk_id, position),
    check (job_id is not null or state in ('pending', 'refused', 'not_started'))
)
"""


def upgrade() -> None:
    for statement in UPGRADE.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    op.execute("drop table bulk_child, bulk_job")
