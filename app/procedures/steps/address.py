"""A new LAN 1 address for a peer that is in no cluster (guide p.25, step 3).

The address is written, taken up by a restart, and from then on the peer answers elsewhere. So the
restart ends when the old address has fallen silent, the registry learns the new address next, and
the last step looks for the peer there. Each of them can be taken up again by another worker.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.domain.plan import PlannedStep
from app.procedures.base import Handler, Look, StepContext
from app.procedures.steps.restart import no_other_peer_is_down
from app.procedures.steps.target import Target, fail
from transports.errors import NotSent, OutcomeUnknown

LAN_1 = "Ethernet 1 IP V4"


def write_address(
    on: Target, requirements: str, *, address: str, subnet_mask: str, gateway: str
) -> PlannedStep:
    """Write LAN 1's address, and mask and gateway where they change too (else "")."""
    settings = {f"{LAN_1} Address": address}
    settings |= {f"{LAN_1} SubnetMask": subnet_mask} if subnet_mask else {}
    settings |= {"IP Gateway": gateway} if gateway else {}
    return _planned(
        on,
        "write-address",
        f"Change the LAN 1 address of {on.peer.name} to {address}",
        requirements,
        {"settings": settings},
        expected=on.timings.write,
        limit=on.timings.peer_limit,
    )


def restart_away(on: Target, requirements: str, *, address: str) -> PlannedStep:
    """Restart the peer at its old address; done when nothing answers there any more."""
    return _planned(
        on,
        "restart-away",
        f"Restart {on.peer.name} to take up {address}",
        requirements,
        {"others": []},
        expected=on.timings.poll,
        limit=on.timings.restart_limit,
    )


def record_address(on: Target, requirements: str, *, address: str) -> PlannedStep:
    """The registry knows the peer at its new address, and its endpoints lead there."""
    return _planned(
        on,
        "record-address",
        f"Record {address} as the address of {on.peer.name}",
        requirements,
        {"address": address},
        expected=0.0,
        limit=on.timings.peer_limit,
    )


def answers_at_address(on: Target, requirements: str, *, address: str) -> PlannedStep:
    """The peer answers again, and its LAN 1 has the new address."""
    expected = on.timings.restart if "restart" in on.capabilities else on.timings.reboot
    return _planned(
        on,
        "answers-at-address",
        f"Wait until {on.peer.name} answers at {address}",
        requirements,
        {"address": address},
        expected=expected,
        limit=on.timings.restart_limit,
    )


def _planned(
    on: Target,
    kind: str,
    title: str,
    requirements: str,
    params: Mapping[str, object],
    *,
    expected: float,
    limit: float,
) -> PlannedStep:
    return PlannedStep(
        key=on.key(kind),
        kind=kind,
        title=title,
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        params=params,
        expected=expected,
        limit=limit,
        poll=on.timings.poll,
    )


async def _look_written(ctx: StepContext) -> Look:
    wanted: Mapping[str, str] = ctx.step.params["settings"]
    now = await (await ctx.appliance()).settings(*wanted)
    differing = {path: now[path] for path in wanted if now[path] != wanted[path]}
    return Look(met=not differing, seen={"differing": differing})


async def _is_in_no_cluster(ctx: StepContext) -> None:
    """A member's address is never changed in place (CIP-01)."""
    members = {member.id for member in (await ctx.registry.cluster()).members}
    now = await (await ctx.appliance()).clustering()
    if now.addresses or ctx.step.peer_id in members:
        raise fail(
            ctx,
            "peer-still-in-cluster",
            "The peer lists cluster peers or is a registered member; the address of a member is"
            " never changed in place.",
            "Remove it from its cluster first (guide p.18), then plan again.",
        )


async def _write(ctx: StepContext) -> None:
    wanted: Mapping[str, str] = ctx.step.params["settings"]
    await (await ctx.appliance()).write(*wanted.items())


async def _look_away(ctx: StepContext) -> Look:
    """Where the peer is after an interrupted restart only its silence can tell from here."""
    if ctx.record.acted_at is None:
        uptime = await (await ctx.appliance()).uptime()
        return Look(met=False, seen={"uptime": uptime}, note=f"up for {uptime} s")
    try:
        uptime = await (await ctx.appliance()).uptime()
    except (NotSent, OutcomeUnknown) as error:
        said = str(error) or type(error).__name__
        return Look(met=True, seen={"answer": said}, note="gone from its old address")
    return Look(met=False, seen={"uptime": uptime}, note="still answers at its old address")


async def _may_restart(ctx: StepContext) -> None:
    await _is_in_no_cluster(ctx)
    await no_other_peer_is_down(ctx)


async def _restart(ctx: StepContext) -> None:
    await (await ctx.appliance()).restart()


async def _look_recorded(ctx: StepContext) -> Look:
    recorded = (await ctx.registry.peer(str(ctx.step.peer_id))).address
    return Look(met=recorded == ctx.step.params["address"], seen={"address": recorded})


async def _record(ctx: StepContext) -> None:
    await ctx.registry.record_address(str(ctx.step.peer_id), ctx.step.params["address"])


async def _look_answers(ctx: StepContext) -> Look:
    appliance = await ctx.appliance()
    path = f"{LAN_1} Address"
    now = (await appliance.settings(path))[path]
    if await appliance.answers_on_web() is False:
        return Look(met=False, seen={"address": now}, note="up, web interface not yet")
    return Look(met=now == ctx.step.params["address"], seen={"address": now})


HANDLERS = (
    Handler("write-address", look=_look_written, act=_write, guard=_is_in_no_cluster),
    Handler("restart-away", look=_look_away, act=_restart, guard=_may_restart, settle=60.0),
    Handler("record-address", look=_look_recorded, act=_record),
    Handler("answers-at-address", look=_look_answers),
)
