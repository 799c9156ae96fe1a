"""System > Time: NTP servers of one peer, and the State that says they work."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.plan import PlannedStep
from app.procedures.base import Handler, Look, StepContext
from app.procedures.steps.settings import write_settings
from app.procedures.steps.target import Target

SERVER_FIELDS = 5


def ntp_servers(on: Target, servers: Sequence[str], requirements: str) -> tuple[PlannedStep, ...]:
    """Have exactly these NTP servers, and wait until State is Synchronized."""
    fields = [*servers, *[""] * SERVER_FIELDS][:SERVER_FIELDS]
    written = write_settings(
        on,
        "ntp-servers",
        f"Set the NTP servers of {on.peer.name} to {', '.join(servers)}",
        {f"NTP Server {n} Address": server for n, server in enumerate(fields, start=1)},
        requirements,
    )
    synchronised = PlannedStep(
        key=on.key("ntp-state"),
        kind="time-synchronised",
        title=f"Wait until the time of {on.peer.name} is Synchronized",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        expected=on.timings.page_refresh,
        limit=on.timings.page_refresh_limit,
        poll=on.timings.poll,
    )
    return (written, synchronised) if "time_status" in on.capabilities else (written,)


async def _look(ctx: StepContext) -> Look:
    ntp = (await (await ctx.appliance()).observe()).ntp
    met = ntp.synchronised
    seen = {"state": ntp.state, "servers": list(ntp.servers)}
    return Look(met=met, seen=seen, note=f"State {ntp.state}")


HANDLERS = (Handler("time-synchronised", look=_look),)
