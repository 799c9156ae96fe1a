"""Clusters, and how their members see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from app.api.v1.schemas.words import CLUSTER, CREDENTIAL, PEER, TIME, Asked, Id, NextCursor, Told
from app.domain.observation import NotObserved, Observation, View
from app.services.records import RegisteredCluster

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
Fqdn = Annotated[
    str, StringConstraints(min_length=3, max_length=253, pattern=rf"^({_LABEL}\.)+{_LABEL}\.?$")
]


class ClusterCreate(Asked):
    """A cluster to declare."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "cluster.example.com"}]})

    name: Fqdn = Field(
        description="The FQDN that the SRV records of the cluster use; becomes the cluster name.",
        examples=["cluster.example.com"],
    )
    pre_shared_key_id: Id | None = Field(
        default=None,
        description="A pre_shared_key credential; without one a key is made at random.",
        examples=[CREDENTIAL],
    )


class MemberRead(Told):
    """One member."""

    position: int = Field(description="Its place in the peer list, from 1.", examples=[1])
    peer_id: str = Field(description="The peer.", examples=[PEER])
    name: str = Field(description="The peer's name.", examples=["exp1"])
    address: str = Field(description="The peer's LAN 1 address.", examples=["192.0.2.11"])
    primary: bool = Field(description="Whether its configuration is the replicated one.")


class ClusterRead(Told):
    """A cluster as registered."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": CLUSTER,
                    "name": "cluster.example.com",
                    "primary_peer_id": PEER,
                    "members": [
                        {
                            "position": 1,
                            "peer_id": PEER,
                            "name": "exp1",
                            "address": "192.0.2.11",
                            "primary": True,
                        }
                    ],
                    "pre_shared_key_id": CREDENTIAL,
                    "version": 3,
                    "created_at": TIME,
                }
            ]
        }
    )

    id: str = Field(description="The cluster.")
    name: str = Field(description="Its FQDN.")
    primary_peer_id: str | None = Field(description="The primary; null while not yet created.")
    members: list[MemberRead] = Field(description="In the order of the peer list.")
    pre_shared_key_id: str | None = Field(description="The credential of its pre-shared key.")
    version: int = Field(description="Row version.")
    created_at: datetime = Field(description="When it was declared.")


class ClusterList(Told):
    """A page of clusters."""

    items: list[ClusterRead] = Field(description="In the order they were declared.")
    next_cursor: NextCursor = None


class MemberView(Told):
    """What one member says, or why it says nothing."""

    peer_id: str = Field(description="The member.", examples=[PEER])
    observation: Observation | None = Field(description="Its own answers.")
    not_observed: NotObserved | None = Field(description="Why there are none.")


class ClusterObservation(Told):
    """What each member says of itself now; nothing is merged or judged."""

    cluster_id: str = Field(description="The cluster.", examples=[CLUSTER])
    members: list[MemberView] = Field(description="In the order of the peer list.")


def cluster_read(registered: RegisteredCluster) -> ClusterRead:
    """As a reader sees it."""
    cluster = registered.cluster
    return ClusterRead(
        id=cluster.id,
        name=cluster.name,
        primary_peer_id=cluster.primary_id,
        members=[
            MemberRead(
                position=position,
                peer_id=peer.id,
                name=peer.name,
                address=peer.address,
                primary=peer.id == cluster.primary_id,
            )
            for position, peer in enumerate(cluster.members, start=1)
        ],
        pre_shared_key_id=registered.pre_shared_key_id,
        version=registered.version,
        created_at=registered.created_at,
    )


def member_view(view: View) -> MemberView:
    """As a reader sees it."""
    if isinstance(view, Observation):
        return MemberView(peer_id=view.peer_id, observation=view, not_observed=None)
    return MemberView(peer_id=view.peer_id, observation=None, not_observed=view)
