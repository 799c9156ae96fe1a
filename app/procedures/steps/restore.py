"""Maintenance > Backup and restore, the other way: a backup taken earlier goes back to its peer.

A backup fits only the unit and the release it was taken on (guide p.6, p.28). What it restores may
name cluster peers again, so whoever restores makes the peer leave once more before it joins.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

from app.domain.plan import PlannedStep
from app.procedures.base import Handler, Look, StepContext
from app.procedures.steps.attest import gate
from app.procedures.steps.reset import serves_nowhere_and_is_backed_up
from app.procedures.steps.target import Target, elapsed, fail

_NAME = re.compile(r"(X[0-9.]+)_([0-9A-Za-z]+)_[0-9]{4}_")
"""What the appliance calls its backups: version, serial number, date (device facts 7)."""
_DOUBT = 60.0
_SETTLE = 600.0


def check_backup(on: Target, backup_id: str, serial: str, requirements: str) -> PlannedStep:
    """The backup is there, and was taken earlier on this very unit and its release."""
    return PlannedStep(
        key=on.key("check-backup"),
        kind="check-backup",
        title=f"Check that backup {backup_id} was taken on {on.peer.name}",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        params={"backup_id": backup_id, "serial": serial},
        expected=on.timings.read,
        limit=on.timings.peer_limit,
        safe_after=True,
    )


def restore_backup(
    on: Target, backup_id: str, requirements: str, *, backup_gate: str
) -> PlannedStep:
    """Upload and restore it; done when the peer has restarted. A gate where no transport can."""
    if "restore" not in on.capabilities:
        statement = (
            f"Backup {backup_id} has been restored on {on.peer.name} (Maintenance > Backup and"
            " restore) and the unit has restarted."
        )
        by_hand = gate("restored", statement, requirements, target=on)
        return replace(by_hand, params={"usual": on.timings.restart})
    return PlannedStep(
        key=on.key("restore"),
        kind="restore-backup",
        title=f"Restore backup {backup_id} on {on.peer.name}",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        params={
            "backup_id": backup_id,
            "backup_gate": backup_gate,
            "usual": on.timings.restart,
        },
        expected=on.timings.backup + on.timings.restart,
        limit=on.timings.backup_limit + on.timings.restart_limit,
        poll=on.timings.poll,
        destructive=True,
    )


async def _look_backup(ctx: StepContext) -> Look:
    wanted = ctx.step.params
    found = await ctx.backups.find(wanted["backup_id"])
    if found is None:
        raise fail(
            ctx,
            "backup-missing",
            f"There is no finished backup {wanted['backup_id']}.",
            "`GET /v1/jobs/{job_id}/backups` of an earlier job lists its backups; plan again.",
        )
    version = await (await ctx.appliance()).software_version()
    named = _NAME.match(str(found["file_name"]))
    if found["peer_id"] != ctx.step.peer_id:
        wrong = "another peer"
    elif named and wanted["serial"] and named[2].casefold() != wanted["serial"].casefold():
        wrong = f"the unit with serial number {named[2]}"
    elif named and named[1] != version:
        wrong = f"{named[1]}, and the peer runs {version}"
    else:
        known = "" if named else "; its name does not tell unit and release"
        return Look(met=True, seen=dict(found), note=f"{found['file_name']}{known}")
    raise fail(
        ctx,
        "backup-does-not-fit",
        f"Backup {wanted['backup_id']} was taken on {wrong}.",
        "Restore only a backup taken earlier on this unit and on the release it runs; plan again.",
    )


async def _look_restored(ctx: StepContext) -> Look:
    """Done when the peer has restarted since: a restore ends with a restart of its own."""
    appliance = await ctx.appliance()
    uptime = await appliance.uptime()
    acted = ctx.record.acted_at
    if acted is None:
        return Look(met=False, seen={"uptime": uptime, "seen_at": ctx.clock.now().isoformat()})
    before = int(ctx.record.before["uptime"] or 0)
    away = elapsed(ctx, datetime.fromisoformat(str(ctx.record.before["seen_at"])))
    restarted = uptime is not None and (uptime < before or uptime + _DOUBT < before + away)
    if not restarted:
        return Look(met=False, seen={"uptime": uptime}, note="not restarted yet")
    if await appliance.answers_on_web() is False:
        note = "up, web interface not yet"
        return Look(met=False, seen={"uptime": uptime}, note=note, under_way=True)
    return Look(met=True, seen={"uptime": uptime}, note=f"restored, up for {uptime} s")


async def _restore(ctx: StepContext) -> None:
    backup_id = str(ctx.step.params["backup_id"])
    found = await ctx.backups.find(backup_id)
    if found is None or found["peer_id"] != ctx.step.peer_id:
        raise fail(
            ctx,
            "backup-missing",
            f"Backup {backup_id} of this peer is gone.",
            "Name another backup of this peer and plan again.",
        )
    read = await ctx.backups.contents(backup_id)
    await (await ctx.appliance()).restore(str(found["file_name"]), read)


HANDLERS = (
    Handler("check-backup", look=_look_backup),
    Handler(
        "restore-backup",
        look=_look_restored,
        act=_restore,
        guard=serves_nowhere_and_is_backed_up,
        settle=_SETTLE,
    ),
)
