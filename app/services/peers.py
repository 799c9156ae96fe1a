"""Peers: registering an Expressway, and asking it what it says of itself.

Registering proves nothing about the appliance and connects to nothing; `observe` does. Trust is
pinned by the caller: `probe` shows what is presented at an address so that a person can compare
it, and stores nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from app.domain.clock import Clock
from app.domain.observation import NotObserved, Observation, View
from app.domain.peer import Peer
from app.security.addresses import AddressGuard, AddressRefused
from app.services.access import trust
from app.services.conditions import Expected, remember, replay, tag
from app.services.ports import Appliances, NewId, Probe, Store, Transaction
from app.services.problems import Item, Problem, invalid, not_found
from app.services.records import (
    CredentialKind,
    Once,
    Outcome,
    Page,
    PeerEndpoint,
    RegisteredPeer,
    TrustAnchor,
    TrustKind,
)
from transports.base import Capability, Endpoint
from transports.errors import InvalidRequest, NotSent, TransportError
from transports.trust import CertificatePin, HostKeyPin

_FITTING: Mapping[str, frozenset[TrustKind]] = {
    "ssh": frozenset({TrustKind.HOST_KEY}),
    "http": frozenset({TrustKind.CERTIFICATE, TrustKind.CA_BUNDLE}),
}
"""What can prove the identity of an endpoint; a transport not listed takes any or none."""


@dataclass(frozen=True, slots=True)
class EndpointRequest:
    """One access path as a caller describes it."""

    transport: str
    host: str
    port: int
    credential_id: str
    trust: tuple[TrustKind, str] | None
    options: Mapping[str, str]
    root_credential_id: str | None = None


@dataclass(frozen=True, slots=True)
class PeerChange:
    """What to change; None: leave as it is."""

    name: str | None = None
    address: str | None = None
    endpoints: Sequence[EndpointRequest] | None = None


class Capable(Protocol):
    """What is asked of a transport here: it is made, and says what it can do; never connected."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What it can do with the grants of its endpoint."""
        ...


@dataclass(frozen=True, slots=True)
class EndpointCapabilities:
    """What one access path can do. `unusable` says why its transport cannot be made, if so."""

    transport: str
    capabilities: tuple[str, ...]
    unusable: str | None = None


@dataclass(frozen=True, slots=True)
class PeerCapabilities:
    """What the access paths of a peer can do, together and each; `missing` is what none can."""

    peer_id: str
    capabilities: tuple[str, ...]
    missing: tuple[str, ...]
    endpoints: tuple[EndpointCapabilities, ...]


