"""A side: the service's API over a database that is there, or a worker of it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from pydantic import SecretStr

from app.main import open_service
from app.observability import logs
from app.security.redaction import Redactor
from app.settings import Settings
from app.worker import work
from bench.serving import asked, say, say_the_end, serve, until_told
from bench.stock import a_fleet
from bench.thirty_steps import offer


async def main() -> None:
    """Serve or work until told to end."""
    given = asked()
    wanted = given.work
    a_fleet()
    offer()
    settings = Settings(
        database_url=SecretStr(wanted["url"]),
        data_folder=Path(wanted["folder"]),
        rate_limit=0,
        max_connections=100_000,
        dns_lookups=False,
        log_json=True,
        **wanted.get("settings", {}),
    )
    redactor = Redactor()
    logs.set_up(redactor, level="ERROR")
    async with open_service(settings, redactor) as service:
        if wanted["role"] == "api":
            since = await serve(service.api(), given.listener)
        else:
            drain = asyncio.Event()
            working = asyncio.create_task(work(service, drain))
            since = time.process_time()
            say()
            await until_told()
            drain.set()
            await working
    say_the_end(since)


if __name__ == "__main__":
    asyncio.run(main())
