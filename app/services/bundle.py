"""All services, joined over their ports: what the API is given, and how to make it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version

from app.domain.clock import Clock
from app.procedures.base import NameLookups, Procedure
from app.procedures.registry import HANDLERS
from app.security.addresses import AddressGuard
from app.security.receivers import ReceiverGuard
from app.security.redaction import Redactor
from app.security.vault import Vault
from app.services.approvals import ApprovalsService
from app.services.audit import AuditService
from app.services.backups import BackupShelf, BackupsService
from app.services.bulk_jobs import BulkJobsService
from app.services.bulk_work import BulkWork
from app.services.checks import ChecksService
from app.services.clusters import ClustersService
from app.services.conditions import KEPT
from app.services.control import ControlService
from app.services.credentials import CredentialsService
from app.services.diagnosis import DiagnosisService
from app.services.evidence import EvidenceService
from app.services.evidence_records import EvidenceStore, TranscriptReader
from app.services.forecasts import ForecastsService
from app.services.importing import ImportService
from app.services.jobs import JobsService
from app.services.keys import KeysService
from app.services.labels import LimitingLabels
from app.services.neighbours import NeighboursService
from app.services.peers import Capable, PeersService
from app.services.planning import PlanningService
from app.services.ports import (
    Appliances,
    Backups,
    EventFeed,
    Images,
    NewId,
    Probe,
    Store,
)
from app.services.recovery import RecoveryService
from app.services.retention import Keep, RetentionRows, RetentionService
from app.services.schedules import SchedulesService
from app.services.settings_matrix import SettingsMatrixService
from app.services.surroundings import Surroundings
from app.services.tokens import Callers, Fetch
from app.services.watch_records import Watches
from app.services.watching import Pace, WatchingService
from app.services.webhooks import WebhooksService
from app.services.windows import WindowsService
from app.settings import Settings
from transports.base import Endpoint


@dataclass(frozen=True, slots=True)
class Services:
    """Every use case the API offers."""

    credentials: CredentialsService
    peers: PeersService
    clusters: ClustersService
    importing: ImportService
    neighbours: NeighboursService
    planning: PlanningService
    checks: ChecksService
    jobs: JobsService
    evidence: EvidenceService
    backups: BackupsService
    retention: RetentionService
    approvals: ApprovalsService
    control: ControlService
    recovery: RecoveryService
    settings_matrix: SettingsMatrixService
    diagnosis: DiagnosisService
    watching: WatchingService
    webhooks: WebhooksService
    windows: WindowsService
    schedules: SchedulesService
    bulk_jobs: BulkJobsService
    bulk_work: BulkWork
    forecasts: ForecastsService
    keys: KeysService
    callers: Callers
    audit: AuditService
    images: Images
    store: Store
    request_digest: Callable[[bytes], str]
    """Recognises a repeated request; see Vault."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The concrete parts that services stand on. `app.main` chooses them."""

    store: Store
    appliances: Appliances
    backups: Backups
    images: Images
    feed: EventFeed
    procedures: Mapping[str, Procedure]
    vault: Vault
    redactor: Redactor
    guard: AddressGuard
    clock: Clock
    new_id: NewId
    build_transport: Callable[[str, Endpoint], Capable]
    probes: Mapping[str, Probe]
    watches: Watches
    names: NameLookups
    evidence: EvidenceStore
    transcripts: TranscriptReader
    receivers: ReceiverGuard
    new_secret: Callable[[], str]
    check_ca_bundle: Callable[[str], object]
    shelf: BackupShelf
    retention: RetentionRows
    key_sets: Fetch


def kept(settings: Settings) -> Keep:
    """The retention of the settings."""
    return Keep(
        events=settings.event_retention,
        transcripts=settings.transcript_retention,
        observations=settings.observation_retention,
        jobs=settings.job_retention,
        bulk_jobs=settings.job_retention,
        evidence=settings.evidence_retention,
        plans=settings.plan_retention,
        idempotency=KEPT,
        backups_per_peer=settings.backups_per_peer,
    )


