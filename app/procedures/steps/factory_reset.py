"""`factory-reset` in the root shell, and the unit that comes back from it (guide p.20-21).

A reset takes the SSH host keys with it (RMD-R-07), so nobody can log in afterwards until a person
has compared and pinned the new key: the reset step therefore ends when the unit lets go of the
session, a gate follows, and only then does a step look at the unit itself.
"""

from __future__ import annotations

from app.domain.plan import PlannedStep
from app.procedures.base import Handler, Look, StepContext
from app.procedures.steps.attest import gate
from app.procedures.steps.reset import serves_nowhere_and_is_backed_up
from app.procedures.steps.target import Target, elapsed
from transports.base import FactoryReset
from transports.errors import NotTrusted

_DOUBT = 60.0


def factory_reset(on: Target, requirements: str, answers: FactoryReset) -> PlannedStep:
    """Start the reset with the guide's seven answers; a gate where no root shell is granted."""
    if "factory_reset" not in on.capabilities:
        words = ", ".join(f"{question}: {answer}" for question, answer in _spoken(answers))
        statement = (
            f"On {on.peer.name}, logged in as root (over serial, which shows more, or SSH),"
            f" factory-reset has been typed and answered ({words}), and the unit has reset itself."
        )
        return gate("factory-reset", statement, requirements, target=on)
    return PlannedStep(
        key=on.key("factory-reset"),
        kind="factory-reset",
        title=f"Factory reset {on.peer.name}",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        params={
            "backup_gate": on.key("back-up"),
            "keep_option_keys": answers.keep_option_keys,
            "keep_ip_configuration": answers.keep_ip_configuration,
            "keep_ssh_keys": answers.keep_ssh_keys,
            "keep_passwords": answers.keep_passwords,
            "save_log_files": answers.save_log_files,
            "replace_hard_disk": answers.replace_hard_disk,
        },
        expected=on.timings.write,
        limit=on.timings.factory_reset_limit,
        poll=on.timings.poll,
        destructive=True,
    )


def at_factory_defaults(on: Target, requirements: str) -> PlannedStep:
    """The unit answers again, lists no peers and has none of its configuration."""
    return PlannedStep(
        key=on.key("factory-defaults"),
        kind="factory-defaults",
        title=f"Wait until {on.peer.name} answers with its default configuration and no peers",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        expected=on.timings.factory_reset,
        limit=on.timings.factory_reset_limit,
        poll=on.timings.page_refresh,
    )


def _spoken(answers: FactoryReset) -> tuple[tuple[str, str], ...]:
    asked = (
        ("Keep option keys", answers.keep_option_keys),
        ("Keep IP configuration", answers.keep_ip_configuration),
        ("Keep SSH keys", answers.keep_ssh_keys),
        ("Keep root and admin passwords", answers.keep_passwords),
        ("Save log files", answers.save_log_files),
        ("Replace hard disk", answers.replace_hard_disk),
        ("Are you sure you want to continue", True),
    )
    return tuple((question, "YES" if answer else "NO") for question, answer in asked)


async def _look_reset(ctx: StepContext) -> Look:
    """Done when the unit has let go of the session after the last answer (RMD-R-12).

    After an interrupted act the unit itself tells: it restarted, or it is another to us than
    before, as a unit is whose keys or passwords have gone.
    """
    if ctx.record.act_returned:
        return Look(met=True, note="the reset has started; 20 minutes or more (guide p.21)")
    try:
        uptime = await (await ctx.appliance()).uptime()
    except NotTrusted as error:
        if ctx.record.acted_at is None:
            raise
        return Look(met=True, seen={"answer": type(error).__name__}, note="reset, new identity")
    if ctx.record.acted_at is None:
        return Look(met=False, seen={"uptime": uptime, "seen_at": ctx.clock.now().isoformat()})
    restarted = uptime is not None and uptime < elapsed(ctx, ctx.record.acted_at) + _DOUBT
    lists = (await (await ctx.appliance()).clustering()).addresses
    met = restarted and not lists and await (await ctx.appliance()).at_defaults()
    return Look(met=met, seen={"uptime": uptime, "addresses": list(lists)})


async def _reset(ctx: StepContext) -> None:
    given = ctx.step.params
    answers = FactoryReset(
        keep_option_keys=bool(given["keep_option_keys"]),
        keep_ip_configuration=bool(given["keep_ip_configuration"]),
        keep_ssh_keys=bool(given["keep_ssh_keys"]),
        keep_passwords=bool(given["keep_passwords"]),
        save_log_files=bool(given["save_log_files"]),
        replace_hard_disk=bool(given["replace_hard_disk"]),
    )
    await (await ctx.appliance()).factory_reset(answers)


async def _look_defaults(ctx: StepContext) -> Look:
    appliance = await ctx.appliance()
    lists = (await appliance.clustering()).addresses
    at_defaults = await appliance.at_defaults()
    seen = {"addresses": list(lists), "at_defaults": at_defaults}
    return Look(met=at_defaults and not lists, seen=seen)


HANDLERS = (
    Handler(
        "factory-reset",
        look=_look_reset,
        act=_reset,
        guard=serves_nowhere_and_is_backed_up,
        settle=120.0,
    ),
    Handler("factory-defaults", look=_look_defaults),
)
