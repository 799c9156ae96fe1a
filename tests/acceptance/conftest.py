"""A service with its worker in the test's process, over a real PostgreSQL and a fleet beside it.

The fleet is reached by the mock transport in process, and by its real SSH and HTTPS servers; so a
test can look into the appliances that the service talks to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app.cli.simulate import servers
from app.main import Service, open_service
from app.security.redaction import Redactor
from app.settings import Settings
from app.worker import work
from tests.integration.conftest import database_url, postgres_server
from tests.support.api_story import ApiStory
from transports import mock
from transports.mock.clock import FleetClock
from transports.mock.fleet import Fleet
from transports.mock.scenario import build
from transports.mock.witness import Witness

PACE = 200.0

__all__ = ["database_url", "postgres_server"]


@dataclass
class House:
    """Everything of one test."""

    fleet: Fleet
    witness: Witness
    reachable: list[dict[str, Any]]
    story: ApiStory
    service: Service

    async def record_members(self, cluster_id: str, peers: list[str]) -> None:
        """A cluster that the service knows from earlier; the first peer is its primary."""
        async with self.service.store.transaction() as tx:
            await tx.clusters.record_members(cluster_id, peers, peers[0])


OpenHouse = Callable[..., AbstractAsyncContextManager[House]]
"""Takes a scenario, and settings that differ by name."""


@pytest.fixture
def open_house(database_url: str, tmp_path: Path) -> OpenHouse:
    @asynccontextmanager
    async def opened(scenario: Mapping[str, Any], **differ: Any) -> AsyncIterator[House]:
        fleet = build(scenario, clock=FleetClock(PACE))
        witness = Witness(fleet)
        mock.register("house", fleet)
        settings = Settings(
            database_url=SecretStr(database_url),
            data_folder=tmp_path,
            pace=PACE,
            allow_loopback_peers=True,
            **differ,
        )
        drain = asyncio.Event()
        async with servers(fleet) as reachable, open_service(settings, Redactor()) as service:
            working = asyncio.create_task(work(service, drain))
            key = await service.services.keys.first_key()
            transport = httpx.ASGITransport(app=service.api(), raise_app_exceptions=False)
            async with httpx.AsyncClient(
                transport=transport,
                base_url="http://clusterway.test",
                headers={"Authorization": f"Bearer {key}"},
            ) as client:
                try:
                    yield House(fleet, witness, reachable, ApiStory(client), service)
                finally:
                    drain.set()
                    await working
        mock.forget("house")

    return opened
