"""The in-process transport passes the suite of every transport."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from transports import mock
from transports.base import Endpoint, Transport
from transports.contract import Access, Reach, TransportContract
from transports.mock import Expressway, Fleet


class TestMock(TransportContract):
    has_identity = False

    @asynccontextmanager
    async def reaching(self, fleet: Fleet) -> AsyncIterator[Reach]:
        def reach(device: Expressway, access: Access) -> Transport:
            password = device.accounts.admin_password
            return mock.create(
                Endpoint(
                    host=device.address,
                    port=0,
                    username="admin",
                    password="wrong" if access.wrong_password else password,
                    trust=None,
                    options={"fleet": "contract"},
                    limits=access.limits,
                )
            )

        mock.register("contract", fleet)
        yield reach
        mock.forget("contract")
