"""Maintenance > Restart options: restart one peer and wait until it is reachable again.

A restart is seen by the uptime: less than it was, or less than it would be had the peer kept
running and no more than the time since the restart was sent. The second needs the time of day, and
the clocks of two workers may differ by minutes: without its last part, a worker whose clock is
ahead took a peer for restarted that was about to go down.

What was seen before is in the journal before the restart is sent, so a worker that dies in between
looks at the uptime first and never restarts twice for one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from app.appliance.appliance import Appliance
from app.domain.peer import Peer
from app.domain.plan import PlannedStep
from app.procedures.base import Handler, Look, StepContext
from app.procedures.steps.target import Target, elapsed, fail
from transports.errors import NotSent, OutcomeUnknown, TransportError

_ALARMS_APPEAR = 10.0
"""Appliance seconds; in the field an alarm appears within one (device facts 7)."""
_DOUBT = 60.0
"""Appliance seconds by which an uptime may be off before it proves a restart."""
_READ_DELAY = 0.5
"""Seconds a reading may be late; counts `pace` times in appliance seconds."""


def restart(
    on: Target,
    requirements: str,
    *,
    what: str = "restart",
    others: Sequence[Peer] = (),
    remember_configuration: bool = False,
    reboot: bool = False,
    out_of_service: Sequence[Peer] = (),
) -> PlannedStep:
    """Restart the peer; done when it answers again, on the web interface where that can be seen.

    `others` must all answer before: no two peers may be down at once; `out_of_service` are members
    that are dead by an operator's word. `reboot` starts the whole system anew, as newly installed
    software needs it (device facts 7).
    """
    title = f"Reboot {on.peer.name}" if reboot else f"Restart {on.peer.name}"
    planned = _planned(on, "restart", title, requirements, what, others)
    usual = on.timings.reboot if reboot else float(planned.params["usual"])
    remember = {"remember_configuration": remember_configuration, "usual": usual}
    more = {"reboot": True} if reboot else {}
    params = {**planned.params, **remember, **more, **_away(out_of_service)}
    return replace(planned, expected=usual, params=params)


def restart_if_required(
    on: Target,
    requirements: str,
    *,
    what: str,
    others: Sequence[Peer] = (),
    out_of_service: Sequence[Peer] = (),
) -> PlannedStep:
    """Restart the peer where an alarm demands it; skipped where none does."""
    title = f"Restart {on.peer.name} if an alarm demands it"
    planned = _planned(on, "restart-if-required", title, requirements, what, others)
    return replace(planned, params={**planned.params, **_away(out_of_service)})


def _away(out_of_service: Sequence[Peer]) -> dict[str, list[str]]:
    """Peers that an operator has declared dead: nobody waits for them to answer."""
    away = [peer.id for peer in out_of_service]
    return {"out_of_service": away} if away else {}


def let_alarms_appear(requirements: str) -> PlannedStep:
    """Wait a little: an alarm that asks for a restart comes some time after its cause."""
    return PlannedStep(
        key="let-alarms-appear",
        kind="let-alarms-appear",
        title="Give alarms that ask for a restart time to appear",
        requirements=tuple(requirements.split()),
        expected=_ALARMS_APPEAR,
        limit=_ALARMS_APPEAR * 3,
        poll=_ALARMS_APPEAR,
    )


async def _look_appeared(ctx: StepContext) -> Look:
    return Look(met=elapsed(ctx) >= _ALARMS_APPEAR)


def _planned(  # noqa: PLR0917 - private, and named like the fields it fills
    on: Target, kind: str, title: str, requirements: str, what: str, others: Sequence[Peer]
) -> PlannedStep:
    return PlannedStep(
        key=on.key(what),
        kind=kind,
        title=title,
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        params={
            "others": [peer.id for peer in others if peer.id != on.peer.id],
            "usual": on.timings.restart if "restart" in on.capabilities else on.timings.reboot,
        },
        expected=on.timings.read,
        limit=on.timings.restart_limit,
        poll=on.timings.poll,
    )


async def _look(ctx: StepContext) -> Look:
    return await _look_restarted(ctx, demanded=True)


async def _look_if_required(ctx: StepContext) -> Look:
    if ctx.record.acted_at is None:
        alarms = await (await ctx.appliance()).alarms()
        demands = [a for a in alarms if a.title.casefold() == "restart required"]
        if not demands:
            return Look(met=True, skipped=True, note="no alarm demands a restart")
    return await _look_restarted(ctx, demanded=False)


async def _look_restarted(ctx: StepContext, *, demanded: bool) -> Look:
    appliance = await ctx.appliance()
    uptime = await _uptime_or_how_long_away(ctx, appliance)
    if uptime is None:
        raise fail(
            ctx,
            "uptime-unknown",
            "The peer does not say how long it has been running.",
            "Restart it by hand, then retry.",
        )
    if ctx.record.acted_at is None:
        seen: dict[str, object] = {"uptime": uptime, "seen_at": ctx.clock.now().isoformat()}
        if ctx.step.params.get("remember_configuration"):
            seen["shared_digest"] = await appliance.shared_digest()
            seen["shared_shape"] = await appliance.shared_shape()
        return Look(met=False, seen=seen, note=f"up for {uptime} s")
    before = int(ctx.record.before["uptime"])
    away = elapsed(ctx, datetime.fromisoformat(str(ctx.record.before["seen_at"])))
    doubt = _DOUBT + _READ_DELAY * ctx.clock.pace
    fewer = uptime + doubt < before + away and uptime < elapsed(ctx, ctx.record.acted_at)
    if not (uptime < before or fewer):
        return Look(met=False, seen={"uptime": uptime}, note="not restarted yet", progress=0.1)
    if await appliance.answers_on_web() is False:
        note = "up, web interface not yet"
        return Look(met=False, seen={"uptime": uptime}, note=note, progress=0.9, under_way=True)
    seen = {"uptime": uptime, "uptime_before": before, "demanded": demanded}
    return Look(met=True, seen=seen, note=f"restarted, up for {uptime} s")


async def _uptime_or_how_long_away(ctx: StepContext, appliance: Appliance) -> int | None:
    """The uptime; where the peer is away, the transport's error in words for people.

    The error keeps its kind, which is what decides whether a restart may be sent again. How often
    the peer was restarted before is not known here, so a disk check is only said to be possible
    (UPG-M-17, UPG-M-18: about every 30 restarts, or after 6 months).
    """
    try:
        return await appliance.uptime()
    except (NotSent, OutcomeUnknown) as error:
        sent = ctx.record.acted_at
        if sent is None:
            raise
        away, usual = elapsed(ctx, sent), float(ctx.step.params.get("usual", ctx.step.expected))
        note = f"restarting for {away:.0f} s, usually about {usual:.0f} s"
        if away > usual * 1.5:
            note = (
                f"still restarting after {away:.0f} s; a disk check may be running, which happens"
                " about every 30 restarts or after 6 months; waiting up to"
                f" {ctx.step.limit:.0f} s"
            )
        raise type(error)(note) from error


async def no_other_peer_is_down(ctx: StepContext) -> None:
    """Restart each peer in turn, the next only when the previous one answers (ADD-X-19, ADD-J-21).

    Refuses while any other member of the cluster, or other peer of this job, does not answer.
    """
    members = {member.id for member in (await ctx.registry.cluster()).members}
    dead = set(ctx.step.params.get("out_of_service", ()))
    for peer_id in sorted({*members, *ctx.step.params["others"]} - {ctx.step.peer_id} - dead):
        try:
            await (await ctx.appliance(peer_id)).uptime()
        except TransportError as error:
            name = (await ctx.registry.peer(peer_id)).name
            raise fail(
                ctx,
                "another-peer-down",
                f"{name} does not answer ({error}); two peers must not be down at once.",
                f"Bring {name} back, then retry.",
            ) from error


async def _act(ctx: StepContext) -> None:
    appliance = await ctx.appliance()
    if ctx.step.params.get("reboot"):
        await appliance.reboot()
    else:
        await appliance.restart()


_SETTLE = 60.0
"""Appliance seconds in which an accepted restart takes the peer away."""

HANDLERS = (
    Handler("let-alarms-appear", look=_look_appeared),
    Handler("restart", look=_look, act=_act, guard=no_other_peer_is_down, settle=_SETTLE),
    Handler(
        "restart-if-required",
        look=_look_if_required,
        act=_act,
        guard=no_other_peer_is_down,
        settle=_SETTLE,
    ),
)
