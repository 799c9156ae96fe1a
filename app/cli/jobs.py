"""`clusterway jobs`: watching what a service does, over its public API."""

from __future__ import annotations

import asyncio
from typing import Annotated

import httpx
import typer
from rich.console import Console

from app.cli.client import ApiError, Client
from app.cli.watching import watch

app = typer.Typer(no_args_is_help=True, help="Watch jobs.")

Url = Annotated[
    str, typer.Option("--url", envvar="CLUSTERWAY_URL", help="Where the service answers.")
]
Key = Annotated[str, typer.Option("--key", envvar="CLUSTERWAY_API_KEY", help="API key.")]
EXIT_NOT_SUCCEEDED = 1
EXIT_API_ERROR = 3


@app.command("watch")
def watch_job(
    job_id: Annotated[str, typer.Argument(help="The job.")],
    key: Key,
    url: Url = "http://127.0.0.1:8080",
) -> None:
    """Show a job's stages and steps until it has ended; exit code 0 only if it succeeded."""

    async def run() -> str:
        async with Client(url, key) as client:
            return await watch(client, job_id, Console())

    try:
        state = asyncio.run(run())
    except (ApiError, httpx.TransportError) as error:
        typer.echo(f"clusterway: {error}", err=True)
        raise typer.Exit(EXIT_API_ERROR) from error
    except KeyboardInterrupt:
        typer.echo("clusterway: the job goes on; watch it again any time", err=True)
        raise typer.Exit(130) from None
    raise typer.Exit(0 if state == "succeeded" else EXIT_NOT_SUCCEEDED)
