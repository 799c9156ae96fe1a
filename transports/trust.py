"""What proves that an appliance is the one it claims to be.

Trust is pinned per endpoint when a peer is enrolled, and checked before any secret is sent. There
is no value that means "do not check".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ssl
from dataclasses import dataclass

from transports.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class HostKeyPin:
    """An SSH host key, as one line of OpenSSH public key text (`ssh-ed25519 AAAA...`)."""

    public_key: str

    def __post_init__(self) -> None:
        self._blob()

    @property
    def fingerprint(self) -> str:
        """`SHA256:...` as OpenSSH prints it."""
        digest = hashlib.sha256(self._blob()).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def _blob(self) -> bytes:
        words = self.public_key.split()
        try:
            if len(words) < 2 or "\n" in self.public_key.strip():
                raise ValueError
            blob = base64.b64decode(words[1], validate=True)
            length = int.from_bytes(blob[:4], "big")
            if blob[4 : 4 + length].decode() != words[0]:
                raise ValueError
        except (ValueError, binascii.Error, UnicodeDecodeError):
            raise InvalidRequest("not an OpenSSH public key: 'ssh-ed25519 AAAA...'") from None
        return blob


@dataclass(frozen=True, slots=True)
class CertificatePin:
    """One TLS certificate (PEM) taken as the only trust anchor; its names are not compared."""

    pem: str

    def __post_init__(self) -> None:
        self._der()

    @property
    def fingerprint(self) -> str:
        """`SHA256:` and the digest of the certificate in base64, in the style of host keys."""
        return certificate_fingerprint(self._der())

    def _der(self) -> bytes:
        try:
            return ssl.PEM_cert_to_DER_cert(self.pem.strip())
        except (ValueError, binascii.Error):
            raise InvalidRequest("not a certificate in PEM form") from None


@dataclass(frozen=True, slots=True)
class CaBundle:
    """Certificate authorities (PEM) that vouch for the server; its name is compared as usual."""

    pem: str

    @property
    def fingerprint(self) -> str:
        """`SHA256:` over the bundle's text."""
        return certificate_fingerprint(self.pem.encode())


Trust = HostKeyPin | CertificatePin | CaBundle


def certificate_fingerprint(der: bytes) -> str:
    """`SHA256:` and the digest of a certificate in DER form, base64."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")
