"""Importing a cluster that exists."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from app.api.v1.schemas.clusters import (
    LABEL_EXAMPLE,
    ClusterRead,
    Labels,
    PolicyPatch,
    asked_labels,
    asked_policy,
    cluster_read,
)
from app.api.v1.schemas.plans import FindingRead, finding_read
from app.api.v1.schemas.words import CREDENTIAL, PEER, Asked, Flag, Id, Told
from app.services.importing import Imported, ImportRequest


class ClusterImport(Asked):
    """Which member to ask, and what is said of its cluster."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"peer_id": PEER, "labels": [LABEL_EXAMPLE]}]}
    )

    peer_id: Id = Field(description="A registered member of the cluster.", examples=[PEER])
    pre_shared_key_id: Id | None = Field(
        default=None,
        description="The pre_shared_key credential with the key that the peers have. It cannot be "
        "compared with theirs; without it the key stays unknown to the service.",
        examples=[CREDENTIAL],
    )
    labels: Labels = Field(default_factory=list, description="Words to find the cluster by.")
    policy: PolicyPatch | None = Field(
        default=None, description="What it asks of every job; without one, nothing."
    )
    despite_differences: Flag = Field(
        default=False,
        description="Record what the asked member says although other members say something else "
        "or nothing; for align-clustering or remove-dead-peer to mend.",
    )

    def asked(self) -> ImportRequest:
        """In the words of the services."""
        return ImportRequest(
            pre_shared_key_id=self.pre_shared_key_id,
            labels=asked_labels(self.labels),
            policy=asked_policy(self.policy),
            despite_differences=self.despite_differences,
        )


class ClusterImported(Told):
    """A cluster as recorded."""

    cluster: ClusterRead = Field(description="With its members and its primary.")
    recorded: bool = Field(
        description="By this request; false: it was registered before, just like this."
    )
    findings: list[FindingRead] = Field(
        description="What it was recorded in spite of, and what is not known.", examples=[[]]
    )


def cluster_imported(made: Imported) -> ClusterImported:
    """As a reader sees it."""
    return ClusterImported(
        cluster=cluster_read(made.cluster),
        recorded=made.recorded,
        findings=[finding_read(finding) for finding in made.findings],
    )
