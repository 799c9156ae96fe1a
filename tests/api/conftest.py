"""The API in process, over a real PostgreSQL, with pretended appliances."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, cast

import httpx
import psycopg
import pytest
import structlog
from fastapi import FastAPI

from app.api.application import create_api
from app.dns.lookup import NameServers
from app.domain.finding import Finding, Severity
from app.domain.observation import NotObserved, View
from app.domain.plan import PlannedStep, Stage
from app.domain.procedure import Draft, Situation
from app.engine import transitions
from app.engine.clock import SystemClock
from app.main import key_sets, receivers
from app.observability.census import Counted
from app.observability.logs import set_up
from app.observability.metrics import Metrics
from app.observability.telemetry import Telemetry
from app.procedures.base import Param, Procedure
from app.procedures.registry import PROCEDURES
from app.security.addresses import AddressGuard
from app.security.redaction import Redactor
from app.security.vault import load_vault
from app.services.bundle import Parts, Services, join
from app.services.identifiers import Identifiers
from app.services.records import StoredPlan
from app.settings import Settings
from app.storage.backups import BackupArchive
from app.storage.census import PostgresCensus
from app.storage.cluster_registry import ClusterRegistry
from app.storage.database import journal_pool, plain_url, resource_engine
from app.storage.desk import ConnectionDesk
from app.storage.evidence import EvidenceRows
from app.storage.images import ImageFolder
from app.storage.retention import Retention
from app.storage.store import PostgresStore
from app.storage.transcripts import Transcripts
from app.storage.watches import PostgresWatches
from app.webhooks.sending import trust
from app.webhooks.signing import new_secret
from tests.support import postgres
from tests.support.engine_bench import new_job
from tests.support.engine_bench import step as planned
from transports import registry
from transports.errors import Unreachable

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
PASSWORD = "canary-Pa55word-7f3a"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with postgres.server() as url:
        yield url


@pytest.fixture(scope="session")
def shared_database(postgres_server: str) -> Iterator[str]:
    with asyncio.Runner() as runner:
        database = postgres.database(postgres_server)
        yield runner.run(database.__aenter__())
        runner.run(database.__aexit__(None, None, None))


@pytest.fixture
async def database_url(shared_database: str) -> str:
    """One database for all tests of the API, emptied before each: cheaper than one each."""
    async with await psycopg.AsyncConnection.connect(plain_url(shared_database)) as connection:
        await connection.execute(
            "truncate bulk_job, schedule, maintenance_window, webhook, webhook_delivery,"
            " evidence_key, job_evidence, retention_hold, setting, idempotency, api_key,"
            " rejected_credential, plan, cluster_member, cluster, peer, credential cascade"
        )
    return shared_database


@pytest.fixture
def quiet_logs(redactor: Redactor) -> Iterator[StringIO]:
    """Everything logged in a test, as the service writes it."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    written = StringIO()
    set_up(redactor, stream=written)
    yield written
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def redactor() -> Redactor:
    return Redactor()


class MovingClock(SystemClock):
    """The machine's clock, which a test may put forward."""

    ahead: Any = None

    def now(self) -> datetime:
        return super().now() + self.ahead if self.ahead else super().now()


@dataclass
class PretendedAppliances:
    """Implements the `Appliances` port out of a dictionary: peer id -> what is seen there."""

    views: dict[str, View] = field(default_factory=dict)
    configurations: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    hang: bool = False
    can_ping: bool = False
    lost_packets: bool = False

    async def observe(self, peer_id: str) -> View:
        self.asked.append(peer_id)
        if self.hang:
            await asyncio.Event().wait()
        absent = NotObserved(
            peer_id, datetime.now(UTC), "peer-unreachable", "no connection", "check the network"
        )
        return self.views.get(peer_id, absent)

    async def settings(self, peer_id: str, name: str) -> Any:
        return self.configurations.get(peer_id)

    async def capabilities(self, peer_id: str) -> frozenset[str]:
        ping = {"ping_from_peer"} if self.can_ping else set()
        return frozenset({"administration", *ping})

    async def round_trips(self, peer_id: str, addresses: Any) -> dict[str, float | None]:
        if not self.can_ping:
            return {}
        return dict.fromkeys(addresses, None if self.lost_packets else 1.0)


