"""Every check over one situation, with its outcome: the whole preflight, what passes included.

A procedure runs the checks that concern it and shows what they found. This is the other view: all
there is to check about a cluster, or about peers that are to join it, so that a reader sees what
was looked at. An unknown never counts as a pass (it says what would settle it), and a peer that did
not answer leaves all its checks unknown.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from app.checks.catalogue import CHECKS
from app.checks.check import Check, Scope, Subject
from app.checks.findings import settled_by
from app.domain.finding import Finding, Severity
from app.domain.observation import NotObserved


class Outcome(enum.StrEnum):
    """How one check ended, from good to bad."""

    PASS = "pass"  # noqa: S105 - an outcome, not a password
    WARNING = "warning"
    UNKNOWN = "unknown"
    BLOCKER = "blocker"


_OUTCOMES = {
    Severity.INFO: Outcome.PASS,
    Severity.WARNING: Outcome.WARNING,
    Severity.UNKNOWN: Outcome.UNKNOWN,
    Severity.BLOCKER: Outcome.BLOCKER,
}
_WEIGHT = {outcome: weight for weight, outcome in enumerate(Outcome)}


@dataclass(frozen=True, slots=True)
class Checked:
    """One check, what it is about, and how it ended. `settled_by` is filled where it is unknown."""

    key: str
    title: str
    requirements: tuple[str, ...]
    peer_id: str | None
    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    settled_by: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All checks in the order of the guide; the outcome is that of the worst."""

    checks: tuple[Checked, ...]
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of all; `pass` where there was nothing to check."""
        return worst(checked.outcome for checked in self.checks)


def report(subject: Subject) -> Report:
    """Run every check that applies to the subject."""
    found: list[Checked] = []
    for check in CHECKS:
        if check.scope is Scope.PEER:
            found += [
                _on_peer(check, subject, i) for i in subject.ids if check.concerns(subject, i)
            ]
        elif check.applies(subject):
            found.append(_on_cluster(check, subject))
    counts = {outcome.value: 0 for outcome in Outcome}
    for checked in found:
        counts[checked.outcome.value] += 1
    return Report(tuple(found), counts)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The heaviest of these; `pass` where there are none."""
    return max(outcomes, key=_WEIGHT.__getitem__, default=Outcome.PASS)


def _on_peer(check: Check, subject: Subject, peer_id: str) -> Checked:
    seen = subject.observed(peer_id)
    if seen is None and not check.without_observation:
        view = subject.situation.views.get(peer_id)
        why = view.detail if isinstance(view, NotObserved) else "it was not observed"
        return Checked(
            check.key,
            check.title,
            check.cites,
            peer_id,
            Outcome.UNKNOWN,
            settled_by=f"The peer must answer; it does not now: {why}.",
        )
    return _checked(check, peer_id, _weighed(subject, check.run_on_peer(subject, peer_id)))


def _on_cluster(check: Check, subject: Subject) -> Checked:
    silent = [i for i in subject.ids if subject.observed(i) is None]
    found = _checked(check, None, _weighed(subject, check.run_on_cluster(subject)))
    if silent and check.needs_all and found.outcome in {Outcome.PASS, Outcome.WARNING}:
        names = ", ".join(subject.name(i) for i in silent)
        return Checked(
            check.key,
            check.title,
            check.cites,
            None,
            Outcome.UNKNOWN,
            found.findings,
            f"These peers must answer: {names}.",
        )
    return found


def _weighed(subject: Subject, found: Iterable[Finding]) -> Iterator[Finding]:
    """The findings; an unknown that an operator has settled is told with who did, and when."""
    for finding in found:
        said = subject.word_for(finding) if finding.severity is Severity.UNKNOWN else None
        if said is None:
            yield finding
            continue
        yield replace(
            finding,
            severity=Severity.INFO,
            message=f"{finding.message} {said.by} has stated it on {said.at:%Y-%m-%d}.",
            evidence={
                **finding.evidence,
                "stated_by": said.by,
                "stated_at": said.at.isoformat(),
                "job": said.job_id,
            },
        )


def _checked(check: Check, peer_id: str | None, found: Iterable[Finding]) -> Checked:
    findings = tuple(found)
    outcome = worst(_OUTCOMES[finding.severity] for finding in findings)
    unsettled = [settled_by(f) for f in findings if f.severity is Severity.UNKNOWN]
    return Checked(
        check.key,
        check.title,
        check.cites,
        peer_id,
        outcome,
        findings,
        " ".join(unsettled) if outcome is Outcome.UNKNOWN else "",
    )
