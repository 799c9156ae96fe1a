"""What a cluster asks of its jobs, what each job was started under, and what approvers said."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0008"
branch_labels = None
depends_on = None

UPGRADE = """
alter table cluster
    add column labels jsonb not null default '[]',
    add column policy jsonb not null default '{}';
create index cluster_labels on cluster using gin (labels jsonb_path_ops);

alter table job
    add column terms jsonb not null default '{}',
    add column approval text check (approval in
        ('pending', 'approved', 'rejected', 'expired', 'withdrawn'));
create index job_approval on job (approval, id) where approval is not null;
drop index job_due;
create index job_due on job (wake_at) where owner is null and wake_at is not null;

create table approval_decision (
    job_id text not null references job (id) on delete cascade,
    seq bigint generated always as identity,
    principal text not null,
    verdict text not null check (verdict in ('approved', 'rejected')),
    made_by text not null,
    reason text not null,
    digest text not null,
    decided_at timestamptz not null,
    primary key (job_id, principal)
)
"""

DOWNGRADE = """
drop table approval_decision;
drop index job_due;
create index job_due on job (wake_at) where holds and owner is null and wake_at is not null;
alter table job drop column approval, drop column terms;
alter table cluster drop column policy, drop column labels
"""


def upgrade() -> None:
    for statement in UPGRADE.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWNGRADE.split(";\n"):
        op.execute(statement)
