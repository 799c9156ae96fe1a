"""`ForceConfigUpdate` on one non-primary: its configuration goes, the primary's comes (p.27).

On the primary the same command would destroy the cluster's configuration, so everything that could
make the peer a primary is looked at once more directly before it is sent.
"""

from __future__ import annotations

from app.appliance.alarms import is_cluster_alarm
from app.domain.observation import Alarm
from app.domain.peer import Peer
from app.domain.plan import PlannedStep
from app.procedures.base import Handler, Look, StepContext
from app.procedures.steps.backup import has_backup
from app.procedures.steps.target import Target, fail

_SETTLE = 180.0
"""Appliance seconds in which an accepted update has replaced the configuration."""


def force_update(on: Target, primary: Peer, requirements: str) -> PlannedStep:
    """Have the peer take the primary's configuration now."""
    return PlannedStep(
        key=on.key("force-update"),
        kind="force-config-update",
        title=f"Have {on.peer.name} drop its configuration and take that of {primary.name}",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        params={"primary": primary.id, "backup_gate": on.key("back-up")},
        expected=on.timings.write * 5,
        limit=on.timings.replication_limit,
        poll=on.timings.poll,
        destructive=True,
    )


def asks_for_it(alarm: Alarm) -> bool:
    """Whether the alarm is one of those that ask for a manual synchronization (ALM-05 to 09)."""
    return is_cluster_alarm(alarm) and "manual synchronization" in alarm.description.casefold()


async def _look(ctx: StepContext) -> Look:
    appliance = await ctx.appliance()
    own = await appliance.shared_digest()
    primarys = await (await ctx.appliance(str(ctx.step.params["primary"]))).shared_digest()
    asking = [alarm.description for alarm in await appliance.alarms() if asks_for_it(alarm)]
    seen = {"equal": own == primarys, "alarms": asking}
    if own == primarys and not asking:
        return Look(met=True, seen=seen, note="has the primary's configuration")
    # The alarm goes and the configuration comes some time after the command; later steps wait.
    met = ctx.record.act_returned
    return Look(met=met, seen=seen, note="sent" if met else "differs from the primary")


async def _is_no_primary_and_backed_up(ctx: StepContext) -> None:
    appliance, cluster = await ctx.appliance(), await ctx.registry.cluster()
    own = await ctx.registry.peer(appliance.peer_id)
    now = await appliance.clustering()
    if cluster.primary_id == own.id or now.primary_address in {None, own.address}:
        raise fail(
            ctx,
            "peer-is-primary",
            f"{own.name} is, or takes itself for, the primary, or names none: a forced update there"
            " destroys the configuration of the cluster.",
            "Run align-clustering first, or choose the non-primary that has the alarm.",
        )
    primary = await ctx.registry.peer(str(ctx.step.params["primary"]))
    theirs = await (await ctx.appliance(primary.id)).clustering()
    if theirs.primary_address != primary.address or now.primary_address != primary.address:
        raise fail(
            ctx,
            "primary-disputed",
            f"{primary.name} and {own.name} do not both take {primary.name} for the primary.",
            "Run align-clustering first.",
        )
    if not await has_backup(ctx):
        raise fail(
            ctx,
            "no-backup",
            "This job has no backup of the peer; nothing destructive runs without one.",
            "Retry from the backup step, or plan again.",
        )


async def _act(ctx: StepContext) -> None:
    await (await ctx.appliance()).force_configuration_update()


HANDLERS = (
    Handler(
        "force-config-update",
        look=_look,
        act=_act,
        guard=_is_no_primary_and_backed_up,
        settle=_SETTLE,
    ),
)
