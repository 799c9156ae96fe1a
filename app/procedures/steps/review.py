"""The review at the start of a job: what the plan checked is still so."""

from __future__ import annotations

from app.checks import review as checks
from app.domain.finding import Severity
from app.domain.job import StepFailure
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


async def _look(ctx: StepContext) -> Look:
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
    if not wrong:
        return Look(met=True, seen=facts, note="as the guide wants it")
    first = wrong[0]
    more = f" ({len(wrong) - 1} more)" if len(wrong) > 1 else ""
    failure = StepFailure(first.code, first.message + more, first.remedy, first.requirements)
    return Look(met=False, seen=facts, failure=failure)


HANDLERS = (Handler("review", look=_look),)
