"""Peers and clusters in PostgreSQL: the registry of what exists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, or_, select, type_coerce, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.domain.cluster import Cluster
from app.domain.peer import Peer
from app.domain.terms import Label, Policy, in_order
from app.security.acting import note, reach_also
from app.services.plan_document import to_json
from app.services.problems import Problem
from app.services.records import (
    Page,
    PeerEndpoint,
    RegisteredCluster,
    RegisteredPeer,
    TrustAnchor,
    TrustKind,
)
from app.storage.constraints import flushed
from app.storage.reach import EVERYTHING, Reach
from app.storage.tables import ClusterMemberRow, ClusterRow, PeerRow


class PeerRows:
    """Implements `app.services.ports.Peers`."""

    def __init__(self, session: AsyncSession, reach: Reach = EVERYTHING) -> None:
        self._session = session
        self._reach = reach

    async def add(self, peer: RegisteredPeer) -> None:
        """Insert. Raises Problem `name-taken`, `address-taken`."""
        self._session.add(
            PeerRow(
                id=peer.peer.id,
                name=peer.peer.name,
                address=peer.peer.address,
                endpoints=[_endpoint_document(endpoint) for endpoint in peer.endpoints],
                version=peer.version,
                created_at=peer.created_at,
                registered_by=self._reach.holder,
            )
        )
        note(peer_id=peer.peer.id)
        await flushed(self._session)

    async def get(self, peer_id: str, *, lock: bool = False) -> RegisteredPeer | None:
        """One peer; with `lock` nobody else changes it before this transaction ends."""
        query = select(PeerRow).where(col(PeerRow.id) == peer_id, self._reach.peer())
        row = (await self._session.scalars(query.with_for_update() if lock else query)).first()
        return None if row is None else (await self._read([row]))[0]

    async def all(self) -> Sequence[RegisteredPeer]:
        """Every peer within reach, in the order registered."""
        query = select(PeerRow).where(self._reach.peer()).order_by(col(PeerRow.id))
        return await self._read((await self._session.scalars(query)).all())

    async def page(self, after: str | None, limit: int) -> Page[RegisteredPeer]:
        """Some peers behind an id."""
        query = select(PeerRow).where(self._reach.peer())
        query = query.order_by(col(PeerRow.id)).limit(limit + 1)
        if after is not None:
            query = query.where(col(PeerRow.id) > after)
        rows = (await self._session.scalars(query)).all()
        items = tuple(await self._read(rows[:limit]))
        return Page(items, items[-1].peer.id if len(rows) > limit else None)

    async def replace(self, peer: RegisteredPeer) -> None:
        """Write name, address, endpoints and version."""
        await self._session.execute(
            update(PeerRow)
            .where(col(PeerRow.id) == peer.peer.id)
            .values(
                name=peer.peer.name,
                address=peer.peer.address,
                endpoints=[_endpoint_document(endpoint) for endpoint in peer.endpoints],
                version=peer.version,
            )
        )

    async def remove(self, peer_id: str) -> None:
        """Delete; a foreign key of a membership forbids it."""
        await self._session.execute(delete(PeerRow).where(col(PeerRow.id) == peer_id))

    async def _read(self, rows: Sequence[PeerRow]) -> list[RegisteredPeer]:
        members = select(ClusterMemberRow).where(
            col(ClusterMemberRow.peer_id).in_([row.id for row in rows])
        )
        found = {
            member.peer_id: member.cluster_id for member in await self._session.scalars(members)
        }
        return [
            RegisteredPeer(
                peer=Peer(row.id, row.name, row.address),
                endpoints=tuple(_endpoint(document) for document in row.endpoints),
                version=row.version,
                created_at=row.created_at,
                cluster_id=found.get(row.id),
            )
            for row in rows
        ]


class ClusterRows:
    """Implements `app.services.ports.Clusters`."""

    def __init__(self, session: AsyncSession, reach: Reach = EVERYTHING) -> None:
        self._session = session
        self._reach = reach

    async def add(self, cluster: RegisteredCluster) -> None:
        """Insert without members. Raises Problem `name-taken`, `forbidden`.

        The services say more clearly, and before, what a limited key may declare.
        """
        if not self._reach.declares(cluster.labels):
            raise Problem("forbidden", "a cluster as this one would be out of the key's own reach")
        self._session.add(
            ClusterRow(
                id=cluster.cluster.id,
                name=cluster.cluster.name,
                pre_shared_key_id=cluster.pre_shared_key_id,
                labels=to_json(cluster.labels),
                policy=to_json(cluster.policy),
                version=cluster.version,
                created_at=cluster.created_at,
            )
        )
        note(cluster_id=cluster.cluster.id)
        await flushed(self._session)
        if self._reach.clusters is not None:
            within = self._reach.clusters | {cluster.cluster.id}
            self._reach = replace(self._reach, clusters=within)
            reach_also(cluster.cluster.id)

    async def get(self, cluster_id: str, *, lock: bool = False) -> RegisteredCluster | None:
        """One cluster with its members."""
        query = select(ClusterRow).where(
            col(ClusterRow.id) == cluster_id,
            col(ClusterRow.deleted_at).is_(None),
            self._reach.cluster(col(ClusterRow.id)),
        )
        row = (await self._session.scalars(query.with_for_update() if lock else query)).first()
        return None if row is None else (await self._read([row]))[0]

    async def page(
        self, after: str | None, limit: int, labels: Sequence[Label] = ()
    ) -> Page[RegisteredCluster]:
        """Some clusters behind an id, with all of these labels."""
        query = select(ClusterRow).where(
            col(ClusterRow.deleted_at).is_(None), self._reach.cluster(col(ClusterRow.id))
        )
        if labels:
            query = query.where(type_coerce(ClusterRow.labels, JSONB).contains(to_json(labels)))
        if after is not None:
            query = query.where(col(ClusterRow.id) > after)
        query = query.order_by(col(ClusterRow.id)).limit(limit + 1)
        rows = (await self._session.scalars(query)).all()
        items = tuple(await self._read(rows[:limit]))
        return Page(items, items[-1].cluster.id if len(rows) > limit else None)

    async def labelled(self, labels: Iterable[Label]) -> frozenset[str]:
        """See Clusters."""
        wanted = to_json(in_order(labels))
        query = select(ClusterRow.id).where(  # type: ignore[call-overload]  # SQLModel types columns as their values
            type_coerce(ClusterRow.labels, JSONB).contains(wanted)
        )
        return frozenset(await self._session.scalars(query))

    async def some(self, cluster_ids: Sequence[str]) -> Sequence[RegisteredCluster]:
        """Those of these clusters that are there, in no order."""
        query = select(ClusterRow).where(
            col(ClusterRow.id).in_(cluster_ids),
            col(ClusterRow.deleted_at).is_(None),
            self._reach.cluster(col(ClusterRow.id)),
        )
        return await self._read((await self._session.scalars(query)).all())

    async def describe(
        self, cluster_id: str, labels: Sequence[Label], policy: Policy
    ) -> RegisteredCluster:
        """Write labels and policy anew. Raises LookupError where the cluster is gone."""
        await self._session.execute(
            update(ClusterRow)
            .where(col(ClusterRow.id) == cluster_id)
            .values(
                labels=to_json(labels),
                policy=to_json(policy),
                version=col(ClusterRow.version) + 1,
            )
        )
        changed = await self.get(cluster_id)
        if changed is None:
            raise LookupError(f"cluster {cluster_id} is gone")
        return changed

    async def remove(self, cluster_id: str, at: datetime) -> None:
        """Mark as deleted; plans and jobs of the cluster stay readable."""
        await self._session.execute(
            update(ClusterRow)
            .where(col(ClusterRow.id) == cluster_id)
            .values(deleted_at=at, pre_shared_key_id=None, version=col(ClusterRow.version) + 1)
        )

    async def memberships(self) -> Mapping[str, str]:
        """Peer id -> cluster id."""
        rows = await self._session.scalars(select(ClusterMemberRow))
        return {row.peer_id: row.cluster_id for row in rows}

    async def record_members(
        self, cluster_id: str, members: Sequence[str], primary_id: str | None
    ) -> None:
        """Replace the members, in the order of the peer list. Raises Problem `peer-in-cluster`."""
        # The row lock orders two writers of one cluster, although only one job may be at work.
        await self.get(cluster_id, lock=True)
        await self._session.execute(
            delete(ClusterMemberRow).where(col(ClusterMemberRow.cluster_id) == cluster_id)
        )
        for position, peer_id in enumerate(members, start=1):
            self._session.add(
                ClusterMemberRow(cluster_id=cluster_id, position=position, peer_id=peer_id)
            )
        await flushed(self._session)
        await self._session.execute(
            update(ClusterRow)
            .where(col(ClusterRow.id) == cluster_id)
            .values(primary_id=primary_id, version=col(ClusterRow.version) + 1)
        )

    async def attach_pre_shared_key(self, cluster_id: str, credential_id: str) -> None:
        """Make that credential the cluster's pre-shared key."""
        await self._session.execute(
            update(ClusterRow)
            .where(col(ClusterRow.id) == cluster_id)
            .values(pre_shared_key_id=credential_id, version=col(ClusterRow.version) + 1)
        )

    async def _read(self, rows: Sequence[ClusterRow]) -> list[RegisteredCluster]:
        query = (
            select(ClusterMemberRow.cluster_id, PeerRow.id, PeerRow.name, PeerRow.address)  # type: ignore[call-overload]  # SQLModel types columns as their values
            .join(PeerRow, col(PeerRow.id) == col(ClusterMemberRow.peer_id))
            .where(col(ClusterMemberRow.cluster_id).in_([row.id for row in rows]))
            .order_by(col(ClusterMemberRow.cluster_id), col(ClusterMemberRow.position))
        )
        members: dict[str, list[Peer]] = {}
        for cluster_id, peer_id, name, address in await self._session.execute(query):
            members.setdefault(cluster_id, []).append(Peer(peer_id, name, address))
        return [
            RegisteredCluster(
                cluster=Cluster(row.id, row.name, tuple(members.get(row.id, ())), row.primary_id),
                pre_shared_key_id=row.pre_shared_key_id,
                version=row.version,
                created_at=row.created_at,
                labels=tuple(Label(**document) for document in row.labels),
                policy=_policy(row.policy),
            )
            for row in rows
        ]


