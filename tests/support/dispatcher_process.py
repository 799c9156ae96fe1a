"""A dispatcher as a process of its own, to be killed: `URL` of the database on its command line.

It opens secrets with the key that tests/support/claims.py seals them with.
"""

from __future__ import annotations

import asyncio
import sys

from app.storage.database import resource_engine
from app.storage.outbox import PostgresOutbox
from app.webhooks.dispatcher import Dispatcher
from tests.support.claims import Desk


async def main(url: str) -> None:
    engine = resource_engine(url)
    dispatcher = Dispatcher(PostgresOutbox(engine), Desk().sender(), keep=3600.0)
    await dispatcher.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
