"""Neighbours: devices whose zones name a cluster's addresses."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLE = """
create table neighbour (
    id text primary key,
    cluster_id text not null references cluster (id) on delete cascade,
    name text not null,
    kind text not null check (kind in ('neighbor', 'traversal_client', 'other')),
    zone_name text not null,
    peer_id text references peer (id) on delete set null,
    created_at timestamptz not null
)
"""


def upgrade() -> None:
    op.execute(TABLE)
    op.execute("create unique index neighbour_name on neighbour (cluster_id, lower(name))")


def downgrade() -> None:
    op.execute("drop table neighbour")
