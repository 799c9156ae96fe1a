"""Webhooks: subscriptions, their secrets, and the deliveries that events leave behind.

A delivery is written by a trigger in the very statement that writes its event: both commit or
neither does, no reader has to keep a position, and the engine's statement stays one round trip.
A delivery refers to its subscription without a foreign key, because a subscription that is deleted
at that moment must not make a job's write fail; orphans are swept away later.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = """
create table webhook (
    id text primary key,
    name text not null,
    url text not null,
    host text not null,
    event_types text[] not null check (cardinality(event_types) > 0),
    cluster_ids text[] not null,
    labels jsonb not null,
    format text not null check (format in ('standard', 'cloudevents')),
    auth_kind text not null check (auth_kind in
        ('none', 'header', 'basic', 'oauth2_client_credentials', 'sn_hmac')),
    auth jsonb not null,
    auth_sealed bytea,
    ca_bundle text not null,
    state text not null check (state in ('active', 'paused', 'disabled')),
    state_reason text not null,
    state_since timestamptz not null,
    failing_since timestamptz,
    failures integer not null default 0,
    version integer not null,
    created_at timestamptz not null,
    created_by text not null
);
create unique index webhook_name on webhook (lower(name));

create table webhook_secret (
    id text primary key,
    webhook_id text not null references webhook (id) on delete cascade,
    sealed bytea not null,
    fingerprint text not null,
    created_at timestamptz not null,
    expires_at timestamptz
);
create index webhook_secret_of on webhook_secret (webhook_id, created_at);

create table webhook_delivery (
    number bigint primary key generated always as identity,
    id text not null unique
        generated always as ('delivery-' || lpad(to_hex(number), 26, '0')) stored,
    webhook_id text not null,
    event_id text not null,
    type text not null,
    at timestamptz not null,
    cluster_id text,
    job_id text,
    subject text not null,
    seq bigint not null,
    payload jsonb not null,
    created_at timestamptz not null default clock_timestamp(),
    queued_at timestamptz not null default clock_timestamp(),
    state text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
    attempts integer not null default 0,
    tries integer not null default 0,
    next_at timestamptz default clock_timestamp(),
    owner text,
    held_until timestamptz,
    finished_at timestamptz,
    unique (webhook_id, event_id)
);
create index webhook_delivery_due on webhook_delivery (next_at) where state = 'pending';
create index webhook_delivery_before on webhook_delivery (webhook_id, subject, seq)
    where state = 'pending';
create index webhook_delivery_of on webhook_delivery (webhook_id, number);
create index webhook_delivery_over on webhook_delivery (finished_at) where state <> 'pending';

create table webhook_attempt (
    delivery bigint not null references webhook_delivery (number) on delete cascade,
    attempt integer not null,
    at timestamptz not null,
    seconds double precision not null,
    status integer,
    error text,
    primary key (delivery, attempt)
);
"""

TRIGGERS = """
create function job_event_to_webhooks() returns trigger language plpgsql as $$
begin
    if not exists (select 1 from webhook where state <> 'disabled') then
        return null;
    end if;
    insert into webhook_delivery
        (webhook_id, event_id, type, at, cluster_id, job_id, subject, seq, payload)
    select w.id, e.job_id || '-' || e.seq, e.type, e.at, j.cluster_id, e.job_id, e.job_id, e.seq,
        jsonb_build_object('procedure', j.procedure, 'correlation', j.details -> 'correlation',
            'change', j.details -> 'change', 'event', e.data)
    from written e
        join job j on j.id = e.job_id
        join cluster c on c.id = j.cluster_id
        join webhook w on w.state <> 'disabled' and e.type = any (w.event_types)
            and (cardinality(w.cluster_ids) = 0 or c.id = any (w.cluster_ids))
            and c.labels @> w.labels
    order by e.job_id, e.seq
    on conflict (webhook_id, event_id) do nothing;
    return null;
end;
$$;
create trigger job_event_to_webhooks after insert on job_event
    referencing new table as written for each statement execute function job_event_to_webhooks();

create function cluster_event_to_webhooks() returns trigger language plpgsql as $$
begin
    insert into webhook_delivery
        (webhook_id, event_id, type, at, cluster_id, job_id, subject, seq, payload)
    select w.id, e.cluster_id || '-' || e.seq, e.type, e.at, e.cluster_id, null, e.cluster_id,
        e.seq, jsonb_build_object('event', e.data)
    from written e
        join cluster c on c.id = e.cluster_id
        join webhook w on w.state <> 'disabled' and e.type = any (w.event_types)
            and (cardinality(w.cluster_ids) = 0 or c.id = any (w.cluster_ids))
            and c.labels @> w.labels
    order by e.cluster_id, e.seq
    on conflict (webhook_id, event_id) do nothing;
    return null;
end;
$$;
create trigger cluster_event_to_webhooks after insert on cluster_event
    referencing new table as written for each statement
    execute function cluster_event_to_webhooks();
"""


def _run(script: str) -> None:
    op.get_bind().connection.driver_connection.execute(script)


def upgrade() -> None:
    _run(TABLES)
    _run(TRIGGERS)


def downgrade() -> None:
    _run(
        """
        drop trigger job_event_to_webhooks on job_event;
        drop trigger cluster_event_to_webhooks on cluster_event;
        drop function job_event_to_webhooks();
        drop function cluster_event_to_webhooks();
        drop table webhook_attempt, webhook_delivery, webhook_secret, webhook;
        """
    )
