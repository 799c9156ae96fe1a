"""Maintenance > Upgrade: the image checked, installed, running, and the configuration kept."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

from app.domain.plan import PlannedStep
from app.procedures.base import Handler, Look, StepContext
from app.procedures.steps.attest import gate
from app.procedures.steps.target import Target, fail

CHECK_IMAGE = "check-image"
_INSTALLED = "upgraded"
"""The word in the alarm that asks for the restart into new software; its text is unverified, and
it only saves a second installation after an interrupted one."""
_SETTLE = 900.0


def check_image(name: str, sha256: str, requirements: str) -> PlannedStep:
    """Read the image once, whole; it is the expected one where a digest is given."""
    return PlannedStep(
        key=CHECK_IMAGE,
        kind="check-image",
        title=f"Check the software image {name}",
        requirements=tuple(requirements.split()),
        params={"image": name, "sha256": sha256},
        expected=10.0,
        limit=1800.0,
        safe_after=True,
    )


def install_software(on: Target, image: str, version: str, requirements: str) -> PlannedStep:
    """Upload and install the image; a gate where no transport can, or no image is named."""
    if "install_software" not in on.capabilities or not image:
        statement = (
            f"The software {version} has been installed on {on.peer.name} (Maintenance > Upgrade);"
            " the job restarts it."
        )
        return gate("software-installed", statement, requirements, target=on)
    return PlannedStep(
        key=on.key("install"),
        kind="install-software",
        title=f"Install {version} on {on.peer.name}",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        params={"image": image, "version": version},
        expected=on.timings.install,
        limit=on.timings.install_limit,
        poll=on.timings.poll,
    )


def version_runs(on: Target, version: str, requirements: str) -> PlannedStep:
    """The peer runs that software."""
    return PlannedStep(
        key=on.key("version"),
        kind="software-version",
        title=f"Check that {on.peer.name} runs {version}",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        params={"version": version},
        expected=on.timings.read,
        limit=on.timings.peer_limit,
        poll=on.timings.poll,
    )


def configuration_kept(on: Target, requirements: str, *, restart_key: str) -> PlannedStep:
    """Nothing of the replicated configuration is missing after new software has taken it over.

    New software may add settings and rewrite others, so equality is not asked for: no element of
    the configuration may have fewer values than before. What has changed is told.
    """
    return PlannedStep(
        key=on.key("configuration"),
        kind="kept-configuration",
        title=f"Check that the configuration of {on.peer.name} is present as expected",
        requirements=tuple(requirements.split()),
        peer_id=on.peer.id,
        params={"as_before": restart_key},
        expected=on.timings.read,
        limit=on.timings.page_refresh_limit,
        poll=on.timings.page_refresh,
        safe_after=True,
    )


async def _look_image(ctx: StepContext) -> Look:
    name, wanted = str(ctx.step.params["image"]), str(ctx.step.params["sha256"])
    size = await ctx.images.size(name)
    if size is None:
        raise fail(
            ctx,
            "image-missing",
            f"There is no software image {name} in the service's image folder.",
            "Put the file into the image folder, then retry.",
        )
    digest = hashlib.sha256()
    async for piece in ctx.images.read(name):
        digest.update(piece)
    found = digest.hexdigest()
    if wanted and found != wanted:
        raise fail(
            ctx,
            "image-altered",
            f"The SHA-256 of {name} is {found}, not the one that was asked for.",
            "Fetch the image again from its vendor and compare its digest, then retry.",
        )
    return Look(met=True, seen={"size": size, "sha256": found}, note=f"{size:,} bytes")


async def _look_installed(ctx: StepContext) -> Look:
    appliance = await ctx.appliance()
    running, wanted = await appliance.software_version(), str(ctx.step.params["version"])
    if running == wanted:
        return Look(met=True, seen={"running": running}, note=f"runs {wanted} already")
    if ctx.record.acted_at is None:
        return Look(met=False, seen={"running": running}, note=f"runs {running}")
    asks = [
        alarm
        for alarm in await appliance.alarms()
        if alarm.title.casefold() == "restart required" and _INSTALLED in alarm.description
    ]
    met = ctx.record.act_returned or bool(asks)
    note = "installed, used from the next reboot on" if met else "not known to be installed yet"
    return Look(met=met, seen={"running": running, "restart_asked_for": bool(asks)}, note=note)


async def _install(ctx: StepContext) -> None:
    name = str(ctx.step.params["image"])
    checked = str(ctx.records[CHECK_IMAGE].seen["sha256"])

    async def read() -> AsyncIterator[bytes]:
        # The last piece is held back until the whole is known to be the image that was checked.
        digest, held = hashlib.sha256(), b""
        async for piece in ctx.images.read(name):
            digest.update(piece)
            if held:
                yield held
            held = piece
        if digest.hexdigest() != checked:
            raise fail(
                ctx,
                "image-altered",
                f"The software image {name} was changed after this job had checked it.",
                "Put the right file back, then plan again.",
            )
        yield held

    await (await ctx.appliance()).install_software(name, read)


async def _look_version(ctx: StepContext) -> Look:
    running, wanted = await (await ctx.appliance()).software_version(), ctx.step.params["version"]
    if running != wanted:
        raise fail(
            ctx,
            "version-not-running",
            f"The peer runs {running or 'an unknown version'} after its restart, not {wanted}.",
            "Look at Maintenance > Upgrade; install the software and restart the peer, then retry.",
        )
    return Look(met=True, seen={"running": running}, note=f"runs {running}")


async def _look_kept(ctx: StepContext) -> Look:
    now = await (await ctx.appliance()).shared_shape()
    before: dict[str, str] = ctx.records[ctx.step.params["as_before"]].before["shared_shape"]
    missing = [name for name in before if _count(now.get(name, "0")) < _count(before[name])]
    changed = [name for name in before if now.get(name) != before[name] and name not in missing]
    seen = {"missing": missing, "changed": changed, "added": sorted(now.keys() - before.keys())}
    if missing:
        return Look(met=False, seen=seen, note=f"values are missing below: {', '.join(missing)}")
    note = f"all there; rewritten by the new software: {', '.join(changed)}" if changed else "equal"
    return Look(met=True, seen=seen, note=note)


def _count(shape: str) -> int:
    return int(shape.split(" ", 1)[0])


HANDLERS = (
    Handler("check-image", look=_look_image),
    Handler("install-software", look=_look_installed, act=_install, settle=_SETTLE),
    Handler("software-version", look=_look_version),
    Handler("kept-configuration", look=_look_kept),
)
