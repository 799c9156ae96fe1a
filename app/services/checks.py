"""Looking at a cluster on any day: every check, its names in DNS, and its ports.

Observing is the same as for a plan, and nothing is changed anywhere. Peers that are to join the
cluster can be looked at with it, before any plan is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from app.appliance.profiles import VersionProfile, profile_for
from app.checks.check import Stated, Subject
from app.checks.dns import dns_records, extra_names
from app.checks.port_rules import RuleFormat, render
from app.checks.report import Report, report
from app.dns.expected import Expected, expected, hosts, zone_text
from app.dns.naptr import Dialable
from app.domain.clock import Clock
from app.domain.cluster import Cluster
from app.domain.dns import DnsView, Lookup
from app.domain.finding import Finding
from app.domain.observation import NotObserved, Observation
from app.domain.peer import Peer
from app.domain.procedure import Situation
from app.engine.records import JobFilter, JobRecord
from app.services.peers import PeersService
from app.services.planning import PlanningService
from app.services.ports import Store
from app.services.problems import invalid, not_found
from app.services.records import RegisteredPeer, TrustKind
from app.services.surroundings import Surroundings
from app.services.watch_records import Standing, Watches

LATEST_JOBS = 20
"""In how many of a cluster's jobs statements of operators are looked for."""
PEER_DOWN = "peer-down"
"""The diagnosis' finding about a member that neither we nor its cluster can reach."""


@dataclass(frozen=True, slots=True)
class Names:
    """A cluster's DNS: what is expected, what was found, and in what they differ."""

    cluster: Cluster
    expected: Expected
    zone_text: str
    view: DnsView
    findings: tuple[Finding, ...]
    not_observed: tuple[NotObserved, ...]


@dataclass(frozen=True, slots=True)
class Ports:
    """The peers that a port matrix is for, and the version it belongs to.

    `software_version` is "" where no peer said what it runs; the matrix is then that of X8.2.
    """

    cluster: Cluster
    peers: tuple[Peer, ...]
    profile: VersionProfile
    software_version: str

    def text(self, of: RuleFormat) -> str:
        """The matrix in that form."""
        return render(of, self.cluster.name, self.peers, self.profile)


