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

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = 1
_KEY = 32
_NONCE = 12
_WRAPPED = _KEY + 16


class VaultError(Exception):
    """A sealed value or a key file cannot be used. The message holds no secret."""


class Vault:
    """Seals and opens secrets. The last key of `keys` seals; every key opens."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """`keys`: key id to 32 bytes, in the order of the file."""
        if not keys:
            raise VaultError("the vault needs at least one key-encryption key")
        for key_id, key in keys.items():
            if not (key_id.isascii() and key_id.isalnum() and len(key_id) <= 32):
                raise VaultError("a key id is 1 to 32 ASCII letters and digits")
            if len(key) != _KEY:
                raise VaultError(f"key {key_id} does not have {_KEY} bytes")
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._newest = list(keys)[-1]
        # A fingerprint must stay the same when keys rotate, so it hangs on the oldest key.
        self._fingerprint_key = hashlib.sha256(b"fingerprint" + next(iter(keys.values()))).digest()

    def __repr__(self) -> str:
        return f"Vault(keys={list(self._keys)})"

    def seal(self, plain: bytes, context: str) -> bytes:
        """Encrypt for that context, such as `credential:cred-...`."""
        data_key = secrets.token_bytes(_KEY)
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
        if self.key_id(sealed) == self._newest:
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
        return hmac.new(self._fingerprint_key, plain, hashlib.sha256).hexdigest()[:16]

    def request_digest(self, body: bytes) -> str:
        """A keyed digest of a request that may hold a secret: equal requests are recognised by it.

        Keyed, because a plain one would let a reader of the database try passwords against it.
        """
        return hmac.new(self._fingerprint_key, b"request\n" + body, hashlib.sha256).hexdigest()

    def _wrapped(self, data_key: bytes, context: str) -> bytes:
        key_id = self._newest.encode()
        nonce = os.urandom(_NONCE)
        wrapped = self._keys[self._newest].encrypt(nonce, data_key, self._bound(context))
        return bytes([VERSION, len(key_id)]) + key_id + nonce + wrapped

    def _unwrapped(self, sealed: bytes, context: str) -> tuple[bytes, bytes]:
        key_id = self.key_id(sealed)
        key = self._keys.get(key_id)
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


def load_vault(path: Path) -> Vault:
    """The vault of a key file; the file is made, readable by its owner only, where it is missing.

    Raises VaultError where others may read the file, or where a line is no key.
    """
    try:
        _create(path)
    except FileExistsError:
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            raise VaultError(
                f"{path} may be read by others (mode {mode:04o}); run: chmod 600 {path}"
            ) from None
    keys: dict[str, bytes] = {}
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        key_id, _, text = line.strip().partition(":")
        try:
            key = base64.b64decode(text, validate=True)
        except binascii.Error:
            raise VaultError(f"{path}, line {number}: not `id:base64`") from None
        if key_id in keys:
            raise VaultError(f"{path}, line {number}: key id {key_id!r} stands there twice")
        keys[key_id] = key
    return Vault(keys)


def add_key(path: Path) -> str:
    """Append a new key-encryption key, which seals from the next start on; returns its id."""
    key_id = f"k{secrets.token_hex(4)}"
    with path.open("a", encoding="ascii") as file:
        file.write(f"{key_id}:{base64.b64encode(secrets.token_bytes(_KEY)).decode()}\n")
    return key_id


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Written aside and linked into place: two processes at first start never see half a file,
    # and the one that comes second uses the key of the first.
    if path.exists():
        raise FileExistsError(path)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write("# Key-encryption keys of Clusterway. Without them no secret opens.\n")
            file.write(f"k1:{base64.b64encode(secrets.token_bytes(_KEY)).decode()}\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(aside, path)
    finally:
        aside.unlink()
