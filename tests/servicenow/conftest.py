"""The service with its worker, its API on a real port, and a ServiceNow stand-in beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.acceptance.conftest import House, OpenHouse, database_url, open_house, postgres_server
from tests.clients.toolchain import OPENAPI
from tests.servicenow import importer
from tests.servicenow.flow import Alias, Clusterway, Flow
from tests.servicenow.instance import EVENTS, INBOUND_KEY, Instance, serving
from tests.support.api_story import mock_endpoint
from transports.mock.scenario import REHEARSAL_PASSWORD

__all__ = ["database_url", "open_house", "postgres_server"]

CLUSTER = "cluster1.example.com"
RUNS = ["clusters:read", "jobs:read", "jobs:run"]
DECIDES = ["jobs:read", "approvals:decide"]


@dataclass
class Desk:
    """One change desk: an instance, the flow it runs, and the service it calls."""

    house: House
    instance: Instance
    flow: Flow
    away: Callable[[], AbstractAsyncContextManager[None]]
    """The service is not reachable while the block lasts."""


OpenDesk = Callable[[Mapping[str, Any]], AbstractAsyncContextManager[Desk]]


@pytest.fixture
def open_desk(open_house: OpenHouse) -> OpenDesk:
    @asynccontextmanager
    async def opened(scenario: Mapping[str, Any]) -> AsyncIterator[Desk]:
        instance = Instance()
        async with (
            open_house(scenario, allow_loopback_webhooks=True) as house,
            serving(instance.api()) as inbound,
        ):
            api = house.service.api()
            server = serving(api)
            port = await server.__aenter__()
            running = [server]

            @asynccontextmanager
            async def away() -> AsyncIterator[None]:
                await running.pop().__aexit__(None, None, None)
                try:
                    yield
                finally:
                    again = serving(api, port)
                    await again.__aenter__()
                    running.append(again)

            try:
                flow = await _set_up(house, instance, port, inbound)
                yield Desk(house, instance, flow, away)
            finally:
                await running.pop().__aexit__(None, None, None)

    return opened


async def _set_up(house: House, instance: Instance, port: int, inbound: int) -> Flow:
    """Cluster, two limited keys, a subscription and a change, as the kit's page says."""
    story = house.story
    admin = await story.credential(REHEARSAL_PASSWORD)
    peers = [
        await story.peer(device.name, device.address, mock_endpoint(device.address, admin))
        for device in house.fleet
    ]
    cluster = await story.cluster(CLUSTER)
    await house.record_members(cluster, peers)
    keys = {}
    for name, scopes in (("ServiceNow runs", RUNS), ("ServiceNow decides", DECIDES)):
        body = {"name": name, "scopes": scopes, "clusters": [cluster]}
        keys[name] = (await story.post("/v1/keys", body))["key"]
    made = await story.post(
        "/v1/webhooks",
        {
            "name": "change desk",
            "url": f"http://127.0.0.1:{inbound}{EVENTS}",
            "event_types": ["job.succeeded", "job.failed", "job.cancelled"],
            "cluster_ids": [cluster],
            "auth": {"kind": "header", "header": "x-sn-apikey", "secret": INBOUND_KEY},
        },
    )
    instance.secrets = made["secret"]
    operations = importer.read((OPENAPI / "openapi-flow.json").read_text(encoding="utf-8"))
    base = f"http://127.0.0.1:{port}"
    runs, decides = (
        Clusterway(operations, Alias(base, keys[name]))
        for name in ("ServiceNow runs", "ServiceNow decides")
    )
    return Flow(instance, "", cluster, {"peer_ids": peers}, runs, decides)
