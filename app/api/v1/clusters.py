"""`/v1/clusters`: clusters by their FQDN, and how their members see them."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.api import links
from app.api.dependencies import (
    ClustersReader,
    ClustersWriter,
    Cursor,
    IfMatch,
    LabelFilter,
    Limit,
    MaybeOnce,
    ServicesOf,
    from_cursor,
    to_cursor,
    to_labels,
)
from app.api.marks import created
from app.api.problems import responses
from app.api.v1.schemas.clusters import (
    ClusterCreate,
    ClusterList,
    ClusterObservation,
    ClusterPatch,
    ClusterRead,
    asked_labels,
    asked_policy,
    cluster_read,
    member_view,
)
from app.api.v1.schemas.importing import ClusterImport, ClusterImported, cluster_imported
from app.api.v1.schemas.words import ClusterId
from app.services.conditions import tag

router = APIRouter(prefix="/v1/clusters", tags=["clusters"], redirect_slashes=False)


@router.post(
    "",
    status_code=201,
    operation_id="createCluster",
    summary="Declare a cluster",
    responses=responses(
        "name-taken",
        "idempotency-in-flight",
        "idempotency-key-reused",
        "body-too-large",
        "unsupported-media-type",
    ),
)
async def create(
    *,
    request: Request,
    response: Response,
    body: ClusterCreate,
    _caller: ClustersWriter,
    services: ServicesOf,
    once: MaybeOnce,
) -> ClusterRead:
    """Declare a cluster by its FQDN. It has no members until a job has created it."""
    made = await services.clusters.create(
        body.name,
        body.pre_shared_key_id,
        once,
        labels=asked_labels(body.labels),
        policy=asked_policy(body.policy),
    )
    cluster = made.value
    etag = tag(cluster.cluster.id, cluster.version)
    created(request, response, f"/v1/clusters/{cluster.cluster.id}", etag, replayed=made.replayed)
    return cluster_read(cluster)


@router.get(
    "", operation_id="listClusters", summary="List clusters", responses=responses("invalid-cursor")
)
async def list_all(
    *,
    request: Request,
    response: Response,
    _caller: ClustersReader,
    services: ServicesOf,
    limit: Limit = 50,
    cursor: Cursor = None,
    labels: LabelFilter = [],  # noqa: B006 - FastAPI copies it
) -> ClusterList:
    """Registered clusters with their members."""
    page = await services.clusters.page(from_cursor(cursor), limit, to_labels(labels))
    following = to_cursor(page.next)
    links.announce_next(request, response, following)
    return ClusterList(items=[cluster_read(item) for item in page.items], next_cursor=following)


@router.post(
    "/import",
    status_code=201,
    operation_id="importCluster",
    summary="Import a cluster that exists",
    responses={
        200: {
            "model": ClusterImported,
            "description": "It is registered already, just as its member describes it.",
        },
        **responses(
            "not-found",
            "import-refused",
            "peer-in-cluster",
            "peer-busy",
            "peer-not-observed",
            "name-taken",
            "idempotency-in-flight",
            "idempotency-key-reused",
            "body-too-large",
            "unsupported-media-type",
        ),
    },
)
async def import_one(
    *,
    request: Request,
    response: Response,
    body: ClusterImport,
    _caller: ClustersWriter,
    services: ServicesOf,
    once: MaybeOnce,
) -> ClusterImported:
    """Record the cluster that a registered peer is a member of, as its members describe it.

    All listed peers are asked now and nothing is changed on any of them. See docs/import.md.
    """
    made = await services.importing.record(body.peer_id, body.asked(), once)
    cluster = made.cluster
    path = f"/v1/clusters/{cluster.cluster.id}"
    etag = tag(cluster.cluster.id, cluster.version)
    created(request, response, path, etag, replayed=made.replayed)
    if not made.recorded:
        response.status_code = 200
    return cluster_imported(made)


@router.get(
    "/{cluster_id}",
    operation_id="getCluster",
    summary="Read a cluster",
    responses=responses("not-found"),
)
async def get(
    *, response: Response, cluster_id: ClusterId, _caller: ClustersReader, services: ServicesOf
) -> ClusterRead:
    """One cluster with its members and primary, as registered."""
    cluster = await services.clusters.get(cluster_id)
    response.headers["ETag"] = tag(cluster_id, cluster.version)
    return cluster_read(cluster)


@router.patch(
    "/{cluster_id}",
    operation_id="updateCluster",
    summary="Change a cluster's labels and policy",
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
    body: ClusterPatch,
    _caller: ClustersWriter,
    services: ServicesOf,
    if_match: IfMatch,
) -> ClusterRead:
    """Labels are replaced whole, of the policy only the fields given. Jobs keep what they have."""
    labels = None if body.labels is None else asked_labels(body.labels)
    policy = {} if body.policy is None else body.policy.given()
    cluster = await services.clusters.describe(cluster_id, labels, policy, if_match)
    response.headers["ETag"] = tag(cluster_id, cluster.version)
    return cluster_read(cluster)


@router.delete(
    "/{cluster_id}",
    status_code=204,
    operation_id="deleteCluster",
    summary="Forget a cluster",
    responses=responses(
        "not-found",
        "cluster-has-members",
        "cluster-busy",
        "precondition-failed",
        "precondition-required",
    ),
)
async def delete(
    cluster_id: ClusterId, _caller: ClustersWriter, services: ServicesOf, if_match: IfMatch
) -> None:
    """Forget a cluster without members or a job under way. Its plans and jobs stay readable."""
    await services.clusters.delete(cluster_id, if_match)


@router.post(
    "/{cluster_id}/observations",
    status_code=201,
    operation_id="observeCluster",
    summary="Observe all members",
    responses=responses("not-found"),
)
async def observe(
    cluster_id: ClusterId, _caller: ClustersReader, services: ServicesOf
) -> ClusterObservation:
    """What each member says of itself now. Changes nothing on any peer."""
    views = await services.clusters.observe(cluster_id)
    return ClusterObservation(cluster_id=cluster_id, members=[member_view(view) for view in views])
