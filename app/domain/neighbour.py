"""A neighbour: a device outside a cluster with a zone that names the cluster's addresses."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class NeighbourKind(enum.StrEnum):
    """What names the cluster there."""

    NEIGHBOR = "neighbor"
    """A neighbor zone of an Expressway."""
    TRAVERSAL_CLIENT = "traversal_client"
    """A traversal client zone of an Expressway-C, to this cluster of Expressway-Es."""
    OTHER = "other"
    """Anything else, such as a SIP trunk of a call manager."""


ZONE_KINDS = {NeighbourKind.NEIGHBOR: "Neighbor", NeighbourKind.TRAVERSAL_CLIENT: "TraversalClient"}
"""The zone types of Expressways, as their configuration names them."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """`zone_name` is the zone's name there. `peer_id` is the registered Expressway that has it.

    Without a peer the service cannot reach it, and a job says what is to be changed by hand.
    """

    id: str
    cluster_id: str
    name: str
    kind: NeighbourKind
    zone_name: str
    peer_id: str | None = None
