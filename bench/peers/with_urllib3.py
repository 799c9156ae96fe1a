"""urllib3 in threads, which keeps the bytes and parses nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import urllib3

from bench.work import Measured, Statuses, given, pinned, tell


def main() -> None:
    """Fetch the status of every peer, so often."""
    work = given()
    statuses = Statuses()
    account = f"{work['account']['username']}:{work['account']['password']}"
    headers = urllib3.make_headers(basic_auth=account)

    def one(peer: dict[str, Any]) -> list[tuple[int, bytes]]:
        base = f"https://{peer['host']}:{peer['port']}"
        context = pinned(peer["pin"])
        with urllib3.PoolManager(ssl_context=context, assert_hostname=False) as pool:
            replies = (
                pool.request("GET", base + work["target"], headers=headers, timeout=60.0)
                for _ in range(work["times"])
            )
            return [(reply.status, reply.data) for reply in replies]

    with Measured() as cost, ThreadPoolExecutor(len(work["peers"])) as threads:
        for replies in threads.map(one, work["peers"]):
            for status, data in replies:
                statuses.take(status, data)
    tell(cost, **statuses.proof())


main()
