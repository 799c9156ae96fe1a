"""Importing: a cluster that exists already is recorded as its own members describe it.

One registered member is asked; what it says names the others, each of which has to be registered
(with its identity pinned by a person) and is asked too. Nothing is changed on any peer, and the
registry is written once, in one transaction, when everything fits.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.checks import adoption
from app.domain.clock import Clock
from app.domain.cluster import Cluster
from app.domain.finding import Finding, Severity
from app.domain.observation import Observation, View
from app.domain.terms import Label, Policy
from app.services.clusters import pre_shared_key, unique
from app.services.conditions import remember, replay
from app.services.labels import LimitingLabels
from app.services.peers import PeersService
from app.services.ports import NewId, Store, Transaction
from app.services.problems import Item, Problem, not_found
from app.services.records import Once, RegisteredCluster, RegisteredPeer
from app.services.windows import of_policy

PROBED = frozenset({"ssh", "http"})
"""Transports whose endpoints need a pinned identity, which POST /v1/peers/probe shows."""


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What a caller says beside the member to ask."""

    pre_shared_key_id: str | None = None
    labels: Sequence[Label] = ()
    policy: Policy | None = None
    despite_differences: bool = False
    """Record what the asked member says, although others say something else or nothing."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A recorded cluster. `recorded`: by this request; else it was there, just like this."""

    cluster: RegisteredCluster
    recorded: bool
    replayed: bool = False
    findings: tuple[Finding, ...] = ()
    """What the recording went past, and what is not known."""


@dataclass(frozen=True, slots=True)
class ImportService:
    """What callers may do with clusters that the service did not make."""

    store: Store
    peers: PeersService
    labels: LimitingLabels
    clock: Clock
    new_id: NewId

    async def record(self, peer_id: str, asked: ImportRequest, once: Once | None) -> Imported:
        """Record the cluster that this peer is a member of; recording it again changes nothing.

        Raises Problem `not-found`, `forbidden`, `peer-not-observed`, `import-refused`,
        `peer-busy`, `name-taken`, `invalid-request`.
        """
        unique(asked.labels)
        async with self.store.transaction() as tx:
            found = await self._replayed(tx, once)
            if found is not None:
                return found
            peer = await tx.peers.get(peer_id)
            if peer is None:
                raise not_found("peer", peer_id)
            known = None if peer.cluster_id is None else await tx.clusters.get(peer.cluster_id)
            everybody = {entry.peer.address: entry for entry in await tx.peers.all()}
            if known is None:
                await self.labels.check_new(tx, asked.labels)
        seen = await self.peers.observe(peer_id)
        _refuse([*adoption.is_clustered(seen, peer.peer), *_at_its_address(seen, peer)], peer_id)
        if known is not None:
            return self._as_known(known, seen, peer)
        members, differing = await self._listed(seen, peer, everybody)
        _refuse([] if asked.despite_differences else differing, peer_id)
        return await self._record(seen, members, asked, tuple(differing), once)

    async def _replayed(self, tx: Transaction, once: Once | None) -> Imported | None:
        found = await replay(tx, once, self.clock.now(), tx.clusters.get)
        return None if found is None else Imported(found.value, recorded=True, replayed=True)

    @staticmethod
    def _as_known(known: RegisteredCluster, seen: Observation, peer: RegisteredPeer) -> Imported:
        page, cluster = seen.clustering, known.cluster
        same = (
            page.cluster_name == cluster.name
            and page.addresses == tuple(member.address for member in cluster.members)
            and cluster.primary is not None
            and page.primary_address == cluster.primary.address
        )
        if not same:
            raise Problem(
                "peer-in-cluster",
                "the peer is a member of a registered cluster, and says something else of it than"
                " is registered; align-clustering brings it into line",
                peer_id=peer.peer.id,
                cluster_id=cluster.id,
            )
        return Imported(known, recorded=False, findings=_key_findings(known))

    async def _listed(
        self, seen: Observation, asked: RegisteredPeer, everybody: Mapping[str, RegisteredPeer]
    ) -> tuple[list[RegisteredPeer], list[Finding]]:
        """The listed members, and in what they differ. Raises Problem `import-refused`."""
        wrong: list[Item] = []
        members: list[RegisteredPeer] = []
        for address in seen.clustering.addresses:
            member = everybody.get(address)
            if member is None:
                wrong.append(_register(address, asked))
            elif member.cluster_id is not None:
                wrong.append(_taken(member))
            else:
                members.append(member)
        others = [member for member in members if member.peer.id != asked.peer.id]
        views = await asyncio.gather(*(self.peers.view(other.peer.id) for other in others))
        differing: list[Finding] = []
        for other, view in zip(others, views, strict=True):
            wrong += [
                Item.of(finding)
                for finding in (
                    *_at_its_address(view, other),
                    *adoption.elsewhere(asked.peer, other.peer, view),
                )
            ]
            differing += adoption.in_line(seen, other.peer, view)
        if wrong:
            told = {(item.code, item.peer_id) for item in wrong}
            more = [Item.of(f) for f in differing if (f.code, f.peer_id) not in told]
            raise _refused([*wrong, *more], asked.peer.id)
        return members, differing

    async def _record(
        self,
        seen: Observation,
        members: Sequence[RegisteredPeer],
        asked: ImportRequest,
        differing: tuple[Finding, ...],
        once: Once | None,
    ) -> Imported:
        now = self.clock.now()
        page = seen.clustering
        primary = next(m.peer.id for m in members if m.peer.address == page.primary_address)
        async with self.store.transaction() as tx:
            found = await self._replayed(tx, once)
            if found is not None:
                return found
            await _hold(tx, members)
            policy = asked.policy or Policy()
            await of_policy(tx, policy.window_ids)
            cluster_id = self.new_id("cluster")
            await tx.clusters.add(
                RegisteredCluster(
                    # As the peers spell it: every check compares it with what they say.
                    cluster=Cluster(id=cluster_id, name=page.cluster_name),
                    pre_shared_key_id=await pre_shared_key(tx, asked.pre_shared_key_id),
                    version=1,
                    created_at=now,
                    labels=tuple(asked.labels),
                    policy=policy,
                )
            )
            await tx.clusters.record_members(cluster_id, [m.peer.id for m in members], primary)
            await remember(tx, once, cluster_id, now)
            made = await tx.clusters.get(cluster_id)
        if made is None:
            raise LookupError(f"cluster {cluster_id} is gone")
        return Imported(made, recorded=True, findings=(*differing, *_key_findings(made)))


