"""What leads out after a job that did not succeed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from app.api.v1.schemas.words import CLUSTER, JOB, PEER, TIME, Told
from app.domain.job import JobState
from app.procedures.recovery import PeerStanding, WayOut
from app.services.recovery import Recovered, Tried

RETRY = f"/v1/jobs/{JOB}/retry"


class PeerStandingRead(Told):
    """One peer, compared with the cluster before the job and the one it wanted."""

    peer_id: str = Field(description="The peer.", examples=[PEER])
    name: str = Field(description="Its name.", examples=["exp2"])
    reached: bool = Field(description="Whether it answered.", examples=[True])
    standing: str = Field(
        description="as_before, as_aimed, in_between or unknown.", examples=["as_aimed"]
    )
    differs_from_before: list[str] = Field(
        description="How its answer differs from the cluster before the job.",
        examples=[["peer list is 192.0.2.11; should be 192.0.2.11, 192.0.2.12"]],
    )
    differs_from_aimed: list[str] = Field(
        description="How its answer differs from the cluster the job wanted.", examples=[[]]
    )
    left_over: list[str] = Field(
        description="What the job left switched.", examples=[["maintenance mode is On"]]
    )


class RequestRead(Told):
    """A request ready to be sent; a POST that starts a job wants an Idempotency-Key."""

    method: str = Field(description="The method.", examples=["POST"])
    path: str = Field(description="The path.", examples=[RETRY])
    body: dict[str, Any] = Field(description="The body.", examples=[{}])


class BlockerRead(Told):
    """What forbids taking a way right now."""

    code: str = Field(description="Stable code.", examples=["peer-unreachable"])
    message: str = Field(description="What is so.", examples=["exp2 does not answer."])
    remedy: str = Field(description="What to do.", examples=["Bring it back."])


class WayOutRead(Told):
    """One way to a consistent cluster."""

    direction: str = Field(description="forward or back.", examples=["forward"])
    procedure: str | None = Field(
        description="The procedure; null: retry this job.", examples=["align-clustering"]
    )
    title: str = Field(description="What it does.", examples=["Retry the job at restart-exp2"])
    reason: str = Field(description="Why it is offered.", examples=["Every peer answers."])
    requirements: list[str] = Field(description="The guide's requirements.", examples=[["ALM-01"]])
    open: bool = Field(description="Whether nothing forbids it right now.", examples=[True])
    blockers: list[BlockerRead] = Field(description="What forbids it right now.")
    request: RequestRead = Field(description="Ready to be sent.")


class RecoveryRead(Told):
    """Where the cluster stands now, and the ways out: open ones first, the best one first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "job_id": JOB,
                    "cluster_id": CLUSTER,
                    "state": "failed",
                    "standing": "in_between",
                    "summary": "The peers are between the cluster before the job and the one"
                    " wanted.",
                    "peers": [],
                    "ways": [],
                    "observed_at": TIME,
                }
            ]
        }
    )

    job_id: str = Field(description="The job.")
    cluster_id: str = Field(description="The cluster.")
    state: JobState = Field(description="How the job ended.")
    standing: str = Field(description="as_before, as_aimed, in_between or unknown.")
    summary: str = Field(description="In a sentence or two.")
    peers: list[PeerStandingRead] = Field(description="Every peer the job had to do with.")
    ways: list[WayOutRead] = Field(description="Empty where nothing is to be done.")
    observed_at: datetime = Field(description="When the peers were asked.")


def recovery_read(found: Recovered) -> RecoveryRead:
    """As a reader sees it."""
    return RecoveryRead(
        job_id=found.job.id,
        cluster_id=found.job.cluster_id,
        state=found.job.state,
        standing=found.recovery.standing.value,
        summary=found.recovery.summary,
        peers=[_peer(peer) for peer in found.recovery.peers],
        ways=[_way(tried) for tried in found.ways],
        observed_at=found.at,
    )


def _peer(peer: PeerStanding) -> PeerStandingRead:
    return PeerStandingRead(
        peer_id=peer.peer_id,
        name=peer.name,
        reached=peer.reached,
        standing=peer.standing.value,
        differs_from_before=list(peer.differs_from_before),
        differs_from_aimed=list(peer.differs_from_aimed),
        left_over=list(peer.left_over),
    )


def _way(tried: Tried) -> WayOutRead:
    way: WayOut = tried.way
    return WayOutRead(
        direction=way.direction.value,
        procedure=way.procedure or None,
        title=way.title,
        reason=way.reason,
        requirements=list(way.requirements),
        open=not tried.blockers,
        blockers=[
            BlockerRead(code=found.code, message=found.message, remedy=found.remedy)
            for found in tried.blockers
        ],
        request=RequestRead(
            method=way.request.method, path=way.request.path, body=dict(way.request.body)
        ),
    )
