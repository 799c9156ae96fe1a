"""`clusterway webhooks`: who is told of what, and trying whether they hear it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from app.cli import names
from app.cli.desk import Desk, command
from app.cli.exits import Exit, Stopped

app = typer.Typer(no_args_is_help=True, help="Subscriptions to events.")
LOOK_SECONDS = 0.5


@command(app, "list")
async def show_all(desk: Desk) -> None:
    """List subscriptions."""
    entries = await desk.client.items("/v1/webhooks")
    desk.out.document({"items": entries})
    desk.out.table(
        ("id", "name", "url", "events", "state"),
        [(e["id"], e["name"], e["url"], e["event_types"], e["state"]) for e in entries],
    )


@command(app, "test")
async def send_test(
    desk: Desk,
    webhook: Annotated[str, typer.Argument(help="A subscription, by name or id.")],
    wait: Annotated[
        float, typer.Option(min=0, max=600, help="Seconds to wait for the receiver's answer.")
    ] = 30.0,
) -> None:
    """Send a test and see whether it was taken; exit code 1 where it was not."""
    entry = await names.found(desk.client, "webhook", webhook)
    base = f"/v1/webhooks/{entry['id']}"
    sent = await desk.client.post(f"{base}/test")
    path = f"{base}/deliveries/{sent['id']}"
    found = await desk.client.get(path)
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    while found["finished_at"] is None and loop.time() < until:
        await asyncio.sleep(LOOK_SECONDS)
        found = await desk.client.get(path)
    desk.out.document(found)
    desk.out.facts([(name, found[name]) for name in ("id", "state", "attempts")])
    if found["state"] != "delivered":
        raise Stopped(Exit.NOT_WELL, f"the test was not taken: its delivery is {found['state']}")
