"""Status > Calls: wait until none is left, and disconnect what does not end by itself."""

from __future__ import annotations

from app.domain.job import StepFailure
from app.domain.plan import PlannedStep
from app.procedures.base import Handler, Look, StepContext
from app.procedures.steps.target import Target, elapsed


def drain_calls(
    on: Target,
    waiting: str,
    disconnecting: str,
    *,
    calls: int | None,
    deadline: float,
    disconnect: bool,
) -> tuple[PlannedStep, ...]:
    """Wait up to `deadline` appliance seconds; then disconnect the rest, where that is allowed.

    `waiting` and `disconnecting` are the requirements of the two steps; `calls` is how many were up
    when the plan was made.
    """
    wait = PlannedStep(
        key=on.key("calls-clear"),
        kind="calls-clear",
        title=f"Wait for all calls to clear on {on.peer.name}",
        requirements=tuple(waiting.split() + ([] if disconnect else disconnecting.split())),
        peer_id=on.peer.id,
        params={"deadline": deadline, "disconnect": disconnect},
        expected=on.timings.read if calls == 0 else min(deadline, on.timings.calls_clear),
        limit=deadline + on.timings.peer_limit,
        poll=on.timings.poll,
        safe_after=True,
    )
    if not disconnect:
        return (wait,)
    rest = PlannedStep(
        key=on.key("disconnect-calls"),
        kind="disconnect-calls",
        title=f"Disconnect the calls left on {on.peer.name}",
        requirements=tuple(disconnecting.split()),
        peer_id=on.peer.id,
        expected=on.timings.write,
        limit=on.timings.peer_limit,
        poll=on.timings.poll,
        safe_after=True,
    )
    return (wait, rest)


async def _look_clear(ctx: StepContext) -> Look:
    calls = await (await ctx.appliance()).live_calls()
    seen = {"calls": len(calls)}
    if not calls:
        return Look(met=True, seen=seen, note="no calls")
    deadline = float(ctx.step.params["deadline"])
    waited = elapsed(ctx)
    note = f"{len(calls)} call(s) left"
    if waited < deadline:
        return Look(met=False, seen=seen, note=note, progress=waited / deadline if deadline else 0)
    if ctx.step.params["disconnect"]:
        return Look(met=True, seen=seen, note=f"{note}; they will be disconnected")
    remedy = (
        "Disconnect them on Status > Calls and retry, or plan again with"
        " `disconnect_remaining_calls` or a longer `call_drain_seconds`."
    )
    failure = StepFailure(
        "calls-left", f"{note} after {waited:.0f} s.", remedy, ctx.step.requirements
    )
    return Look(met=False, seen=seen, note=note, failure=failure)


async def _look_disconnected(ctx: StepContext) -> Look:
    calls = await (await ctx.appliance()).live_calls()
    return Look(met=not calls, seen={"calls": len(calls)}, note=f"{len(calls)} call(s)")


async def _disconnect(ctx: StepContext) -> None:
    appliance = await ctx.appliance()
    for index in await appliance.live_calls():
        await appliance.disconnect_call(index)


HANDLERS = (
    Handler("calls-clear", look=_look_clear),
    Handler("disconnect-calls", look=_look_disconnected, act=_disconnect),
)
