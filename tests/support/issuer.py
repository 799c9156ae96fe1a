"""An issuer of access tokens on loopback: it publishes its keys over TLS and signs what it is told.

Tokens that no library would make (another algorithm in the header, no signature) are put together
by hand, because that is what a forger does.
"""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as new_rsa

from tests.support.receiver import Receiver, receiver, status
from transports.mock.forms.certificate import ServerIdentity, self_signed

ISSUER = "https://login.example.com/tenant"
AUDIENCE = "https://clusterway.example.com"
PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey


def rsa_key(bits: int = 2048) -> RSAPrivateKey:
    return new_rsa(65537, bits)


def ec_key() -> EllipticCurvePrivateKey:
    return new_ec(SECP256R1())


def jwk(key: PrivateKey, kid: str | None, **more: Any) -> dict[str, Any]:
    """The public half as it is published."""
    kinds: list[tuple[type, str]] = [
        (RSAPrivateKey, "RS256"),
        (EllipticCurvePrivateKey, "ES256"),
        (Ed25519PrivateKey, "EdDSA"),
    ]
    (algorithm,) = (name for kind, name in kinds if isinstance(key, kind))
    made = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    made.pop("key_ops", None)
    return {**made, "use": "sig", **({} if kid is None else {"kid": kid}), **more}


def claims(**other: Any) -> dict[str, Any]:
    """The claims of a good token; None takes one away."""
    now = int(time.time())
    usual = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "change-bot",
        "iat": now,
        "nbf": now,
        "exp": now + 300,
        "scope": "openid clusters:read jobs:read",
    }
    return {name: value for name, value in {**usual, **other}.items() if value is not None}


def part(value: Any) -> str:
    """One part of a token, from JSON or from bytes."""
    plain = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(plain).decode().rstrip("=")


def by_hand(header: Any, payload: Any, secret: bytes | None = None) -> str:
    """A token as a forger writes it: signed with HMAC, or not at all."""
    signed = f"{part(header)}.{part(payload)}"
    made = b"" if secret is None else hmac.digest(secret, signed.encode(), "sha256")
    return f"{signed}.{part(made)}"


@dataclass
class LocalIssuer:
    """What it publishes is `published`; every fetch of it is in `web.received`."""

    web: Receiver
    identity: ServerIdentity
    folder: Path
    keys: dict[str, PrivateKey] = field(default_factory=dict)

    def publish(self, *entries: Mapping[str, Any]) -> None:
        """From now on these are its keys."""
        body = json.dumps({"keys": entries}).encode()
        self.web.usual = status(200, "Content-Type: application/jwk-set+json", body=body)

    def rotate(self, kid: str, key: PrivateKey | None = None) -> None:
        """One new key in place of all others."""
        self.keys = {kid: key or ec_key()}
        self.publish(*(jwk(key, kid) for kid, key in self.keys.items()))

    def token(self, kid: str = "one", algorithm: str = "ES256", **other: Any) -> str:
        headers = {"kid": kid, "typ": "at+jwt"}
        return jwt.encode(claims(**other), self.keys[kid], algorithm, headers=headers)  # type: ignore[arg-type]  # any of the three kinds

    def setting(self, **other: Any) -> dict[str, Any]:
        """Its entry in CLUSTERWAY_TOKEN_ISSUERS."""
        bundle = self.folder / "issuer.pem"
        bundle.write_text(self.identity.certificate_pem)
        return {
            "alias": "corp",
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "jwks_url": self.web.url("127.0.0.1", "/keys"),
            "ca_bundle": str(bundle),
            **other,
        }


@asynccontextmanager
async def local_issuer(folder: Path) -> AsyncIterator[LocalIssuer]:
    """An issuer that runs while the block lasts."""
    identity = self_signed("login.example.com")
    async with receiver(identity) as web:
        found = LocalIssuer(web, identity, folder)
        found.rotate("one")
        yield found
