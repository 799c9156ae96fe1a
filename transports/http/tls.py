"""Who answers, proved in the TLS handshake: before a request line, a cookie or a password is sent.

Expressways sign their own certificates, so most peers are enrolled with a pin. A pinned leaf is
compared byte by byte inside the handshake and is then the whole proof: names and dates say nothing
more about a certificate that was looked at by a person, and a peer whose clock is wrong is exactly
what this service has to reach and mend. With a CA bundle the usual verification holds, names
included.
"""

from __future__ import annotations

import asyncio
import ssl

from transports.errors import IdentityChanged, InvalidRequest, Unreachable
from transports.trust import CaBundle, CertificatePin, Trust, certificate_fingerprint


class PinMismatch(ssl.SSLCertVerificationError):
    """The server showed another certificate than the pinned one. Ends the handshake."""

    def __init__(self, pinned: str, presented: str) -> None:
        super().__init__("the certificate is not the pinned one")
        self.pinned = pinned
        self.presented = presented


def client_context(trust: Trust | None, *, legacy: bool) -> ssl.SSLContext:
    """A TLS context that accepts only what `trust` vouches for.

    `legacy` also admits TLS 1.0/1.1 and the ciphers of their time, for software too old to offer
    more. Raises InvalidRequest without trust, with an SSH host key, or with an unusable bundle.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if legacy:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    if isinstance(trust, CertificatePin):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the comparison in the handshake takes its place
        context.sslobject_class = _object_that_demands(trust)
    elif isinstance(trust, CaBundle):
        try:
            context.load_verify_locations(cadata=trust.pem)
        except (ssl.SSLError, ValueError):
            raise InvalidRequest("the CA bundle holds no certificate in PEM form") from None
    else:
        raise InvalidRequest("HTTPS needs a pinned certificate or a CA bundle as trust")
    return context


def _object_that_demands(pin: CertificatePin) -> type[ssl.SSLObject]:
    class PinnedObject(ssl.SSLObject):
        """An SSL object whose handshake fails unless the peer shows the pinned certificate."""

        def do_handshake(self) -> None:
            super().do_handshake()
            der = self.getpeercert(binary_form=True)
            presented = certificate_fingerprint(der) if der else ""
            if presented != pin.fingerprint:
                raise PinMismatch(pin.fingerprint, presented)

    return PinnedObject


def find_mismatch(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """The certificate error at the bottom of what an HTTP library made of it, or None."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        if isinstance(current, ssl.SSLCertVerificationError):
            return current
        seen.add(id(current))
        pending += [current.__cause__, current.__context__]
    return None


async def identity_changed(
    error: ssl.SSLCertVerificationError, trust: Trust, host: str, port: int, timeout: float
) -> IdentityChanged:
    """The error to raise for a failed proof, with both fingerprints where they can be had."""
    if isinstance(error, PinMismatch):
        presented = error.presented
    else:
        # A failed verification does not hand out the certificate; look once more, sending nothing.
        try:
            pem = await probe_certificate(host, port, timeout)
            presented = certificate_fingerprint(ssl.PEM_cert_to_DER_cert(pem))
        except (Unreachable, ValueError):
            presented = ""
    return IdentityChanged(
        f"{host}:{port} presents another certificate than the trusted one",
        pinned=trust.fingerprint,
        presented=presented,
    )


async def probe_certificate(host: str, port: int, timeout: float = 15.0) -> str:
    """The certificate (PEM) that the server shows, for enrolment. Verifies and sends nothing.

    `timeout` in seconds covers connecting and the handshake. Raises Unreachable.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # enrolment: a person compares the fingerprint
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
        raise Unreachable(f"{host}:{port} does not complete a TLS handshake") from error
    try:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.transport.abort()
    if not shown:
        raise Unreachable(f"{host}:{port} shows no certificate")
    return ssl.DER_cert_to_PEM_cert(shown)
