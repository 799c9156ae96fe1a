"""Our side of `ssh-fleet`: the SSH transport, which reads every reply into a document."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from bench.work import Measured, digest, given, tell
from transports.base import Endpoint, Limits
from transports.document import Node, Path
from transports.ssh import SshTransport
from transports.trust import HostKeyPin


def endpoint(peer: Mapping[str, Any], account: Mapping[str, str]) -> Endpoint:
    """Where one appliance is reached; a long limit, because all sides share few cores."""
    return Endpoint(
        host=peer["host"],
        port=peer["port"],
        trust=HostKeyPin(peer["pin"]),
        limits=Limits(connect=60.0),
        **account,
    )


def values(node: Node) -> int:
    """How many values a document holds."""
    return (node.value is not None) + sum(values(child) for child in node.children)


async def main() -> None:
    """Ask every peer everything; `warm`: over sessions that are open already."""
    work = given()
    places = asyncio.Semaphore(work["side_by_side"])
    questions = [
        (words.split(" ", 1)[0], Path.parse(words.split(" ", 1)[1])) for words in work["commands"]
    ]
    transports = [(SshTransport(endpoint(peer, work["account"]))) for peer in work["peers"]]
    seen: list[str] = []
    counts = {"replies": 0, "values": 0}

    async def one(transport: SshTransport) -> None:
        async with places:
            for verb, path in questions:
                read = transport.read_status if verb == "xStatus" else transport.read_configuration
                tree = await read(path)
                counts["replies"] += 1
                counts["values"] += values(tree)
                if verb == "xStatus" and (serial := tree.get("SystemUnit Hardware SerialNumber")):
                    seen.append(serial)
            if not work["warm"]:
                await transport.close()

    if work["warm"]:
        await asyncio.gather(*(transport.read_status(questions[0][1]) for transport in transports))
    with Measured() as cost:
        await asyncio.gather(*(one(transport) for transport in transports))
    await asyncio.gather(*(transport.close() for transport in transports))
    tell(cost, serials=digest(seen), **counts)


if __name__ == "__main__":
    asyncio.run(main())
