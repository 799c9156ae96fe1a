"""The report of a cluster: members, causes and checks together."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from app.api.v1.schemas.checks import CheckReport
from app.api.v1.schemas.diagnosis import DiagnosisRead
from app.api.v1.schemas.words import CLUSTER, PEER, TIME, Told
from app.domain.cluster import Cluster
from app.domain.observation import Observation, View
from app.domain.peer import Peer


class ReportedCluster(Told):
    """Which cluster."""

    id: str = Field(description="The cluster.", examples=[CLUSTER])
    name: str = Field(description="Its FQDN.", examples=["cluster.example.com"])


class ReportedMember(Told):
    """One member in a line."""

    peer_id: str = Field(description="The peer.", examples=[PEER])
    name: str = Field(description="Its name.", examples=["exp1"])
    address: str = Field(description="Its LAN 1 address.", examples=["192.0.2.11"])
    primary: bool = Field(description="Whether it is registered as the primary.")
    not_observed: str = Field(description="Why it could not be read; else empty.", examples=[""])
    software_version: str = Field(description="What it runs.", examples=["X8.2"])
    cluster_name: str = Field(description="As it has it.", examples=["cluster.example.com"])
    database_status: str = Field(description="As it shows it; empty where not shown.")
    maintenance_mode: bool | None = Field(description="Whether it refuses new calls.")
    alarms: int = Field(description="How many alarms stand.", examples=[0])


class ClusterReport(Told):
    """Everything there is to say about a cluster at one moment."""

    cluster: ReportedCluster = Field(description="Which cluster.")
    observed_at: datetime = Field(description="When it was looked at.", examples=[TIME])
    members: list[ReportedMember] = Field(description="In the order of the peer list.")
    diagnosis: DiagnosisRead = Field(description="What is wrong, root causes first.")
    checks: CheckReport = Field(description="All checks with their outcomes.")


def member_read(peer: Peer, cluster: Cluster, view: View | None) -> ReportedMember:
    """As a reader sees it."""
    seen = view if isinstance(view, Observation) else None
    return ReportedMember(
        peer_id=peer.id,
        name=peer.name,
        address=peer.address,
        primary=peer.id == cluster.primary_id,
        not_observed="" if seen or view is None or isinstance(view, Observation) else view.code,
        software_version=seen.software_version if seen else "",
        cluster_name=seen.clustering.cluster_name if seen else "",
        database_status=(seen.clustering.database_status or "") if seen else "",
        maintenance_mode=seen.maintenance_mode if seen else None,
        alarms=len(seen.alarms) if seen else 0,
    )
