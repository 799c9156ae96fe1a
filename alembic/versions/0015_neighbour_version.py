"""A neighbour can be changed, so its ETag tells of a change: it has a version."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what is registered is at its first version."""
    op.execute("alter table neighbour add column version integer not null default 1")


def downgrade() -> None:
    """Back to before."""
    op.execute("alter table neighbour drop column version")
