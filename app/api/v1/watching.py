"""`/v1/clusters/{id}/watching`, its events and its history: what happens between changes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.api.dependencies import ClustersReader, ClustersWriter, IfMatch, ServicesOf
from app.api.problems import responses
from app.api.v1.schemas.watching import (
    ClusterEventList,
    PeriodList,
    WatchingRead,
    WatchingUpdate,
    events_read,
    history_read,
    watching_read,
)
from app.api.v1.schemas.words import ClusterId
from app.services.conditions import tag
from app.services.watching import Watched

router = APIRouter(prefix="/v1/clusters", tags=["watching"], redirect_slashes=False)


@router.get(
    "/{cluster_id}/watching",
    operation_id="getWatching",
    summary="Read how a cluster is watched",
    responses=responses("not-found"),
)
async def get(
    *, response: Response, cluster_id: ClusterId, _caller: ClustersReader, services: ServicesOf
) -> WatchingRead:
    """When it is looked at, what stands since when, and the state that was last accepted."""
    return _told(response, await services.watching.get(cluster_id))


@router.patch(
    "/{cluster_id}/watching",
    operation_id="updateWatching",
    summary="Change how often a cluster is looked at",
    responses=responses(
        "not-found",
        "precondition-failed",
        "precondition-required",
        "body-too-large",
        "unsupported-media-type",
    ),
)
async def update(
    *,
    response: Response,
    cluster_id: ClusterId,
    body: WatchingUpdate,
    _caller: ClustersWriter,
    services: ServicesOf,
    if_match: IfMatch,
) -> WatchingRead:
    """The next look is soon, at the new interval from then on."""
    found = await services.watching.set_interval(cluster_id, body.interval_seconds, if_match)
    return _told(response, found)


@router.post(
    "/{cluster_id}/watching/accept",
    operation_id="acceptState",
    summary="Accept a cluster's present state",
    responses=responses("not-found", "peer-not-observed"),
)
async def accept(
    *, response: Response, cluster_id: ClusterId, caller: ClustersWriter, services: ServicesOf
) -> WatchingRead:
    """Observes all members; later looks report what differs from this. Changes nothing on them.

    A state is also accepted at the first look at a healthy cluster and after each job that
    succeeded.
    """
    return _told(response, await services.watching.accept(cluster_id, caller.id))


@router.get(
    "/{cluster_id}/events",
    operation_id="listClusterEvents",
    summary="Read a cluster's events",
    responses=responses("not-found"),
)
async def events(
    *,
    cluster_id: ClusterId,
    _caller: ClustersReader,
    services: ServicesOf,
    after: Annotated[
        int, Query(ge=0, le=2**31, description="Events behind this number.", examples=[0])
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many at most.")] = 200,
) -> ClusterEventList:
    """Findings and alarms that appeared, changed or cleared; each is told once."""
    return events_read(await services.watching.events(cluster_id, after, limit), after)


@router.get(
    "/{cluster_id}/history",
    operation_id="listClusterHistory",
    summary="Read a cluster's history",
    responses=responses("not-found"),
)
async def history(
    *,
    cluster_id: ClusterId,
    _caller: ClustersReader,
    services: ServicesOf,
    before: Annotated[
        int, Query(ge=0, le=2**31, description="Only older ones; 0: from the newest.", examples=[0])
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=200, description="How many at most.")] = 50,
) -> PeriodList:
    """Periods in which every look saw the same facts and findings, newest first."""
    return history_read(await services.watching.history(cluster_id, before, limit), limit)


def _told(response: Response, watched: Watched) -> WatchingRead:
    response.headers["ETag"] = tag(watched.watch.cluster_id, watched.watch.version)
    return watching_read(watched)
