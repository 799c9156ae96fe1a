"""How a cluster is watched, what stands, and what happened to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from app.api.v1.schemas.words import CLUSTER, PEER, TIME, Asked, Number, Told
from app.services.watch_records import ClusterEvent, Period
from app.services.watching import Watched


class WatchingUpdate(Asked):
    """How often to look at a cluster."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"interval_seconds": 900}]})

    interval_seconds: Number | None = Field(
        ge=0,
        le=86_400,
        description="Seconds between two looks; 0: none; null: the service's own interval.",
        examples=[900],
    )


class StandingRead(Told):
    """Something that is wrong and was told of by an event."""

    key: str = Field(description="The same for as long as it stands.", examples=["h323-off@peer-1"])
    kind: str = Field(description="finding, alarm or silence.", examples=["finding"])
    peer_id: str | None = Field(description="The peer it is about.", examples=[PEER])
    body: dict[str, Any] = Field(
        description="The finding or alarm.", examples=[{"code": "h323-off"}]
    )
    first_seen: datetime | None = Field(description="Since when.", examples=[TIME])


class WatchingRead(Told):
    """How a cluster is watched, and what stands."""

    cluster_id: str = Field(description="The cluster.", examples=[CLUSTER])
    interval_seconds: float | None = Field(description="Its own; null: the service's.")
    effective_interval_seconds: float = Field(
        description="What applies; 0: not watched.", examples=[300]
    )
    last_look_at: datetime | None = Field(description="The last look that came to its end.")
    next_look_at: datetime | None = Field(description="When the next one is due.")
    accepted_at: datetime | None = Field(description="When its state was last accepted.")
    accepted_by: str | None = Field(description="By whom: a key, a job, or the first look.")
    standing: list[StandingRead] = Field(description="What is wrong, oldest first.")
    last_event_seq: int = Field(description="Number of its last event.", examples=[12])
    version: int = Field(description="Row version.")


class ClusterEventRead(Told):
    """One thing that happened."""

    cluster_id: str = Field(description="The cluster.", examples=[CLUSTER])
    seq: int = Field(description="From 1, without gaps.", examples=[1])
    at: datetime = Field(description="When it was noticed.", examples=[TIME])
    type: str = Field(description="What happened.", examples=["cluster.finding.raised"])
    data: dict[str, Any] = Field(
        description="Depends on the type.", examples=[{"code": "h323-off", "peer_id": PEER}]
    )


class ClusterEventList(Told):
    """Events in order."""

    items: list[ClusterEventRead] = Field(description="Behind the number asked for.")
    last_seq: int = Field(description="Ask for events behind this next.", examples=[1])


class PeriodRead(Told):
    """A time in which nothing changed."""

    seq: int = Field(description="Its number.", examples=[1])
    first_at: datetime = Field(description="The first look that saw this.", examples=[TIME])
    last_at: datetime = Field(description="The last look that saw this.", examples=[TIME])
    passes: int = Field(description="How many looks saw it.", examples=[288])
    healthy: bool = Field(description="Whether nothing was wrong.")
    findings: list[str] = Field(description="Keys of what stood.", examples=[[]])
    facts: dict[str, dict[str, str]] = Field(
        description="Peer to facts.", examples=[{PEER: {"software_version": "X8.2"}}]
    )


class PeriodList(Told):
    """History, newest first."""

    items: list[PeriodRead] = Field(description="Newest first.")
    before: int | None = Field(description="Ask for `before` this for older ones; null: no more.")


def watching_read(watched: Watched) -> WatchingRead:
    """As a reader sees it."""
    watch = watched.watch
    return WatchingRead(
        cluster_id=watch.cluster_id,
        interval_seconds=watch.interval,
        effective_interval_seconds=watched.interval,
        last_look_at=watch.last_at,
        next_look_at=watch.next_at if watched.interval else None,
        accepted_at=watch.accepted_at,
        accepted_by=watch.accepted_by or None,
        standing=[StandingRead.model_validate(entry) for entry in watched.standing],
        last_event_seq=watch.last_event_seq,
        version=watch.version,
    )


def events_read(events: tuple[ClusterEvent, ...], after: int) -> ClusterEventList:
    """As a reader sees it."""
    return ClusterEventList(
        items=[ClusterEventRead.model_validate(event) for event in events],
        last_seq=events[-1].seq if events else after,
    )


def history_read(periods: tuple[Period, ...], limit: int) -> PeriodList:
    """As a reader sees it."""
    return PeriodList(
        items=[PeriodRead.model_validate(period) for period in periods],
        before=periods[-1].seq if len(periods) == limit else None,
    )
