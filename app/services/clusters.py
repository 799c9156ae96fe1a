"""Clusters: declaring one, and asking all of its members how they see it.

A cluster is declared with its FQDN and no members; only jobs record members. Deleting touches no
appliance, so a cluster with members is not deleted but disbanded, by a job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.domain.clock import Clock
from app.domain.cluster import Cluster
from app.domain.observation import View
from app.domain.terms import Label, Policy
from app.services.conditions import Expected, remember, replay, tag
from app.services.labels import LimitingLabels
from app.services.peers import PeersService
from app.services.ports import NewId, Store, Transaction
from app.services.problems import Problem, invalid, not_found
from app.services.records import CredentialKind, Once, Outcome, Page, RegisteredCluster
from app.services.windows import of_policy


@dataclass(frozen=True, slots=True)
class ClustersService:
    """What callers may do with clusters."""

    store: Store
    peers: PeersService
    labels: LimitingLabels
    clock: Clock
    new_id: NewId

    async def create(
        self,
        name: str,
        pre_shared_key_id: str | None,
        once: Once | None,
        *,
        labels: Sequence[Label] = (),
        policy: Policy | None = None,
    ) -> Outcome[RegisteredCluster]:
        """Declare a cluster by its FQDN.

        Without a pre-shared key, one is made at random when the first job needs it. Raises Problem
        `name-taken`, `invalid-request`, and `forbidden` where it would be out of reach.
        """
        unique(labels)
        now = self.clock.now()
        async with self.store.transaction() as tx:
            found = await replay(tx, once, now, tx.clusters.get)
            if found is not None:
                return found
            await self.labels.check_new(tx, labels)
            await of_policy(tx, (policy or Policy()).window_ids)
            cluster = RegisteredCluster(
                cluster=Cluster(id=self.new_id("cluster"), name=name.rstrip(".").lower()),
                pre_shared_key_id=await pre_shared_key(tx, pre_shared_key_id),
                version=1,
                created_at=now,
                labels=tuple(labels),
                policy=policy or Policy(),
            )
            await tx.clusters.add(cluster)
            await remember(tx, once, cluster.cluster.id, now)
            return Outcome(cluster)

    async def get(self, cluster_id: str) -> RegisteredCluster:
        """One cluster. Raises Problem `not-found`."""
        async with self.store.transaction() as tx:
            cluster = await tx.clusters.get(cluster_id)
        if cluster is None:
            raise not_found("cluster", cluster_id)
        return cluster

    async def page(
        self, after: str | None, limit: int, labels: Sequence[Label] = ()
    ) -> Page[RegisteredCluster]:
        """Some clusters with all of these labels, in the order they were declared."""
        async with self.store.transaction() as tx:
            return await tx.clusters.page(after, limit, labels)

    async def describe(
        self,
        cluster_id: str,
        labels: Sequence[Label] | None,
        policy: Mapping[str, Any],
        expected: Expected,
    ) -> RegisteredCluster:
        """Change the labels (all of them, unless None) and those fields of the policy.

        Touches no appliance and no job: what a job was started under stays with it. Raises Problem
        `not-found`, `precondition-failed`, `invalid-request`, and `forbidden` for labels that
        callers are limited by.
        """
        unique(labels or ())
        async with self.store.transaction() as tx:
            found = await tx.clusters.get(cluster_id, lock=True)
            if found is None:
                raise not_found("cluster", cluster_id)
            expected.check(tag(cluster_id, found.version))
            if labels is not None:
                await self.labels.check_change(tx, found.labels, labels)
            await of_policy(tx, policy.get("window_ids", ()))
            return await tx.clusters.describe(
                cluster_id,
                found.labels if labels is None else labels,
                replace(found.policy, **policy),
            )

    async def delete(self, cluster_id: str, expected: Expected) -> None:
        """Forget a cluster without members.

        Raises Problem `cluster-has-members`, and `cluster-busy` while a job of it has not ended:
        it would go on and give members to a cluster that nobody can see. The row stays locked, and
        starting a job locks it too, so no job begins in between.
        """
        async with self.store.transaction() as tx:
            registered = await tx.clusters.get(cluster_id, lock=True)
            if registered is None:
                raise not_found("cluster", cluster_id)
            expected.check(tag(cluster_id, registered.version))
            if registered.cluster.members:
                raise Problem(
                    "cluster-has-members",
                    "the cluster has members; disband it by a job first",
                    cluster_id=cluster_id,
                )
            job_id = await tx.jobs.unended(cluster_id)
            if job_id is not None:
                raise Problem(
                    "cluster-busy",
                    f"job {job_id} of this cluster has not ended",
                    job_id=job_id,
                    cluster_id=cluster_id,
                )
            await tx.clusters.remove(cluster_id, self.clock.now())

    async def observe(self, cluster_id: str) -> tuple[View, ...]:
        """What each member says now, in the order of the peer list."""
        registered = await self.get(cluster_id)
        views = await asyncio.gather(
            *(self.peers.view(peer.id) for peer in registered.cluster.members)
        )
        return tuple(views)


async def pre_shared_key(tx: Transaction, credential_id: str | None) -> str | None:
    """That credential, if it is a pre-shared key. Raises Problem `invalid-request`."""
    if credential_id is not None:
        key = await tx.credentials.get(credential_id)
        if key is None or key.kind is not CredentialKind.PRE_SHARED_KEY:
            raise invalid("/pre_shared_key_id", "there is no pre_shared_key credential of this id")
    return credential_id


def unique(labels: Sequence[Label]) -> None:
    """No name twice. Raises Problem `invalid-request`."""
    names: set[str] = set()
    for number, label in enumerate(labels):
        if label.name in names:
            raise invalid(f"/labels/{number}/name", "another label has this name")
        names.add(label.name)
