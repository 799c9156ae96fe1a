"""`clusterway serve`, `worker` and `migrate`: the processes of the service."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
import uvicorn

from app.main import Service, database, open_service
from app.observability import logs
from app.security.redaction import Redactor
from app.security.vault import VaultError
from app.settings import Settings
from app.storage.database import migrate
from app.storage.embedded_user import EmbeddedPostgresError
from app.worker import work

CLOSE_SECONDS = 5
"""How long open streams may take to end after Ctrl-C."""
EXIT_CANNOT_START = 2


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Only the API; `clusterway worker` runs jobs.")
    ] = False,
) -> None:
    """Run the API, and a worker in the same process."""
    given = {"host": host, "port": port}
    wanted = {name: value for name, value in given.items() if value is not None}
    settings = Settings().model_copy(update=wanted)

    async def life(service: Service, stop: asyncio.Event) -> None:
        await _announce(service)
        server = Server(service)
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.serve_until(stop), name="api")
            if not no_worker:
                tasks.create_task(work(service, stop), name="worker")
            serving.add_done_callback(lambda _: stop.set())

    _run(settings, life)


def worker() -> None:
    """Run a worker; any number may run, on any number of machines, on one database."""

    async def life(service: Service, stop: asyncio.Event) -> None:
        typer.echo("clusterway worker: carrying out jobs; Ctrl-C hands them back")
        await work(service, stop)

    _run(Settings(), life)


def migrate_database() -> None:
    """Bring the database's schema up to date."""

    async def life() -> None:
        async with database(Settings()) as url:
            await migrate(url)

    with _said_plainly():
        asyncio.run(life())
    typer.echo("the database is up to date")


class Server(uvicorn.Server):
    """uvicorn under our own signals, so that API and worker stop together."""

    def __init__(self, service: Service) -> None:
        settings = service.settings
        super().__init__(
            uvicorn.Config(
                service.api(),
                host=settings.host,
                port=settings.port,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=CLOSE_SECONDS,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `_run`."""
        yield

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]  # uvicorn's own name for a list of sockets
        """Listen, and say where."""
        await super().startup(sockets)  # type: ignore[arg-type]  # as above
        for listener in (socket for server in self.servers for socket in server.sockets):
            host, port = listener.getsockname()[:2]
            typer.echo(f"clusterway: API on http://{host}:{port} (documentation: /docs)")
            sys.stdout.flush()
            break

    async def serve_until(self, stop: asyncio.Event) -> None:
        """Serve until asked to stop, or until it cannot."""

        async def ask() -> None:
            await stop.wait()
            self.should_exit = True

        asking = asyncio.create_task(ask())
        try:
            await self.serve()
        finally:
            asking.cancel()


async def _announce(service: Service) -> None:
    """Show the first API key, once in the life of a database."""
    key = await service.services.keys.first_key()
    if key is not None:
        typer.echo(f"clusterway: first API key, shown only now: {key}")
    if service.settings.pace != 1:
        typer.echo(
            f"clusterway: REHEARSAL, waits run {service.settings.pace:g} times as fast as real"
        )


def _run(settings: Settings, life: Callable[[Service, asyncio.Event], Awaitable[None]]) -> None:
    redactor = Redactor()
    logs.set_up(redactor, level=settings.log_level, as_json=settings.log_json)

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        async with open_service(settings, redactor) as service:
            if not stop.is_set():
                await life(service, stop)
        typer.echo("clusterway: stopped; jobs under way go on at the next start")

    with _said_plainly():
        asyncio.run(run())


@contextmanager
def _said_plainly() -> Iterator[None]:
    """What a person can mend at start is said in a line, not in a traceback."""
    try:
        yield
    except (EmbeddedPostgresError, VaultError) as error:
        typer.echo(f"clusterway: {error}", err=True)
        raise typer.Exit(EXIT_CANNOT_START) from error
