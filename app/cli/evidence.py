"""`clusterway evidence`: fetching what a service says it did, and checking it without it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from app.cli import names
from app.cli.desk import AsJson, Desk, command
from app.cli.exits import Exit, Stopped, misused
from app.cli.output import output
from app.cli.service import said_plainly
from app.main import open_service
from app.security.redaction import Redactor
from app.security.signing import KeyUnusable, given_keys
from app.services.evidence_check import check
from app.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Fetch and check the evidence of jobs.")
LARGEST = 256 * 1024 * 1024
"""Bytes of a file that is read."""


@command(app, "fetch")
async def fetch(
    desk: Desk,
    job: Annotated[str, typer.Argument(help="The job.", autocompletion=names.complete_job)],
    to: Annotated[Path | None, typer.Option(help="The file; without one, JOB.json here.")] = None,
    keys: Annotated[
        Path | None,
        typer.Option(help="Keep the service's public keys here too, to check against later."),
    ] = None,
) -> None:
    """Keep a job's evidence in a file, byte for byte as it is served."""
    content = await desk.client.content(f"/v1/jobs/{job}/evidence")
    public = await desk.client.content("/v1/evidence/keys") if keys else b""
    file = to or Path(f"{job}.json")
    _write(file, content)
    if keys:
        _write(keys, public)
    document = json.loads(content)
    desk.out.document(document)
    desk.out.line(f"{file}: {len(content)} bytes")
    if not document.get("manifest", {}).get("complete", True):
        raise Stopped(Exit.NOT_WELL, "the job has not ended: this is not yet its whole evidence")


@app.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="The JSON of GET /v1/jobs/{job_id}/evidence.")],
    key: Annotated[
        str,
        typer.Option(help="The public key you trust: a file with the JWK set, a PEM, or its `x`."),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Check a document of evidence, offline. Exit code 0 only if everything is as it was signed."""
    try:
        keys = given_keys(key) if key else {}
        if file.stat().st_size > LARGEST:
            raise KeyUnusable(f"{file} is larger than {LARGEST} bytes")
        document = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError, KeyUnusable) as error:
        typer.echo(f"clusterway: {file}: cannot be checked: {error}", err=True)
        raise typer.Exit(Exit.NOT_WELL) from None
    found = check(document, keys)
    bad = [one.name for one in found if not one.good]
    out = output(as_json=as_json)
    out.document({"proven": not bad, "checks": [asdict(one) for one in found]})
    for one in found:
        out.line(f"{'ok   ' if one.good else 'WRONG'}  {one.name:<13} {one.found}")
    if bad:
        out.line(f"NOT PROVEN: {', '.join(bad)}")
        raise typer.Exit(Exit.NOT_WELL)
    out.line("PROVEN: this is what was signed, and nothing in it was altered")


@app.command("rotate-key")
def rotate_key() -> None:
    """Make a new key that signs evidence from now on; what older keys signed stays good."""

    async def run() -> str:
        async with open_service(Settings(), Redactor()) as service:
            return (await service.services.evidence.rotate_key()).id

    with said_plainly():
        key_id = asyncio.run(run())
    typer.echo(f"evidence is signed with key {key_id} from now on; GET /v1/evidence/keys lists all")


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise misused(f"{file} cannot be written: {error.strerror}") from error
