"""How far the caller reaches, as conditions for queries.

Each repository takes the `Reach` of its transaction and adds the condition of its kind to every
query, so that what is out of reach is absent: the same None, the same answer, the same rows of a
list as if it did not exist. A new table with a `cluster_id` adds `reach.cluster(column)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, cast, column, func, or_, select, table, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import col

from app.domain.terms import Label, in_order
from app.security.acting import now_acting
from app.services.plan_document import to_json
from app.storage.tables import ClusterMemberRow, ClusterRow, CredentialRow, PeerRow

_JOB = table("job", column("id"), column("cluster_id"))
_JOB_PEER = table("job_peer", column("job_id"), column("peer_id"))


@dataclass(frozen=True, slots=True)
class Reach:
    """`clusters` None: everything. `holder`: who registers what is registered now.

    `named` and `labels` are the limits themselves, of which `clusters` is what they come to now.
    """

    holder: str = ""
    clusters: frozenset[str] | None = None
    named: frozenset[str] | None = None
    labels: frozenset[Label] = frozenset()

    @property
    def limited(self) -> bool:
        """Whether anything is out of reach."""
        return self.clusters is not None

    def has(self, cluster_id: str) -> bool:
        """Whether that cluster is within reach."""
        return self.clusters is None or cluster_id in self.clusters

    def cluster(self, cluster_id: Any) -> ColumnElement[bool]:
        """Rows that belong to a cluster within reach; the argument is their column."""
        return true() if self.clusters is None else cluster_id.in_(sorted(self.clusters))

    def all_of(self, cluster_ids: Any) -> ColumnElement[bool]:
        """Rows all of whose clusters are within reach; the argument is their column, an array."""
        if self.clusters is None:
            return true()
        within: ColumnElement[bool] = cluster_ids.contained_by(
            cast(sorted(self.clusters), ARRAY(Text))
        )
        return within

    def declares(self, labels: Sequence[Label]) -> bool:
        """Whether a new cluster with these labels is within reach, whatever its id will be."""
        return self.named is None and self.labels.issubset(labels)

    def tells_of(self, cluster_ids: Sequence[str], labels: Sequence[Label]) -> bool:
        """Whether these clusters (none: all), where they have all these labels, are within reach.

        Also when labels change: what holds now is not asked.
        """
        return self.labels.issubset(labels) and (
            self.named is None or (bool(cluster_ids) and self.named.issuperset(cluster_ids))
        )

    def told_of(self, cluster_ids: Any, labels: Any) -> ColumnElement[bool]:
        """The same of rows; the arguments are their columns, an array of text and JSON."""
        conditions: list[ColumnElement[bool]] = [true()]
        if self.labels:
            conditions.append(labels.contains(to_json(in_order(self.labels))))
        if self.named is not None:
            within = cast(sorted(self.named), ARRAY(Text))
            conditions.append(
                and_(func.cardinality(cluster_ids) > 0, cluster_ids.contained_by(within))
            )
        return and_(*conditions)

    def peer(self) -> ColumnElement[bool]:
        """Peers within reach.

        The members of a cluster within reach; and of the peers that are in no cluster those that
        the caller registered, and those that a job of a cluster within reach had to do with.
        """
        if self.clusters is None:
            return true()
        members = select(col(ClusterMemberRow.peer_id))
        worked_on = (
            select(_JOB_PEER.c.peer_id)
            .join(_JOB, _JOB.c.id == _JOB_PEER.c.job_id)
            .where(self.cluster(_JOB.c.cluster_id))
        )
        peer_id = col(PeerRow.id)
        return or_(
            peer_id.in_(members.where(self.cluster(col(ClusterMemberRow.cluster_id)))),
            and_(
                peer_id.not_in(members),
                or_(col(PeerRow.registered_by) == self.holder, peer_id.in_(worked_on)),
            ),
        )

    def credential(self) -> ColumnElement[bool]:
        """Credentials that the caller made, or that a peer or cluster within reach uses."""
        if self.clusters is None:
            return true()
        endpoint = func.jsonb_array_elements(col(PeerRow.endpoints))
        used = [
            select(endpoint.op("->>")(name)).where(self.peer())
            for name in ("credential_id", "root_credential_id")
        ]
        keys = select(col(ClusterRow.pre_shared_key_id)).where(
            self.cluster(col(ClusterRow.id)), col(ClusterRow.pre_shared_key_id).is_not(None)
        )
        credential_id = col(CredentialRow.id)
        return or_(
            col(CredentialRow.created_by) == self.holder,
            *(credential_id.in_(ids) for ids in used),
            credential_id.in_(keys),
        )


EVERYTHING = Reach()


def reach_of_the_caller() -> Reach:
    """How far whoever is acting now reaches; everything where the service works by itself."""
    act = now_acting()
    if act is None:
        return EVERYTHING
    limits = act.principal.limits
    return Reach(act.principal.id, act.principal.clusters, limits.clusters, limits.labels)
