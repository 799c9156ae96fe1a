"""Devices whose zones name the cluster: their zones follow its members (guide p.10, 14, 19, 20).

A neighbour that is a registered Expressway has its zone changed and read back by the job. For every
other one a gate says exactly what its zone is to hold.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.domain.neighbour import ZONE_KINDS, Neighbour
from app.domain.observation import Observation, Zone
from app.domain.plan import PlannedStep
from app.domain.procedure import Situation
from app.procedures.base import Handler, Look, StepContext
from app.procedures.steps.attest import gate
from app.procedures.steps.target import Target, fail


def zones_of_neighbours(
    s: Situation, addresses: Sequence[str], requirements: str
) -> tuple[PlannedStep, ...]:
    """Have the zone of every registered neighbour hold exactly these addresses."""
    return tuple(zone_step(s, neighbour, addresses, requirements) for neighbour in s.neighbours)


def zones_after_dissolving(
    s: Situation, kept: Sequence[str], requirements: str
) -> tuple[PlannedStep, ...]:
    """Zones of registered neighbours when the cluster is no more (guide p.23).

    They follow who goes on under the cluster's name (`kept`): the others know nothing of one
    another's registrations, so they do not belong into one zone. Where nobody has the name, only
    people know whether the zone is to go.
    """
    if kept:
        return zones_of_neighbours(s, kept, requirements)
    return tuple(
        gate(
            _key(neighbour),
            f"On {_where(s, neighbour)} the zone {neighbour.zone_name} for {s.cluster.name} is"
            " removed, or changed to suit the Expressways that now stand alone.",
            requirements,
        )
        for neighbour in s.neighbours
    )


def zone_step(
    s: Situation, neighbour: Neighbour, addresses: Sequence[str], requirements: str
) -> PlannedStep:
    """The step for one neighbour; a gate where `out_of_reach` says why not."""
    key = _key(neighbour)
    peer = s.peers.get(neighbour.peer_id or "")
    listed = ", ".join(addresses) or "no address"
    if peer is None or out_of_reach(s, neighbour):
        statement = (
            f"On {_where(s, neighbour)} the zone {neighbour.zone_name} for {s.cluster.name} holds"
            f" exactly: {listed}."
        )
        return gate(key, statement, requirements)
    on = Target.of(peer, s)
    return PlannedStep(
        key=key,
        kind="neighbour-zone",
        title=f"Have zone {neighbour.zone_name} on {peer.name} hold {listed}",
        requirements=tuple(requirements.split()),
        peer_id=peer.id,
        params={
            "zone": neighbour.zone_name,
            "kind": ZONE_KINDS[neighbour.kind],
            "addresses": list(addresses),
        },
        expected=on.timings.write,
        limit=on.timings.peer_limit,
        poll=on.timings.poll,
    )


def out_of_reach(s: Situation, neighbour: Neighbour) -> str:
    """Why the job cannot change the neighbour's zone itself; "" where it can."""
    if neighbour.peer_id is None or neighbour.kind not in ZONE_KINDS:
        return "no registered Expressway is named for it"
    seen = s.observed(neighbour.peer_id)
    if seen is None or not s.can(neighbour.peer_id, "administration"):
        return "the Expressway cannot be read"
    if neighbour.peer_id in {member.id for member in s.cluster.members}:
        return "the Expressway is a member of this cluster"
    if seen.clustering.peers and not seen.takes_itself_for_primary:
        return "the Expressway is no primary; a zone is changed on the primary of its cluster"
    zone = zone_of(seen, neighbour)
    if zone is None:
        return f"the Expressway has no {ZONE_KINDS[neighbour.kind]} zone {neighbour.zone_name}"
    own = _names_known_here(s)
    strange = [address for address in zone.addresses if address.casefold() not in own]
    if strange:
        return f"its zone names systems that are not registered here: {', '.join(strange)}"
    return ""


def _names_known_here(s: Situation) -> set[str]:
    """What a zone for this cluster may name: its own name, and every registered peer."""
    known = {s.cluster.name, *(peer.address for peer in s.peers.values())}
    for view in map(s.observed, s.peers):
        if view is not None:
            known |= {view.dns.fqdn, view.address}
    return {name.casefold() for name in known if name}


def zone_of(seen: Observation, neighbour: Neighbour) -> Zone | None:
    """The zone of that kind and name, where there is exactly one."""
    return _only(seen.zones, ZONE_KINDS[neighbour.kind], neighbour.zone_name)


def _only(zones: Sequence[Zone], kind: str, name: str) -> Zone | None:
    found = [zone for zone in zones if (zone.kind, zone.name) == (kind, name)]
    return found[0] if len(found) == 1 else None


async def _zone(ctx: StepContext) -> Zone:
    wanted = ctx.step.params
    zone = _only(await (await ctx.appliance()).zones(), wanted["kind"], wanted["zone"])
    if zone is None:
        raise fail(
            ctx,
            "zone-missing",
            f"There is no longer one {wanted['kind']} zone named {wanted['zone']}.",
            "Correct the registered neighbour or the zone, then plan again.",
        )
    return zone


async def _look(ctx: StepContext) -> Look:
    zone = await _zone(ctx)
    met = list(zone.addresses) == ctx.step.params["addresses"]
    return Look(met=met, seen={"addresses": list(zone.addresses)}, note=", ".join(zone.addresses))


async def _write(ctx: StepContext) -> None:
    await (await ctx.appliance()).write_zone_addresses(
        await _zone(ctx), ctx.step.params["addresses"]
    )


def _key(neighbour: Neighbour) -> str:
    return f"neighbour-{_slug(neighbour.name)}-{neighbour.id[-6:].lower()}"


def _where(s: Situation, neighbour: Neighbour) -> str:
    peer = s.peers.get(neighbour.peer_id or "")
    return f"{neighbour.name} ({peer.name})" if peer else neighbour.name


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "zone"


HANDLERS = (Handler("neighbour-zone", look=_look, act=_write, settle=5.0),)
