"""What a peer does to leave its cluster (guide p.18, 22), and what is looked at before it is left.

X8.2 keeps its configuration when it leaves. From X8.11 on an emptied peer list makes the next
restart a factory reset, so the step that empties it asks the peer for its version first.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.appliance.profiles import profile_for
from app.domain.peer import Peer
from app.domain.plan import PlannedStep
from app.procedures.base import Handler, Look, StepContext
from app.procedures.steps.attest import gate
from app.procedures.steps.clustering import filled, list_is_as_planned
from app.procedures.steps.target import Target, fail
from transports.errors import NotSent, TransportError


def leave_cluster(
    on: Target,
    requirements: str,
    *,
    cluster_name: str | None,
    extends: Sequence[str] | None,
    after: Sequence[Peer] = (),
    forgotten_by: Sequence[Peer] | None = None,
) -> PlannedStep:
    """Empty all peer fields and take a cluster name of its own (None: keep the name).

    `extends` is the list the plan started from (None: whatever it is). `after` are peers that must
    have left before: a primary leaves last, so with `after` the peer may take itself for one; so it
    may where it was removed while out of service and `forgotten_by` no longer list it.
    """
    what = "Delete all peer addresses"
    named = f"{what} on {on.peer.name}, cluster name {cluster_name}"
    params: dict[str, object] = {
        "addresses": [],
        "after": [peer.id for peer in after],
        "forgotten_by": None if forgotten_by is None else [peer.id for peer in forgotten_by],
    }
    params |= {} if cluster_name is None else {"cluster_name": cluster_name}
    params |= {} if extends is None else {"extends": list(extends)}
    return PlannedStep(
        key=on.key("leave"),
        kind="leave-cluster",
        title=f"{what} on {on.peer.name}" if cluster_name is None else named,
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        params=params,
        expected=on.timings.write,
        limit=on.timings.peer_limit,
    )


def delete_pre_shared_key(on: Target, requirements: str) -> PlannedStep:
    """Delete the key; after the peers, since the page wants one while any peer is listed."""
    if "pre_shared_key" not in on.capabilities:
        statement = (
            f"The cluster pre-shared key has been deleted and the page saved on {on.peer.name}"
            " (System > Clustering)."
        )
        return gate("pre-shared-key-deleted", statement, requirements, target=on)
    return PlannedStep(
        key=on.key("delete-key"),
        kind="delete-pre-shared-key",
        title=f"Delete the cluster pre-shared key on {on.peer.name}",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        expected=on.timings.write,
        limit=on.timings.peer_limit,
        poll=on.timings.poll,
    )


def disable_lync(on: Target, requirements: str) -> PlannedStep:
    """Set Microsoft Lync B2BUA to Disabled where it is Enabled; a gate where none can see it."""
    if "lync_b2bua" not in on.capabilities:
        statement = (
            f"If Microsoft Lync B2BUA was used in the cluster, it is set to Disabled and saved on"
            f" {on.peer.name} (Applications > B2BUA > Microsoft Lync > Configuration)."
        )
        return gate("lync-b2bua-disabled", statement, requirements, target=on)
    return PlannedStep(
        key=on.key("lync-b2bua"),
        kind="lync-b2bua-off",
        title=f"Disable Microsoft Lync B2BUA on {on.peer.name} if it is Enabled",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        expected=on.timings.write,
        limit=on.timings.peer_limit,
        poll=on.timings.poll,
    )


def out_of_service(on: Target, requirements: str) -> PlannedStep:
    """The peer does not answer. Fails where it does: a live peer has a removal of its own."""
    return PlannedStep(
        key=on.key("out-of-service"),
        kind="out-of-service",
        title=f"Check that {on.peer.name} still does not answer",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        expected=on.timings.read,
        limit=on.timings.peer_limit,
        poll=on.timings.poll,
        safe_after=True,
    )


async def _look_left(ctx: StepContext) -> Look:
    now = await (await ctx.appliance()).clustering()
    wanted = ctx.step.params.get("cluster_name", now.cluster_name)
    seen = {"cluster_name": now.cluster_name, "addresses": filled(now)}
    return Look(met=not now.addresses and now.cluster_name == wanted, seen=seen)


async def _may_leave(ctx: StepContext) -> None:
    """Its configuration survives, nobody counts on it as primary, and the list is the known one."""
    appliance = await ctx.appliance()
    version = await appliance.software_version()
    profile = profile_for(version)
    if not profile.leaving_keeps_configuration:
        raise fail(
            ctx,
            "leaving-wipes-peer",
            f"The peer runs {version or 'an unknown version'}: {profile.trap}.",
            "Use the guide of its own version to take it out of the cluster.",
        )
    await list_is_as_planned(ctx)
    now = await appliance.clustering()
    own = (await ctx.registry.peer(appliance.peer_id)).address
    after = ctx.step.params["after"]
    for peer_id in after:
        if (await (await ctx.appliance(peer_id)).clustering()).addresses:
            name = (await ctx.registry.peer(peer_id)).name
            raise fail(
                ctx,
                "peer-still-in-cluster",
                f"{name} still lists cluster peers; the primary leaves last.",
                f"Find out why {name} is back in the cluster, then retry.",
            )
    forgotten = ctx.step.params["forgotten_by"]
    for peer_id in forgotten or ():
        other = await ctx.registry.peer(peer_id)
        try:
            listed = (await (await ctx.appliance(peer_id)).clustering()).addresses
        except NotSent:
            # Who is dead cannot be asked; the unit itself says whether they still work together.
            if (now.status_of(other.address) or "").casefold() != "active":
                continue
            raise
        if own in listed and other.address != own:
            raise fail(
                ctx,
                "peer-still-in-cluster",
                f"{other.name} still lists {own}.",
                "Remove the unit from the lists of its former peers first (guide p.20).",
            )
    others = [address for address in now.addresses if address != own]
    if now.primary_address == own and others and not after and forgotten is None:
        raise fail(
            ctx,
            "peer-is-primary",
            "The peer takes itself for the primary of a cluster with other peers.",
            "Make another peer the primary first (guide p.24), then plan again.",
        )


async def _leave(ctx: StepContext) -> None:
    name = ctx.step.params.get("cluster_name")
    await (await ctx.appliance()).write_clustering(cluster_name=name, addresses=[])


async def _look_key(ctx: StepContext) -> Look:
    """Where the page says whether a key is set, that counts; else this job's own save does."""
    is_set = (await (await ctx.appliance()).clustering()).pre_shared_key_set
    met = ctx.record.act_returned if is_set is None else not is_set
    return Look(met=met, seen={"pre_shared_key_set": is_set})


