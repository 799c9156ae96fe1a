"""The last step of every change of membership: hear every peer, then write down who is in."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.cluster import Cluster
from app.domain.peer import Peer
from app.domain.plan import PlannedStep
from app.procedures.base import Handler, Look, StepContext
from app.procedures.steps.target import Target


def record_members(
    on: Target,
    cluster: Cluster,
    members: Sequence[Peer],
    primary: Peer,
    requirements: str,
    *,
    silent: Sequence[Peer] = (),
) -> PlannedStep:
    """All members agree on cluster name, peer list and primary; record them as the cluster.

    `silent` are members that cannot be heard because they are out of service.
    """
    away = {peer.id for peer in silent}
    return PlannedStep(
        key="record-members",
        kind="record-members",
        title=f"Hear all peers of {cluster.name} and record the members",
        requirements=tuple(requirements.split()),
        params={
            "cluster_name": cluster.name,
            "members": [peer.id for peer in members],
            "heard": [peer.id for peer in members if peer.id not in away],
            "addresses": [peer.address for peer in members],
            "primary": primary.id,
            "primary_address": primary.address,
            "before": _before(cluster),
        },
        expected=on.timings.read * len(members),
        limit=on.timings.peer_limit,
        poll=on.timings.poll,
        safe_after=True,
    )


def record_disbanded(
    on: Target, cluster: Cluster, former: Sequence[Peer], requirements: str
) -> PlannedStep:
    """No former member lists any peer; record that the cluster has no members."""
    return PlannedStep(
        key="record-disbanded",
        kind="record-disbanded",
        title=f"Hear all former peers of {cluster.name} and record that it has no members",
        requirements=tuple(requirements.split()),
        params={"former": [peer.id for peer in former], "before": _before(cluster)},
        expected=on.timings.read * len(former),
        limit=on.timings.peer_limit,
        poll=on.timings.poll,
        safe_after=True,
    )


def _before(cluster: Cluster) -> dict[str, object]:
    """The cluster that this record takes the place of: what the way back leads to."""
    return {
        "members": [member.id for member in cluster.members],
        "addresses": [member.address for member in cluster.members],
        "primary": cluster.primary_id,
    }


async def _answers(ctx: StepContext) -> tuple[bool, dict[str, object]]:
    wanted = ctx.step.params
    said: dict[str, object] = {}
    agree = True
    for peer_id in wanted.get("heard", wanted["members"]):
        now = await (await ctx.appliance(peer_id)).clustering()
        said[peer_id] = {
            "cluster_name": now.cluster_name,
            "addresses": list(now.addresses),
            "primary_address": now.primary_address,
        }
        agree = agree and (
            now.cluster_name == wanted["cluster_name"]
            and list(now.addresses) == wanted["addresses"]
            and now.primary_address == wanted["primary_address"]
        )
    return agree, said


async def _look(ctx: StepContext) -> Look:
    agree, said = await _answers(ctx)
    if not agree:
        return Look(met=False, seen=said, note="the peers do not agree yet")
    cluster = await ctx.registry.cluster()
    recorded = [member.id for member in cluster.members] == list(ctx.step.params["members"])
    met = recorded and cluster.primary_id == ctx.step.params["primary"]
    return Look(met=met, seen=said, note="all peers agree")


async def _record(ctx: StepContext) -> None:
    agree, _ = await _answers(ctx)
    if agree:
        members = tuple(ctx.step.params["members"])
        await ctx.registry.record_members(members, ctx.step.params["primary"])


async def _still_listing(ctx: StepContext) -> dict[str, list[str]]:
    lists = {}
    for peer_id in ctx.step.params["former"]:
        addresses = (await (await ctx.appliance(peer_id)).clustering()).addresses
        if addresses:
            lists[peer_id] = list(addresses)
    return lists


async def _look_disbanded(ctx: StepContext) -> Look:
    lists = await _still_listing(ctx)
    if lists:
        note = f"{len(lists)} peer(s) still list cluster peers"
        return Look(met=False, seen={"lists": lists}, note=note)
    met = not (await ctx.registry.cluster()).members
    return Look(met=met, seen={"lists": lists}, note="nobody lists a peer")


async def _record_disbanded(ctx: StepContext) -> None:
    if not await _still_listing(ctx):
        await ctx.registry.record_members((), None)


HANDLERS = (
    Handler("record-members", look=_look, act=_record),
    Handler("record-disbanded", look=_look_disbanded, act=_record_disbanded),
)
