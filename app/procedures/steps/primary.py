"""System > Clustering > Configuration master: hand the part of primary to another peer (p.24).

Between the first and the last of these steps more than one peer takes itself for primary, so they
follow one another without a gate or a safe point (CHM-02), the first starts only while all the
others answer, and a value that was not accepted is entered again at once (CHM-13).
"""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.job import StepFailure
from app.domain.observation import Clustering
from app.domain.peer import Peer
from app.domain.plan import PlannedStep
from app.procedures.base import Handler, Look, StepContext
from app.procedures.steps.clustering import filled
from app.procedures.steps.target import Target, fail
from transports.errors import CommandRejected, TransportError

_TRIES = 3
"""How often a value is entered before the step calls it not accepted."""


def set_primary(
    on: Target,
    primary: Peer,
    addresses: Sequence[str],
    requirements: str,
    *,
    answering: Sequence[Peer] = (),
    begun: bool = True,
) -> PlannedStep:
    """Have `Configuration master` name `primary`, whose place is that in `addresses`.

    `answering` are peers that must answer before the first write. `begun` is whether another peer
    has been told before: from then on nobody may be left untold.
    """
    return PlannedStep(
        key=on.key("primary"),
        kind="set-primary",
        title=f"Name {primary.name} as configuration master on {on.peer.name}",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        params={
            "primary_index": list(addresses).index(primary.address) + 1,
            "addresses": list(addresses),
            "answering": [peer.id for peer in answering if peer.id != on.peer.id],
            "begun": begun,
        },
        expected=on.timings.write,
        # An old primary that went away meanwhile is to learn of the new one as soon as it is back:
        # see `_insists` for what happens when it takes longer than a restart may.
        limit=on.timings.restart_limit,
    )


def _is_so(ctx: StepContext, now: Clustering) -> bool:
    wanted = ctx.step.params
    same_list: bool = filled(now) == wanted["addresses"]
    return same_list and now.primary_index == wanted["primary_index"]


async def _look(ctx: StepContext) -> Look:
    now = await (await ctx.appliance()).clustering()
    seen = {
        "primary_index": now.primary_index,
        "primary_address": now.primary_address,
        "addresses": filled(now),
    }
    return Look(met=_is_so(ctx, now), seen=seen, note=f"primary {now.primary_address}")


async def _index_means_the_same_everywhere(ctx: StepContext) -> None:
    now = filled(await (await ctx.appliance()).clustering())
    if now != ctx.step.params["addresses"]:
        raise fail(
            ctx,
            "peer-list-changed",
            f"The peer list is {', '.join(now) or 'empty'}, not the one this plan started from: the"
            " index would name another peer.",
            "Find out who changed System > Clustering, then plan again.",
        )
    for peer_id in ctx.step.params["answering"]:
        try:
            await (await ctx.appliance(peer_id)).uptime()
        except TransportError as error:
            name = (await ctx.registry.peer(peer_id)).name
            raise fail(
                ctx,
                "another-peer-down",
                f"{name} does not answer ({error}); begun now, the change would leave two peers"
                " that take themselves for primary.",
                f"Bring {name} back and retry, or plan again without it.",
            ) from error


async def _set(ctx: StepContext) -> None:
    appliance = await ctx.appliance()
    index = ctx.step.params["primary_index"]
    for _ in range(_TRIES):
        try:
            await appliance.write_clustering(primary_index=index)
            if _is_so(ctx, await appliance.clustering()):
                return
        except CommandRejected:
            continue
    raise fail(
        ctx,
        "primary-not-accepted",
        f"The peer did not take Configuration master {index} in {_TRIES} tries.",
        "Retry at once, or set it on System > Clustering and retry: until then two peers may take"
        " themselves for primary.",
    )


async def _insists(ctx: StepContext) -> StepFailure | None:
    """Once a peer has been told, all others are: who comes back untold may be a second primary.

    Had the job ended meanwhile, nobody would be there to tell a peer whose power comes back.
    """
    if not ctx.step.params["begun"] and ctx.record.acted_at is None:
        return None
    name = (await ctx.registry.peer(ctx.step.peer_id or "")).name
    return StepFailure(
        "primary-not-told",
        f"{name} does not answer. Until it is told of the new primary it keeps the configuration"
        " master it has, so once it is back two peers may take themselves for primary. It is told"
        " as soon as it answers; where it is out of service for good, cancel the job.",
        f"Keep {name} off the network and take the way out that removes it:"
        f" GET /v1/jobs/{ctx.job_id}/recovery. To go on with {name} instead, retry the job first"
        f" and then bring {name} back, so that it is told at once.",
        tuple(ctx.step.requirements),
    )


HANDLERS = (
    Handler(
        "set-primary",
        look=_look,
        act=_set,
        guard=_index_means_the_same_everywhere,
        insists=_insists,
    ),
)