def _policy(document: Mapping[str, Any]) -> Policy:
    return Policy(**{**document, "window_ids": tuple(document.get("window_ids", ()))})


def uses(credential_id: str) -> Any:
    """Peers with an endpoint that refers to the credential."""
    endpoints = col(PeerRow.endpoints)
    return select(PeerRow.id).where(  # type: ignore[call-overload]  # SQLModel types columns as their values
        or_(
            endpoints.contains([{"credential_id": credential_id}]),
            endpoints.contains([{"root_credential_id": credential_id}]),
        )
    )


def _endpoint_document(endpoint: PeerEndpoint) -> dict[str, Any]:
    anchor = endpoint.trust
    return {
        "transport": endpoint.transport,
        "host": endpoint.host,
        "port": endpoint.port,
        "credential_id": endpoint.credential_id,
        "root_credential_id": endpoint.root_credential_id,
        "trust": None
        if anchor is None
        else {"kind": anchor.kind.value, "value": anchor.value, "fingerprint": anchor.fingerprint},
        "options": dict(endpoint.options),
    }


def _endpoint(document: Mapping[str, Any]) -> PeerEndpoint:
    anchor = document["trust"]
    return PeerEndpoint(
        transport=document["transport"],
        host=document["host"],
        port=document["port"],
        credential_id=document["credential_id"],
        trust=None
        if anchor is None
        else TrustAnchor(TrustKind(anchor["kind"]), anchor["value"], anchor["fingerprint"]),
        options=document["options"],
        root_credential_id=document["root_credential_id"],
    )
