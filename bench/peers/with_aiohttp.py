"""aiohttp, which keeps the bytes and parses nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from bench.work import Measured, Statuses, given, pinned, tell


async def main() -> None:
    """Fetch the status of every peer, so often."""
    work = given()
    statuses = Statuses()
    account = work["account"]
    signed = aiohttp.encode_basic_auth(account["username"], account["password"])
    headers = {"Authorization": signed}

    async def one(peer: dict[str, Any]) -> None:
        base = f"https://{peer['host']}:{peer['port']}"
        connector = aiohttp.TCPConnector(ssl=pinned(peer["pin"]))
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
            for _ in range(work["times"]):
                async with session.get(base + work["target"]) as reply:
                    statuses.take(reply.status, await reply.read())

    with Measured() as cost:
        await asyncio.gather(*(one(peer) for peer in work["peers"]))
    tell(cost, **statuses.proof())


asyncio.run(main())
