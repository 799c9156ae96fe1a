"""Neighbours of a cluster."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from app.api.v1.schemas.words import CLUSTER, LINE, PEER, TIME, Asked, Id, Line, NextCursor, Told
from app.domain.neighbour import NeighbourKind
from app.services.neighbours import NewNeighbour
from app.services.records import RegisteredNeighbour

NEIGHBOUR = "neighbour-06f3k2m8q1v5x7z9b2d4f6h8j0"
_ZoneName = Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=LINE)]
_KIND = (
    "What names the cluster there: `neighbor` or `traversal_client` zone of an Expressway, or"
    " `other`."
)


class NeighbourCreate(Asked):
    """A device whose zone names the cluster's addresses."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Expressway-C London",
                    "kind": "traversal_client",
                    "zone_name": "to-edge-cluster",
                    "peer_id": PEER,
                }
            ]
        }
    )

    name: Line = Field(description="What people call it.", examples=["Expressway-C London"])
    kind: NeighbourKind = Field(description=_KIND, examples=["neighbor"])
    zone_name: _ZoneName = Field(
        description="The name of the zone (or trunk) there.", examples=["to-edge-cluster"]
    )
    peer_id: Id | None = Field(
        default=None,
        description="The registered Expressway that has the zone; the primary where it is"
        " clustered. Jobs change the zone there; without one they ask an operator.",
        examples=[PEER],
    )

    def said(self) -> NewNeighbour:
        """What the caller says of it."""
        return NewNeighbour(self.name, self.kind, self.zone_name, self.peer_id)


class NeighbourRead(Told):
    """A neighbour as registered."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": NEIGHBOUR,
                    "cluster_id": CLUSTER,
                    "name": "Expressway-C London",
                    "kind": "traversal_client",
                    "zone_name": "to-edge-cluster",
                    "peer_id": PEER,
                    "created_at": TIME,
                }
            ]
        }
    )

    id: str = Field(description="The neighbour.")
    cluster_id: str = Field(description="The cluster its zone names.")
    name: str = Field(description="What people call it.")
    kind: NeighbourKind = Field(description=_KIND)
    zone_name: str = Field(description="The name of the zone there.")
    peer_id: str | None = Field(description="The registered Expressway that has the zone.")
    created_at: datetime = Field(description="When it was registered.")


class NeighbourList(Told):
    """A page of neighbours."""

    items: list[NeighbourRead] = Field(description="In the order they were registered.")
    next_cursor: NextCursor = None


def neighbour_read(registered: RegisteredNeighbour) -> NeighbourRead:
    """As a reader sees it."""
    found = registered.neighbour
    return NeighbourRead(
        id=found.id,
        cluster_id=found.cluster_id,
        name=found.name,
        kind=found.kind,
        zone_name=found.zone_name,
        peer_id=found.peer_id,
        created_at=registered.created_at,
    )
