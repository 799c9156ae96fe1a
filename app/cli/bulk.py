"""`clusterway bulk`: the same procedure on many clusters, in waves."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from app.cli import names, starting
from app.cli.clusters import asked_labels
from app.cli.desk import Desk, command
from app.cli.exits import Exit, Stopped, misused
from app.cli.output import when
from app.cli.parameters import parameters

app = typer.Typer(no_args_is_help=True, help="The same change on many clusters, in waves.")
LOOK_SECONDS = 30
BulkJob = Annotated[str, typer.Argument(metavar="BULK-JOB", help="Its id.")]
Labels = Annotated[
    list[str] | None,
    typer.Option("--label", help="NAME=VALUE: clusters that have all of these. Repeatable."),
]
Clusters = Annotated[
    list[str] | None,
    typer.Option(
        "--cluster",
        help="This one too, before those found by label; by name or id. Repeatable.",
        autocompletion=names.complete_cluster,
    ),
]
WaveSize = Annotated[int, typer.Option(min=1, help="How many clusters at once.")]


@command(app, "preview")
async def preview(
    desk: Desk,
    *,
    label: Labels = None,
    cluster: Clusters = None,
    wave_size: WaveSize = 1,
) -> None:
    """Show which clusters would be worked on, in which waves. Changes nothing."""
    body = {"selector": await _selector(desk, label, cluster), "wave_size": wave_size}
    found = await desk.client.post("/v1/bulk-jobs/preview", body)
    desk.out.document(found)
    desk.out.table(
        ("wave", "cluster", "id"),
        [
            (wave["number"], one["cluster_name"], one["cluster_id"])
            for wave in found["waves"]
            for one in wave["clusters"]
        ],
    )


@command(app, "start")
async def start(
    desk: Desk,
    *,
    procedure: Annotated[
        str, typer.Argument(help="What to do.", autocompletion=names.complete_procedure)
    ],
    given: Annotated[
        list[str] | None, typer.Argument(help="NAME=VALUE; lists as NAME=ONE,TWO.")
    ] = None,
    label: Labels = None,
    cluster: Clusters = None,
    wave_size: WaveSize = 1,
    stop_after: Annotated[
        int, typer.Option(min=1, help="Begin no further cluster once so many did not succeed.")
    ] = 1,
    queue: Annotated[
        bool, typer.Option("--queue", help="Wait in line where a cluster is busy.")
    ] = False,
    change: starting.Change = "",
    change_system: starting.ChangeSystem = "",
    approvals: starting.Approvals = None,
    four_eyes: starting.FourEyes = False,
    not_before: starting.NotBefore = "",
    idempotency_key: starting.Key = "",
    follow: starting.Follow = False,
) -> None:
    """Start a procedure on every selected cluster; each is planned when its turn comes."""
    known = await desk.client.get(f"/v1/procedures/{procedure}")
    if known["bulk_path"] is None:
        raise misused(f"{procedure} is started on one cluster at a time: clusterway plan, apply")
    body = {
        **parameters(procedure, known["parameters_schema"], given or ()),
        **starting.terms(
            attest=None,
            by="",
            change=change,
            change_system=change_system,
            approvals=approvals,
            four_eyes=four_eyes,
            not_before=not_before,
        ),
        "selector": await _selector(desk, label, cluster),
        "wave_size": wave_size,
        "stop_after_failures": stop_after,
    }
    once = idempotency_key or str(uuid.uuid4())
    desk.goes_on = f"it may have been started; ask the same again with --idempotency-key {once}"
    made = await desk.client.post(known["bulk_path"], body, once, queue="true" if queue else "")
    desk.goes_on = ""
    if follow:
        desk.out.line(f"{made['id']}  {procedure} on {made['counts']['total']} clusters")
        await _follow(desk, made["id"])
    else:
        desk.out.document(made)
        _show(desk, made)


@command(app, "list")
async def show_all(
    desk: Desk,
    *,
    state: Annotated[str, typer.Option(help="Only in this state.")] = "",
    procedure: Annotated[
        str, typer.Option(help="Only of this one.", autocompletion=names.complete_procedure)
    ] = "",
    change: Annotated[str, typer.Option(help="Only of this change number.")] = "",
    most: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 20,
) -> None:
    """List bulk jobs, newest first."""
    page = await desk.client.get(
        "/v1/bulk-jobs", state=state, procedure=procedure, change_number=change, limit=most
    )
    desk.out.document(page)
    desk.out.table(
        ("id", "procedure", "state", "clusters", "change", "begun"),
        [
            (
                one["id"],
                one["procedure"],
                one["state"],
                _counted(one["counts"]),
                (one["change"] or {}).get("number"),
                when(one["created_at"]),
            )
            for one in page["items"]
        ],
    )


@command(app, "show")
async def show(desk: Desk, bulk_job: BulkJob) -> None:
    """Show a bulk job with every cluster and its job."""
    found = await desk.client.get(f"/v1/bulk-jobs/{bulk_job}")
    desk.out.document(found)
    _show(desk, found)


@command(app, "watch")
async def watch(desk: Desk, bulk_job: BulkJob) -> None:
    """Tell what becomes of each cluster until all is over; exit code 0 only if all succeeded.

    Ctrl-C ends the watching, never the bulk job.
    """
    await _follow(desk, bulk_job)


@command(app, "cancel")
async def cancel(
    desk: Desk,
    *,
    bulk_job: BulkJob,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    running: Annotated[
        bool, typer.Option("--running", help="Cancel the jobs under way too, at safe points.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    preview: Annotated[
        bool, typer.Option("--preview", help="Show what it means, no more.")
    ] = False,
) -> None:
    """Show what a cancel means, ask, and begin no further cluster."""
    path = f"/v1/bulk-jobs/{bulk_job}/cancel"
    meaning = await desk.client.get(path)
    if not meaning["possible"]:
        desk.out.line("the bulk job has ended: there is nothing to cancel")
    for words, key in (("never begun", "never_begun"), ("under way", "under_way")):
        for one in meaning[key]:
            desk.out.line(f"{words}: {one['cluster_name']}  {one['job_id'] or ''}".rstrip())
    if preview:
        desk.out.document(meaning)
        return
    if not yes:
        if desk.out.as_json or not sys.stdin.isatty():
            raise misused("nobody can be asked here: look with --preview, then say --yes")
        if not typer.confirm("Cancel it?", err=True):
            raise misused("not cancelled")
    found = await desk.client.post(path, {"reason": reason, "cancel_running": running})
    desk.out.document(found)
    _show(desk, found)


async def _selector(
    desk: Desk, label: Sequence[str] | None, cluster: Sequence[str] | None
) -> dict[str, Any]:
    return {
        "labels": list(asked_labels(label or ())),
        "cluster_ids": [await desk.cluster_id(one) for one in cluster or ()],
    }


async def _follow(desk: Desk, bulk_id: str) -> None:
    """Watch to the end. Raises Stopped where not all succeeded."""
    desk.goes_on = f"the bulk job goes on; watch it again with: clusterway bulk watch {bulk_id}"
    path = f"/v1/bulk-jobs/{bulk_id}"
    told: dict[str, str] = {}
    found = await desk.client.get(path)
    while True:
        for child in _children(found):
            if child["state"] not in {"pending", told.get(child["cluster_id"])}:
                told[child["cluster_id"]] = child["state"]
                desk.out.line(f"  {child['cluster_name']}: {child['state']}{_why(child)}")
        if found["finished_at"]:
            break
        found = await desk.client.get(path, wait=LOOK_SECONDS)
    desk.goes_on = ""
    desk.out.document(found)
    desk.out.line(f"{found['state']}: {_counted(found['counts'])}")
    if found["state"] != "succeeded":
        raise Stopped(
            Exit.NOT_WELL, f"bulk job {bulk_id} {found['state']}: clusterway bulk show {bulk_id}"
        )


def _show(desk: Desk, found: dict[str, Any]) -> None:
    stop = found["stop"]
    desk.out.facts(
        [
            ("bulk job", found["id"]),
            ("procedure", found["procedure"]),
            ("state", found["state"]),
            ("stopped", stop["message"] if stop else ""),
            ("clusters", _counted(found["counts"])),
            ("waves of", found["wave_size"]),
            ("change", (found["change"] or {}).get("number")),
            ("begun", when(found["created_at"])),
            ("ended", when(found["finished_at"])),
        ]
    )
    desk.out.table(
        ("wave", "cluster", "state", "job", "note"),
        [
            (
                wave["number"],
                child["cluster_name"],
                child["state"],
                child["job_id"],
                _why(child).removeprefix(": "),
            )
            for wave in found["waves"]
            for child in wave["children"]
        ],
    )


def _children(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for wave in found["waves"]:
        yield from wave["children"]


def _why(child: dict[str, Any]) -> str:
    """Why it did not succeed, or what its job waits for."""
    trouble = child["trouble"]
    if trouble:
        return f": {trouble['message']} ({trouble['code']})"
    return f": waits for {child['waiting_for']}" if child["waiting_for"] else ""


def _counted(counts: dict[str, int]) -> str:
    """`2 succeeded, 1 failed of 6`."""
    parts = [
        f"{number} {name.replace('_', ' ')}"
        for name, number in counts.items()
        if number and name != "total"
    ]
    return f"{', '.join(parts)} of {counts['total']}"
