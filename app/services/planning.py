"""Planning: from a wish and what is so now, to everything a job will do.

Making a plan reads the registry in one short transaction, asks the appliances without holding any,
and writes the plan in another. Nothing is changed on any appliance.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from app.domain.clock import Clock
from app.domain.observation import Observation, View
from app.domain.plan import Plan
from app.domain.procedure import Situation
from app.observability.spans import traced
from app.procedures.base import Procedure
from app.procedures.drafting import drafted
from app.security.acting import now_acting
from app.security.keys import Principal
from app.services.conditions import remember, replay
from app.services.peers import PeersService
from app.services.plan_document import facts, to_json
from app.services.ports import Appliances, Images, NewId, Store
from app.services.problems import Item, Problem, not_found
from app.services.records import (
    Once,
    Outcome,
    Page,
    PlanEntry,
    PlanFilter,
    RegisteredCluster,
    StoredPlan,
)
from app.services.surroundings import Surroundings

SIDE_BY_SIDE = 16
"""How many peers are asked at the same time."""
_REGISTER = "register the peer with POST /v1/peers"
_WITHIN_REACH = (
    "name members of clusters within this key's reach, or peers in no cluster that this key has "
    "registered itself with POST /v1/peers (scope clusters:write)"
)
OTHERS_LIMIT = 15.0
"""Seconds for a registered peer that the plan does not touch: asked because the guide asks about
other Expressways (NEW-O-01), and a dead one among them must not hold up every plan."""


@dataclass(frozen=True, slots=True)
class Drafted:
    """A plan made just now, and the views it was made from."""

    plan: Plan
    views: Mapping[str, View]

    @property
    def stored(self) -> StoredPlan:
        """The plan with its facts, as it is kept."""
        return StoredPlan(self.plan, {peer: facts(view) for peer, view in self.views.items()})


@dataclass(frozen=True, slots=True)
class PlanningService:
    """Makes plans, and says in what the world differs from an earlier one."""

    store: Store
    peers: PeersService
    appliances: Appliances
    procedures: Mapping[str, Procedure]
    clock: Clock
    new_id: NewId
    lifetime: timedelta
    surroundings: Surroundings
    images: Images

    def procedure(self, slug: str) -> Procedure:
        """A procedure of the catalogue. Raises Problem `not-found`."""
        found = self.procedures.get(slug)
        if found is None:
            raise not_found("procedure", slug)
        return found

    async def plan(
        self, cluster_id: str, slug: str, parameters: Any, by: Principal, once: Once | None
    ) -> Outcome[Plan]:
        """A stored plan; it may hold blockers. Raises Problem `not-found`, `invalid-request`."""
        async with self.store.transaction() as tx:
            found = await replay(tx, once, self.clock.now(), self._loaded(tx.plans.get))
        if found is not None:
            return found
        drafted = await self.draft(cluster_id, slug, parameters, by.id)
        async with self.store.transaction() as tx:
            # Asked again: the first look held nothing while the appliances were observed.
            found = await replay(tx, once, self.clock.now(), self._loaded(tx.plans.get))
            if found is not None:
                return found
            await tx.plans.add(drafted.stored)
            await remember(tx, once, drafted.plan.id, self.clock.now())
        return Outcome(drafted.plan)

    async def get(self, plan_id: str) -> Plan:
        """A plan as it was promised. Raises Problem `not-found`."""
        async with self.store.transaction() as tx:
            stored = await tx.plans.get(plan_id)
        if stored is None:
            raise not_found("plan", plan_id)
        return stored.plan

    async def page(self, wanted: PlanFilter, before: str | None, limit: int) -> Page[PlanEntry]:
        """Some plans without their steps, newest first."""
        async with self.store.transaction() as tx:
            return await tx.plans.page(wanted, self.clock.now(), before, limit)

    @traced("plan")
    async def draft(
        self, cluster_id: str, slug: str, parameters: Any, requested_by: str
    ) -> Drafted:
        """Observe, and make the plan that fits what is so now; stores nothing."""
        procedure = self.procedure(slug)
        situation = await self._situation(cluster_id, procedure, parameters)
        draft = drafted(procedure, parameters, situation)
        now = self.clock.now()
        plan = Plan(
            id=self.new_id("plan"),
            cluster_id=cluster_id,
            procedure=slug,
            parameters=to_json(parameters),
            stages=draft.stages,
            findings=draft.findings,
            impact=draft.impact,
            back_out=draft.back_out,
            fingerprint={**draft.relies_on, cluster_id: situation.cluster.membership},
            created_at=now,
            expires_at=now + self.lifetime,
            requested_by=requested_by,
        )
        return Drafted(plan, situation.views)

    async def _situation(self, cluster_id: str, procedure: Procedure, parameters: Any) -> Situation:
        named = procedure.named_peers(parameters)
        return await self.situation(cluster_id, named, parameters, elsewhere=procedure.admits)

    async def situation(
        self,
        cluster_id: str,
        named: tuple[str, ...] = (),
        parameters: Any = None,
        *,
        elsewhere: bool,
    ) -> Situation:
        """The registry, and what is so now at the members and the named peers and around them.

        `elsewhere`: every other registered Expressway is asked too, as NEW-O-01 wants before a peer
        joins. That takes the longer the more clusters there are; nothing else needs it.
        Raises Problem `not-found`, and `invalid-request` where a named peer is not registered.
        """
        async with self.store.transaction() as tx:
            if await tx.clusters.get(cluster_id) is None:
                raise not_found("cluster", cluster_id)
            known = {peer_id for peer_id in named if await tx.peers.get(peer_id) is not None}
        self._know(named, known, parameters)
        # What is around the cluster is looked at whoever asks: a name that another Expressway has
        # is taken, also where the caller does not reach that one (NEW-O-01).
        async with self.store.transaction(beyond_reach=True) as tx:
            registered = await tx.clusters.get(cluster_id)
            if registered is None:
                raise not_found("cluster", cluster_id)
            everybody = {entry.peer.id: entry.peer for entry in await tx.peers.all()}
            memberships = await tx.clusters.memberships()
            neighbours = tuple(await tx.neighbours.of_cluster(cluster_id))
        self._know(named, everybody.keys(), parameters)
        involved = self._involved(registered, named)
        beside = everybody if elsewhere else [n.peer_id for n in neighbours if n.peer_id]
        views = await self._views(involved, beside)
        capabilities = {
            peer_id: await self.appliances.capabilities(peer_id)
            for peer_id in (*involved, *(n.peer_id for n in neighbours if n.peer_id))
        }
        seen = [v for peer_id in involved if isinstance(v := views[peer_id], Observation)]
        dns, round_trips = await asyncio.gather(
            self.surroundings.dns(registered.cluster.name, seen),
            self.surroundings.round_trips(seen, capabilities),
        )
        return Situation(
            cluster=registered.cluster,
            peers=everybody,
            views=views,
            capabilities=capabilities,
            memberships=memberships,
            dns=dns,
            round_trips=round_trips,
            images=await self.images.sizes(),
            neighbours=neighbours,
            pre_shared_key_known=registered.pre_shared_key_id is not None,
        )

    async def _views(self, involved: tuple[str, ...], beside: Iterable[str]) -> dict[str, View]:
        places = asyncio.Semaphore(SIDE_BY_SIDE)

        async def view(peer_id: str) -> View:
            async with places:
                limit = None if peer_id in involved else OTHERS_LIMIT
                return await self.peers.view(peer_id, limit)

        # The peers of the plan first: the others may fill all places for a while.
        order = dict.fromkeys((*involved, *beside))
        async with asyncio.TaskGroup() as tasks:
            asked = {peer_id: tasks.create_task(view(peer_id)) for peer_id in order}
        return {peer_id: task.result() for peer_id, task in asked.items()}

    @staticmethod
    def _involved(registered: RegisteredCluster, named: tuple[str, ...]) -> tuple[str, ...]:
        members = (peer.id for peer in registered.cluster.members)
        return tuple(dict.fromkeys((*members, *named)))

    @staticmethod
    def _know(named: tuple[str, ...], known: Collection[str], parameters: Any) -> None:
        errors = [
            Item(
                code="peer-unknown",
                detail="there is no peer with this id",
                pointer=_pointer_to(peer_id, parameters),
                remedy=_REGISTER if _sees_every_peer() else _WITHIN_REACH,
            )
            for peer_id in dict.fromkeys(named)
            if peer_id not in known
        ]
        if errors:
            raise Problem("invalid-request", "the request names unknown peers", errors=errors)

    @staticmethod
    def _loaded(get: Any) -> Any:
        async def load(plan_id: str) -> Plan | None:
            stored: StoredPlan | None = await get(plan_id)
            return None if stored is None else stored.plan

        return load


def _sees_every_peer() -> bool:
    act = now_acting()
    return act is None or act.principal.limits.every_cluster


def _pointer_to(value: str, parameters: Any) -> str | None:
    """Where in the request body a value stands."""
    if parameters is None:
        return None
    for name, item in dataclasses.asdict(parameters).items():
        if item == value:
            return f"/{name}"
        if isinstance(item, list | tuple) and value in item:
            return f"/{name}/{list(item).index(value)}"
    return None