async def _lists_no_peers(ctx: StepContext) -> None:
    now = await (await ctx.appliance()).clustering()
    if now.addresses:
        raise fail(
            ctx,
            "peer-still-in-cluster",
            f"The peer lists cluster peers ({', '.join(now.addresses)}); they need the key.",
            "Find out who changed System > Clustering, then plan again.",
        )


async def _delete_key(ctx: StepContext) -> None:
    await (await ctx.appliance()).set_pre_shared_key("")


async def _look_lync(ctx: StepContext) -> Look:
    enabled = await (await ctx.appliance()).lync_b2bua()
    untouched = ctx.record.acted_at is None and not enabled
    note = "Enabled" if enabled else "Disabled"
    return Look(met=not enabled, seen={"lync_b2bua": note}, note=note, skipped=untouched)


async def _disable_lync(ctx: StepContext) -> None:
    await (await ctx.appliance()).disable_lync_b2bua()


async def _look_silent(ctx: StepContext) -> Look:
    try:
        await (await ctx.appliance()).uptime()
    except TransportError as error:
        said = str(error) or type(error).__name__
        return Look(met=True, seen={"answer": said}, note=said)
    raise fail(
        ctx,
        "peer-answers",
        "The peer answers: the removal of a peer that is out of service would leave its own"
        " clustering configuration as it is.",
        "Remove it with remove-peer (guide p.18).",
    )


HANDLERS = (
    Handler("leave-cluster", look=_look_left, act=_leave, guard=_may_leave, settle=5.0),
    Handler("delete-pre-shared-key", look=_look_key, act=_delete_key, guard=_lists_no_peers),
    Handler("lync-b2bua-off", look=_look_lync, act=_disable_lync),
    Handler("out-of-service", look=_look_silent),
)
