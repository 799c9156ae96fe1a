"""Whether the configuration is where it should be, and the cluster database Active."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.appliance.alarms import is_cluster_alarm
from app.domain.job import StepFailure
from app.domain.peer import Peer
from app.domain.plan import PlannedStep
from app.procedures.base import Handler, Look, StepContext
from app.procedures.steps.attest import gate
from app.procedures.steps.target import Target, elapsed


def configuration_as_before(on: Target, requirements: str, *, restart_key: str) -> PlannedStep:
    """The replicated configuration is the one the peer had before that restart step."""
    return PlannedStep(
        key=on.key("configuration"),
        kind="same-configuration",
        title=f"Check that the configuration of {on.peer.name} is there as before",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        params={"as_before": restart_key, "at_least": 0.0},
        expected=on.timings.read,
        limit=on.timings.page_refresh_limit,
        poll=on.timings.page_refresh,
    )


def configuration_as_on(on: Target, primary: Peer, requirements: str) -> PlannedStep:
    """The replicated configuration is the primary's, after at least one replication interval."""
    return PlannedStep(
        key=on.key("replication"),
        kind="same-configuration",
        title=f"Wait until {on.peer.name} has the configuration of {primary.name}",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        params={"as_on": primary.id, "at_least": on.timings.replication},
        expected=on.timings.replication,
        limit=on.timings.replication_limit,
        poll=on.timings.poll,
    )


def configurations_as_on(
    ons: Sequence[Target], primary: Peer, requirements: str
) -> tuple[PlannedStep, ...]:
    """The same of several peers, which replicate side by side: one interval covers all of them.

    The steps stand next to each other, so nothing is changed between the first and the last.
    """
    steps = [configuration_as_on(on, primary, requirements) for on in ons]
    return tuple(
        step
        if step is steps[0]
        else replace(step, params={**step.params, "since": steps[0].key}, expected=on.timings.read)
        for step, on in zip(steps, ons, strict=True)
    )


def database_active(on: Target, requirements: str, *, shown: bool) -> PlannedStep:
    """The clustering page reports cluster database status Active."""
    if not shown:
        statement = f"System > Clustering on {on.peer.name} reports cluster database status Active."
        return gate("database-active", statement, requirements, target=on)
    return PlannedStep(
        key=on.key("database-active"),
        kind="database-active",
        title=f"Wait for cluster database status Active on {on.peer.name}",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        expected=on.timings.page_refresh,
        limit=on.timings.cluster_status_limit,
        poll=on.timings.page_refresh,
    )


def alarms_cleared(
    on: Target,
    requirements: str,
    *,
    known: list[str],
    what: str = "alarms",
    but_of_clustering: bool = False,
    safe_after: bool = True,
) -> PlannedStep:
    """No alarm stands that did not stand before; `known` are the titles of those that did.

    `but_of_clustering`: alarms of clustering do not count, as while an upgrade is under way (p.6).
    `safe_after` is False where the registry does not know yet what the peers have become: a job
    that stopped there would leave a cluster behind that nobody has written down.
    """
    return PlannedStep(
        key=on.key(what),
        kind="alarms-cleared",
        title=f"Check that the alarms of {on.peer.name} have cleared",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        params={"known": known, **({"but_of_clustering": True} if but_of_clustering else {})},
        expected=on.timings.page_refresh,
        limit=on.timings.alarms_clear_limit,
        poll=on.timings.page_refresh,
        safe_after=safe_after,
    )


async def _look_same(ctx: StepContext) -> Look:
    own = await (await ctx.appliance()).shared_digest()
    if "as_on" in ctx.step.params:
        reference = await (await ctx.appliance(ctx.step.params["as_on"])).shared_digest()
    else:
        reference = str(ctx.records[ctx.step.params["as_before"]].before["shared_digest"])
    at_least = float(ctx.step.params["at_least"])
    first = ctx.records.get(str(ctx.step.params.get("since")))
    waited = elapsed(ctx, first.started_at if first else None)
    seen = {"shared_digest": own, "reference": reference}
    if own != reference:
        note = "differs from the reference; replication takes about two minutes"
        return Look(met=False, seen=seen, note=note, progress=min(waited / max(at_least, 1), 0.9))
    if waited < at_least:
        note = f"equal; waiting out the replication interval ({at_least - waited:.0f} s)"
        return Look(met=False, seen=seen, note=note, progress=waited / at_least)
    return Look(met=True, seen=seen, note="equal")


async def _look_active(ctx: StepContext) -> Look:
    clustering = await (await ctx.appliance()).clustering()
    status = clustering.database_status
    words = {peer.address: peer.status for peer in clustering.peers}
    met = status is not None and status.casefold() == "active"
    return Look(
        met=met, seen={"database_status": status, "peers": words}, note=f"database {status}"
    )


async def _look_alarms(ctx: StepContext) -> Look:
    alarms = await (await ctx.appliance()).alarms()
    known = {str(title).casefold() for title in ctx.step.params["known"]}
    ignored = bool(ctx.step.params.get("but_of_clustering"))
    new = [
        alarm
        for alarm in alarms
        if alarm.title.casefold() not in known and not (ignored and is_cluster_alarm(alarm))
    ]
    titles = [f"{alarm.title}: {alarm.description}" for alarm in new]
    if new and elapsed(ctx) >= ctx.step.limit - ctx.step.poll:
        cluster = [t for alarm, t in zip(new, titles, strict=True) if is_cluster_alarm(alarm)]
        failure = StepFailure(
            "alarms-left",
            f"{len(new)} alarm(s) did not clear: {'; '.join(cluster or titles)}.",
            "Act upon them on Status > Alarms, then retry.",
            ctx.step.requirements,
        )
        return Look(met=False, seen={"alarms": titles}, failure=failure)
    note = f"{len(new)} alarm(s) left" if new else "no new alarms"
    return Look(met=not new, seen={"alarms": titles}, note=note)


HANDLERS = (
    Handler("same-configuration", look=_look_same),
    Handler("database-active", look=_look_active),
    Handler("alarms-cleared", look=_look_alarms),
)