@dataclass(frozen=True, slots=True)
class ChecksService:
    """What callers may have looked at."""

    store: Store
    peers: PeersService
    planning: PlanningService
    surroundings: Surroundings
    watches: Watches
    clock: Clock

    async def report(self, cluster_id: str, candidates: Sequence[str] = ()) -> Report:
        """Every check now, what passes included. Raises Problem `not-found`, `invalid-request`."""
        _, everybody = await self._around(cluster_id, candidates)
        situation = await self.planning.situation(
            cluster_id, tuple(candidates), elsewhere=bool(candidates)
        )
        ends = {e.peer.id: end for e in everybody if (end := _certificate_end(e)) is not None}
        lost = lost_since(await self.watches.standing(cluster_id))
        said = await self._stated(cluster_id)
        return report(Subject(situation, tuple(candidates), self.clock.now(), ends, lost, said))

    async def names(
        self, cluster_id: str, candidates: Sequence[str] = (), extra: Sequence[str] = ()
    ) -> Names:
        """The cluster's DNS as its peers' own name servers have it. Raises Problem as `report`.

        `extra` are further names that must have an address, such as a Lync server's (PRE-28).
        """
        cluster, everybody = await self._around(cluster_id, candidates)
        seen, silent = await self._observe(everybody)
        view = await self.surroundings.dns(cluster.name, seen, extra)
        async with self.store.transaction() as tx:
            memberships = await tx.clusters.memberships()
            peers = {entry.peer.id: entry.peer for entry in await tx.peers.all()}
        situation = Situation(
            cluster=cluster,
            peers=peers,
            views={one.peer_id: one for one in seen},
            capabilities={},
            memberships=memberships,
            dns=view,
        )
        wanted = expected(cluster.name, hosts(seen))
        found = (
            (*dns_records(situation, seen), *extra_names(situation, seen, extra)) if seen else ()
        )
        return Names(cluster, wanted, zone_text(wanted), view, found, silent)

    async def enum(
        self, cluster_id: str, number: str, zone: str
    ) -> tuple[tuple[Lookup, tuple[Dialable, ...]], ...]:
        """What the members' name servers make of a telephone number (NAP-03, NAP-31 to NAP-33)."""
        _, everybody = await self._around(cluster_id, ())
        seen, _ = await self._observe(everybody)
        return await self.surroundings.enum(number, zone, seen)

    async def ports(self, cluster_id: str, candidates: Sequence[str] = ()) -> Ports:
        """What must be open between the peers, for the version they run. Raises as `report`."""
        cluster, everybody = await self._around(cluster_id, candidates)
        seen, _ = await self._observe(everybody)
        version = seen[0].software_version if seen else ""
        return Ports(
            cluster,
            tuple(entry.peer for entry in everybody),
            profile_for(version or "X8.2"),
            version,
        )

    async def _around(
        self, cluster_id: str, candidates: Sequence[str]
    ) -> tuple[Cluster, list[RegisteredPeer]]:
        """The cluster, and its members and candidates as registered."""
        async with self.store.transaction() as tx:
            registered = await tx.clusters.get(cluster_id)
            if registered is None:
                raise not_found("cluster", cluster_id)
            members = [peer.id for peer in registered.cluster.members]
            found = []
            for peer_id in dict.fromkeys((*members, *candidates)):
                entry = await tx.peers.get(peer_id)
                if entry is None:
                    raise invalid("/candidate", f"there is no peer {peer_id}", code="peer-unknown")
                found.append(entry)
        return registered.cluster, found

    async def _stated(self, cluster_id: str) -> dict[str, Stated]:
        """By gate, what operators stated last in the cluster's jobs."""
        async with self.store.transaction() as tx:
            page = await tx.jobs.list_jobs(JobFilter(cluster_id=cluster_id), limit=LATEST_JOBS)
        return stated(page.items)

    async def _observe(
        self, everybody: Sequence[RegisteredPeer]
    ) -> tuple[list[Observation], tuple[NotObserved, ...]]:
        views = await asyncio.gather(*(self.peers.view(entry.peer.id) for entry in everybody))
        seen = [view for view in views if isinstance(view, Observation)]
        return seen, tuple(view for view in views if isinstance(view, NotObserved))


def stated(jobs: Iterable[JobRecord]) -> dict[str, Stated]:
    """The last statement made at each gate of these jobs, with the words that were stated."""
    found: dict[str, Stated] = {}
    for job in jobs:
        asked = {step.attestation: step.statement for step in job.plan.steps if step.attestation}
        for gate, given in job.attestations.items():
            known = found.get(gate)
            if gate in asked and (known is None or known.at < given.recorded_at):
                found[gate] = Stated(asked[gate], given.by, given.recorded_at, job.id)
    return found


def lost_since(standing: Iterable[Standing]) -> dict[str, datetime]:
    """When watching first saw each member that its cluster has lost.

    The two weeks of its call licences count from there (INT-12). A cluster that is not watched has
    no such moment.
    """
    return {
        entry.peer_id: entry.first_seen
        for entry in standing
        if entry.body.get("code") == PEER_DOWN and entry.peer_id and entry.first_seen
    }


def _certificate_end(peer: RegisteredPeer) -> datetime | None:
    """When the certificate ends that is pinned for one of the peer's endpoints; None: none is."""
    for endpoint in peer.endpoints:
        if endpoint.trust is not None and endpoint.trust.kind is TrustKind.CERTIFICATE:
            certificate = x509.load_pem_x509_certificate(endpoint.trust.value.encode())
            return certificate.not_valid_after_utc
    return None