@dataclass(frozen=True, slots=True)
class PeersService:
    """What callers may do with peers.

    `build` makes a transport without connecting and is used to check its options; `probes` are the
    transports that can show what an address presents.
    """

    store: Store
    appliances: Appliances
    guard: AddressGuard
    clock: Clock
    new_id: NewId
    build: Callable[[str, Endpoint], Capable]
    probes: Mapping[str, Probe]
    observation_limit: float = 60.0

    async def create(
        self, name: str, address: str, endpoints: Sequence[EndpointRequest], once: Once | None
    ) -> Outcome[RegisteredPeer]:
        """Register a peer. Raises Problem `invalid-request`, `name-taken`, `address-taken`."""
        now = self.clock.now()
        async with self.store.transaction() as tx:
            found = await replay(tx, once, now, tx.peers.get)
            if found is not None:
                return found
            peer = RegisteredPeer(
                peer=Peer(self.new_id("peer"), name, self._allowed(address, "/address")),
                endpoints=await self._endpoints(tx, endpoints),
                version=1,
                created_at=now,
            )
            await tx.peers.add(peer)
            await remember(tx, once, peer.peer.id, now)
            return Outcome(peer)

    async def get(self, peer_id: str) -> RegisteredPeer:
        """One peer. Raises Problem `not-found`."""
        async with self.store.transaction() as tx:
            peer = await tx.peers.get(peer_id)
        if peer is None:
            raise not_found("peer", peer_id)
        return peer

    async def page(self, after: str | None, limit: int) -> Page[RegisteredPeer]:
        """Some peers, in the order they were registered."""
        async with self.store.transaction() as tx:
            return await tx.peers.page(after, limit)

    async def change(self, peer_id: str, wanted: PeerChange, expected: Expected) -> RegisteredPeer:
        """Change name, address or endpoints. Raises Problem, `peer-in-cluster` among them.

        The address of a member is what the peer lists of its cluster name (NEW-M-39): changing it
        here would make the registry say something else than the appliances. Address and endpoints
        are what a job at work on the peer goes by (`peer-busy`); the name is free.
        """
        async with self.store.transaction() as tx:
            job_id = None
            if wanted.address is not None or wanted.endpoints is not None:
                job_id = await tx.jobs.holder_of(peer_id)
            registered = await tx.peers.get(peer_id, lock=True)
            if registered is None:
                raise not_found("peer", peer_id)
            expected.check(tag(peer_id, registered.version))
            _refuse_held(peer_id, job_id)
            address = registered.peer.address
            if wanted.address is not None:
                address = self._allowed(wanted.address, "/address")
            if address != registered.peer.address and registered.cluster_id is not None:
                raise Problem(
                    "peer-in-cluster",
                    "the address of a cluster member cannot be changed here",
                    peer_id=peer_id,
                    cluster_id=registered.cluster_id,
                )
            changed = replace(
                registered,
                peer=Peer(peer_id, wanted.name or registered.peer.name, address),
                endpoints=registered.endpoints
                if wanted.endpoints is None
                else await self._endpoints(tx, wanted.endpoints),
                version=registered.version + 1,
            )
            await tx.peers.replace(changed)
            return changed

    async def delete(self, peer_id: str, expected: Expected) -> None:
        """Forget a peer; touches no appliance. Raises Problem `peer-in-cluster`, `peer-busy`."""
        async with self.store.transaction() as tx:
            job_id = await tx.jobs.holder_of(peer_id)
            registered = await tx.peers.get(peer_id, lock=True)
            if registered is None:
                raise not_found("peer", peer_id)
            expected.check(tag(peer_id, registered.version))
            _refuse_held(peer_id, job_id)
            if registered.cluster_id is not None:
                raise Problem(
                    "peer-in-cluster",
                    "a cluster member cannot be deleted; remove it from its cluster first",
                    peer_id=peer_id,
                    cluster_id=registered.cluster_id,
                )
            await tx.neighbours.lose_peer(peer_id)
            await tx.peers.remove(peer_id)

    async def observe(self, peer_id: str) -> Observation:
        """The peer's own answers now. Raises Problem `peer-not-observed` with the reason."""
        await self.get(peer_id)
        view = await self.view(peer_id)
        if isinstance(view, Observation):
            return view
        raise Problem(
            "peer-not-observed",
            view.detail,
            errors=(Item(code=view.code, detail=view.detail, remedy=view.remedy, peer_id=peer_id),),
            peer_id=peer_id,
        )

    async def view(self, peer_id: str, limit: float | None = None) -> View:
        """The peer's answers, or why there are none; never longer than the limit (seconds)."""
        limit = self.observation_limit if limit is None else min(limit, self.observation_limit)
        try:
            async with asyncio.timeout(limit):
                return await self.appliances.observe(peer_id)
        except TimeoutError:
            return NotObserved(
                peer_id=peer_id,
                observed_at=self.clock.now(),
                code="peer-slow",
                detail=f"the peer did not answer everything within {limit:g} s",
                remedy="see whether the peer is busy or restarting, then ask again",
            )

    async def capabilities(self, peer_id: str) -> PeerCapabilities:
        """What the peer's endpoints can do; connects to nothing. Raises Problem `not-found`."""
        registered = await self.get(peer_id)
        endpoints = tuple(self._capable(endpoint) for endpoint in registered.endpoints)
        offered = {word for endpoint in endpoints for word in endpoint.capabilities}
        known = [capability.value for capability in Capability]
        return PeerCapabilities(
            peer_id=peer_id,
            capabilities=tuple(word for word in known if word in offered),
            missing=tuple(word for word in known if word not in offered),
            endpoints=endpoints,
        )

    async def probe(self, transport: str, host: str, port: int) -> TrustAnchor:
        """What is presented at an address, for a person to compare. Stores nothing."""
        address = self._allowed(host, "/host")
        probe = self.probes.get(transport)
        if probe is None:
            known = ", ".join(sorted(self.probes)) or "none"
            raise invalid("/transport", f"this transport cannot be probed; these can: {known}")
        try:
            presented = await probe(address, port, 10.0)
            if transport == "ssh":
                key = HostKeyPin(presented)
                return TrustAnchor(TrustKind.HOST_KEY, key.public_key, key.fingerprint)
            certificate = CertificatePin(presented)
            return TrustAnchor(TrustKind.CERTIFICATE, certificate.pem, certificate.fingerprint)
        except TransportError as error:
            code = "peer-unreachable" if isinstance(error, NotSent) else "peer-not-observed"
            raise Problem(code, "nothing was presented at this address and port") from error

    def _allowed(self, address: str, pointer: str) -> str:
        try:
            return self.guard.check(address)
        except AddressRefused as refused:
            raise invalid(
                pointer,
                f"the address {refused}",
                code="address-refused",
                remedy="give the IP address of the peer's LAN 1 interface",
            ) from None

    async def _endpoints(
        self, tx: Transaction, wanted: Sequence[EndpointRequest]
    ) -> tuple[PeerEndpoint, ...]:
        made = [
            await self._endpoint(tx, request, f"/endpoints/{number}")
            for number, request in enumerate(wanted)
        ]
        names = [endpoint.transport for endpoint in made]
        if len(set(names)) != len(names):
            raise invalid("/endpoints", "two endpoints name the same transport")
        return tuple(made)

    async def _endpoint(
        self, tx: Transaction, wanted: EndpointRequest, pointer: str
    ) -> PeerEndpoint:
        host = self._allowed(wanted.host, f"{pointer}/host")
        credential = await tx.credentials.get(wanted.credential_id)
        if credential is None or credential.kind is not CredentialKind.PASSWORD:
            raise invalid(f"{pointer}/credential_id", "there is no password credential of this id")
        if wanted.root_credential_id is not None:
            root = await tx.credentials.get(wanted.root_credential_id)
            if root is None or root.kind is not CredentialKind.PASSWORD:
                raise invalid(
                    f"{pointer}/root_credential_id", "there is no password credential of this id"
                )
        anchor = self._anchor(wanted, pointer)
        described = PeerEndpoint(
            transport=wanted.transport,
            host=host,
            port=wanted.port,
            credential_id=wanted.credential_id,
            trust=anchor,
            options=dict(wanted.options),
            root_credential_id=wanted.root_credential_id,
        )
        try:
            self._built(described)
        except InvalidRequest as refused:
            raise invalid(pointer, f"the transport declines this endpoint: {refused}") from None
        return described

    def _built(self, path: PeerEndpoint) -> Capable:
        """The endpoint's transport without its secrets: good for its say, never connected."""
        return self.build(
            path.transport,
            Endpoint(
                host=path.host,
                port=path.port,
                username="admin",
                password="",
                root_password="not the real one" if path.root_credential_id else "",
                trust=trust(path.trust),
                options=dict(path.options),
            ),
        )

    def _capable(self, path: PeerEndpoint) -> EndpointCapabilities:
        try:
            offered = self._built(path).capabilities
        except InvalidRequest as refused:
            return EndpointCapabilities(path.transport, (), str(refused))
        return EndpointCapabilities(
            path.transport, tuple(c.value for c in Capability if c in offered)
        )

    @staticmethod
    def _anchor(wanted: EndpointRequest, pointer: str) -> TrustAnchor | None:
        fitting = _FITTING.get(wanted.transport)
        if wanted.trust is None:
            if fitting is None:
                return None
            raise invalid(
                f"{pointer}/trust",
                "this transport needs to know how the peer proves its identity",
                remedy="POST /v1/peers/probe shows what the peer presents",
            )
        kind, value = wanted.trust
        if fitting is not None and kind not in fitting:
            names = " or ".join(sorted(kind.value for kind in fitting))
            raise invalid(f"{pointer}/trust", f"this transport takes {names}")
        try:
            made = trust(TrustAnchor(kind, value, ""))
        except InvalidRequest as refused:
            raise invalid(f"{pointer}/trust/{kind.value}", str(refused)) from None
        return TrustAnchor(kind, value, made.fingerprint if made is not None else "")


def _refuse_held(peer_id: str, job_id: str | None) -> None:
    if job_id is not None:
        raise Problem(
            "peer-busy", f"job {job_id} is at work on this peer", peer_id=peer_id, job_id=job_id
        )
