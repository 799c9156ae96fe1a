"""dnspython's asynchronous resolver, with as many questions under way as ours."""

from __future__ import annotations

import asyncio

import dns.asyncresolver
import dns.resolver

from bench.work import Measured, digest, given, record, tell


async def main() -> None:
    """Ask everything and keep the texts of all records."""
    work = given()
    host, _, port = work["place"].rpartition(":")
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = [host], int(port), 20.0
    places = asyncio.Semaphore(work["side_by_side"])
    lines: list[str] = []
    settled = 0

    async def ask(name: str, kind: str) -> None:
        nonlocal settled
        async with places:
            try:
                answer = await resolver.resolve(name, kind, search=False)
            except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
                settled += 1
                return
            settled += 1
            lines.extend(record(name, kind, data.to_text()) for data in answer.rrset or ())

    with Measured() as cost:
        await asyncio.gather(*(ask(name, kind) for name, kind in work["questions"]))
    asked = len(work["questions"])
    tell(cost, asked=asked, unsettled=asked - settled, records=digest(lines))


asyncio.run(main())
