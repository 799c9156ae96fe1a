"""The HTTPS transport passes the suite of every transport, over real sockets."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from transports import http
from transports.base import Endpoint, Transport
from transports.contract import Access, Reach, TransportContract
from transports.mock import Expressway, Fleet
from transports.mock.forms.certificate import self_signed
from transports.mock.https_server import serve_https
from transports.trust import CertificatePin

pytestmark = pytest.mark.sockets


class TestHttp(TransportContract):
    tells_round_trip = sys.platform == "linux"
    options: dict[str, str] = {}  # noqa: RUF012  # never changed

    @asynccontextmanager
    async def reaching(self, fleet: Fleet) -> AsyncIterator[Reach]:
        stranger = self_signed("stranger").certificate_pem
        async with AsyncExitStack() as stack:
            servers = {}
            for device in fleet:
                servers[device.name] = await serve_https(device)
                stack.push_async_callback(servers[device.name].close)

            def reach(device: Expressway, access: Access) -> Transport:
                server = servers[device.name]
                password = device.accounts.admin_password
                pem = stranger if access.other_identity else server.certificate_pem
                return http.create(
                    Endpoint(
                        host="127.0.0.1",
                        port=server.port,
                        username="admin",
                        password="wrong" if access.wrong_password else password,
                        trust=CertificatePin(pem),
                        options=self.options,
                        limits=access.limits,
                    )
                )

            yield reach


class TestHttpFormEncoded(TestHttp):
    """The other way to post a document."""

    options = {"write_by": "formputxml"}  # noqa: RUF012  # never changed