@dataclass
class NoBackups:
    """Implements the `Backups` port; a test puts in what it wants."""

    found: dict[str, Any] = field(default_factory=dict)

    async def of_job(self, job_id: str) -> list[Any]:
        return [entry[0] for entry in self.found.values() if entry[0].job_id == job_id]

    async def read(self, backup_id: str) -> AsyncIterator[bytes]:
        for piece in self.found[backup_id][1]:
            yield piece


class PollingFeed:
    """Implements the `EventFeed` port: always says that there may be news, soon."""

    closing = False

    @asynccontextmanager
    async def watch(self, job_id: str) -> AsyncIterator[Callable[[float], Any]]:
        async def news(seconds: float) -> None:
            await asyncio.sleep(min(seconds, 0.01))

        yield news


@dataclass(frozen=True)
class Naming:
    """Parameters of the procedure that the tests start."""

    peer_id: Annotated[str, Param("The peer.", "peer-1", min_length=1, max_length=64)]
    label: Annotated[str, Param("A label.", "blue", max_length=20)] = "blue"
    others: Annotated[tuple[str, ...], Param("More peers.", ["peer-2"], max_length=5)] = ()


def _draft(parameters: Naming, situation: Situation) -> Draft:
    view = situation.views[parameters.peer_id]
    seen = view.code if isinstance(view, NotObserved) else view.system_name
    findings = ()
    if seen == "forbidden":
        findings = (
            Finding(
                code="name-forbidden",
                severity=Severity.BLOCKER,
                message="The peer has a forbidden name.",
                remedy="Rename it.",
                requirements=("NEW-M-22",),
                peer_id=parameters.peer_id,
                pointer="/peer_id",
                evidence={"name": seen},
            ),
        )
    steps = (
        PlannedStep("gate", "attest", "Wait for a word", ("PRE-01",), attestation="door-open",
                    statement="The door is open.", safe_after=True),
        PlannedStep("name", "naming", "Name it", ("NEW-M-22",), parameters.peer_id,
                    {"label": parameters.label}),
        PlannedStep("look", "verify", "Look", ("NEW-M-22",), parameters.peer_id, safe_after=True),
    )  # fmt: skip
    return Draft(
        stages=(Stage("only", "The only stage", steps, "9"),),
        findings=findings,
        back_out=("Name it back.",),
        relies_on={parameters.peer_id: seen},
    )


NAMING = Procedure(
    slug="name-peer",
    title="Name a peer",
    summary="Gives a peer a name.",
    guide_pages="9",
    parameters=Naming,
    named_peers=lambda parameters: (parameters.peer_id, *parameters.others),
    draft=_draft,
    admits=True,
)


