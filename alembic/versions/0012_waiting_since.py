"""Since when a job waits for what it waits for."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

UPGRADE = """
alter table job add column wait_since timestamptz;
update job set wait_since = coalesce(
    (select max(at) from job_event where job_event.job_id = job.id and type = 'job.waiting'),
    created_at)
where wait_reason is not null;
"""


def upgrade() -> None:
    """Add the column; of jobs that wait, the last event that says so is the best there is."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Back to before."""
    op.execute("alter table job drop column wait_since")
