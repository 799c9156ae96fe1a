"""Beside ours: httpx alone in the same interpreter, which keeps the bytes and parses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from bench.work import Measured, Statuses, given, pinned, tell


async def main() -> None:
    """Fetch the status of every peer, so often."""
    work = given()
    statuses = Statuses()
    account = (work["account"]["username"], work["account"]["password"])

    async def one(peer: Mapping[str, Any]) -> None:
        base = f"https://{peer['host']}:{peer['port']}"
        context = pinned(peer["pin"])
        async with httpx.AsyncClient(verify=context, auth=account, timeout=60.0) as client:
            for _ in range(work["times"]):
                reply = await client.get(base + work["target"])
                statuses.take(reply.status_code, reply.content)

    with Measured() as cost:
        await asyncio.gather(*(one(peer) for peer in work["peers"]))
    tell(cost, **statuses.proof())


if __name__ == "__main__":
    asyncio.run(main())
