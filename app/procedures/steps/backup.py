"""Maintenance > Backup and restore."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from app.domain.plan import PlannedStep
from app.procedures.base import Handler, Look, StepContext
from app.procedures.steps.attest import gate
from app.procedures.steps.target import Target


def back_up(on: Target, requirements: str, *, what: str = "back-up") -> PlannedStep:
    """Take a backup into the job's artifacts; a gate where no transport can."""
    if "backup" not in on.capabilities:
        statement = (
            f"A backup of {on.peer.name} has been taken now and kept"
            " (Maintenance > Backup and restore)."
        )
        return gate(what, statement, requirements, target=on)
    return PlannedStep(
        key=on.key(what),
        kind="back-up",
        title=f"Back up {on.peer.name}",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        expected=on.timings.backup,
        limit=on.timings.backup_limit,
        poll=on.timings.poll,
        safe_after=True,
    )


async def has_backup(ctx: StepContext) -> bool:
    """Whether this job has a backup of the step's peer, taken by it or stated by an operator."""
    if ctx.step.peer_id and await ctx.backups.of_peer(ctx.step.peer_id):
        return True
    stated = str(ctx.step.params.get("backup_gate", ""))
    return bool(stated) and stated in ctx.attestations


async def _look(ctx: StepContext) -> Look:
    receipt = await ctx.backups.taken(ctx.step.key)
    if receipt is None:
        return Look(met=False, note="no backup yet")
    return Look(met=True, seen=dict(receipt), note=f"{receipt['size']:,} bytes")


async def _act(ctx: StepContext) -> None:
    appliance = await ctx.appliance()

    async def produce(write: Callable[[bytes], Awaitable[None]]) -> Mapping[str, Any]:
        receipt = await appliance.back_up(write)
        return {
            "file_name": receipt.file_name,
            "size": receipt.size,
            "sha256": receipt.sha256,
        }

    await ctx.backups.receive(ctx.step.key, appliance.peer_id, produce)


HANDLERS = (Handler("back-up", look=_look, act=_act),)
