"""`/v1/peers`: registered Expressways, and what they say of themselves."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.api import links
from app.api.dependencies import (
    ClustersReader,
    ClustersWriter,
    Cursor,
    IfMatch,
    Limit,
    MaybeOnce,
    ServicesOf,
    from_cursor,
    to_cursor,
)
from app.api.marks import created
from app.api.problems import responses
from app.api.v1.schemas.peers import (
    PeerCapabilitiesRead,
    PeerCreate,
    PeerList,
    PeerPatch,
    PeerRead,
    ProbeCreate,
    TrustRead,
    capabilities_read,
    peer_read,
    trust_read,
)
from app.api.v1.schemas.words import PeerId
from app.domain.observation import Observation
from app.services.conditions import tag
from app.services.peers import PeerChange

router = APIRouter(prefix="/v1/peers", tags=["peers"], redirect_slashes=False)


@router.post(
    "",
    status_code=201,
    operation_id="createPeer",
    summary="Register a peer",
    responses=responses(
        "name-taken",
        "address-taken",
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
    body: PeerCreate,
    _caller: ClustersWriter,
    services: ServicesOf,
    once: MaybeOnce,
) -> PeerRead:
    """Register an Expressway and how it is reached. Connects to nothing."""
    made = await services.peers.create(
        body.name, body.address, [endpoint.asked() for endpoint in body.endpoints], once
    )
    peer = made.value
    path = f"/v1/peers/{peer.peer.id}"
    created(request, response, path, tag(peer.peer.id, peer.version), replayed=made.replayed)
    return peer_read(peer)


@router.get(
    "", operation_id="listPeers", summary="List peers", responses=responses("invalid-cursor")
)
async def list_all(
    *,
    request: Request,
    response: Response,
    _caller: ClustersReader,
    services: ServicesOf,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PeerList:
    """Registered peers."""
    page = await services.peers.page(from_cursor(cursor), limit)
    following = to_cursor(page.next)
    links.announce_next(request, response, following)
    return PeerList(items=[peer_read(item) for item in page.items], next_cursor=following)


@router.post(
    "/probe",
    operation_id="probePeer",
    summary="See what an address presents",
    responses=responses("peer-unreachable", "body-too-large", "unsupported-media-type"),
)
async def probe(body: ProbeCreate, _caller: ClustersWriter, services: ServicesOf) -> TrustRead:
    """The SSH host key or TLS certificate presented at an address, for a person to compare.

    Nothing is stored, and no user name or password is sent.
    """
    return trust_read(await services.peers.probe(body.transport, body.host, body.port))


@router.get(
    "/{peer_id}",
    operation_id="getPeer",
    summary="Read a peer",
    responses=responses("not-found"),
)
async def get(
    *, response: Response, peer_id: PeerId, _caller: ClustersReader, services: ServicesOf
) -> PeerRead:
    """One registered peer."""
    peer = await services.peers.get(peer_id)
    response.headers["ETag"] = tag(peer_id, peer.version)
    return peer_read(peer)


@router.patch(
    "/{peer_id}",
    operation_id="updatePeer",
    summary="Change a peer",
    responses=responses(
        "not-found",
        "name-taken",
        "address-taken",
        "peer-in-cluster",
        "peer-busy",
        "precondition-failed",
        "precondition-required",
        "body-too-large",
        "unsupported-media-type",
    ),
)
async def update(
    *,
    response: Response,
    peer_id: PeerId,
    body: PeerPatch,
    _caller: ClustersWriter,
    services: ServicesOf,
    if_match: IfMatch,
) -> PeerRead:
    """Change name, address or endpoints; what is absent or null stays. Connects to nothing."""
    endpoints = body.endpoints
    change = PeerChange(
        name=body.name,
        address=body.address,
        endpoints=None if endpoints is None else [endpoint.asked() for endpoint in endpoints],
    )
    peer = await services.peers.change(peer_id, change, if_match)
    response.headers["ETag"] = tag(peer_id, peer.version)
    return peer_read(peer)


@router.delete(
    "/{peer_id}",
    status_code=204,
    operation_id="deletePeer",
    summary="Forget a peer",
    responses=responses(
        "not-found", "peer-in-cluster", "peer-busy", "precondition-failed", "precondition-required"
    ),
)
async def delete(
    peer_id: PeerId, _caller: ClustersWriter, services: ServicesOf, if_match: IfMatch
) -> None:
    """Forget a peer that is in no cluster. Touches no appliance."""
    await services.peers.delete(peer_id, if_match)


@router.get(
    "/{peer_id}/capabilities",
    operation_id="getPeerCapabilities",
    summary="Read what can be done with a peer",
    responses=responses("not-found"),
)
async def capabilities(
    peer_id: PeerId, _caller: ClustersReader, services: ServicesOf
) -> PeerCapabilitiesRead:
    """What the peer's endpoints can do, each and together. Connects to nothing.

    Software that lacks a feature is not seen here; that is in an observation.
    """
    return capabilities_read(await services.peers.capabilities(peer_id))


@router.post(
    "/{peer_id}/observations",
    status_code=201,
    operation_id="observePeer",
    summary="Observe a peer",
    responses=responses("not-found", "peer-not-observed", "address-refused"),
)
async def observe(peer_id: PeerId, _caller: ClustersReader, services: ServicesOf) -> Observation:
    """The peer's own answers, read now. Changes nothing on the peer."""
    return await services.peers.observe(peer_id)
