"""A bare side: Starlette's StreamingResponse, messages of the same length from memory.

It writes its own events, at the same pace, once the file is there; each is told to the parent.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from bench.serving import asked, say, say_the_end, serve


def bare(events: int, pause: float, go: Path) -> Starlette:
    """The application."""
    sent: list[str] = []
    more = asyncio.Condition()

    async def tell() -> None:
        while not go.exists():  # noqa: ASYNC110, ASYNC240 - the other process makes it
            await asyncio.sleep(0.05)
        for seq in range(2, events + 2):
            await asyncio.sleep(pause)
            told = json.dumps({"seq": seq, "at": time.monotonic(), "note": "x" * 200})
            sent.append(f"id: {seq}\nevent: job.step.progress\ndata: {told}\n\n")
            say(seq=seq, at=time.monotonic())
            async with more:
                more.notify_all()

    async def stream() -> AsyncIterator[str]:
        yield "retry: 3000\n\n"
        done = 0
        while done < events:
            async with more:
                while len(sent) <= done:
                    await more.wait()
            for message in sent[done:]:
                yield message
            done = len(sent)

    telling: list[asyncio.Task[None]] = []

    async def follow(_: Request) -> StreamingResponse:
        if not telling:
            telling.append(asyncio.create_task(tell()))
        return StreamingResponse(stream(), media_type="text/event-stream")

    return Starlette(routes=[Route("/v1/jobs/{job_id}/events", follow)])


async def main() -> None:
    """Serve until told to end."""
    given = asked()
    work = given.work
    app = bare(work["events"], work["pause"], Path(work["go"]))
    say_the_end(await serve(app, given.listener))


if __name__ == "__main__":
    asyncio.run(main())
