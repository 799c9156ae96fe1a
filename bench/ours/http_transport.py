"""Our side of `http-fleet`: the HTTPS transport, which reads every reply into a document."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from bench.work import Measured, given, tell
from transports.base import Endpoint, Limits
from transports.document import Path
from transports.http import HttpTransport
from transports.trust import CertificatePin

ZONES = Path.parse("Zones")


async def main() -> None:
    """Read the status of every peer, so often."""
    work = given()
    counts: list[int] = []

    async def one(peer: Mapping[str, Any]) -> None:
        transport = HttpTransport(
            Endpoint(
                host=peer["host"],
                port=peer["port"],
                trust=CertificatePin(peer["pin"]),
                limits=Limits(connect=60.0),
                **work["account"],
            )
        )
        for _ in range(work["times"]):
            tree = await transport.read_status(ZONES)
            zones = tree.child("Zones")
            counts.append(len(zones.all("Zone")) if zones else 0)
        await transport.close()

    with Measured() as cost:
        await asyncio.gather(*(one(peer) for peer in work["peers"]))
    tell(cost, replies=len(counts), zones=sum(counts))


if __name__ == "__main__":
    asyncio.run(main())
