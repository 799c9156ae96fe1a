"""`clusterway serve`, `worker` and `migrate`: the processes of the service."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
import uvicorn
from fastapi import FastAPI
from psycopg import OperationalError
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError as SqlOperationalError

from app.cli.http_server import KEEP_ALIVE_SECONDS, LARGEST_HEAD, PunctualProtocol
from app.engine.errors import EngineError
from app.main import Service, database, open_service
from app.observability import logs
from app.security.redaction import Redactor
from app.security.vault import VaultError
from app.services.problems import Problem
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
    with said_plainly():
        given = {"host": host, "port": port}
        wanted = {name: value for name, value in given.items() if value is not None}
        settings = Settings().model_copy(update=wanted)
        listener = _bound(settings.host, settings.port)

    async def life(service: Service, stop: asyncio.Event) -> None:
        await _announce(service)
        server = Server(service, service.api())
        docs = " (documentation: /docs)" if settings.serves_docs else ""
        listener.listen()  # whoever reads the line may call at once and is not turned away
        typer.echo(f"clusterway: API on {_url(listener)}{docs}")
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.serve_until(stop, listener), name="api")
            if not no_worker:
                tasks.create_task(work(service, stop), name="worker")
            serving.add_done_callback(lambda _: stop.set())

    _run(settings, life)


def worker() -> None:
    """Run a worker; any number may run, on any number of machines, on one database."""

    async def life(service: Service, stop: asyncio.Event) -> None:
        typer.echo("clusterway worker: carrying out jobs; Ctrl-C hands them back")
        if listener is None:
            await work(service, stop)
            return
        listener.listen()
        typer.echo(f"clusterway worker: /livez, /readyz and /metrics on {_url(listener)}")
        server = Server(service, service.worker_pages())
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.serve_until(stop, listener), name="worker's pages")
            tasks.create_task(work(service, stop), name="worker")
            serving.add_done_callback(lambda _: stop.set())

    with said_plainly():
        settings = Settings()
        port = settings.worker_port
        listener = None if port is None else _bound(settings.worker_host, port)
    _run(settings, life)


def migrate_database() -> None:
    """Bring the database's schema up to date."""

    async def life() -> None:
        async with database(Settings()) as url:
            await migrate(url)

    with said_plainly():
        asyncio.run(life())
    typer.echo("the database is up to date")


class CannotStart(Exception):
    """Something a person can mend before the next start."""


class Server(uvicorn.Server):
    """uvicorn under our own signals, so that API and worker stop together."""

    def __init__(self, service: Service, app: FastAPI) -> None:
        settings = service.settings
        self._service = service
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                # Who is calling is found out by app.api.proxies; uvicorn would believe anybody
                # on this machine.
                proxy_headers=False,
                http=PunctualProtocol,
                h11_max_incomplete_event_size=LARGEST_HEAD,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                limit_concurrency=settings.max_connections,
                timeout_graceful_shutdown=CLOSE_SECONDS,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `_run`."""
        yield

    async def serve_until(self, stop: asyncio.Event, listener: socket.socket) -> None:
        """Serve until asked to stop, or until it cannot."""

        async def ask() -> None:
            await stop.wait()
            self._service.engine.news.close()  # long polls and streams end by themselves
            self.should_exit = True

        asking = asyncio.create_task(ask())
        try:
            await self.serve(sockets=[listener])
        finally:
            asking.cancel()


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _bound(host: str, port: int) -> socket.socket:
    """A socket on the address. Raises CannotStart where somebody else has it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CannotStart(
            f"cannot listen on {host} port {port}: {error.strerror}."
            " Choose another with --host and --port."
        ) from error
    return listener


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

    with said_plainly():
        asyncio.run(run())


@contextmanager
def said_plainly() -> Iterator[None]:
    """What a person can mend at start is said in a line, not in a traceback."""
    try:
        yield
    except (CannotStart, EmbeddedPostgresError, VaultError) as error:
        said = str(error)
    except ValidationError as error:
        wrong = (f"CLUSTERWAY_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        said = "; ".join(wrong)
    except EngineError as error:
        said = str(error)
    except Problem as problem:
        said = problem.detail
    except (SqlOperationalError, OperationalError) as error:
        cause = str(getattr(error, "orig", error)).splitlines()[0]
        said = f"the database of CLUSTERWAY_DATABASE_URL cannot be used: {cause}"
    else:
        return
    typer.echo(f"clusterway: {said}", err=True)
    raise typer.Exit(EXIT_CANNOT_START)
