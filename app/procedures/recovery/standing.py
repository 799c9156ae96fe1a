"""Where a peer stands between the two clusters by its own answer, and what the job left on it."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.observation import Observation, View
from app.domain.peer import Peer
from app.procedures.recovery.clusters import ALONE, Clustered


class Standing(enum.StrEnum):
    """Where a peer, or the whole cluster, stands."""

    BEFORE = "as_before"
    """As registered before the job."""
    AIMED = "as_aimed"
    """As the job wanted it."""
    BETWEEN = "in_between"
    UNKNOWN = "unknown"
    """No peer could be read."""


@dataclass(frozen=True, slots=True)
class PeerStanding:
    """One peer against the two clusters: what differs, and what the job left switched."""

    peer_id: str
    name: str
    reached: bool
    standing: Standing
    differs_from_before: tuple[str, ...] = ()
    differs_from_aimed: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()


def stands(
    peer: Peer, view: View | None, before: Clustered, aimed: Clustered, *, touched: bool
) -> PeerStanding:
    """One peer's standing; `touched` is whether the job acted on it."""
    if not isinstance(view, Observation):
        return PeerStanding(peer.id, peer.name, reached=False, standing=Standing.UNKNOWN)
    was = before if peer.id in before.members else ALONE
    wanted = aimed if peer.id in aimed.members else ALONE
    from_before, from_aimed = was.differences(view), wanted.differences(view)
    standing = Standing.BETWEEN
    if not from_before:
        standing = Standing.BEFORE
    elif not from_aimed:
        standing = Standing.AIMED
    left: list[str] = []
    if touched and view.maintenance_mode:
        left.append("maintenance mode is On")
    if view.restart_required:
        left.append("an alarm demands a restart")
    return PeerStanding(
        peer.id,
        peer.name,
        reached=True,
        standing=standing,
        differs_from_before=from_before,
        differs_from_aimed=from_aimed,
        left_over=tuple(left),
    )


def together(peers: Sequence[PeerStanding]) -> Standing:
    """Where the cluster stands, by the peers that answer."""
    reached = [peer for peer in peers if peer.reached]
    if not reached:
        return Standing.UNKNOWN
    if not any(peer.differs_from_before for peer in reached):
        return Standing.BEFORE
    if not any(peer.differs_from_aimed for peer in reached):
        return Standing.AIMED
    return Standing.BETWEEN
