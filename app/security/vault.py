"""Envelope encryption: how every secret and every backup is kept at rest.

Each secret gets a random data key of its own (AES-256-GCM); the data key is wrapped by a
key-encryption key that lives in a file, never in the database. What is sealed is bound to its
context (row and field), so a sealed value that is moved to another row does not open. Several
key-encryption keys may be listed: the last seals, all open, and `rewrap` moves a sealed value to
the newest without touching what it holds.

Layout of a sealed value, version 1:

    1 byte version | 1 byte length of the key id | key id | 12 bytes nonce | 48 bytes wrapped key
    | 12 bytes nonce | ciphertext and tag
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.security.key_file import FINGERPRINT, KEY_BYTES, KeyFile, VaultError, fingerprint_key

__all__ = ["Vault", "VaultError", "load_vault"]

log = logging.getLogger(__name__)

VERSION = 1
_NONCE = 12
_WRAPPED = KEY_BYTES + 16


@dataclass(frozen=True, slots=True)
class _Ring:
    """The keys of one reading of the file, whole: a thread that seals never sees half a change."""

    keys: Mapping[str, AESGCM]
    newest: str
    fingerprint: bytes


class Vault:
    """Seals and opens secrets. The last key of `keys` seals; every key opens.

    With `file` the keys are read again when that is another file, so a new key is used by every
    running process from its next secret on.
    """

    def __init__(self, keys: Mapping[str, bytes], file: KeyFile | None = None) -> None:
        """`keys`: key id to 32 bytes, in the order of the file."""
        self._file = file
        self._state = () if file is None else file.state()
        self._ring = _ring(keys)

    def __repr__(self) -> str:
        return f"Vault(keys={list(self._ring.keys)})"

    @property
    def keys(self) -> tuple[str, ...]:
        """The ids of the keys, oldest first; the last one seals."""
        return tuple(self._renewed().keys)

    def seal(self, plain: bytes, context: str) -> bytes:
        """Encrypt for that context, such as `credential:cred-...`."""
        data_key = secrets.token_bytes(KEY_BYTES)
        nonce = os.urandom(_NONCE)
        body = AESGCM(data_key).encrypt(nonce, plain, self._bound(context))
        return self._wrapped(data_key, context) + nonce + body

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt. Raises VaultError: unknown key, other context, or a changed value."""
        data_key, rest = self._unwrapped(sealed, context)
        try:
            return AESGCM(data_key).decrypt(rest[:_NONCE], rest[_NONCE:], self._bound(context))
        except (InvalidTag, ValueError):
            raise VaultError("a sealed value was changed or belongs elsewhere") from None

    def rewrap(self, sealed: bytes, context: str) -> bytes:
        """The same secret under the newest key; the value itself unchanged where it already is."""
        if self.key_id(sealed) == self._renewed().newest:
            return sealed
        data_key, rest = self._unwrapped(sealed, context)
        return self._wrapped(data_key, context) + rest

    def key_id(self, sealed: bytes) -> str:
        """Which key-encryption key a sealed value needs. Raises VaultError where it is none."""
        if len(sealed) < 2 or sealed[0] != VERSION or len(sealed) < 2 + sealed[1]:
            raise VaultError("not a sealed value of a version this service knows")
        return sealed[2 : 2 + sealed[1]].decode("ascii", "replace")

    def fingerprint(self, plain: bytes) -> str:
        """A keyed digest by which equal secrets are recognised; useless without the key file."""
        return hmac.new(self._ring.fingerprint, plain, hashlib.sha256).hexdigest()[:16]

    def request_digest(self, body: bytes) -> str:
        """A keyed digest of a request that may hold a secret: equal requests are recognised by it.

        Keyed, because a plain one would let a reader of the database try passwords against it.
        """
        return hmac.new(self._ring.fingerprint, b"request\n" + body, hashlib.sha256).hexdigest()

    def _wrapped(self, data_key: bytes, context: str) -> bytes:
        ring = self._renewed()
        key_id = ring.newest.encode()
        nonce = os.urandom(_NONCE)
        wrapped = ring.keys[ring.newest].encrypt(nonce, data_key, self._bound(context))
        return bytes([VERSION, len(key_id)]) + key_id + nonce + wrapped

    def _renewed(self) -> _Ring:
        """The keys as the file has them now; those from before where it cannot be read."""
        if self._file is None or (state := self._file.state()) == self._state:
            return self._ring
        try:
            self._ring = _ring(self._file.read())
        except (VaultError, OSError, ValueError) as error:
            # The service goes on with the keys it has; at its next start this is an error.
            log.warning("the changed key file is not used: %s", error)
        self._state = state
        return self._ring

    def _unwrapped(self, sealed: bytes, context: str) -> tuple[bytes, bytes]:
        key_id = self.key_id(sealed)
        key = self._ring.keys.get(key_id) or self._renewed().keys.get(key_id)
        if key is None:
            raise VaultError(f"key {key_id!r} is not in the key file")
        start = 2 + sealed[1]
        end = start + _NONCE + _WRAPPED
        try:
            data_key = key.decrypt(
                sealed[start : start + _NONCE], sealed[start + _NONCE : end], self._bound(context)
            )
        except (InvalidTag, ValueError):
            raise VaultError("a sealed value was changed or belongs elsewhere") from None
        return data_key, sealed[end:]

    @staticmethod
    def _bound(context: str) -> bytes:
        return f"clusterway:{VERSION}:{context}".encode()


def _ring(keys: Mapping[str, bytes]) -> _Ring:
    sealing = {key_id: key for key_id, key in keys.items() if key_id != FINGERPRINT}
    if not sealing:
        raise VaultError("the vault needs at least one key-encryption key")
    for key_id, key in keys.items():
        if not (key_id.isascii() and key_id.isalnum() and len(key_id) <= 32):
            raise VaultError("a key id is 1 to 32 ASCII letters and digits")
        if len(key) != KEY_BYTES:
            raise VaultError(f"key {key_id} does not have {KEY_BYTES} bytes")
    return _Ring(
        keys={key_id: AESGCM(key) for key_id, key in sealing.items()},
        newest=list(sealing)[-1],
        fingerprint=fingerprint_key(dict(keys)),
    )


def load_vault(path: Path) -> Vault:
    """The vault of a key file; the file is made, readable by its owner only, where it is missing.

    Raises VaultError where others may read the file, or where a line is no key.
    """
    file = KeyFile(path)
    file.make()
    return Vault(file.read(), file)
