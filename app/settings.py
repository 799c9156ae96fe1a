"""Every setting of the service, read from `CLUSTERWAY_*` variables; nothing else reads them.

The defaults run the service on one machine with nothing configured: a private PostgreSQL in the
data folder, keys made at first start, the API on loopback.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.security.tokens import Issuer


class Settings(BaseSettings):
    """The settings, checked once at start."""

    model_config = SettingsConfigDict(env_prefix="CLUSTERWAY_", extra="ignore", frozen=True)

    database_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL to use; without it a private server is started in the data folder.",
    )
    data_folder: Path = Field(
        default=Path(".clusterway"),
        description="Where the private PostgreSQL and the key-encryption keys live.",
    )
    image_folder: Path | None = Field(
        default=None,
        description="Where software images for upgrades lie, for the API and all workers. "
        "Without it: `images` in the data folder.",
    )
    key_file: Path | None = Field(
        default=None,
        description="Key-encryption keys, one `id:base64` a line, the last one seals. "
        "Without it: `vault.keys` in the data folder, made at first start with mode 0600.",
    )
    host: str = Field(default="127.0.0.1", description="Address the API listens on.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port the API listens on.")
    public_url: str | None = Field(
        default=None,
        description="How callers reach the service, for absolute links; else from the request.",
    )
    pace: float = Field(
        default=1.0,
        gt=0,
        le=10_000,
        description="Appliance seconds per second; above 1 only for rehearsals.",
    )
    peer_networks: list[IPv4Network | IPv6Network] = Field(
        default_factory=list,
        description="Networks peers may be reached in, as a JSON list; empty: all but the denied.",
    )
    allow_loopback_peers: bool = Field(
        default=False, description="Whether peers on loopback are allowed, for rehearsals."
    )
    docs: bool | None = Field(
        default=None,
        description="Whether the service serves /docs and /openapi.json. Without it: only while it "
        "listens on loopback.",
    )
    trusted_proxies: list[IPv4Network | IPv6Network] = Field(
        default_factory=list,
        description="Networks of the reverse proxies, as a JSON list: only from there are "
        "`X-Forwarded-For`, `X-Forwarded-Proto` and `Forwarded` believed.",
    )
    hosts: list[str] = Field(
        default_factory=list,
        description="The names callers may use in `Host`, as a JSON list; empty: any.",
    )
    rate_limit: int = Field(
        default=6000,
        ge=0,
        le=1_000_000,
        description="Requests a minute of one key to one process; 0: not counted.",
    )
    wrong_key_limit: int = Field(
        default=30,
        ge=1,
        le=100_000,
        description="Wrong keys a minute from one address before it has to wait.",
    )
    token_issuers: list[Issuer] = Field(
        default_factory=list,
        description="Whose access tokens (JWT) are accepted beside API keys, as a JSON list of "
        "objects: see [access](access.md); empty: nobody's.",
    )
    key_set_networks: list[IPv4Network | IPv6Network] = Field(
        default_factory=list,
        description="Networks that issuers' key sets are fetched from, as a JSON list; empty: all "
        "but the denied.",
    )
    allow_loopback_key_sets: bool = Field(
        default=False,
        description="Whether key sets may come from loopback, and there by http too, for "
        "rehearsals.",
    )
    body_seconds: float = Field(
        default=30.0, gt=0, le=600, description="Seconds a request body may take to arrive."
    )
    max_connections: int = Field(
        default=1000, ge=10, le=100_000, description="Connections at a time; more are answered 503."
    )
    max_sessions: int = Field(
        default=500,
        ge=2,
        le=20_000,
        description="Sessions with peers that one process has open; who wants one more waits for a "
        "place. An HTTPS session has two connections at most, an SSH session one and another for "
        "what root does.",
    )
    plan_lifetime: timedelta = Field(
        default=timedelta(hours=24), description="How long a plan can be started after it was made."
    )
    approval_lifetime: timedelta = Field(
        default=timedelta(days=7),
        description="How long a job waits for its approvals where its start names no time.",
    )
    observation_limit: float = Field(
        default=60.0, gt=0, le=600, description="Seconds the observation of one peer may take."
    )
    dns_lookups: bool = Field(
        default=True, description="Whether the peers' own name servers are asked from here."
    )
    dns_resolvers: dict[str, str] = Field(
        default_factory=dict,
        description="Name servers by the address that peers use, as a JSON object: the `host:port` "
        "to ask instead, or an empty text for one that is never asked.",
    )
    dns_timeout: float = Field(
        default=2.0, gt=0, le=30, description="Seconds a name server has for one answer, twice."
    )
    watch_interval: float = Field(
        default=300.0,
        ge=0,
        le=86_400,
        description="Seconds between two looks of a worker at a cluster; 0: only on request. "
        "A cluster may have its own interval.",
    )
    watch_retention: timedelta = Field(
        default=timedelta(days=90),
        description="How long a cluster's events and the history of its looks are kept.",
    )
    webhook_networks: list[IPv4Network | IPv6Network] = Field(
        default_factory=list,
        description="Networks webhooks may be sent to, as a JSON list; empty: all but the denied.",
    )
    webhook_hosts: list[str] = Field(
        default_factory=list,
        description="Hosts webhooks may be sent to, as a JSON list; `*.example.com` stands for all "
        "below it; empty: all.",
    )
    allow_loopback_webhooks: bool = Field(
        default=False,
        description="Whether webhooks may go to loopback, and there by http too, for rehearsals.",
    )
    webhook_retention: timedelta = Field(
        default=timedelta(days=30), description="How long deliveries are kept after their end."
    )
    retention_interval: float = Field(
        default=3600.0,
        ge=0,
        le=604_800,
        description="Seconds between two passes of retention; 0: only by `clusterway retention`.",
    )
    event_retention: timedelta = Field(
        default=timedelta(days=365),
        description="How long the events of an ended job are kept beside its sealed evidence.",
    )
    transcript_retention: timedelta = Field(
        default=timedelta(days=90),
        description="How long its transcript is kept beside its sealed evidence.",
    )
    observation_retention: timedelta = Field(
        default=timedelta(days=365),
        description="How long its observations are kept beside its sealed evidence.",
    )
    job_retention: timedelta = Field(
        default=timedelta(days=3 * 365),
        description="How long an ended job and its steps are kept; never before its events, "
        "transcript and backups are gone.",
    )
    evidence_retention: timedelta = Field(
        default=timedelta(days=10 * 365),
        description="How long sealed evidence is kept; never before its job is gone.",
    )
    plan_retention: timedelta = Field(
        default=timedelta(days=30), description="How long a plan is kept that no job was made of."
    )
    backups_per_peer: int = Field(
        default=10, ge=1, le=1000, description="How many backups of a peer are kept."
    )
    max_body_bytes: int = Field(
        default=1_048_576, ge=1024, le=64 * 1_048_576, description="Largest request body."
    )
    metrics_open: bool = Field(
        default=False,
        description="Whether /metrics answers without a key; else it asks for one that holds "
        "`metrics:read`.",
    )
    worker_host: str = Field(
        default="127.0.0.1", description="Address `clusterway worker` listens on."
    )
    worker_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port on which `clusterway worker` serves /livez, /readyz and /metrics; "
        "without it: none.",
    )
    log_json: bool = Field(
        default_factory=lambda: not sys.stderr.isatty(),
        description="JSON lines; off by default where the logs go to a terminal.",
    )
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @field_validator("token_issuers")
    @classmethod
    def _each_once(cls, issuers: list[Issuer]) -> list[Issuer]:
        for names in ([one.alias for one in issuers], [one.issuer for one in issuers]):
            if len(set(names)) < len(names):
                raise ValueError("each alias and each issuer may stand there once")
        return issuers

    @property
    def serves_docs(self) -> bool:
        """Whether the documentation is served."""
        if self.docs is not None:
            return self.docs
        return self.host in {"127.0.0.1", "::1", "localhost"}

    @property
    def images(self) -> Path:
        """The folder of software images."""
        return self.image_folder or self.data_folder / "images"

    @property
    def keys(self) -> Path:
        """The file of key-encryption keys."""
        return self.key_file or self.data_folder / "vault.keys"
