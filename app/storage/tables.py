"""The tables of resources: what callers register and what plans and keys are made of.

Job tables live beside their journal (app.storage.journal); they refer to `cluster.id` and
`plan.id`. Columns that hold a tree (endpoints, a plan's stages) are JSONB, because they are
written and read whole. The migrations in alembic/versions are the truth about the schema; these
classes are how the repositories speak of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel


class CredentialRow(SQLModel, table=True):
    """A secret and how to show it: everything but `sealed` may be read by callers."""

    __tablename__ = "credential"
    id: str = Field(primary_key=True)
    name: str
    kind: str
    """`password` or `pre_shared_key`."""
    username: str
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    fingerprint: str
    """Keyed digest of the secret: equal secrets can be recognised, nothing can be read back."""
    version: int
    """1 at first, one more with every rotation; a rejected password is remembered per version."""
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    rotated_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    created_by: str = ""
    """Id of the key that made it; "" for one that the service made."""


class PeerRow(SQLModel, table=True):
    """A registered Expressway and its access paths."""

    __tablename__ = "peer"
    id: str = Field(primary_key=True)
    name: str
    address: str
    endpoints: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    version: int
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    registered_by: str = ""
    """Id of the key that registered it."""


class ClusterRow(SQLModel, table=True):
    """A cluster; its members are rows of `cluster_member`.

    A deleted cluster stays as a row, because its plans and jobs stay readable.
    """

    __tablename__ = "cluster"
    id: str = Field(primary_key=True)
    name: str
    primary_id: str | None = None
    pre_shared_key_id: str | None = None
    labels: list[dict[str, str]] = Field(sa_column=Column(JSONB, nullable=False))
    policy: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    version: int
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    deleted_at: datetime | None = Field(
        default=None, sa_column=Column(DateTime(timezone=True), nullable=True)
    )


class ClusterMemberRow(SQLModel, table=True):
    """One member at its position (from 1) in the peer list. A peer is in one cluster at most."""

    __tablename__ = "cluster_member"
    cluster_id: str = Field(primary_key=True)
    position: int = Field(primary_key=True)
    peer_id: str


class PlanRow(SQLModel, table=True):
    """A plan as it was promised, and the observations it was made from."""

    __tablename__ = "plan"
    id: str = Field(primary_key=True)
    cluster_id: str
    procedure: str
    digest: str
    body: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    observations: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    expires_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class ApiKeyRow(SQLModel, table=True):
    """An API key: the prefix finds it, the digest proves it; the key itself is never stored."""

    __tablename__ = "api_key"
    id: str = Field(primary_key=True)
    prefix: str
    name: str
    digest: str
    scopes: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    clusters: list[str] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    labels: dict[str, str] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True)
    )
    networks: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    created_by: str = ""
    version: int = 1
    revoked_at: datetime | None = Field(
        default=None, sa_column=Column(DateTime(timezone=True), nullable=True)
    )
    older_prefix: str | None = None
    older_digest: str | None = None
    older_until: datetime | None = Field(
        default=None, sa_column=Column(DateTime(timezone=True), nullable=True)
    )
    """What the key was before its rotation, good until then."""
    expires_at: datetime | None = Field(
        default=None, sa_column=Column(DateTime(timezone=True), nullable=True)
    )
    last_used_at: datetime | None = Field(
        default=None, sa_column=Column(DateTime(timezone=True), nullable=True)
    )


class IdempotencyRow(SQLModel, table=True):
    """What an `Idempotency-Key` led to: the id of the resource, not a copy of the answer."""

    __tablename__ = "idempotency"
    principal: str = Field(primary_key=True)
    method: str = Field(primary_key=True)
    path: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    payload_digest: str
    resource_id: str
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class RejectedCredentialRow(SQLModel, table=True):
    """A credential version that an endpoint declined. Nobody sends it there again."""

    __tablename__ = "rejected_credential"
    endpoint: str = Field(primary_key=True)
    """`ssh 192.0.2.11 22`."""
    credential_id: str = Field(primary_key=True)
    credential_version: int = Field(primary_key=True)
    rejected_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class SettingRow(SQLModel, table=True):
    """A durable mark of the service itself, such as the first key having been handed out."""

    __tablename__ = "setting"
    name: str = Field(primary_key=True)
    value: str = Field(sa_column=Column(Text, nullable=False))
