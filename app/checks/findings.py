"""How checks write findings, and how a procedure keeps the citations that concern it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from app.domain.finding import Finding, Severity

CAPABILITY = "capability"
"""Evidence of an unknown: what a transport needs to be able to do to settle it."""


def blocker(
    code: str,
    message: str,
    remedy: str,
    requirements: str,
    *,
    peer_id: str | None = None,
    evidence: Mapping[str, str] | None = None,
) -> Finding:
    """A finding that forbids starting. `requirements` are ids separated by blanks."""
    return Finding(
        code,
        Severity.BLOCKER,
        message,
        remedy,
        tuple(requirements.split()),
        peer_id,
        evidence=evidence or {},
    )


def warning(
    code: str,
    message: str,
    remedy: str,
    requirements: str,
    *,
    peer_id: str | None = None,
    evidence: Mapping[str, str] | None = None,
) -> Finding:
    """A finding that somebody should read before approving."""
    return replace(
        blocker(code, message, remedy, requirements, peer_id=peer_id, evidence=evidence),
        severity=Severity.WARNING,
    )


def info(
    code: str,
    message: str,
    remedy: str,
    requirements: str,
    *,
    peer_id: str | None = None,
    evidence: Mapping[str, str] | None = None,
) -> Finding:
    """A finding that is worth knowing and asks for nothing."""
    return replace(
        blocker(code, message, remedy, requirements, peer_id=peer_id, evidence=evidence),
        severity=Severity.INFO,
    )


def unknown(
    code: str,
    message: str,
    settled_by: str,
    requirements: str,
    *,
    peer_id: str | None = None,
    capability: str = "",
    evidence: Mapping[str, str] | None = None,
) -> Finding:
    """A rule that cannot be settled from here. `settled_by` is the statement to attest.

    `capability` is what an endpoint of the peer would need so that the service sees for itself; it
    stands in the evidence.
    """
    seen = {**(evidence or {}), **({CAPABILITY: capability} if capability else {})}
    return replace(
        blocker(code, message, settled_by, requirements, peer_id=peer_id, evidence=seen),
        severity=Severity.UNKNOWN,
    )


def settled_by(finding: Finding) -> str:
    """In one sentence what would settle an unknown: a capability, or somebody's statement."""
    needed = finding.evidence.get(CAPABILITY)
    by_itself = f"An endpoint with the capability `{needed}`, or an" if needed else "An"
    return f"{by_itself} operator who states: {finding.remedy}"


def citing(findings: Iterable[Finding], *prefixes: str) -> tuple[Finding, ...]:
    """The findings with only the citations of these chapters of the guide (`PRE`, `ADD`, ...).

    One that cites none of them keeps all it has: nobody is refused without the rule.
    """
    starts = tuple(f"{prefix}-" for prefix in prefixes)
    given = tuple(findings)
    own = (tuple(r for r in f.requirements if r.startswith(starts)) for f in given)
    return tuple(
        replace(f, requirements=kept or f.requirements) for f, kept in zip(given, own, strict=True)
    )


def at(pointer: str, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings, pointing at the parameter of the request that they are about."""
    return tuple(replace(f, pointer=pointer) for f in findings)
