"""Signatures of evidence: Ed25519, as a detached JSON Web Signature (RFC 7515, RFC 8037).

What is signed can be checked years later by anybody with the public key and any JWS library. The
private keys are sealed by the vault and lie in the database, so that every process signs with the
same one and a new machine needs no file but the vault's. Who can write the database cannot sign.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from app.security.vault import Vault, VaultError

ALGORITHM = "EdDSA"
Signature = dict[str, str]


class KeyUnusable(Exception):
    """A key cannot be read. The message holds nothing secret."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A signing key as it is kept: the public half, and the private one sealed."""

    id: str
    public: bytes
    sealed: bytes = field(repr=False)
    created_at: datetime

    @property
    def jwk(self) -> dict[str, str]:
        """The public half as a JSON Web Key."""
        return {
            "kty": "OKP",
            "crv": "Ed25519",
            "alg": ALGORITHM,
            "use": "sig",
            "kid": self.id,
            "x": encoded(self.public),
        }


def new_key(vault: Vault, now: datetime) -> SigningKey:
    """A key made at random. Its id is the beginning of its public half's SHA-256."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    key_id = key_id_of(public)
    sealed = vault.seal(private.private_bytes_raw(), key_context(key_id))
    return SigningKey(key_id, public, sealed, now)


def key_id_of(public: bytes) -> str:
    """The id of a key, which nobody can give to another key."""
    return hashlib.sha256(public).hexdigest()[:16]


def genuine(key: SigningKey, vault: Vault) -> bool:
    """Whether the row was made by this service: its private half opens and fits."""
    try:
        return _private(key, vault).public_key().public_bytes_raw() == key.public
    except (KeyUnusable, ValueError):
        return False


def sign(payload: bytes, key: SigningKey, vault: Vault) -> Signature:
    """The detached signature of these bytes. Raises KeyUnusable."""
    protected = encoded(json.dumps({"alg": ALGORITHM, "kid": key.id}).encode())
    signed = _private(key, vault).sign(_input(protected, payload))
    return {"protected": protected, "signature": encoded(signed)}


def signed_by(signature: Mapping[str, Any]) -> str:
    """The id of the key that a signature names; empty where it is none of ours."""
    try:
        header = json.loads(decoded(str(signature["protected"])))
    except (KeyError, ValueError, KeyUnusable):
        return ""
    if not isinstance(header, dict) or header.get("alg") != ALGORITHM:
        return ""
    return str(header.get("kid", ""))


def verifies(payload: bytes, signature: Mapping[str, Any], public: bytes) -> bool:
    """Whether this key made this signature of these bytes."""
    try:
        protected = str(signature["protected"])
        signed = decoded(str(signature["signature"]))
        Ed25519PublicKey.from_public_bytes(public).verify(signed, _input(protected, payload))
    except (InvalidSignature, KeyError, ValueError, KeyUnusable):
        return False
    return True


def read_public_keys(text: str) -> dict[str, bytes]:
    """Key id -> public key, out of a JWK set, one JWK, PEM, or 43 letters of base64url.

    Raises KeyUnusable.
    """
    text = text.strip()
    try:
        if text.startswith("-----BEGIN"):
            loaded = load_pem_public_key(text.encode())
            if not isinstance(loaded, Ed25519PublicKey):
                raise KeyUnusable("the key is not an Ed25519 public key")
            found = [loaded.public_bytes_raw()]
        elif text.startswith("{"):
            document = json.loads(text)
            found = [decoded(str(one["x"])) for one in document.get("keys", [document])]
        else:
            found = [decoded(text)]
    except (ValueError, KeyError, TypeError, AttributeError, UnsupportedAlgorithm):
        raise KeyUnusable("no Ed25519 public key is there: give a JWK set, PEM, or `x`") from None
    if not found or any(len(public) != 32 for public in found):
        raise KeyUnusable("an Ed25519 public key has 32 bytes")
    return {key_id_of(public): public for public in found}


def given_keys(given: str) -> dict[str, bytes]:
    """The keys in a file of that name, or in the text itself. Raises KeyUnusable."""
    path = Path(given)
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else given
    except (OSError, UnicodeDecodeError) as error:
        raise KeyUnusable(f"the key file cannot be read: {type(error).__name__}") from None
    return read_public_keys(text)


def encoded(plain: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(plain).decode().rstrip("=")


def decoded(text: str) -> bytes:
    """The bytes again. Raises KeyUnusable."""
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise KeyUnusable("not base64url") from None
    if encoded(plain) != text:
        raise KeyUnusable("not base64url as it is written")  # its last letter has bits to spare
    return plain


def _private(key: SigningKey, vault: Vault) -> Ed25519PrivateKey:
    try:
        return Ed25519PrivateKey.from_private_bytes(vault.open(key.sealed, key_context(key.id)))
    except VaultError as error:
        raise KeyUnusable(f"evidence key {key.id}: {error}") from None


def key_context(key_id: str) -> str:
    """What a sealed private key is bound to."""
    return f"evidence-key:{key_id}"


def _input(protected: str, payload: bytes) -> bytes:
    return f"{protected}.{encoded(payload)}".encode()
