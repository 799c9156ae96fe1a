"""What is said with every start: attestations, the change, approvals, when. Options and body."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from app.cli.desk import Desk
from app.cli.exits import Exit, Stopped, misused
from app.cli.watching import watch

Attest = Annotated[
    list[str] | None,
    typer.Option(help="GATE=REASON: you state what the gate asks, and how you know. Repeatable."),
]
By = Annotated[
    str,
    typer.Option(help="Who states or decides: your name, for the record.", envvar="CLUSTERWAY_BY"),
]
Change = Annotated[str, typer.Option(help="Number of the change record.")]
ChangeSystem = Annotated[str, typer.Option(help="Where the change record lives.")]
Approvals = Annotated[
    int | None, typer.Option(min=0, help="How many people must approve first; else the policy's.")
]
FourEyes = Annotated[bool, typer.Option("--four-eyes", help="Whoever starts does not approve.")]
NotBefore = Annotated[
    str, typer.Option(help="Scheduled start, with its offset, such as 2026-03-01T22:00:00Z.")
]
Key = Annotated[
    str,
    typer.Option(
        "--idempotency-key",
        help="Repeat a start under the key it had; without it one is made for this command.",
    ),
]
Follow = Annotated[bool, typer.Option("--watch", help="Watch the job to its end.")]


def terms(
    *,
    attest: Sequence[str] | None,
    by: str,
    change: str,
    change_system: str,
    approvals: int | None,
    four_eyes: bool,
    not_before: str,
) -> dict[str, Any]:
    """The part of a start's body that is not the procedure's. Raises Stopped."""
    body: dict[str, Any] = {}
    if attest:
        body["attestations"] = [_stated(text, by) for text in attest]
    if change:
        system = {"system": change_system} if change_system else {}
        body["change"] = {**system, "number": change}
    if approvals is not None or four_eyes:
        body["approvals"] = {"minimum": approvals, "four_eyes": four_eyes}
    if not_before:
        body["not_before"] = _moment(not_before)
    return body


def gates_known(stated: Iterable[Mapping[str, str]], needed: Iterable[Mapping[str, str]]) -> None:
    """Raises Stopped where something is stated that the plan does not ask for: a slip."""
    known = [one["gate"] for one in needed]
    for one in stated:
        if one["gate"] not in known:
            has = ", ".join(known) or "none"
            raise misused(f"the plan has no gate {one['gate']!r}; it has: {has}")


async def follow(desk: Desk, job_id: str) -> None:
    """Watch to the end. Raises Stopped where the job did not succeed."""
    desk.goes_on = f"the job goes on; watch it again with: clusterway jobs watch {job_id}"
    if desk.out.as_json:
        async for _ in desk.client.events(job_id):
            pass
        state = str((job := await desk.client.get(f"/v1/jobs/{job_id}"))["state"])
        desk.out.document(job)
    else:
        state = await watch(desk.client, job_id, desk.out.console)
    desk.goes_on = ""
    if state != "succeeded":
        raise Stopped(
            Exit.NOT_WELL,
            f"job {job_id} {state}; what leads out: clusterway jobs recovery {job_id}",
        )


def _stated(text: str, by: str) -> dict[str, str]:
    gate, sign, reason = text.partition("=")
    if not sign or not gate or not reason.strip():
        raise misused(f"--attest {text!r} is not GATE=REASON")
    return {"gate": gate, "by": who(by), "reason": reason}


def who(by: str) -> str:
    """The name that goes on record. Raises Stopped where there is none."""
    if not by.strip():
        raise misused("say who you are, for the record: --by NAME, or CLUSTERWAY_BY")
    return by


def _moment(text: str) -> str:
    try:
        if datetime.fromisoformat(text).tzinfo is not None:
            return text
    except ValueError:
        pass
    raise misused(f"--not-before {text!r} is not a time with its offset: 2026-03-01T22:00:00Z")
