"""Peers, their access paths, and what they say of themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from app.api.v1.schemas.words import (
    CREDENTIAL,
    IDENTIFIER,
    LINE,
    LINES,
    PEER,
    TIME,
    Asked,
    Id,
    Line,
    NextCursor,
    Told,
    Whole,
)
from app.services.peers import EndpointRequest, PeerCapabilities
from app.services.records import PeerEndpoint, RegisteredPeer, TrustAnchor, TrustKind

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
_OptionName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=IDENTIFIER)]
_OptionValue = Annotated[str, StringConstraints(max_length=200, pattern=LINE)]
Address = Annotated[
    str,
    Field(
        min_length=2,
        max_length=45,
        pattern=r"^[0-9A-Fa-f:.]+$",
        description="IPv4 or IPv6 address.",
        examples=["192.0.2.11"],
    ),
]
TransportName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=32,
        pattern=IDENTIFIER,
        description="`ssh`, `http`, or another installed transport.",
        examples=["ssh"],
    ),
]
Port = Annotated[Whole, Field(ge=1, le=65535, description="TCP port.", examples=[22])]


class TrustCreate(Asked):
    """What proves the peer's identity: exactly one of these."""

    host_key: str | None = Field(
        default=None,
        max_length=4000,
        pattern=LINE,
        description="SSH host key, as one line of OpenSSH public key text.",
        examples=[HOST_KEY],
    )
    certificate: str | None = Field(
        default=None,
        max_length=20_000,
        pattern=LINES,
        description="The TLS certificate itself, PEM.",
    )
    ca_bundle: str | None = Field(
        default=None,
        max_length=400_000,
        pattern=LINES,
        description="Certificate authorities, PEM.",
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(value is not None for value in self.chosen.values()) != 1:
            raise ValueError("give exactly one of host_key, certificate and ca_bundle")
        return self

    @property
    def chosen(self) -> dict[TrustKind, str | None]:
        """By kind."""
        return {
            TrustKind.HOST_KEY: self.host_key,
            TrustKind.CERTIFICATE: self.certificate,
            TrustKind.CA_BUNDLE: self.ca_bundle,
        }


class EndpointCreate(Asked):
    """One access path to a peer."""

    transport: TransportName
    host: Address
    port: Port
    credential_id: Id = Field(description="A password credential.", examples=[CREDENTIAL])
    root_credential_id: Id | None = Field(
        default=None, description="Password of the root shell, where it is granted."
    )
    trust: TrustCreate | None = Field(
        default=None, description="Required by ssh (host_key) and http (certificate, ca_bundle)."
    )
    options: dict[_OptionName, _OptionValue] = Field(
        default_factory=dict,
        max_length=20,
        description="The transport's own switches.",
        examples=[{}],
    )

    def asked(self) -> EndpointRequest:
        """In the words of the services."""
        trust: tuple[TrustKind, str] | None = None
        if self.trust is not None:
            trust = next((k, v) for k, v in self.trust.chosen.items() if v is not None)
        return EndpointRequest(
            transport=self.transport,
            host=self.host,
            port=self.port,
            credential_id=self.credential_id,
            trust=trust,
            options=self.options,
            root_credential_id=self.root_credential_id,
        )


_ENDPOINT: dict[str, Any] = {
    "transport": "ssh",
    "host": "192.0.2.11",
    "port": 22,
    "credential_id": CREDENTIAL,
    "trust": {"host_key": HOST_KEY},
}
Endpoints = Annotated[
    list[EndpointCreate],
    Field(min_length=1, max_length=2, description="How the peer is reached: one or two paths."),
]


class PeerCreate(Asked):
    """A peer to register."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "exp1", "address": "192.0.2.11", "endpoints": [_ENDPOINT]}]
        }
    )

    name: Line = Field(description="Unique name, for people.", examples=["exp1"])
    address: Address = Field(description="The LAN 1 address: what peer lists name (NEW-M-39).")
    endpoints: Endpoints


class PeerPatch(Asked):
    """What to change; what is absent or null stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "exp1-renamed"}]})

    name: Line | None = Field(default=None, description="New name.", examples=["exp1"])
    address: Address | None = Field(
        default=None, description="New LAN 1 address; not of a member.", examples=["192.0.2.12"]
    )
    endpoints: Endpoints | None = Field(default=None, description="All access paths anew.")


