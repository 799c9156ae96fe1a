"""The review at the start of a job: what the plan checked is still so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.checks import membership
from app.checks import review as checks
from app.domain.finding import Finding, Severity
from app.domain.job import StepFailure
from app.domain.peer import Peer
from app.domain.plan import PlannedStep
from app.procedures.base import Handler, Look, StepContext
from app.procedures.steps.target import Target


def review(on: Target, requirements: str, *, host_name: str = "") -> PlannedStep:
    """Read the peer once more and run the guide's review over it."""
    return PlannedStep(
        key=on.key("review"),
        kind="review",
        title=f"Review the configuration of {on.peer.name}",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        params={"host_name": host_name},
        expected=on.timings.read * 3,
        limit=on.timings.peer_limit,
        poll=on.timings.poll,
        safe_after=True,
    )


def zones_do_not_name(
    on: Target, others: Sequence[tuple[Peer, str]], requirements: str
) -> PlannedStep:
    """No neighbor or traversal zone names one of these peers; `others` come with their FQDN."""
    names = ", ".join(peer.name for peer, _ in others)
    return PlannedStep(
        key=on.key("zones"),
        kind="zones-do-not-name",
        title=f"Check that no zone of {on.peer.name} names {names or 'a future peer'}",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        params={"others": [[peer.id, fqdn] for peer, fqdn in others]},
        expected=on.timings.read,
        limit=on.timings.peer_limit,
        poll=on.timings.poll,
        safe_after=True,
    )


async def _look_zones(ctx: StepContext) -> Look:
    seen = await (await ctx.appliance()).observe()
    others = [(await ctx.registry.peer(i), fqdn) for i, fqdn in ctx.step.params["others"]]
    zones = {zone.name: list(zone.addresses) for zone in seen.zones}
    wrong = [*membership.zones_do_not_name(seen, others)]
    return _judged(wrong, {"zones": zones}, "no zone names them")


async def _look_review(ctx: StepContext) -> Look:
    appliance = await ctx.appliance()
    seen = await appliance.observe()
    registered = await ctx.registry.peer(appliance.peer_id)
    found = checks.before_clustering(
        seen, registered, host_name_to_be_set=str(ctx.step.params.get("host_name", ""))
    )
    wrong = [finding for finding in found if finding.severity is Severity.BLOCKER]
    facts = {
        "software_version": seen.software_version,
        "address": seen.address,
        "system_name": seen.system_name,
        "host_name": seen.dns.host_name,
        "ntp_state": seen.ntp.state,
        "calls": seen.calls,
        "alarms": [alarm.title for alarm in seen.alarms],
    }
    return _judged(wrong, facts, "as the guide wants it")


def _judged(wrong: Sequence[Finding], facts: Mapping[str, Any], good: str) -> Look:
    if not wrong:
        return Look(met=True, seen=facts, note=good)
    first = wrong[0]
    more = f" ({len(wrong) - 1} more)" if len(wrong) > 1 else ""
    failure = StepFailure(first.code, first.message + more, first.remedy, first.requirements)
    return Look(met=False, seen=facts, failure=failure)


HANDLERS = (
    Handler("review", look=_look_review),
    Handler("zones-do-not-name", look=_look_zones),
)
