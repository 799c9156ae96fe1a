"""What lists and workers ask for stays quick, however much is stored.

`job.sealed`: its evidence is sealed as it is now. Whoever looks for what has yet to be sealed or
looked at reads an index that holds just those jobs, where it compared every job with its evidence.
The other indexes answer lists whose filter matches few of many rows. The column comes with the value
that almost all rows have, so that they need not be written: a million jobs take seconds.
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

UPGRADE = """
alter table job add column sealed boolean not null default true;
alter table job alter column sealed set default false;
update job set sealed = false
where not exists (select 1 from job_evidence e
    where e.job_id = job.id and e.event_seq >= job.last_event_seq);
create index job_unsealed on job (finished_at) where finished_at is not null and not sealed;
create index job_of_procedure on job (procedure, id) include (state);
create index job_to_approve on job (id) where approval is not null;
create index job_unended on job (cluster_id, id)
    where state in ('queued', 'running', 'waiting', 'cancelling');

drop index audit_by_object;
create index audit_by_object on audit using gin
    (jsonb_path_query_array(objects, '$.*') jsonb_path_ops);
create index audit_by_time on audit (at, seq);
create index audit_by_cluster on audit ((objects ->> 'cluster_id'), seq);
create index audit_refused on audit (outcome, seq) where outcome <> 'done';

create index webhook_delivery_by_job on webhook_delivery (job_id, number)
    where job_id is not null;
create index webhook_delivery_by_state on webhook_delivery (webhook_id, state, number)
    where state <> 'delivered'
"""

DOWNGRADE = """
drop index webhook_delivery_by_state;
drop index webhook_delivery_by_job;
drop index audit_refused;
drop index audit_by_cluster;
drop index audit_by_time;
drop index audit_by_object;
create index audit_by_object on audit using gin (objects jsonb_path_ops);
drop index job_unended;
drop index job_to_approve;
drop index job_of_procedure;
drop index job_unsealed;
alter table job drop column sealed
"""


def upgrade() -> None:
    for statement in UPGRADE.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWNGRADE.split(";\n"):
        op.execute(statement)
