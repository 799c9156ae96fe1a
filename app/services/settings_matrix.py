"""The settings of all members side by side, read now. The comparison is app.checks' own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from app.checks.settings_matrix import SettingsMatrix, settings_matrix
from app.domain.clock import Clock
from app.domain.cluster import Cluster
from app.domain.peer import Peer
from app.domain.settings import PeerSettings
from app.services.ports import Appliances, Store
from app.services.problems import not_found


@dataclass(frozen=True, slots=True)
class Compared:
    """A cluster's matrix; `not_read` are members whose configuration could not be read."""

    cluster: Cluster
    at: datetime
    matrix: SettingsMatrix
    not_read: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SettingsMatrixService:
    """Reads the configuration of every member and compares them."""

    store: Store
    appliances: Appliances
    clock: Clock
    limit: float
    """Seconds for one member."""

    async def of(self, cluster_id: str) -> Compared:
        """The matrix now. Raises Problem `not-found`. Changes nothing."""
        async with self.store.transaction() as tx:
            registered = await tx.clusters.get(cluster_id)
        if registered is None:
            raise not_found("cluster", cluster_id)
        cluster = registered.cluster
        async with asyncio.TaskGroup() as tasks:
            asked = {peer.id: tasks.create_task(self._read(peer)) for peer in cluster.members}
        found = {peer_id: task.result() for peer_id, task in asked.items()}
        matrix = settings_matrix(found, cluster.primary_id or "")
        silent = tuple(peer_id for peer_id, settings in found.items() if settings is None)
        return Compared(cluster, self.clock.now(), matrix, silent)

    async def _read(self, peer: Peer) -> PeerSettings | None:
        try:
            async with asyncio.timeout(self.limit):
                return await self.appliances.settings(peer.id, peer.name)
        except TimeoutError:
            return None
