"""Clusters are found by their labels whenever a key that is limited by labels is used."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("create index cluster_by_labels on cluster using gin (labels jsonb_path_ops)")


def downgrade() -> None:
    op.execute("drop index cluster_by_labels")
