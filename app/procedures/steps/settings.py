"""Configuration values of one peer: set what differs, read back."""

from __future__ import annotations

from collections.abc import Mapping

from app.domain.observation import Observation
from app.domain.plan import PlannedStep
from app.procedures.base import Handler, Look, StepContext
from app.procedures.steps.target import Target


def write_settings(
    on: Target, what: str, title: str, settings: Mapping[str, str], requirements: str
) -> PlannedStep:
    """Have these values at these CLI paths."""
    return PlannedStep(
        key=on.key(what),
        kind="write-settings",
        title=title,
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        params={"settings": dict(settings)},
        expected=on.timings.write,
        limit=on.timings.peer_limit,
    )


def optimize_call_signaling(on: Target, requirements: str) -> PlannedStep:
    """Configuration > Call routing > Call signaling optimization = On."""
    title = f"Set Call signaling optimization to On on {on.peer.name}"
    settings = {"Call Routed Mode": "Optimal"}
    return write_settings(on, "call-signaling", title, settings, requirements)


def maintenance_mode(on: Target, requirements: str, *, to: str) -> PlannedStep:
    """Maintenance > Maintenance mode = On or Off."""
    title = f"Set maintenance mode to {to} on {on.peer.name}"
    settings = {"SystemUnit Maintenance Mode": to}
    return write_settings(on, f"maintenance-{to.lower()}", title, settings, requirements)


def set_host_name(on: Target, host_name: str, requirements: str) -> PlannedStep:
    """System > DNS > System host name."""
    title = f"Set System host name of {on.peer.name} to {host_name}"
    return write_settings(on, "host-name", title, {"IP DNS Hostname": host_name}, requirements)


def identity(on: Target, seen: Observation, host_name: str, requirements: str) -> PlannedStep:
    """System host name, and the peer's own names and servers as they were before a reset."""
    settings = {"IP DNS Hostname": host_name or seen.dns.host_name}
    settings |= {"SystemUnit Name": seen.system_name} if seen.system_name else {}
    settings |= {"IP DNS Domain Name": seen.dns.domain} if seen.dns.domain else {}
    for index, address in enumerate(seen.dns.servers, start=1):
        settings[f"IP DNS Server {index} Address"] = address
    for index, address in enumerate(seen.ntp.servers, start=1):
        settings[f"NTP Server {index} Address"] = address
    title = f"Set System host name of {on.peer.name} to {settings['IP DNS Hostname']}"
    return write_settings(on, "identity", title, settings, requirements)


async def _differing(ctx: StepContext) -> dict[str, str]:
    appliance = await ctx.appliance()
    wanted: Mapping[str, str] = ctx.step.params["settings"]
    now = await appliance.settings(*wanted)
    return {path: now[path] for path in wanted if now[path].casefold() != wanted[path].casefold()}


async def _look(ctx: StepContext) -> Look:
    differing = await _differing(ctx)
    note = "" if not differing else f"{len(differing)} value(s) still differ"
    return Look(met=not differing, seen={"differing": differing}, note=note)


async def _act(ctx: StepContext) -> None:
    wanted: Mapping[str, str] = ctx.step.params["settings"]
    differing = await _differing(ctx)
    appliance = await ctx.appliance()
    await appliance.write(*((path, wanted[path]) for path in wanted if path in differing))


HANDLERS = (Handler("write-settings", look=_look, act=_act),)
