"""A bare side: Starlette and psycopg say for each request what the service was heard to say.

It answers with the bytes that the service answered, checks nothing and knows nobody: what stays is
the HTTP server, the framework's routing, the driver and the database.
"""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.storage.database import plain_url
from bench.serving import asked, say_the_end, serve
from bench.statements import Exchange, say_again

CONNECTIONS = 8
"""As many as the service has for resources."""


def bare(pool: AsyncConnectionPool[Any], exchange: Exchange, ids: dict[str, str]) -> Starlette:
    """The application. `ids`: by kind, the id that each request needs anew."""
    count = itertools.count()

    async def answer(request: Request) -> Response:
        await request.body()
        number = next(count)
        new = {old: f"{kind}-{'b' * 10}{number:016x}" for kind, old in ids.items()}
        if (cluster := request.path_params.get("cluster_id")) and "cluster" in ids:
            new[ids["cluster"]] = cluster
        async with pool.connection() as connection:
            if not await say_again(connection, exchange, new):
                return Response(status_code=500)
        return Response(exchange.answer, 200, media_type="application/json")

    return Starlette(
        routes=[
            Route("/v1/jobs/{job_id}", answer),
            Route("/v1/clusters/{cluster_id}/procedures/{slug}", answer, methods=["POST"]),
        ]
    )


async def main() -> None:
    """Serve until told to end."""
    given = asked()
    work = given.work
    async with AsyncConnectionPool(
        plain_url(work["url"]),
        connection_class=psycopg.AsyncConnection[Any],
        min_size=CONNECTIONS,
        max_size=CONNECTIONS,
        open=False,
    ) as pool:
        app = bare(pool, Exchange.kept(Path(work["exchange"])), work["ids"])
        since = await serve(app, given.listener)
    say_the_end(since)


if __name__ == "__main__":
    asyncio.run(main())
