"""A whole service over a database of its own, with a small cluster that can be asked about.

The peers of that cluster are simulated in this process, so what is measured is the service and its
database, and never a network.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import SecretStr

from app.main import Service, open_service
from app.observability import logs
from app.security.keys import ApiKey, Limits, Scope, digest_of, new_key_text
from app.security.redaction import Redactor
from app.services.records import StoredPlan
from app.settings import Settings
from app.storage.embedded import EmbeddedPostgres
from tests.support.api_story import ApiStory, mock_endpoint
from transports import mock
from transports.mock.clock import FleetClock
from transports.mock.fleet import Fleet
from transports.mock.scenario import REHEARSAL_PASSWORD, build

NAME = "cluster1.example.com"
PACE = 200.0
_SCENARIO = {
    "expressways": [{"name": f"exp{n}", "address": f"192.0.2.{10 + n}"} for n in (1, 2)],
    "clusters": [{"name": NAME, "key": "a key of the bench", "members": ["exp1", "exp2"]}],
}


@dataclass(frozen=True)
class Stock:
    """`cluster_id` has the simulated peers; `key_id` and `key` are the first admin key's."""

    service: Service
    url: str
    story: ApiStory
    cluster_id: str
    peers: tuple[str, ...]
    key: str
    key_id: str

    async def plan(self, slug: str = "backup") -> StoredPlan:
        """A plan as it is stored."""
        made = await self.story.plan(self.cluster_id, slug, {})
        async with self.service.store.transaction() as tx:
            stored = await tx.plans.get(made["id"])
        if stored is None:
            raise RuntimeError("a plan that was made is not stored")
        return stored

    @asynccontextmanager
    async def limited_to(self, *clusters: str) -> AsyncIterator[ApiStory]:
        """A caller whose key is limited to these clusters, whether they exist or not."""
        prefix, text = new_key_text()
        key = ApiKey(
            id=self.service.new_id("key"),
            prefix=prefix,
            name=f"limited {prefix}",
            digest=digest_of(text),
            limits=Limits(
                frozenset({Scope.CLUSTERS_READ, Scope.JOBS_READ, Scope.AUDIT_READ}),
                clusters=frozenset(clusters),
            ),
            created_at=self.service.clock.now(),
        )
        async with self.service.store.transaction() as tx:
            await tx.keys.add(key)
        async with _caller(self.service, text) as client:
            yield ApiStory(client)


def a_fleet() -> Fleet:
    """Two simulated Expressways, one cluster, for the mock transport of this process."""
    fleet = build(_SCENARIO, clock=FleetClock(PACE))
    mock.register("house", fleet)
    return fleet


@asynccontextmanager
async def stock(folder: Path) -> AsyncIterator[Stock]:
    """The service, its database below `folder`, a cluster of two, and nothing else stored."""
    redactor = Redactor()
    logs.set_up(redactor, level="ERROR")
    fleet = a_fleet()
    async with EmbeddedPostgres(folder) as url:
        settings = Settings(
            database_url=SecretStr(url),
            data_folder=folder,
            rate_limit=0,
            pace=PACE,
            dns_lookups=False,
        )
        async with open_service(settings, redactor) as service:
            key = await service.services.keys.first_key()
            if key is None:
                raise RuntimeError("the database was not new")
            async with _caller(service, key) as client:
                story = ApiStory(client)
                admin = await story.credential(REHEARSAL_PASSWORD)
                peers = [
                    await story.peer(one.name, one.address, mock_endpoint(one.address, admin))
                    for one in fleet
                ]
                cluster_id = await story.cluster(NAME)
                async with service.store.transaction() as tx:
                    await tx.clusters.record_members(cluster_id, peers, peers[0])
                key_id = (await story.get("/v1/keys"))["items"][0]["id"]
                yield Stock(service, url, story, cluster_id, tuple(peers), key, key_id)


@asynccontextmanager
async def _caller(service: Service, key: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=service.api())
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://clusterway.bench", headers=headers, timeout=60.0
    ) as client:
        yield client
