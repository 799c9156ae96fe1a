"""Every procedure on the fleet, beside the waits that nobody can shorten: `critical-path`.

Each procedure runs, as rehearsed for the fault matrix, under the clock of the simulated fleet, with
people who answer at once. Beside it stands the sum of what the device itself takes (the fleet's
DeviceProfile: a restart until the web interface answers, a backup, an installation, a reset, one
replication interval, the lag of the status page, alarms that clear) for what the job did, read from
its plan and from which steps acted. Waits on different peers of one stage count once where they
could pass side by side without breaking a rule (backups, replication); restarts never do, because
no two peers may be down at once. What is above 1 is ours: looking every few seconds, exchanges, and
what we do one after the other although it could be done side by side.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import groupby

from app.domain.job import JobState, StepRecord
from app.domain.plan import PlannedStep
from app.engine.records import JobRecord
from app.guide.scenarios import REHEARSED, Rehearsed
from bench.command import benchmark
from bench.rows import Row
from tests.matrix.stage import Stage as Rehearsal
from transports.mock.profile import DeviceProfile
from transports.mock.virtual_time import run

SIDE_BY_SIDE = frozenset(
    {"back-up", "same-configuration", "database-active", "alarms-cleared", "calls-clear"}
)
"""Kinds of step that several peers can be in at once without harm."""
RESTARTS = frozenset({"restart", "restart-if-required", "answers-at-address", "restore-backup"})
NOTICEABLE = 5.0
"""Device seconds; less is an exchange and no wait."""
SHORT = frozenset({"backup", "add-peer"})


@dataclass(frozen=True)
class Went:
    """One procedure as it went."""

    job: JobRecord
    seconds: float
    profile: DeviceProfile


def went(rehearsed: Rehearsed) -> Went:
    """Run it; device seconds from its start to its end."""

    async def story() -> Went:
        rehearsal = Rehearsal(rehearsed)
        await rehearsal.set_out()
        clock = rehearsal.fleet.clock
        began = clock.now()
        job = await rehearsal.start(rehearsed.procedure, **rehearsed.parameters)
        rehearsal.job_id = job.id
        job = await rehearsal.see_to_the_end(job.id)
        if job.state is not JobState.SUCCEEDED or rehearsal.witness.violations:
            sys.exit(f"{rehearsed.title}: {job.state}, {rehearsal.witness.violations}")
        return Went(job, clock.now() - began, rehearsal.fleet.profile)

    return run(story())


def forced(of: Went, rehearsed: Rehearsed) -> float:
    """Device seconds that the job could not have done without."""
    records = {record.key: record for record in of.job.steps}
    total = 0.0
    changed_at = 0.0
    """When the device last had something to digest: lags of its status count from there."""
    for stage in of.job.plan.stages:
        for kind, steps in groupby(stage.steps, key=lambda step: step.kind):
            waits = [
                _wait(step, of.profile, total, changed_at, _calls(rehearsed, step))
                for step in steps
                if _took_time(records[step.key])
            ]
            total += max(waits, default=0.0) if kind in SIDE_BY_SIDE else sum(waits)
            if waits and kind in RESTARTS:
                changed_at = total - of.profile.web_after_boot
    return total


def _took_time(record: StepRecord) -> bool:
    """Whether the step acted or waited; one that found all as it should be forces nothing."""
    if record.started_at is None or record.finished_at is None:
        return False
    waited = (record.finished_at - record.started_at).total_seconds() > NOTICEABLE
    return record.acted_at is not None or waited


def _calls(rehearsed: Rehearsed, step: PlannedStep) -> float:
    """When the last call on the step's peer ends, in device seconds from the start."""
    device = rehearsed.devices.get(step.peer_id or "", {})
    return max((float(call) for call in device.get("calls", ())), default=0.0)


def _wait(
    step: PlannedStep, device: DeviceProfile, now: float, changed_at: float, calls_end: float
) -> float:
    """What the device itself takes for one step that begins `now`."""
    back = device.web_after_boot
    restart = device.reboot if step.params.get("reboot") else device.restart
    match step.kind:
        case "back-up":
            return device.backup
        case "restart" | "restart-if-required":
            return device.shutdown_delay + restart + back
        case "restart-away":
            return device.shutdown_delay
        case "answers-at-address":
            return device.restart + back
        case "install-software":
            return device.install
        case "restore-backup":
            return device.restore + device.shutdown_delay + device.restart + back
        case "factory-defaults":
            return device.factory_reset + back
        case "same-configuration":
            return device.replication_period
        case "database-active":
            return max(0.0, changed_at + device.status_lag - now)
        case "alarms-cleared":
            return device.alarm_clear_delay
        case "calls-clear":
            return max(0.0, calls_end - now)
        case _:
            return 0.0


def main(short: bool) -> list[Row]:
    """One row a rehearsal; the last one is all of them together."""
    rows = []
    for rehearsed in REHEARSED:
        if short and rehearsed.procedure not in SHORT:
            continue
        of = went(rehearsed)
        floor = forced(of, rehearsed)
        note = "" if floor else "the device forces no wait"
        rows.append(Row(rehearsed.title, "from start to end", "device s", of.seconds,
                        "forced waits", floor or None, note=note))  # fmt: skip
    ours, theirs = sum(row.ours for row in rows), sum(row.theirs or 0.0 for row in rows)
    rows.append(Row("all together", "from start to end", "device s", ours, "forced waits", theirs))
    return rows


if __name__ == "__main__":
    benchmark("critical-path", __doc__, main)