@dataclass
class World:
    """Everything a test may look at behind the API."""

    app: FastAPI
    services: Services
    appliances: PretendedAppliances
    backups: NoBackups
    clock: MovingClock
    logs: StringIO
    parts: Parts
    client: httpx.AsyncClient
    anonymous: httpx.AsyncClient

    async def key(self, *scopes: str, **limits: Any) -> dict[str, str]:
        """Headers of a new key that holds just these scopes, with these other limits."""
        from app.security.keys import ApiKey, Limits, Scope, digest_of, new_key_text

        prefix, text = new_key_text()
        made = ApiKey(
            id=self.parts.new_id("key"),
            prefix=prefix,
            name="test",
            digest=digest_of(text),
            limits=Limits(frozenset(Scope(scope) for scope in scopes), **limits),
            created_at=self.clock.now(),
        )
        async with self.parts.store.transaction() as tx:
            await tx.keys.add(made)
        return {"Authorization": f"Bearer {text}"}

    async def credential(self, name: str = "admin", secret: str = PASSWORD) -> dict[str, Any]:
        body = {"name": name, "username": "admin", "secret": secret}
        answer = await self.client.post("/v1/credentials", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def peer(self, name: str = "exp1", address: str = "192.0.2.11") -> dict[str, Any]:
        found = (await self.client.get("/v1/credentials")).json()["items"]
        credential = found[0] if found else await self.credential()
        body = peer_body(credential["id"], name, address)
        answer = await self.client.post("/v1/peers", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def cluster(self, name: str = "cluster.example.com") -> dict[str, Any]:
        answer = await self.client.post("/v1/clusters", json={"name": name})
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def registry(self, cluster: Any, moved: Any = None) -> ClusterRegistry:
        """The registry as a job of that cluster sees it whose worker has just claimed it."""
        new = new_job(planned("a"), job_id=f"job-of-{cluster['id']}", cluster=cluster["id"])
        async with self.parts.store.transaction() as tx:
            await tx.plans.add(StoredPlan(new.plan, {}))
            job = await tx.jobs.create(new)
            desk = cast("ConnectionDesk", tx.jobs)
            job = await desk.apply(job, transitions.claimed(job, "worker-1", job.created_at))
        parts = self.parts
        more = {} if moved is None else {"moved": moved}
        return ClusterRegistry(
            cluster["id"],
            job.lease,
            parts.store,
            parts.vault,
            parts.redactor,
            parts.clock,
            parts.new_id,
            **more,
        )

    async def lose_lease(self, registry: ClusterRegistry) -> None:
        """Another worker takes that job over."""
        async with self.parts.store.transaction() as tx:
            desk = cast("ConnectionDesk", tx.jobs)
            job, now = await desk.locked(registry.lease.job_id)
            await desk.apply(job, transitions.reclaimed(job, now))

    async def start(self, cluster: Any, key: str, **body: Any) -> httpx.Response:
        path = f"/v1/clusters/{cluster['id']}/procedures/name-peer"
        return await self.client.post(path, json=body, headers={"Idempotency-Key": key})

    async def plan(self, cluster: Any, **body: Any) -> httpx.Response:
        path = f"/v1/clusters/{cluster['id']}/procedures/name-peer/plan"
        return await self.client.post(path, json=body)


def peer_body(credential_id: str, name: str = "exp1", address: str = "192.0.2.11") -> Any:
    return {
        "name": name,
        "address": address,
        "endpoints": [
            {
                "transport": "ssh",
                "host": address,
                "port": 22,
                "credential_id": credential_id,
                "trust": {"host_key": HOST_KEY},
            }
        ],
    }


async def _probe(host: str, port: int, timeout: float) -> str:
    if port == 23:
        raise Unreachable("refused")
    return HOST_KEY


async def _enqueue(*_: Any) -> None:
    """Nobody works on the jobs of these tests."""


@pytest.fixture
async def world(
    database_url: str, tmp_path: Path, redactor: Redactor, quiet_logs: StringIO
) -> AsyncIterator[World]:
    engine = resource_engine(database_url)
    pool = journal_pool(database_url)
    await pool.open()
    settings = Settings(data_folder=tmp_path, max_body_bytes=65536, allow_loopback_webhooks=True)
    vault = load_vault(settings.keys)
    appliances, backups, clock = PretendedAppliances(), NoBackups(), MovingClock()
    parts = Parts(
        store=PostgresStore(engine, lambda connection: ConnectionDesk(connection, _enqueue)),
        appliances=appliances,
        backups=backups,
        images=ImageFolder(settings.images),
        feed=PollingFeed(),
        procedures={**PROCEDURES, NAMING.slug: NAMING},
        vault=vault,
        redactor=redactor,
        guard=AddressGuard(),
        clock=clock,
        new_id=Identifiers(),
        build_transport=registry.create,
        probes={"ssh": _probe},
        watches=PostgresWatches(engine),
        names=NameServers(timeout=10.0),
        evidence=EvidenceRows(pool),
        transcripts=Transcripts(pool),
        receivers=receivers(settings),
        new_secret=new_secret,
        check_ca_bundle=trust,
        shelf=BackupArchive(pool, vault),
        retention=Retention(pool),
        key_sets=key_sets(settings),
    )
    services = join(parts, settings)
    key = await services.keys.first_key()
    counted = Counted(PostgresCensus(pool), PROCEDURES)
    app = create_api(services, settings, telemetry=Telemetry(Metrics(PROCEDURES), counted))
    transport = httpx.ASGITransport(app)
    async with (
        httpx.AsyncClient(
            transport=transport,
            base_url="http://service.example.com",
            headers={"Authorization": f"Bearer {key}"},
        ) as client,
        httpx.AsyncClient(transport=transport, base_url="http://service.example.com") as anonymous,
    ):
        yield World(app, services, appliances, backups, clock, quiet_logs, parts, client, anonymous)
    await pool.close()
    await engine.dispose()


@pytest.fixture
def seen() -> Callable[..., View]:
    """An observation with a system name."""
    from tests.api.observations import observation

    def make(peer_id: str, name: str = "exp1") -> View:
        return replace(observation(), peer_id=peer_id, system_name=name)

    return make
