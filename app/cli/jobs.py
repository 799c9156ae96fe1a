"""`clusterway jobs`: what is being done, what was done, and what people may do to it."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from app.cli import names, starting
from app.cli.desk import Desk, command
from app.cli.exits import misused
from app.cli.output import duration, when

app = typer.Typer(no_args_is_help=True, help="Jobs: look, watch, act.")
Job = Annotated[str, typer.Argument(help="The job.", autocompletion=names.complete_job)]
Step = Annotated[str, typer.Argument(help="Its step, as `jobs show` names it.")]


@command(app, "list")
async def show_all(
    desk: Desk,
    *,
    state: Annotated[str, typer.Option(help="Only in this state.")] = "",
    procedure: Annotated[
        str, typer.Option(help="Only of this one.", autocompletion=names.complete_procedure)
    ] = "",
    cluster: Annotated[
        str, typer.Option(help="Only of this one.", autocompletion=names.complete_cluster)
    ] = "",
    change: Annotated[str, typer.Option(help="Only of this change number.")] = "",
    label: Annotated[
        list[str] | None,
        typer.Option(help="Only of clusters with this NAME=VALUE. Repeatable."),
    ] = None,
    most: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 20,
) -> None:
    """List jobs, newest first."""
    page = await desk.client.get(
        "/v1/jobs",
        state=state,
        procedure=procedure,
        cluster_id=await desk.cluster_id(cluster) if cluster else "",
        change_number=change,
        label=label,
        limit=most,
    )
    desk.out.document(page)
    desk.out.table(
        ("id", "procedure", "state", "done", "change", "begun"),
        [
            (
                one["id"],
                one["procedure"],
                one["state"],
                f"{100 * one['progress']:.0f} %",
                (one["change"] or {}).get("number"),
                when(one["started_at"] or one["created_at"]),
            )
            for one in page["items"]
        ],
    )


@command(app, "show")
async def show(desk: Desk, job: Job) -> None:
    """Show a job with its steps."""
    found = await desk.client.get(f"/v1/jobs/{job}")
    desk.out.document(found)
    _show(desk, found)
    desk.out.table(
        ("step", "state", "what", "note"),
        [
            (step["key"], step["state"], step["title"], step["note"])
            for stage in found["stages"]
            for step in stage["steps"]
        ],
    )


@command(app, "watch")
async def watch(desk: Desk, job: Job) -> None:
    """Show a job's stages and steps until it has ended; exit code 0 only if it succeeded.

    Ctrl-C ends the watching, never the job.
    """
    await starting.follow(desk, job)


@command(app, "pause")
async def pause(desk: Desk, job: Job) -> None:
    """Hold a job at its next safe point until it is resumed."""
    await _act(desk, f"/v1/jobs/{job}/pause")


@command(app, "resume")
async def resume(desk: Desk, job: Job) -> None:
    """Let a held job go on."""
    await _act(desk, f"/v1/jobs/{job}/resume")


@command(app, "cancel")
async def cancel(
    desk: Desk,
    job: Job,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    preview: Annotated[
        bool, typer.Option("--preview", help="Show what it means, no more.")
    ] = False,
) -> None:
    """Show what a cancel means, ask, and stop the job at its next safe point."""
    path = f"/v1/jobs/{job}/cancel"
    meaning = await desk.client.get(path)
    _show_cancel(desk, meaning)
    if preview:
        desk.out.document(meaning)
        return
    if not yes:
        if desk.out.as_json or not sys.stdin.isatty():
            raise misused("nobody can be asked here: look with --preview, then say --yes")
        if not typer.confirm("Cancel it?", err=True):
            raise misused("not cancelled")
    await _act(desk, path, {"reason": reason})


@command(app, "retry")
async def retry(desk: Desk, job: Job, follow: starting.Follow = False) -> None:
    """Go on from the failed step, which looks first and acts only where it must."""
    await _act(desk, f"/v1/jobs/{job}/retry", follow=follow)


@command(app, "skip")
async def skip(
    desk: Desk,
    job: Job,
    step: Step,
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    settled: Annotated[
        bool, typer.Option("--settled", help="You state that the step's effect is there.")
    ] = False,
) -> None:
    """Go on behind the step at which the job waits or has failed. Needs the scope admin."""
    body = {"reason": reason, "settled": settled}
    await _act(desk, f"/v1/jobs/{job}/steps/{step}/skip", body)


@command(app, "rerun")
async def rerun(
    desk: Desk,
    *,
    job: Job,
    attest: starting.Attest = None,
    by: starting.By = "",
    change: starting.Change = "",
    change_system: starting.ChangeSystem = "",
    approvals: starting.Approvals = None,
    four_eyes: starting.FourEyes = False,
    not_before: starting.NotBefore = "",
    idempotency_key: starting.Key = "",
    follow: starting.Follow = False,
) -> None:
    """Start a new job with the procedure and parameters of one that has ended."""
    body = starting.terms(
        attest=attest,
        by=by,
        change=change,
        change_system=change_system,
        approvals=approvals,
        four_eyes=four_eyes,
        not_before=not_before,
    )
    await _act(desk, f"/v1/jobs/{job}/rerun", body, idempotency_key, follow=follow)


@command(app, "attest")
async def attest_step(
    desk: Desk,
    job: Job,
    step: Step,
    reason: Annotated[str, typer.Option(help="How you know.")],
    by: starting.By = "",
) -> None:
    """State what the gate asks at which the job waits; the job goes on."""
    body = {"by": starting.who(by), "reason": reason}
    await _act(desk, f"/v1/jobs/{job}/steps/{step}/attest", body)


@command(app, "recovery")
async def recovery(desk: Desk, job: Job) -> None:
    """Show what leads out after a failed or cancelled job, best first. Changes nothing."""
    found = await desk.client.get(f"/v1/jobs/{job}/recovery")
    desk.out.document(found)
    desk.out.line(found["summary"])
    for number, way in enumerate(found["ways"], start=1):
        desk.out.line(f"{number}. {way['title']}: {way['reason']}")
        for blocker in way["blockers"]:
            desk.out.line(f"   not now: {blocker['message']}")


async def _act(
    desk: Desk, path: str, body: Any = None, once: str = "", *, follow: bool = False
) -> None:
    job = await desk.client.post(path, body, once)
    if follow:
        desk.out.line(f"{job['id']}  {job['procedure']}: {job['state']}")
        await starting.follow(desk, job["id"])
        return
    desk.out.document(job)
    _show(desk, job)


def _show(desk: Desk, job: dict[str, Any]) -> None:
    failure, waiting = job["failure"], job["waiting"]
    desk.out.facts(
        [
            ("job", job["id"]),
            ("procedure", job["procedure"]),
            ("state", job["state"]),
            ("waits", f"{waiting['note']} (step {waiting['step']})" if waiting else ""),
            ("since", when(waiting["since"]) if waiting else ""),
            ("failed", failure["message"] if failure else ""),
            ("remedy", failure["remedy"] if failure else ""),
            ("change", (job["change"] or {}).get("number")),
            ("approval", job["approval"]),
            ("begun", when(job["started_at"])),
            ("ended", when(job["finished_at"])),
        ]
    )


def _show_cancel(desk: Desk, meaning: dict[str, Any]) -> None:
    out = desk.out
    if not meaning["possible"]:
        out.line("the job has ended: there is nothing to cancel")
        return
    last = meaning["stops_after"]
    out.line(
        "stops at once" if meaning["stops_at_once"] or not last else f"stops after: {last['title']}"
    )
    still = sum(step["expected_seconds"] for step in meaning["still_run"])
    if meaning["still_run"]:
        out.line(f"until there {len(meaning['still_run'])} steps, about {duration(still)}")
    for step in meaning["left_undone"]:
        out.line(f"  not done: {step['title']}")
