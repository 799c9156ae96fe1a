"""System > Clustering: cluster name, pre-shared key, configuration master, the six peer fields."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from app.domain.observation import Clustering
from app.domain.plan import PlannedStep
from app.procedures.base import Handler, Look, StepContext
from app.procedures.steps.attest import gate
from app.procedures.steps.target import Target, fail


def write_clustering(
    on: Target,
    requirements: str,
    *,
    title: str,
    cluster_name: str | None = None,
    primary_index: int | None = None,
    addresses: Sequence[str] | None = None,
    extends: Sequence[str] | None = None,
) -> PlannedStep:
    """Have these values on the clustering page; what is None stays as it is.

    `extends` is the peer list the change starts from: a field that holds neither its entry nor the
    wanted one was edited by somebody else meanwhile, and the step refuses to overwrite it.
    """
    wanted = {
        "cluster_name": cluster_name,
        "primary_index": primary_index,
        "addresses": None if addresses is None else list(addresses),
        "extends": None if extends is None else list(extends),
    }
    return PlannedStep(
        key=on.key("clustering"),
        kind="write-clustering",
        title=title,
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        params={name: value for name, value in wanted.items() if value is not None},
        expected=on.timings.write,
        limit=on.timings.peer_limit,
    )


def set_pre_shared_key(on: Target, requirements: str) -> PlannedStep:
    """Enter the cluster's pre-shared key; a gate where no transport reaches the page's field."""
    if "pre_shared_key" not in on.capabilities:
        statement = (
            f"The cluster pre-shared key has been entered and saved on {on.peer.name}"
            " (System > Clustering), the same as on all peers."
        )
        return gate("pre-shared-key", statement, requirements, target=on)
    return PlannedStep(
        key=on.key("pre-shared-key"),
        kind="pre-shared-key",
        title=f"Enter the cluster pre-shared key on {on.peer.name}",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        expected=on.timings.write,
        limit=on.timings.peer_limit,
    )


def renew_pre_shared_key(requirements: str) -> PlannedStep:
    """Make a new key and keep it in the vault; no peer has it yet. The old one stays there too."""
    return PlannedStep(
        key="renew-pre-shared-key",
        kind="renew-pre-shared-key",
        title="Make a new cluster pre-shared key and keep it in the vault",
        requirements=tuple(requirements.split()),
        expected=1.0,
        limit=60.0,
    )


async def _look_renewed(ctx: StepContext) -> Look:
    now = await ctx.registry.pre_shared_key_id()
    seen = {"credential_id": now}
    met = ctx.record.acted_at is not None and now != ctx.record.before["credential_id"]
    return Look(met=met, seen=seen)


async def _renew(ctx: StepContext) -> None:
    await ctx.registry.renew_pre_shared_key(ctx.record.before["credential_id"])


def expect_words(
    on: Target, requirements: str, *, title: str, words: dict[str, list[str]], shown: bool
) -> PlannedStep:
    """Wait for one of the given words beside each address; a gate where no path shows them."""
    if not shown:
        statement = f"{title} (System > Clustering on {on.peer.name})."
        return gate("peer-status", statement, requirements, target=on)
    return PlannedStep(
        key=on.key("peer-status"),
        kind="peer-status",
        title=title,
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        params={"words": words},
        expected=on.timings.read,
        limit=on.timings.page_refresh_limit,
        poll=on.timings.page_refresh,
    )


def filled(clustering: Clustering) -> list[str]:
    """The peer fields up to the last one that is filled; an empty one between them shows."""
    return list(clustering.fields)


async def _look_clustering(ctx: StepContext) -> Look:
    now = await (await ctx.appliance()).clustering()
    wanted = ctx.step.params
    seen = {
        "cluster_name": now.cluster_name,
        "primary_index": now.primary_index,
        "addresses": filled(now),
    }
    differing = [name for name in seen if name in wanted and seen[name] != wanted[name]]
    note = f"{', '.join(differing)} still to be written" if differing else ""
    return Look(met=not differing, seen=seen, note=note)


async def list_is_as_planned(ctx: StepContext) -> None:
    """Every field of the peer list holds what the plan started from, or what it is to hold.

    So a list that somebody else edited is never overwritten, and a write that was interrupted
    between two fields can be taken up again.
    """
    if "extends" not in ctx.step.params:
        return
    now = filled(await (await ctx.appliance()).clustering())
    before, wanted = ctx.step.params["extends"], ctx.step.params["addresses"]
    fields = zip_longest(now, before, wanted, fillvalue="")
    if not all(address in {old, new} for address, old, new in fields):
        listed = ", ".join(address or "(empty)" for address in now)
        raise fail(
            ctx,
            "peer-list-changed",
            f"The peer list is {listed or 'empty'}, not the one this plan started from.",
            "Find out who changed System > Clustering, then plan again.",
        )


async def _act_clustering(ctx: StepContext) -> None:
    wanted = ctx.step.params
    await (await ctx.appliance()).write_clustering(
        cluster_name=wanted.get("cluster_name"),
        primary_index=wanted.get("primary_index"),
        addresses=wanted.get("addresses"),
    )


async def _look_key(ctx: StepContext) -> Look:
    """The key itself cannot be read back; that it is set can, where the page says so.

    So an entry counts when this job's own save came back without an error. Entering the same key
    twice changes nothing, which makes a repetition after a crash harmless.
    """
    is_set = (await (await ctx.appliance()).clustering()).pre_shared_key_set
    met = ctx.record.act_returned and is_set is not False
    return Look(met=met, seen={"pre_shared_key_set": is_set})


async def _act_key(ctx: StepContext) -> None:
    key = await ctx.registry.pre_shared_key()
    await (await ctx.appliance()).set_pre_shared_key(key)


async def _look_words(ctx: StepContext) -> Look:
    clustering = await (await ctx.appliance()).clustering()
    words: dict[str, list[str]] = ctx.step.params["words"]
    seen = {address: clustering.status_of(address) for address in words}
    met = all((seen[address] or "") in accepted for address, accepted in words.items())
    return Look(met=met, seen=seen, note=", ".join(f"{a}: {w}" for a, w in seen.items()))


HANDLERS = (
    Handler(
        "write-clustering",
        look=_look_clustering,
        act=_act_clustering,
        guard=list_is_as_planned,
        settle=5.0,
    ),
    Handler("renew-pre-shared-key", look=_look_renewed, act=_renew),
    Handler("pre-shared-key", look=_look_key, act=_act_key),
    Handler("peer-status", look=_look_words),
)
