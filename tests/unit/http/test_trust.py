"""Who is talked to is proved before anything is said."""

import ssl
import warnings

import pytest

from tests.unit.http.conftest import PASSWORD, UPTIME, sending, xml_reply
from transports import http
from transports.document import Path
from transports.errors import IdentityChanged, InvalidRequest, Unreachable
from transports.mock.forms.certificate import ServerIdentity, self_signed
from transports.trust import CaBundle, CertificatePin, HostKeyPin

PATH = Path.parse("SystemUnit Uptime")
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
pytestmark = pytest.mark.sockets


async def test_another_certificate_ends_it_before_a_request_is_sent(endpoint, scripted, identity):
    other = self_signed("exp1.example.com")
    server = await scripted(sending(xml_reply(UPTIME)), who=other)
    with pytest.raises(IdentityChanged) as caught:
        await http.create(endpoint(server.port)).read_status(PATH)
    assert caught.value.pinned == CertificatePin(identity.certificate_pem).fingerprint
    assert caught.value.presented == CertificatePin(other.certificate_pem).fingerprint
    assert server.heads == []
    assert caught.value.sent is False


async def test_a_certificate_signed_by_the_pinned_one_is_not_the_pinned_one(
    endpoint, scripted, identity
):
    signed = _signed_by(identity, "127.0.0.1")
    server = await scripted(sending(xml_reply(UPTIME)), who=signed)
    with pytest.raises(IdentityChanged):
        await http.create(endpoint(server.port)).read_status(PATH)
    assert server.heads == []


async def test_a_pinned_certificate_is_taken_whatever_name_it_bears(endpoint, scripted):
    other_name = self_signed("nothing-like-it", addresses=())
    server = await scripted(sending(xml_reply(UPTIME)), who=other_name)
    transport = http.create(endpoint(server.port, trust=CertificatePin(other_name.certificate_pem)))
    assert (await transport.read_status(PATH)).name == "Status"
    await transport.close()


async def test_a_ca_bundle_vouches_for_a_right_name(endpoint, scripted, identity):
    signed = _signed_by(identity, "127.0.0.1")
    server = await scripted(sending(xml_reply(UPTIME)), who=signed)
    transport = http.create(endpoint(server.port, trust=CaBundle(identity.certificate_pem)))
    assert (await transport.read_status(PATH)).name == "Status"
    await transport.close()


async def test_a_ca_bundle_does_not_vouch_for_a_wrong_name(endpoint, scripted, identity):
    signed = _signed_by(identity, "192.0.2.1")
    server = await scripted(sending(xml_reply(UPTIME)), who=signed)
    with pytest.raises(IdentityChanged) as caught:
        await http.create(
            endpoint(server.port, trust=CaBundle(identity.certificate_pem))
        ).read_status(PATH)
    assert caught.value.presented == CertificatePin(signed.certificate_pem).fingerprint
    assert server.heads == []


async def test_a_ca_bundle_does_not_vouch_for_a_stranger(endpoint, scripted, identity):
    server = await scripted(who=self_signed("127.0.0.1"))
    transport = http.create(endpoint(server.port, trust=CaBundle(identity.certificate_pem)))
    with pytest.raises(IdentityChanged):
        await transport.read_status(PATH)


@pytest.mark.parametrize("trust", [None, HostKeyPin(HOST_KEY), CaBundle("no certificate")])
def test_without_usable_trust_there_is_no_transport(endpoint, trust):
    with pytest.raises(InvalidRequest):
        http.create(endpoint(trust=trust))


async def test_old_tls_is_spoken_only_where_the_endpoint_says_so(
    endpoint, identity, monkeypatch, scripted
):
    make = ServerIdentity.server_context

    def old(self):
        context = make(self)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        return context

    monkeypatch.setattr(ServerIdentity, "server_context", old)
    server = await scripted(sending(xml_reply(UPTIME)))
    with pytest.raises(Unreachable):
        await http.create(endpoint(server.port)).read_status(PATH)
    transport = http.create(endpoint(server.port, options={"legacy_tls": "true"}))
    assert (await transport.read_status(PATH)).name == "Status"
    await transport.close()
    pem = await http.probe_certificate("127.0.0.1", server.port, 2.0)
    assert CertificatePin(pem) == CertificatePin(identity.certificate_pem)


async def test_enrolment_sees_the_certificate_and_sends_nothing(scripted, identity):
    server = await scripted(sending(b""))
    pem = await http.probe_certificate("127.0.0.1", server.port, 2.0)
    assert CertificatePin(pem).fingerprint == CertificatePin(identity.certificate_pem).fingerprint
    assert server.heads == []


async def test_enrolment_of_nobody_is_unreachable(unused_tcp_port):
    with pytest.raises(Unreachable):
        await http.probe_certificate("127.0.0.1", unused_tcp_port, 1.0)


async def test_no_proxy_of_the_environment_gets_the_password(endpoint, scripted, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    server = await scripted(sending(xml_reply(UPTIME)))
    transport = http.create(endpoint(server.port))
    await transport.read_status(PATH)
    assert "authorization: basic" in server.heads[0].casefold()
    assert PASSWORD not in server.heads[0]
    await transport.close()


def _signed_by(authority, address):
    import ipaddress
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    ca = x509.load_pem_x509_certificate(authority.certificate_pem.encode())
    ca_key = serialization.load_pem_private_key(authority.key_pem.encode(), None)
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]),
            critical=True,
        )
        .sign(ca_key, hashes.SHA256())
    )
    return ServerIdentity(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    )