def join(parts: Parts, settings: Settings) -> Services:
    """The services over these parts."""
    peers = PeersService(
        store=parts.store,
        appliances=parts.appliances,
        guard=parts.guard,
        clock=parts.clock,
        new_id=parts.new_id,
        build=parts.build_transport,
        probes=parts.probes,
        observation_limit=settings.observation_limit,
    )
    labels = LimitingLabels(
        parts.store,
        frozenset(
            name for issuer in settings.token_issuers for name in issuer.label_claims.values()
        ),
    )
    clusters = ClustersService(
        store=parts.store, peers=peers, labels=labels, clock=parts.clock, new_id=parts.new_id
    )
    surroundings = Surroundings(parts.names, parts.appliances)
    planning = PlanningService(
        store=parts.store,
        peers=peers,
        appliances=parts.appliances,
        procedures=parts.procedures,
        clock=parts.clock,
        new_id=parts.new_id,
        lifetime=settings.plan_lifetime,
        surroundings=surroundings,
        images=parts.images,
    )
    jobs = JobsService(
        store=parts.store,
        planning=planning,
        backups=parts.backups,
        feed=parts.feed,
        clock=parts.clock,
        new_id=parts.new_id,
        approval_lifetime=settings.approval_lifetime,
    )
    diagnosis = DiagnosisService(
        store=parts.store,
        clusters=clusters,
        appliances=parts.appliances,
        surroundings=surroundings,
        procedures=parts.procedures,
        clock=parts.clock,
    )
    keys = KeysService(store=parts.store, clock=parts.clock, new_id=parts.new_id)
    return Services(
        credentials=CredentialsService(
            store=parts.store,
            vault=parts.vault,
            redactor=parts.redactor,
            clock=parts.clock,
            new_id=parts.new_id,
        ),
        peers=peers,
        clusters=clusters,
        importing=ImportService(
            store=parts.store, peers=peers, labels=labels, clock=parts.clock, new_id=parts.new_id
        ),
        neighbours=NeighboursService(store=parts.store, clock=parts.clock, new_id=parts.new_id),
        planning=planning,
        checks=ChecksService(
            store=parts.store,
            peers=peers,
            planning=planning,
            surroundings=surroundings,
            watches=parts.watches,
            clock=parts.clock,
        ),
        jobs=jobs,
        evidence=EvidenceService(
            store=parts.store,
            rows=parts.evidence,
            transcripts=parts.transcripts,
            backups=parts.backups,
            vault=parts.vault,
            clock=parts.clock,
            version=version("clusterway"),
        ),
        approvals=ApprovalsService(jobs=jobs, clock=parts.clock),
        control=ControlService(jobs=jobs, handlers=HANDLERS),
        backups=BackupsService(parts.shelf, parts.clock),
        retention=RetentionService(
            rows=parts.retention,
            store=parts.store,
            clock=parts.clock,
            keep=kept(settings),
            interval=settings.retention_interval,
        ),
        settings_matrix=SettingsMatrixService(
            store=parts.store,
            appliances=parts.appliances,
            clock=parts.clock,
            limit=settings.observation_limit,
        ),
        recovery=RecoveryService(
            store=parts.store, jobs=jobs, planning=planning, clock=parts.clock
        ),
        diagnosis=diagnosis,
        watching=WatchingService(
            store=parts.store,
            watches=parts.watches,
            clusters=clusters,
            diagnosis=diagnosis,
            new_id=parts.new_id,
            pace=Pace(
                interval=settings.watch_interval,
                keep=settings.watch_retention.total_seconds(),
                observation_limit=settings.observation_limit,
            ),
        ),
        webhooks=WebhooksService(
            store=parts.store,
            vault=parts.vault,
            redactor=parts.redactor,
            guard=parts.receivers,
            clock=parts.clock,
            new_id=parts.new_id,
            new_secret=parts.new_secret,
            check_ca_bundle=parts.check_ca_bundle,
        ),
        schedules=SchedulesService(
            store=parts.store,
            jobs=jobs,
            labels=labels,
            procedures=parts.procedures,
            clock=parts.clock,
            new_id=parts.new_id,
        ),
        bulk_jobs=BulkJobsService(
            store=parts.store,
            procedures=parts.procedures,
            feed=parts.feed,
            clock=parts.clock,
            new_id=parts.new_id,
            approval_lifetime=settings.approval_lifetime,
        ),
        bulk_work=BulkWork(
            store=parts.store,
            jobs=jobs,
            labels=labels,
            procedures=parts.procedures,
            clock=parts.clock,
            new_id=parts.new_id,
        ),
        forecasts=ForecastsService(store=parts.store, clock=parts.clock),
        windows=WindowsService(store=parts.store, clock=parts.clock, new_id=parts.new_id),
        audit=AuditService(parts.store),
        keys=keys,
        callers=Callers(keys.authenticate, labels.reached, settings.token_issuers, parts.key_sets),
        images=parts.images,
        store=parts.store,
        request_digest=parts.vault.request_digest,
    )
