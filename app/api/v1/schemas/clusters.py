"""Clusters, and how their members see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from app.api.v1.schemas.words import (
    CLUSTER,
    CREDENTIAL,
    LINE,
    PEER,
    TIME,
    Asked,
    Flag,
    Id,
    NextCursor,
    Told,
    Whole,
)
from app.domain.observation import NotObserved, Observation, View
from app.domain.terms import LABEL_NAME, LONGEST_LABEL_VALUE, MOST_APPROVERS, Label, Policy
from app.services.records import RegisteredCluster

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
Fqdn = Annotated[
    str, StringConstraints(min_length=3, max_length=253, pattern=rf"^({_LABEL}\.)+{_LABEL}\.?$")
]


LABEL_EXAMPLE: JsonDict = {"name": "site", "value": "berlin"}


class LabelAsked(Asked):
    """A word to find a cluster by."""

    name: Annotated[str, StringConstraints(max_length=63, pattern=rf"^{LABEL_NAME}$")] = Field(
        description="Unique on the cluster.", examples=["site"]
    )
    value: Annotated[str, StringConstraints(max_length=LONGEST_LABEL_VALUE, pattern=LINE)] = Field(
        description="Its value; may be empty.", examples=["berlin"]
    )


Labels = Annotated[list[LabelAsked], Field(max_length=32, examples=[[LABEL_EXAMPLE]])]


class PolicyPatch(Asked):
    """What the cluster asks of every job; what is absent or null stays."""

    change_required: Flag | None = Field(
        default=None, description="A start names a change record.", examples=[True]
    )
    enforce_window: Flag | None = Field(
        default=None, description="Jobs go on inside a window only.", examples=[False]
    )
    four_eyes: Flag | None = Field(
        default=None, description="Whoever started a job does not approve it.", examples=[True]
    )
    minimum_approvers: Whole | None = Field(
        default=None,
        ge=0,
        le=MOST_APPROVERS,
        description="How many people approve a job before it begins.",
        examples=[1],
    )

    window_ids: list[Id] | None = Field(
        default=None,
        max_length=20,
        description="The windows that jobs run in: one of them has to be open. An empty list: "
        "at any time outside of change freezes.",
        examples=[["window-06f3k2m8q1v5x7z9b2d4f6h8j0"]],
    )

    def given(self) -> dict[str, Any]:
        """The fields that change."""
        found = self.model_dump(exclude_none=True)
        if self.window_ids is not None:
            found["window_ids"] = tuple(dict.fromkeys(self.window_ids))
        return found


class ClusterCreate(Asked):
    """A cluster to declare."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "cluster.example.com", "labels": [LABEL_EXAMPLE]}]}
    )

    name: Fqdn = Field(
        description="The FQDN that the SRV records of the cluster use; becomes the cluster name.",
        examples=["cluster.example.com"],
    )
    pre_shared_key_id: Id | None = Field(
        default=None,
        description="A pre_shared_key credential; without one a key is made at random.",
        examples=[CREDENTIAL],
    )
    labels: Labels = Field(default_factory=list, description="Words to find the cluster by.")
    policy: PolicyPatch | None = Field(
        default=None, description="What it asks of every job; without one, nothing."
    )


class ClusterPatch(Asked):
    """What to change; what is absent or null stays."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"policy": {"four_eyes": True, "minimum_approvers": 1}}]}
    )

    labels: Labels | None = Field(default=None, description="All labels anew.")
    policy: PolicyPatch | None = Field(default=None, description="Fields of the policy.")


class LabelRead(Told):
    """A word that the cluster is found by."""

    name: str = Field(description="Unique on the cluster.", examples=["site"])
    value: str = Field(description="Its value.", examples=["berlin"])


class PolicyRead(Told):
    """What the cluster asks of every job."""

    change_required: bool = Field(description="A start names a change record.")
    enforce_window: bool = Field(description="Jobs go on inside a window only.")
    four_eyes: bool = Field(description="Whoever started a job does not approve it.")
    minimum_approvers: int = Field(description="How many people approve a job.", examples=[1])
    window_ids: list[str] = Field(description="The windows that jobs run in.", examples=[[]])


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
                    "labels": [LABEL_EXAMPLE],
                    "policy": {
                        "change_required": False,
                        "enforce_window": False,
                        "four_eyes": True,
                        "minimum_approvers": 1,
                        "window_ids": [],
                    },
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
    labels: list[LabelRead] = Field(description="Words that it is found by.")
    policy: PolicyRead = Field(description="What it asks of every job.")
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


def asked_labels(labels: list[LabelAsked]) -> tuple[Label, ...]:
    """The labels of a request."""
    return tuple(Label(label.name, label.value) for label in labels)


def asked_policy(policy: PolicyPatch | None) -> Policy:
    """The policy of a new cluster."""
    return Policy() if policy is None else Policy(**policy.given())


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
        labels=[LabelRead.model_validate(label) for label in registered.labels],
        policy=PolicyRead.model_validate(registered.policy),
        version=registered.version,
        created_at=registered.created_at,
    )


def member_view(view: View) -> MemberView:
    """As a reader sees it."""
    if isinstance(view, Observation):
        return MemberView(peer_id=view.peer_id, observation=view, not_observed=None)
    return MemberView(peer_id=view.peer_id, observation=None, not_observed=view)