class TrustRead(Told):
    """What is pinned."""

    kind: TrustKind = Field(description="What it is.", examples=["host_key"])
    value: str = Field(description="OpenSSH public key text or PEM.", examples=[HOST_KEY])
    fingerprint: str = Field(
        description="For people to compare.",
        examples=["SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"],
    )


class EndpointRead(Told):
    """One access path."""

    transport: str = Field(description="The transport's name.")
    host: str = Field(description="Address connected to.")
    port: int = Field(description="TCP port.")
    credential_id: str = Field(description="The password credential.")
    root_credential_id: str | None = Field(description="That of the root shell, if any.")
    trust: TrustRead | None = Field(description="What proves the peer's identity.")
    options: dict[str, str] = Field(description="The transport's own switches.")


class PeerRead(Told):
    """A registered peer."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": PEER,
                    "name": "exp1",
                    "address": "192.0.2.11",
                    "endpoints": [
                        {
                            **_ENDPOINT,
                            "root_credential_id": None,
                            "options": {},
                            "trust": {
                                "kind": "host_key",
                                "value": HOST_KEY,
                                "fingerprint": "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU",
                            },
                        }
                    ],
                    "cluster_id": None,
                    "version": 1,
                    "created_at": TIME,
                }
            ]
        }
    )

    id: str = Field(description="The peer.")
    name: str = Field(description="Its name.")
    address: str = Field(description="Its LAN 1 address.")
    endpoints: list[EndpointRead] = Field(description="How it is reached.")
    cluster_id: str | None = Field(description="The cluster it is a member of, if any.")
    version: int = Field(description="Row version.")
    created_at: datetime = Field(description="When it was registered.")


class PeerList(Told):
    """A page of peers."""

    items: list[PeerRead] = Field(description="In the order they were registered.")
    next_cursor: NextCursor = None


class EndpointCapabilitiesRead(Told):
    """What one access path can do."""

    transport: str = Field(description="The transport's name.")
    capabilities: list[str] = Field(description="What it can do with its options and grants.")
    unusable: str | None = Field(
        description="Why this endpoint cannot be used, for instance a transport not installed."
    )


class PeerCapabilitiesRead(Told):
    """What can be done with a peer over its access paths; the rest is for people."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "peer_id": PEER,
                    "capabilities": ["administration"],
                    "missing": [
                        "backup",
                        "restore",
                        "pre_shared_key",
                        "cluster_status",
                        "time_status",
                        "restart",
                        "web_login",
                        "install_software",
                        "factory_reset",
                        "purge_cluster_database",
                        "admin_accounts",
                        "lync_b2bua",
                        "ping_from_peer",
                    ],
                    "endpoints": [
                        {
                            "transport": "ssh",
                            "capabilities": ["administration"],
                            "unusable": None,
                        }
                    ],
                }
            ]
        }
    )

    peer_id: str = Field(description="The peer.")
    capabilities: list[str] = Field(description="What at least one endpoint can do.")
    missing: list[str] = Field(
        description="What none can: a plan asks an operator to do it, or does it another way."
    )
    endpoints: list[EndpointCapabilitiesRead] = Field(description="Each path, in its order.")


class ProbeCreate(Asked):
    """Where to look."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"transport": "ssh", "host": "192.0.2.11", "port": 22}]}
    )

    transport: TransportName
    host: Address
    port: Port


def trust_read(anchor: TrustAnchor) -> TrustRead:
    """As a reader sees it."""
    return TrustRead.model_validate(anchor)


def endpoint_read(endpoint: PeerEndpoint) -> EndpointRead:
    """As a reader sees it."""
    return EndpointRead(
        transport=endpoint.transport,
        host=endpoint.host,
        port=endpoint.port,
        credential_id=endpoint.credential_id,
        root_credential_id=endpoint.root_credential_id,
        trust=None if endpoint.trust is None else trust_read(endpoint.trust),
        options=dict(endpoint.options),
    )


def capabilities_read(found: PeerCapabilities) -> PeerCapabilitiesRead:
    """As a reader sees it."""
    return PeerCapabilitiesRead.model_validate(found)


def peer_read(registered: RegisteredPeer) -> PeerRead:
    """As a reader sees it."""
    return PeerRead(
        id=registered.peer.id,
        name=registered.peer.name,
        address=registered.peer.address,
        endpoints=[endpoint_read(endpoint) for endpoint in registered.endpoints],
        cluster_id=registered.cluster_id,
        version=registered.version,
        created_at=registered.created_at,
    )
