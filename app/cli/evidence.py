"""`clusterway evidence`: checking what a service says it did, without the service."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from app.cli.service import said_plainly
from app.main import open_service
from app.security.redaction import Redactor
from app.security.signing import KeyUnusable, given_keys
from app.services.evidence_check import check
from app.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Check the evidence of jobs.")
LARGEST = 256 * 1024 * 1024
"""Bytes of a file that is read."""


@app.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="The JSON of GET /v1/jobs/{job_id}/evidence.")],
    key: Annotated[
        str,
        typer.Option(help="The public key you trust: a file with the JWK set, a PEM, or its `x`."),
    ] = "",
) -> None:
    """Check a document of evidence, offline. Exit code 0 only if everything is as it was signed."""
    try:
        keys = given_keys(key) if key else {}
        if file.stat().st_size > LARGEST:
            raise KeyUnusable(f"{file} is larger than {LARGEST} bytes")
        document = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError, KeyUnusable) as error:
        typer.echo(f"clusterway: {file}: cannot be checked: {error}", err=True)
        raise typer.Exit(1) from None
    found = check(document, keys)
    for one in found:
        typer.echo(f"{'ok   ' if one.good else 'WRONG'}  {one.name:<13} {one.found}")
    bad = [one.name for one in found if not one.good]
    if bad:
        typer.echo(f"NOT PROVEN: {', '.join(bad)}")
        raise typer.Exit(1)
    typer.echo("PROVEN: this is what was signed, and nothing in it was altered")


@app.command("rotate-key")
def rotate_key() -> None:
    """Make a new key that signs evidence from now on; what older keys signed stays good."""

    async def run() -> str:
        async with open_service(Settings(), Redactor()) as service:
            return (await service.services.evidence.rotate_key()).id

    with said_plainly():
        key_id = asyncio.run(run())
    typer.echo(f"evidence is signed with key {key_id} from now on; GET /v1/evidence/keys lists all")
