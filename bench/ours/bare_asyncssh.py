"""Beside ours: asyncssh alone, in the same interpreter, with its own defaults and no documents.

It types each command and reads until a line `OK`, as a script that trusts its terminal does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import asyncssh

from bench.work import Measured, Replies, given, tell

Terminal = asyncssh.SSHClientProcess[str]


async def main() -> None:
    """Ask every peer everything; `warm`: over sessions that are open already."""
    work = given()
    places = asyncio.Semaphore(work["side_by_side"])
    replies = Replies()

    async def log_in(peer: Mapping[str, Any], stack: AsyncExitStack) -> Terminal:
        connection = asyncssh.connect(
            peer["host"],
            peer["port"],
            known_hosts=([asyncssh.import_public_key(peer["pin"])], [], []),
            client_keys=None,
            config=None,
            login_timeout=60,
            **work["account"],
        )
        opened = await stack.enter_async_context(connection)
        terminal = await opened.create_process(term_type="vt100", encoding="utf-8")
        await terminal.stdout.readuntil("OK\r\n")  # the banner's
        return await stack.enter_async_context(terminal)

    async def ask(terminal: Terminal) -> None:
        for command in work["commands"]:
            terminal.stdin.write(f"{command}\n")
            replies.take(await terminal.stdout.readuntil("OK\r\n"))

    async def one(peer: Mapping[str, Any]) -> None:
        async with places, AsyncExitStack() as stack:
            await ask(await log_in(peer, stack))

    async with AsyncExitStack() as stack:
        if work["warm"]:
            opening = (log_in(peer, stack) for peer in work["peers"])
            terminals = await asyncio.gather(*opening)
            with Measured() as cost:
                await asyncio.gather(*(ask(terminal) for terminal in terminals))
        else:
            with Measured() as cost:
                await asyncio.gather(*(one(peer) for peer in work["peers"]))
    tell(cost, **replies.proof())


if __name__ == "__main__":
    asyncio.run(main())
