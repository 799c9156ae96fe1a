"""Keys with limits, who registered what, and the audit trail."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0007"
branch_labels = None
depends_on = None

UPGRADE = """
alter table api_key
    add column clusters jsonb check (jsonb_typeof(clusters) = 'array'),
    add column labels jsonb check (jsonb_typeof(labels) = 'object'),
    add column networks jsonb not null default '[]',
    add column created_by text not null default '',
    add column version integer not null default 1,
    add column revoked_at timestamptz,
    add column older_prefix text,
    add column older_digest text,
    add column older_until timestamptz,
    add check ((older_prefix is null) = (older_until is null)),
    add check ((older_digest is null) = (older_until is null));
create unique index api_key_older on api_key (older_prefix);
create unique index api_key_name on api_key (lower(name))
    where revoked_at is null and created_by <> '';

alter table peer add column registered_by text not null default '';
alter table credential add column created_by text not null default '';
create index job_peer_by_peer on job_peer (peer_id);

create table audit (
    seq bigint primary key,
    at timestamptz not null,
    actor text not null,
    actor_name text not null,
    address text not null,
    request_id text not null,
    action text not null,
    outcome text not null check (outcome in ('done', 'denied', 'failed')),
    objects jsonb not null,
    details jsonb not null,
    before_hash text not null,
    hash text not null
);
create index audit_by_actor on audit (actor, seq);
create index audit_by_action on audit (action, seq);
create index audit_by_object on audit using gin (objects jsonb_path_ops);

create table audit_head (
    one boolean primary key default true check (one),
    seq bigint not null,
    hash text not null
);
insert into audit_head (seq, hash) values (0, '');
"""

APPEND_ONLY = """
create function audit_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'the audit trail is append-only';
end $$
"""


def upgrade() -> None:
    for statement in UPGRADE.split(";\n"):
        if statement.strip():
            op.execute(statement)
    op.execute(APPEND_ONLY)
    op.execute(
        "create trigger audit_append_only before update or delete on audit"
        " for each row execute function audit_is_append_only()"
    )
    op.execute(
        "create trigger audit_not_emptied before truncate on audit"
        " for each statement execute function audit_is_append_only()"
    )


def downgrade() -> None:
    op.execute("drop table audit, audit_head")
    op.execute("drop function audit_is_append_only")
    op.execute("drop index job_peer_by_peer")
    op.execute("alter table credential drop column created_by")
    op.execute("alter table peer drop column registered_by")
    op.execute("drop index api_key_name, api_key_older")
    op.execute(
        "alter table api_key drop column clusters, drop column labels, drop column networks,"
        " drop column created_by, drop column version, drop column revoked_at,"
        " drop column older_prefix, drop column older_digest, drop column older_until"
    )
