"""`clusterway`: starting the service, rehearsing on a simulated fleet, and the daily work.

The daily work goes over the public API alone, so it is done from anywhere; docs/cli.md lists it.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from app.cli import (
    approvals,
    audit,
    bulk,
    clusters,
    credentials,
    demo,
    evidence,
    guide,
    jobs,
    keys,
    peers,
    plans,
    procedures,
    profiles,
    retention,
    service,
    simulate,
    vault,
    webhooks,
)
from app.cli.desk import command

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Creates and maintains Cisco Expressway clusters.",
)
app.command("serve")(service.serve)
app.command("worker")(service.worker)
app.command("migrate")(service.migrate_database)
app.command("simulate")(simulate.simulate)
app.command("demo")(demo.demo)
app.command("retention")(retention.retention)
app.add_typer(profiles.app, name="profiles")
app.add_typer(credentials.app, name="credentials")
app.add_typer(peers.app, name="peers")
app.add_typer(clusters.app, name="clusters")
app.add_typer(procedures.app, name="procedures")
plans.register(app)
app.add_typer(jobs.app, name="jobs")
app.add_typer(bulk.app, name="bulk")
app.add_typer(approvals.app, name="approvals")
command(app, "diagnose")(clusters.diagnose)
app.add_typer(evidence.app, name="evidence")
app.add_typer(audit.app, name="audit")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(keys.app, name="keys")
app.add_typer(vault.app, name="vault")
app.add_typer(guide.app, name="guide")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"clusterway {version('clusterway')}")
        raise typer.Exit


@app.callback()
def options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def main() -> None:
    """Run the command line."""
    app()
