"""Joins the concrete parts into a running service: the only file that knows all of them.

`open_service` opens database, engine and vault for as long as its block lasts; the API and a worker
are two uses of what it gives, in one process or in two.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from app.api.application import create_api, create_worker_pages
from app.dns.lookup import NameServers
from app.engine.clock import SystemClock
from app.observability.census import Counted
from app.observability.metrics import Metrics
from app.observability.telemetry import Telemetry
from app.observability.tracing import exporting
from app.procedures.registry import PROCEDURES
from app.security.addresses import AddressGuard, AddressRefused
from app.security.receivers import ReceiverGuard
from app.security.redaction import Redactor
from app.security.vault import Vault, load_vault
from app.services.access import PeerAccess
from app.services.appliances import ConnectedPeers
from app.services.bundle import Parts, Services, join
from app.services.closing import Closing
from app.services.identifiers import Identifiers
from app.services.open_sessions import OpenSessions
from app.settings import Settings
from app.storage.backups import BackupArchive
from app.storage.census import PostgresCensus
from app.storage.database import engine_use, migrate, pool_use, resource_engine
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import PostgresEngine, open_engine
from app.storage.evidence import EvidenceRows
from app.storage.images import ImageFolder
from app.storage.outbox import PostgresOutbox
from app.storage.retention import Retention
from app.storage.store import PostgresStore
from app.storage.transcripts import Transcripts
from app.storage.watches import PostgresWatches
from app.webhooks.dispatcher import Dispatcher
from app.webhooks.key_sets import KeySetFetcher
from app.webhooks.payload import Composer
from app.webhooks.resolver import resolve
from app.webhooks.sending import Sender, Wire, trust
from app.webhooks.signing import new_secret
from transports import registry
from transports.http import probe_certificate
from transports.ssh import probe_host_key


@dataclass(frozen=True)
class Service:
    """An open service. `appliances` lends sessions to whoever carries out a job."""

    settings: Settings
    database_url: str
    engine: PostgresEngine
    store: PostgresStore
    backups: BackupArchive
    transcripts: Transcripts
    closing: Closing
    images: ImageFolder
    names: NameServers
    appliances: ConnectedPeers
    vault: Vault
    redactor: Redactor
    clock: SystemClock
    new_id: Identifiers
    services: Services
    dispatcher: Dispatcher
    telemetry: Telemetry

    def api(self) -> FastAPI:
        """The API over this service."""
        return create_api(self.services, self.settings, telemetry=self.telemetry)

    def worker_pages(self) -> FastAPI:
        """What a process that is only a worker answers: signs of life, and metrics."""
        return create_worker_pages(self.services, self.settings, self.telemetry)


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[str]:
    """The URL of the configured server, or of a private one that runs while the block lasts."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    async with EmbeddedPostgres(settings.data_folder) as url:
        yield url


def name_servers(settings: Settings) -> NameServers:
    """Look-ups at the servers that peers name; never at this machine or its link."""
    guard = AddressGuard()

    def allowed(address: str) -> bool:
        try:
            guard.check(address)
        except AddressRefused:
            return False
        return True

    return NameServers(
        enabled=settings.dns_lookups,
        instead=settings.dns_resolvers,
        allowed=allowed,
        timeout=settings.dns_timeout,
    )


def receivers(settings: Settings) -> ReceiverGuard:
    """Where webhooks may go."""
    guard = AddressGuard(settings.webhook_networks, settings.allow_loopback_webhooks, "WEBHOOK")
    return ReceiverGuard(guard, settings.webhook_hosts)


def key_sets(settings: Settings) -> KeySetFetcher:
    """The keys of those who issue tokens."""
    guard = AddressGuard(settings.key_set_networks, settings.allow_loopback_key_sets, "KEY_SET")
    return KeySetFetcher(Wire(ReceiverGuard(guard), resolve))


@asynccontextmanager
async def open_service(settings: Settings, redactor: Redactor) -> AsyncIterator[Service]:
    """Everything an API or a worker needs, with the schema up to date; closed with the block."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(database(settings))
        await migrate(url)
        engine = await stack.enter_async_context(open_engine(url))
        resources = resource_engine(url)
        stack.push_async_callback(resources.dispose)
        vault = load_vault(settings.keys)
        clock = SystemClock(settings.pace)
        new_id = Identifiers()
        guard = AddressGuard(settings.peer_networks, settings.allow_loopback_peers)
        store = PostgresStore(resources, engine.desk_on)
        telemetry = _telemetry(engine, resources)
        await stack.enter_async_context(exporting())
        await stack.enter_async_context(sampled(telemetry))
        access = PeerAccess(store, vault, redactor, guard, clock)
        open_sessions = OpenSessions(settings.max_sessions)
        appliances = ConnectedPeers(access, registry.create, clock, open_sessions, telemetry)
        backups = BackupArchive(engine.pool, vault)
        images = ImageFolder(settings.images)
        names = name_servers(settings)
        transcripts = Transcripts(engine.pool)
        evidence = EvidenceRows(engine.pool)
        parts = Parts(
            store=store,
            appliances=appliances,
            backups=backups,
            images=images,
            feed=engine.news,
            procedures=PROCEDURES,
            vault=vault,
            redactor=redactor,
            guard=guard,
            clock=clock,
            new_id=new_id,
            build_transport=registry.create,
            probes={"ssh": probe_host_key, "http": probe_certificate},
            watches=PostgresWatches(resources),
            names=names,
            evidence=evidence,
            transcripts=transcripts,
            receivers=receivers(settings),
            new_secret=new_secret,
            check_ca_bundle=trust,
            shelf=backups,
            retention=Retention(engine.pool),
            key_sets=key_sets(settings),
        )
        dispatcher = Dispatcher(
            outbox=PostgresOutbox(resources),
            sender=Sender(
                wire=Wire(parts.receivers, resolve),
                vault=vault,
                redactor=redactor,
                composer=Composer(redactor, (settings.public_url or "").rstrip("/")),
                clock=clock,
            ),
            keep=settings.webhook_retention.total_seconds(),
            told=lambda outcome: telemetry.metrics.webhook_attempts.labels(outcome).inc(),
        )
        yield Service(
            settings=settings,
            database_url=url,
            engine=engine,
            store=store,
            backups=backups,
            transcripts=transcripts,
            closing=Closing(store, evidence, clock),
            images=images,
            names=names,
            appliances=appliances,
            vault=vault,
            redactor=redactor,
            clock=clock,
            new_id=new_id,
            services=join(parts, settings),
            dispatcher=dispatcher,
            telemetry=telemetry,
        )


def _telemetry(engine: PostgresEngine, resources: AsyncEngine) -> Telemetry:
    """The instruments of this process, with its pools and the census of its database."""
    pools = {"journal": lambda: pool_use(engine.pool), "resources": lambda: engine_use(resources)}
    counted = Counted(PostgresCensus(engine.pool), PROCEDURES)
    return Telemetry(Metrics(PROCEDURES, pools), counted)


@asynccontextmanager
async def sampled(telemetry: Telemetry) -> AsyncIterator[None]:
    """The event loop is watched while the block lasts."""
    sampling = asyncio.create_task(telemetry.run(), name="event loop lag")
    try:
        yield
    finally:
        sampling.cancel()
        await asyncio.wait({sampling})
