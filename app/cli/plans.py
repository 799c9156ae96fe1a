"""`clusterway plan` and `apply`: what a job would do, and starting exactly that."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer

from app.cli import names, starting
from app.cli.desk import Desk, command
from app.cli.exits import Exit, Stopped, misused
from app.cli.output import complain, duration, when
from app.cli.parameters import parameters, with_ids


def register(app: typer.Typer) -> None:
    """Add the commands at the top, where people look for them."""
    command(app, "plan")(plan)
    command(app, "apply")(apply)


async def plan(
    desk: Desk,
    procedure: Annotated[
        str, typer.Argument(help="What to plan.", autocompletion=names.complete_procedure)
    ],
    cluster: Annotated[
        str, typer.Option(help="By name or id.", autocompletion=names.complete_cluster)
    ],
    given: Annotated[
        list[str] | None,
        typer.Argument(help="NAME=VALUE; lists as NAME=ONE,TWO; peers by name or id."),
    ] = None,
    steps: Annotated[bool, typer.Option("--steps", help="Show every step.")] = False,
) -> None:
    """Show what a job would do; exit code 1 where something forbids it. Changes nothing."""
    known = await desk.client.get(f"/v1/procedures/{procedure}")
    found = parameters(procedure, known["parameters_schema"], given or ())
    body = await with_ids(found, desk.peer_id)
    path = known["plan_path"].format(cluster_id=await desk.cluster_id(cluster))
    made = await desk.client.post(path, body)
    desk.out.document(made)
    _show(desk, made, steps=steps)
    if made["blocked"]:
        raise Stopped(Exit.NOT_WELL, "the plan is blocked: mend what the blockers say, plan again")


async def apply(
    desk: Desk,
    *,
    plan_id: Annotated[str, typer.Argument(metavar="PLAN", help="The plan's id.")],
    digest: Annotated[
        str, typer.Option(help="The digest you read or approved; another plan is not started.")
    ] = "",
    attest: starting.Attest = None,
    by: starting.By = "",
    change: starting.Change = "",
    change_system: starting.ChangeSystem = "",
    approvals: starting.Approvals = None,
    four_eyes: starting.FourEyes = False,
    not_before: starting.NotBefore = "",
    queue: Annotated[
        bool, typer.Option("--queue", help="Wait in line behind the cluster's job.")
    ] = False,
    idempotency_key: starting.Key = "",
    follow: starting.Follow = False,
) -> None:
    """Start exactly that plan, or nothing. What you attest goes on record under your name."""
    asked = starting.terms(
        attest=attest,
        by=by,
        change=change,
        change_system=change_system,
        approvals=approvals,
        four_eyes=four_eyes,
        not_before=not_before,
    )
    read = await desk.client.get(f"/v1/plans/{plan_id}")
    if digest and digest != read["digest"]:
        raise misused(f"plan {plan_id} has the digest {read['digest']}, not {digest}")
    starting.gates_known(asked.get("attestations", ()), read["attestations_needed"])
    path = f"/v1/clusters/{read['cluster_id']}/procedures/{read['procedure']}"
    body = {**read["parameters"], **asked, "plan_digest": read["digest"]}
    once = idempotency_key or str(uuid.uuid4())
    desk.goes_on = f"it may have been started; ask the same again with --idempotency-key {once}"
    job = await desk.client.post(path, body, once, queue="true" if queue else "")
    desk.goes_on = ""
    _tell(desk, read, job, asked)
    if follow:
        await starting.follow(desk, job["id"])
    else:
        desk.out.document(job)


def _tell(desk: Desk, read: dict[str, Any], job: dict[str, Any], asked: dict[str, Any]) -> None:
    desk.out.line(f"{job['id']}  {job['procedure']}: {job['state']}")
    stated = {one["gate"] for one in asked.get("attestations", ())}
    for needed in read["attestations_needed"]:
        if needed["gate"] not in stated:
            complain(f"the job will wait for {needed['gate']}: {needed['statement']}")


def _show(desk: Desk, made: dict[str, Any], *, steps: bool) -> None:
    out = desk.out
    count = sum(len(stage["steps"]) for stage in made["stages"])
    out.facts(
        [
            ("plan", made["id"]),
            ("digest", made["digest"]),
            ("procedure", made["procedure"]),
            ("steps", f"{count}, about {duration(made['expected_seconds'])}"),
            ("good until", when(made["expires_at"])),
        ]
    )
    for stage in made["stages"]:
        out.line(f"{stage['title']} (guide p.{stage['page']})", "bold")
        for step in stage["steps"] if steps else ():
            out.line(f"  {step['title']}  [{' '.join(step['requirements'])}]")
    for finding in made["findings"]:
        out.line(f"{finding['severity']}: {finding['message']}")
        out.line(f"  remedy: {finding['remedy']}")
    for impact in made["impact"]:
        out.line(f"users: {impact['summary']}")
    for words in made["back_out"]:
        out.line(f"way back: {words}")
    for needed in made["attestations_needed"]:
        out.line(f"somebody states {needed['gate']}: {needed['statement']}")
