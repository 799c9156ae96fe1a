"""Gates: what no transport can see or do, and an operator states with a reason.

A statement may be given with the request, so that an unattended run flows, or later on the waiting
step. Either way it is recorded with who said so, why, and for whom.
"""

from __future__ import annotations

from collections.abc import Iterable

from app.domain.finding import Finding, Severity
from app.domain.plan import PlannedStep
from app.procedures.base import Handler, Look, StepContext
from app.procedures.steps.target import Target


def gate(
    name: str, statement: str, requirements: str | Iterable[str], *, target: Target | None = None
) -> PlannedStep:
    """Wait until an operator has stated `statement`."""
    cites = requirements.split() if isinstance(requirements, str) else requirements
    gate_name = target.key(name) if target else name
    return PlannedStep(
        key=f"attest-{gate_name}",
        kind="attest",
        title=statement,
        requirements=tuple(cites),
        peer_id=target.peer.id if target else None,
        attestation=gate_name,
        statement=statement,
        expected=0.0,
        limit=0.0,
        safe_after=False,
    )


def neighbours_updated(
    cluster_name: str,
    requirements: str,
    *,
    leave_out: Iterable[str] = (),
    add: Iterable[str] = (),
    part: str = "",
) -> PlannedStep:
    """Zones of other devices for this cluster lose and gain these addresses; nothing else."""
    gone, new = ", ".join(leave_out), ", ".join(add)
    changes = [f"leaves out {gone}"] if gone else []
    changes += [f"holds {new}"] if new else []
    statement = (
        f"On every other device with a neighbor or traversal zone to {cluster_name}, that zone"
        f" {' and '.join(changes)}."
    )
    return gate(f"{part}neighbours-updated", statement, requirements)


def gates_for(findings: Iterable[Finding]) -> tuple[PlannedStep, ...]:
    """One gate for every rule that could not be settled, named like the finding."""
    statements: dict[str, list[str]] = {}
    cites: dict[str, list[str]] = {}
    for finding in findings:
        if finding.severity is Severity.UNKNOWN:
            said = statements.setdefault(finding.code, [])
            said += [finding.remedy] if finding.remedy not in said else []
            named = cites.setdefault(finding.code, [])
            named += [r for r in finding.requirements if r not in named]
    return tuple(gate(code, " ".join(said), cites[code]) for code, said in statements.items())


async def _look(ctx: StepContext) -> Look:
    given = ctx.attestations.get(ctx.step.attestation)
    if given is None:
        return Look(met=False, note=f"waiting for an operator to state: {ctx.step.statement}")
    seen = {"by": given.by, "reason": given.reason, "recorded_for": given.recorded_for}
    return Look(met=True, seen=seen, note=f"stated by {given.by}")


HANDLERS = (Handler("attest", look=_look, waits_for="attestation"),)
