"""Resources: credentials, peers, clusters, plans, API keys, idempotency, settings."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

UPGRADE = """
create table credential (
    id text primary key,
    name text not null,
    kind text not null check (kind in ('password', 'pre_shared_key')),
    username text not null,
    sealed bytea not null,
    fingerprint text not null,
    version integer not null check (version >= 1),
    created_at timestamptz not null,
    rotated_at timestamptz not null
);
create unique index credential_name on credential (lower(name));

create table peer (
    id text primary key,
    name text not null,
    address text not null,
    endpoints jsonb not null,
    version integer not null check (version >= 1),
    created_at timestamptz not null
);
create unique index peer_name on peer (lower(name));
create unique index peer_address on peer (address);

create table cluster (
    id text primary key,
    name text not null,
    primary_id text references peer (id),
    pre_shared_key_id text references credential (id),
    version integer not null check (version >= 1),
    created_at timestamptz not null,
    deleted_at timestamptz
);
create unique index cluster_name on cluster (lower(name)) where deleted_at is null;

create table cluster_member (
    cluster_id text not null references cluster (id) on delete cascade,
    position integer not null check (position between 1 and 6),
    peer_id text not null references peer (id),
    primary key (cluster_id, position),
    constraint cluster_member_peer unique (peer_id)
);

create table plan (
    id text primary key,
    cluster_id text not null references cluster (id) on delete cascade,
    procedure text not null,
    digest text not null,
    body jsonb not null,
    observations jsonb not null,
    created_at timestamptz not null,
    expires_at timestamptz not null
);
create index plan_digest on plan (cluster_id, procedure, digest, created_at);

create table api_key (
    id text primary key,
    prefix text not null constraint api_key_prefix unique,
    name text not null,
    digest text not null,
    scopes jsonb not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    last_used_at timestamptz
);

create table idempotency (
    principal text not null,
    method text not null,
    path text not null,
    key text not null,
    payload_digest text not null,
    resource_id text not null,
    created_at timestamptz not null,
    primary key (principal, method, path, key)
);
create index idempotency_age on idempotency (created_at);

create table rejected_credential (
    endpoint text not null,
    credential_id text not null references credential (id) on delete cascade,
    credential_version integer not null,
    rejected_at timestamptz not null,
    primary key (endpoint, credential_id, credential_version)
);

create table setting (
    name text primary key,
    value text not null
);
"""

DOWNGRADE = """
drop table setting;
drop table rejected_credential;
drop table idempotency;
drop table api_key;
drop table plan;
drop table cluster_member;
drop table cluster;
drop table peer;
drop table credential;
"""


def upgrade() -> None:
    for statement in UPGRADE.split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    for statement in DOWNGRADE.split(";\n"):
        if statement.strip():
            op.execute(statement)
