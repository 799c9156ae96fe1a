"""All members' settings side by side."""

from __future__ import annotations

from datetime import datetime

from pydantic import ConfigDict, Field

from app.api.v1.schemas.plans import FindingRead, finding_read
from app.api.v1.schemas.words import CLUSTER, PEER, TIME, Told
from app.checks.settings_matrix import MatrixRow, SharedDifference
from app.services.settings_matrix import Compared


class SettingValue(Told):
    """One value at one path."""

    path: str = Field(description="Configuration path.", examples=["SystemUnit Name"])
    value: str = Field(description="Its value; secrets are not shown.", examples=["exp1"])


class PeerValues(Told):
    """One peer's values of a row."""

    peer_id: str = Field(description="The peer.", examples=[PEER])
    marked: bool = Field(description="Whether they are not as the row wants them.")
    values: list[SettingValue] = Field(description="By path; empty where none is shown.")


class MatrixRowRead(Told):
    """One setting of the guide's table (p.16-17)."""

    page: str = Field(description="Page of the web interface.", examples=["System > DNS"])
    label: str = Field(description="Its label there.", examples=["System host name"])
    rule: str = Field(
        description="must_be_equal, must_differ, may_differ or shared.", examples=["must_differ"]
    )
    verdict: str = Field(description="good, wrong or unknown.", examples=["good"])
    advice: str = Field(description="What the guide adds.", examples=[""])
    requirements: list[str] = Field(description="The guide's requirements.", examples=[["PSI-17"]])
    peers: list[PeerValues] = Field(description="Each member that could be read.")


class SharedDifferenceRead(Told):
    """A replicated setting of a peer that is not the primary's."""

    peer_id: str = Field(description="The peer.", examples=[PEER])
    path: str = Field(description="Configuration path.", examples=["Zones Zone 1 Name"])
    value: str = Field(description="There; secrets are not shown.", examples=["edited"])
    on_primary: str = Field(description="On the primary.", examples=["to-cucm"])


class SettingsMatrixRead(Told):
    """Which settings each peer holds for itself, and what is not as it should be."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "cluster_id": CLUSTER,
                    "primary_id": PEER,
                    "rows": [],
                    "shared_differences": [],
                    "findings": [],
                    "not_read": [],
                    "observed_at": TIME,
                }
            ]
        }
    )

    cluster_id: str = Field(description="The cluster.")
    primary_id: str | None = Field(description="Whose shared settings count.")
    rows: list[MatrixRowRead] = Field(description="The guide's table, in its order.")
    shared_differences: list[SharedDifferenceRead] = Field(
        description="Replicated settings that differ from the primary's, at most 200 a peer."
    )
    findings: list[FindingRead] = Field(description="What is not as it should be.")
    not_read: list[str] = Field(description="Members that could not be read.")
    observed_at: datetime = Field(description="When they were read.")


def settings_matrix_read(found: Compared) -> SettingsMatrixRead:
    """As a reader sees it."""
    return SettingsMatrixRead(
        cluster_id=found.cluster.id,
        primary_id=found.cluster.primary_id,
        rows=[_row(row) for row in found.matrix.rows],
        shared_differences=[_difference(entry) for entry in found.matrix.shared],
        findings=[finding_read(finding) for finding in found.matrix.findings],
        not_read=list(found.not_read),
        observed_at=found.at,
    )


def _row(entry: MatrixRow) -> MatrixRowRead:
    row = entry.row
    return MatrixRowRead(
        page=row.page,
        label=row.label,
        rule=row.rule.value,
        verdict=entry.verdict.value,
        advice=row.advice,
        requirements=row.requirements.split(),
        peers=[
            PeerValues(
                peer_id=peer_id,
                marked=peer_id in entry.marked,
                values=[SettingValue(path=path, value=value) for path, value in own.items()],
            )
            for peer_id, own in entry.values.items()
        ],
    )


def _difference(entry: SharedDifference) -> SharedDifferenceRead:
    return SharedDifferenceRead(
        peer_id=entry.peer_id, path=entry.path, value=entry.value, on_primary=entry.on_primary
    )
