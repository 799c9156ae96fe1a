"""Taking a joining Expressway's own configuration away (guide p.14).

The only destructive steps of joining. Each refuses to act on a peer that is in a cluster, that
takes itself for a primary, or of which this job has no backup.
"""

from __future__ import annotations

from app.domain.plan import PlannedStep
from app.procedures.base import Handler, Look, StepContext
from app.procedures.steps.attest import gate
from app.procedures.steps.backup import has_backup
from app.procedures.steps.target import Target, fail


def reset_to_defaults(on: Target, requirements: str) -> PlannedStep:
    """`DefaultValuesSet Level: 2`: everything replicated goes back to the factory's values."""
    return PlannedStep(
        key=on.key("defaults"),
        kind="reset-to-defaults",
        title=f"Reset {on.peer.name} to default values (level 2)",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        params={"backup_gate": on.key("back-up")},
        expected=on.timings.write * 5,
        limit=on.timings.peer_limit,
        poll=on.timings.poll,
        destructive=True,
    )


def add_default_links(on: Target, requirements: str) -> PlannedStep:
    """`DefaultLinksAdd`: the links that the reset took away."""
    return PlannedStep(
        key=on.key("default-links"),
        kind="default-links",
        title=f"Recreate the default links on {on.peer.name}",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        expected=on.timings.write,
        limit=on.timings.peer_limit,
    )


def delete_accounts(on: Target, requirements: str, *, shown: bool) -> PlannedStep:
    """Delete every administrator account except the default `admin`."""
    if not shown:
        statement = (
            f"All administrator accounts of {on.peer.name} except the default admin account are"
            " deleted (Users > Administrator accounts)."
        )
        return gate("accounts", statement, requirements, target=on)
    return PlannedStep(
        key=on.key("accounts"),
        kind="delete-accounts",
        title=f"Delete administrator accounts of {on.peer.name} except admin",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        params={"backup_gate": on.key("back-up")},
        expected=on.timings.write,
        limit=on.timings.peer_limit,
        destructive=True,
    )


async def serves_nowhere_and_is_backed_up(ctx: StepContext) -> None:
    """Refuses to wipe a peer that lists peers, is a registered member, or was not backed up."""
    now = await (await ctx.appliance()).clustering()
    members = {member.id for member in (await ctx.registry.cluster()).members}
    if now.addresses or ctx.step.peer_id in members:
        raise fail(
            ctx,
            "peer-still-in-cluster",
            "The peer lists cluster peers or is a registered member: a reset would wipe a peer that"
            f" may still serve (list: {', '.join(now.addresses) or 'empty'}).",
            "Remove it from its cluster first (guide p.18), then plan again.",
        )
    if not await has_backup(ctx):
        raise fail(
            ctx,
            "no-backup",
            "This job has no backup of the peer; nothing destructive runs without one.",
            "Retry from the backup step, or plan again.",
        )


async def _may_be_reset(ctx: StepContext) -> None:
    """As above; and no call is up, however long ago the calls were waited for (ADD-X-23)."""
    await serves_nowhere_and_is_backed_up(ctx)
    calls = await (await ctx.appliance()).live_calls()
    if calls:
        raise fail(
            ctx,
            "calls-left",
            f"{len(calls)} call(s) are up on the peer; the reset would cut them off.",
            "Set maintenance mode to On, wait until they have ended, then retry.",
        )


async def _look_reset(ctx: StepContext) -> Look:
    """The reset counts once this job has sent it and its signs are there.

    A fresh unit shows the same signs, so without an act of this job they prove nothing.
    """
    at_defaults = await (await ctx.appliance()).at_defaults()
    sent = ctx.record.acted_at is not None
    return Look(met=sent and at_defaults, seen={"at_defaults": at_defaults, "sent": sent})


async def _reset(ctx: StepContext) -> None:
    await (await ctx.appliance()).reset_to_defaults()


async def _look_links(ctx: StepContext) -> Look:
    links = await (await ctx.appliance()).default_links()
    met = ctx.record.act_returned if links is None else links
    return Look(met=met, seen={"default_links": links})


async def _add_links(ctx: StepContext) -> None:
    await (await ctx.appliance()).add_default_links()


async def _look_accounts(ctx: StepContext) -> Look:
    accounts = await (await ctx.appliance()).admin_accounts()
    if accounts is None:
        raise fail(
            ctx,
            "accounts-not-shown",
            "The access paths of this peer do not show its administrator accounts.",
            "Give the peer a second endpoint with the web forms, then plan again.",
        )
    return Look(met=not accounts, seen={"accounts": list(accounts)}, note=", ".join(accounts))


async def _delete_accounts(ctx: StepContext) -> None:
    appliance = await ctx.appliance()
    for name in await appliance.admin_accounts() or ():
        await appliance.delete_admin_account(name)


HANDLERS = (
    Handler(
        "reset-to-defaults",
        look=_look_reset,
        act=_reset,
        guard=_may_be_reset,
        settle=30.0,
    ),
    Handler("default-links", look=_look_links, act=_add_links),
    Handler(
        "delete-accounts",
        look=_look_accounts,
        act=_delete_accounts,
        guard=serves_nowhere_and_is_backed_up,
    ),
)
