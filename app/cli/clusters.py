"""`clusterway clusters`: declaring a cluster, and asking how it is."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from app.cli import names
from app.cli.desk import Desk, command
from app.cli.exits import Exit, Stopped, misused
from app.cli.output import when
from app.cli.parameters import as_word

app = typer.Typer(no_args_is_help=True, help="Clusters by their FQDN.")
Cluster = Annotated[
    str, typer.Argument(help="A cluster, by name or id.", autocompletion=names.complete_cluster)
]
NOT_PASSED = ("blocker", "unknown", "warning")


@command(app, "declare")
async def declare(
    desk: Desk,
    name: Annotated[str, typer.Argument(help="The FQDN of its SRV records.")],
    label: Annotated[list[str] | None, typer.Option(help="NAME=VALUE; may be repeated.")] = None,
    pre_shared_key: Annotated[
        str, typer.Option(help="A credential, by name or id; without one a key is made.")
    ] = "",
) -> None:
    """Declare a cluster. It has no members until create-cluster has run."""
    body: dict[str, Any] = {"name": name, "labels": list(asked_labels(label or ()))}
    if pre_shared_key:
        body["pre_shared_key_id"] = await desk.credential_id(pre_shared_key)
    made = await desk.client.post("/v1/clusters", body)
    desk.out.document(made)
    desk.out.line(f"{made['id']}  {made['name']}")


@command(app, "list")
async def show_all(
    desk: Desk,
    label: Annotated[list[str] | None, typer.Option(help="Only with this NAME=VALUE.")] = None,
) -> None:
    """List clusters."""
    entries = await desk.client.items("/v1/clusters", label=label)
    desk.out.document({"items": entries})
    desk.out.table(
        ("id", "name", "members", "labels"),
        [
            (
                e["id"],
                e["name"],
                [one["name"] + (" (primary)" if one["primary"] else "") for one in e["members"]],
                [f"{one['name']}={one['value']}" for one in e["labels"]],
            )
            for e in entries
        ],
    )


@command(app, "show")
async def show(desk: Desk, cluster: Cluster) -> None:
    """Show a cluster and its members, as registered."""
    found = await desk.cluster(cluster)
    desk.out.document(found)
    desk.out.facts(
        [
            ("id", found["id"]),
            ("name", found["name"]),
            ("labels", [f"{one['name']}={one['value']}" for one in found["labels"]]),
            ("declared", when(found["created_at"])),
        ]
    )
    desk.out.table(
        ("", "peer", "address", "primary"),
        [(m["position"], m["name"], m["address"], m["primary"]) for m in found["members"]],
    )


@command(app, "check")
async def check(
    desk: Desk,
    cluster: Cluster,
    candidate: Annotated[
        list[str] | None,
        typer.Option(help="A peer that is to join.", autocompletion=names.complete_peer),
    ] = None,
) -> None:
    """Run every check of the guide now; exit code 1 where one is a blocker. Changes nothing."""
    peers = [await desk.peer_id(one) for one in candidate or ()]
    path = f"/v1/clusters/{await desk.cluster_id(cluster)}/checks"
    report = await desk.client.get(path, candidate=peers)
    desk.out.document(report)
    desk.out.line(
        f"{report['passes']} passed, {report['warnings']} warnings, {report['unknowns']} unknown,"
        f" {report['blockers']} blockers"
    )
    rest = [one for one in report["checks"] if one["outcome"] in NOT_PASSED]
    rest.sort(key=lambda one: NOT_PASSED.index(one["outcome"]))
    if rest:
        desk.out.table(
            ("outcome", "check", "what is so", "what to do"),
            [
                (
                    one["outcome"],
                    one["key"],
                    " ".join(f["message"] for f in one["findings"]) or one["title"],
                    one["settled_by"] or " ".join(f["remedy"] for f in one["findings"]),
                )
                for one in rest
            ],
        )
    if report["blockers"]:
        raise Stopped(Exit.NOT_WELL, "")


@command(app, "diagnose")
async def diagnose(desk: Desk, cluster: Cluster) -> None:
    """Say what is wrong with a cluster, the first cause first; exit code 1 where anything is."""
    found = await desk.client.get(f"/v1/clusters/{await desk.cluster_id(cluster)}/diagnosis")
    desk.out.document(found)
    desk.out.line(found["summary"], "bold")
    for number, cause in enumerate(found["causes"], start=1):
        finding = cause["finding"]
        desk.out.line(f"{number}. {finding['message']}")
        desk.out.line(f"   remedy: {finding['remedy']}")
        for request in cause["requests"]:
            desk.out.line(f"   plan it: {_planned(found['cluster_id'], request)}")
        if cause["expected"]:
            desk.out.line(f"   expected: {cause['expected']}")
    for absent in found["not_observed"]:
        desk.out.line(f"not observed: {absent['peer_id']}", "dim")
    if not found["healthy"]:
        raise Stopped(Exit.NOT_WELL, "")


def _planned(cluster_id: str, request: Mapping[str, Any]) -> str:
    """The request in the words of the command line."""
    given = {**dict.fromkeys(request["needs"], "..."), **request["body"]}
    words = [f"{name}={as_word(value)}" for name, value in given.items()]
    command_line = ["clusterway", "plan", request["procedure"], "--cluster", cluster_id, *words]
    only = f"   ({request['when']})" if request["when"] else ""
    return shlex.join(command_line) + only


def asked_labels(given: Sequence[str]) -> Iterator[dict[str, str]]:
    """`NAME=VALUE` as labels of a request. Raises Stopped."""
    for text in given:
        name, sign, value = text.partition("=")
        if not sign:
            raise misused(f"--label {text!r} is not NAME=VALUE")
        yield {"name": name, "value": value}
