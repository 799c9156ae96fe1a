"""A cluster as the service knows it: one to six peers addressed by one FQDN."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.peer import Peer

MAX_PEERS = 6
"""ADD-04: the primary counted."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """`name` is the FQDN of the cluster's SRV records; `members` are in the order of the peer list.

    No members: the cluster is declared and not yet created.
    """

    id: str
    name: str
    members: tuple[Peer, ...] = ()
    primary_id: str | None = None

    @property
    def membership(self) -> str:
        """Members in their order and the primary, in one line: what every plan relies on."""
        members = ",".join(peer.id for peer in self.members) or "none"
        return f"members {members}, primary {self.primary_id or 'none'}"

    @property
    def primary(self) -> Peer | None:
        """The member whose configuration is replicated."""
        return next((peer for peer in self.members if peer.id == self.primary_id), None)