async def _hold(tx: Transaction, members: Sequence[RegisteredPeer]) -> None:
    """Nobody changes these peers before the transaction ends, and nobody has since they were read.

    Starting a job takes the same locks, so no job begins on one of them in between.
    """
    for member in members:
        job_id = await tx.jobs.holder_of(member.peer.id)
        if job_id is not None:
            raise Problem(
                "peer-busy",
                f"job {job_id} is at work on {member.peer.name}",
                peer_id=member.peer.id,
                job_id=job_id,
            )
    for member in sorted(members, key=lambda member: member.peer.id):
        now = await tx.peers.get(member.peer.id, lock=True)
        if now is None or now.version != member.version or now.cluster_id is not None:
            item = Item(
                code="peer-changed",
                detail=f"{member.peer.name} was changed while the peers were asked",
                remedy="send the request again",
                peer_id=member.peer.id,
            )
            raise _refused([item], member.peer.id)


def _at_its_address(view: View, peer: RegisteredPeer) -> list[Finding]:
    if not isinstance(view, Observation):
        return []
    return list(adoption.at_its_address(view, peer.peer))


def _key_findings(cluster: RegisteredCluster) -> tuple[Finding, ...]:
    if cluster.pre_shared_key_id is not None:
        return ()
    return (adoption.key_unknown(cluster.cluster.name),)


def _register(address: str, like: RegisteredPeer) -> Item:
    """How to register a listed peer; its identity is for a person to compare, never taken over."""
    endpoints = [
        {
            "transport": path.transport,
            "host": address,
            "port": path.port,
            "credential_id": path.credential_id,
            "options": dict(path.options),
        }
        for path in like.endpoints
    ]
    probes = {
        f"probe_{path.transport}": json.dumps(
            {"transport": path.transport, "host": address, "port": path.port}
        )
        for path in like.endpoints
        if path.transport in PROBED
    }
    body = {"name": address, "address": address, "endpoints": endpoints}
    return Item(
        code="member-not-registered",
        detail=f"{address} is in the peer list, and no peer is registered with it",
        remedy="POST the probe bodies to /v1/peers/probe, compare what they show with the appliance"
        " itself, add it to each endpoint as trust, and POST the register body to /v1/peers",
        requirements=("ADD-N-05", "NEW-M-39"),
        severity=Severity.BLOCKER.value,
        evidence={"address": address, **probes, "register": json.dumps(body)},
    )


def _taken(member: RegisteredPeer) -> Item:
    return Item(
        code="member-of-another-cluster",
        detail=f"{member.peer.name} is registered as a member of another cluster",
        remedy="remove the peer from that cluster first; its record says which job put it there",
        requirements=("NEW-O-01", "ADD-X-01"),
        severity=Severity.BLOCKER.value,
        peer_id=member.peer.id,
        evidence={"cluster_id": member.cluster_id or ""},
    )


def _refuse(findings: Sequence[Finding], peer_id: str) -> None:
    if findings:
        raise _refused([Item.of(finding) for finding in findings], peer_id)


def _refused(items: Sequence[Item], peer_id: str) -> Problem:
    return Problem(
        "import-refused",
        f"{len(items)} thing(s) differ from one whole cluster; nothing was recorded or changed",
        errors=items,
        peer_id=peer_id,
    )
