"""API keys and scopes: who a caller is and what it may do.

A key reads `cwk_<prefix>_<secret>`. The prefix is public and finds the row; of the secret only a
SHA-256 is kept, which is enough because the secret is 256 random bits and not a person's word.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address

from app.domain.terms import Label

Network = IPv4Network | IPv6Network


class Scope(enum.StrEnum):
    """What a key may be allowed to do. `admin` holds all others."""

    CLUSTERS_READ = "clusters:read"
    CLUSTERS_WRITE = "clusters:write"
    JOBS_READ = "jobs:read"
    JOBS_RUN = "jobs:run"
    JOBS_CANCEL = "jobs:cancel"
    APPROVALS_DECIDE = "approvals:decide"
    BACKUPS_READ = "backups:read"
    BACKUPS_WRITE = "backups:write"
    CREDENTIALS_WRITE = "credentials:write"
    WEBHOOKS_WRITE = "webhooks:write"
    AUDIT_READ = "audit:read"
    METRICS_READ = "metrics:read"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a key may do, where, from where, and until when.

    `clusters` None: whatever their ids. `labels` empty: whatever their labels; a cluster within
    reach has all of them. `networks` empty: from everywhere. `expires_at` None: until revoked.
    """

    scopes: frozenset[Scope]
    clusters: frozenset[str] | None = None
    labels: frozenset[Label] = frozenset()
    networks: tuple[Network, ...] = ()
    expires_at: datetime | None = None

    @property
    def every_cluster(self) -> bool:
        """Whether they reach every cluster there is and will be."""
        return self.clusters is None and not self.labels

    @property
    def unlimited_admin(self) -> bool:
        """Whether a key of these limits can always let others in again."""
        return (
            Scope.ADMIN in self.scopes
            and self.every_cluster
            and not self.networks
            and self.expires_at is None
        )

    def cover(self, others: Limits) -> bool:
        """Whether a key of the other limits may nothing that one of these may not.

        Now and whatever is labelled tomorrow: who is limited by labels covers only who is limited
        by the same and perhaps more of them.
        """
        return (
            (Scope.ADMIN in self.scopes or others.scopes <= self.scopes)
            and (
                self.clusters is None
                or (others.clusters is not None and others.clusters <= self.clusters)
            )
            and self.labels <= others.labels
            and (not self.networks or _all_within(others.networks, self.networks))
            and (
                self.expires_at is None
                or (others.expires_at is not None and others.expires_at <= self.expires_at)
            )
        )


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of a request, as the service knows it.

    `labelled` are the clusters that have the labels of its limits now. Who is limited by labels and
    was not looked up reaches nothing.
    """

    id: str
    name: str
    limits: Limits
    labelled: frozenset[str] = frozenset()

    @property
    def clusters(self) -> frozenset[str] | None:
        """The ids of the clusters within reach now; None: every cluster there is and will be."""
        if not self.limits.labels:
            return self.limits.clusters
        named = self.limits.clusters
        return self.labelled if named is None else self.labelled & named

    def may(self, scope: Scope) -> bool:
        """Whether the caller holds the scope."""
        return scope in self.limits.scopes or Scope.ADMIN in self.limits.scopes


NOBODY = Principal("", "nobody", Limits(frozenset(), clusters=frozenset()))
"""Who calls what needs no key: reaches no cluster."""


@dataclass(frozen=True, slots=True)
class OlderSecret:
    """What a key was before its rotation, and until when that is still good."""

    prefix: str
    digest: str = field(repr=False)
    until: datetime


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key. `digest` proves a presented key; it does not give it back."""

    id: str
    prefix: str
    name: str
    digest: str = field(repr=False)
    limits: Limits
    created_at: datetime
    created_by: str = ""
    """Id of the key that made it; "" for one made on the service's own machine."""
    version: int = 1
    last_used_at: datetime | None = None
    older: OlderSecret | None = None

    def proves(self, presented: str, now: datetime) -> bool:
        """Whether the presented text is this key and the key is still good."""
        digest = digest_of(presented)
        same = hmac.compare_digest(self.digest, digest)
        if self.older is not None and now < self.older.until:
            same |= hmac.compare_digest(self.older.digest, digest)
        until = self.limits.expires_at
        return same and (until is None or now < until)

    def welcome_from(self, address: str) -> bool:
        """Whether the key may be used from that address; an address that is none is no network."""
        return not self.limits.networks or within(address, self.limits.networks)

    @property
    def principal(self) -> Principal:
        """Who presents this key."""
        return Principal(self.id, self.name, self.limits)


_SHAPE = re.compile(r"cwk_([a-z0-9]{12})_[A-Za-z0-9_-]{43}")


def new_key_text() -> tuple[str, str]:
    """A new key: its prefix, and the whole text, which is shown once and never stored."""
    prefix = secrets.token_hex(6)
    return prefix, f"cwk_{prefix}_{secrets.token_urlsafe(32)}"


def prefix_of(presented: str) -> str | None:
    """The prefix of a presented key, or None where the text is no key."""
    shape = _SHAPE.fullmatch(presented)
    return shape.group(1) if shape else None


def digest_of(presented: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(presented.encode()).hexdigest()


def within(address: str, networks: Iterable[Network]) -> bool:
    """Whether the address is in one of the networks; IPv4 written as IPv6 is IPv4."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found.version == network.version and found in network for network in networks)


def _all_within(inner: Iterable[Network], outer: Iterable[Network]) -> bool:
    inner = tuple(inner)
    return bool(inner) and all(
        any(
            small.version == large.version and small.subnet_of(large)  # type: ignore[arg-type]  # same version
            for large in outer
        )
        for small in inner
    )
