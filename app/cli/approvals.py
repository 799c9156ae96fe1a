"""`clusterway approvals`: jobs that people have to agree to, and deciding on what was read."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from app.cli.desk import Desk, command
from app.cli.exits import misused
from app.cli.output import when
from app.cli.starting import By, who

app = typer.Typer(no_args_is_help=True, help="Read and decide requests for approval.")
Request = Annotated[str, typer.Argument(help="The request: the id of its job.", metavar="JOB")]
Digest = Annotated[
    str,
    typer.Option(help="Digest of the plan you read, or its first 12 characters at least."),
]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
LEAST_DIGEST = 12


@command(app, "list")
async def show_all(
    desk: Desk,
    state: Annotated[str, typer.Option(help="Only in this state, such as pending.")] = "",
) -> None:
    """List requests for approval, newest first."""
    entries = await desk.client.items("/v1/approvals", state=state)
    desk.out.document({"items": entries})
    desk.out.table(
        ("job", "procedure", "state", "approved", "asked", "change"),
        [
            (
                one["id"],
                one["procedure"],
                one["state"],
                f"{one['approvals_given']} of {one['approvals_needed']}",
                when(one["requested_at"]),
                (one["change"] or {}).get("number"),
            )
            for one in entries
        ],
    )


@command(app, "show")
async def show(desk: Desk, request: Request) -> None:
    """Show what an approver decides on."""
    found = await desk.client.get(f"/v1/approvals/{request}")
    desk.out.document(found)
    _show(desk, found)
    desk.out.line("")
    desk.out.line(found["change_texts"]["approval_text"])


@command(app, "approve")
async def approve(
    desk: Desk, *, request: Request, digest: Digest, reason: Reason, by: By = ""
) -> None:
    """Agree to exactly the plan you read. With enough approvals the job goes on."""
    await _decide(desk, request, "approve", digest=digest, by=by, reason=reason)


@command(app, "reject")
async def reject(desk: Desk, request: Request, digest: Digest, reason: Reason, by: By = "") -> None:
    """Refuse the plan: the job ends as cancelled, and nothing was done."""
    await _decide(desk, request, "reject", digest=digest, by=by, reason=reason)


async def _decide(
    desk: Desk, request: str, verb: str, *, digest: str, by: str, reason: str
) -> None:
    name = who(by)
    if len(digest) < LEAST_DIGEST:
        raise misused(f"--digest needs {LEAST_DIGEST} characters of the plan's digest at least")
    now = await desk.client.get(f"/v1/approvals/{request}")
    if not now["plan_digest"].startswith(digest):
        raise misused(
            f"the job's plan has the digest {now['plan_digest']}; read it before you decide"
        )
    body = {"plan_digest": now["plan_digest"], "by": name, "reason": reason}
    found = await desk.client.post(f"/v1/approvals/{request}/{verb}", body)
    desk.out.document(found)
    _show(desk, found)


def _show(desk: Desk, found: dict[str, Any]) -> None:
    desk.out.facts(
        [
            ("job", found["id"]),
            ("procedure", found["procedure"]),
            ("digest", found["plan_digest"]),
            ("state", found["state"]),
            ("approved", f"{found['approvals_given']} of {found['approvals_needed']}"),
            ("four eyes", found["four_eyes"]),
            ("until", when(found["expires_at"])),
        ]
    )
    for one in found["decisions"]:
        desk.out.line(f"{one['verdict']} by {one['by']}: {one['reason']}")
