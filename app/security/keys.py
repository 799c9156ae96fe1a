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
from dataclasses import dataclass, field
from datetime import datetime


class Scope(enum.StrEnum):
    """What a key may be allowed to do. `admin` holds all others."""

    CLUSTERS_READ = "clusters:read"
    CLUSTERS_WRITE = "clusters:write"
    JOBS_READ = "jobs:read"
    JOBS_RUN = "jobs:run"
    JOBS_CANCEL = "jobs:cancel"
    APPROVALS_DECIDE = "approvals:decide"
    CREDENTIALS_WRITE = "credentials:write"
    WEBHOOKS_WRITE = "webhooks:write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of a request, as the service knows it."""

    id: str
    name: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        """Whether the caller holds the scope."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key. `digest` proves a presented key; it does not give it back."""

    id: str
    prefix: str
    name: str
    digest: str = field(repr=False)
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None = None

    def proves(self, presented: str, now: datetime) -> bool:
        """Whether the presented text is this key and the key is still good."""
        same = hmac.compare_digest(self.digest, digest_of(presented))
        return same and (self.expires_at is None or now < self.expires_at)


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
