"""What is wrong with a cluster, in order of cause: one finding for ten alarms, with its remedy.

`diagnose` is pure. Rules look for causes in what the peers say (`silence`, `ground`, `settings`,
`apart`, `upkeep`); each accounts for symptoms. An alarm that no cause accounts for becomes a
finding of its own, with the catalogue's words. What a running job brings about comes last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.appliance.alarm_catalogue import AlarmLevel
from app.checks.diagnosis import apart, ground, settings, silence, upkeep
from app.checks.diagnosis.suspect import Mend, Suspect
from app.checks.diagnosis.symptoms import Case, RunningJob, Symptom, symptoms
from app.checks.findings import blocker, warning
from app.domain.finding import Finding, Severity

__all__ = ["Case", "Cause", "Diagnosis", "Mend", "RunningJob", "Symptom", "diagnose"]


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that is wrong, what shows of it, and what mends it.

    `expected` says why it is no surprise right now, because of the running job; "" else.
    """

    finding: Finding
    explains: tuple[Symptom, ...]
    mends: tuple[Mend, ...]
    expected: str = ""

    @property
    def key(self) -> str:
        """The same for the same cause in every diagnosis: `peer-list-wrong@peer-...`."""
        alarm = self.explains[0].key if self.finding.code == ALARM and self.explains else ""
        evidence = self.finding.evidence
        pair = "" if self.finding.peer_id else evidence.get("apart", "")
        about = pair or evidence.get("address", "")
        parts = (self.finding.code, alarm, self.finding.peer_id or "", about)
        return "@".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All causes, root causes first. `symptoms` are all signs, explained or expected ones too."""

    causes: tuple[Cause, ...]
    symptoms: tuple[Symptom, ...]
    running: RunningJob | None = None

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong that a running job does not bring about by itself."""
        return not any(c.finding.severity is not Severity.INFO for c in self.unexpected)

    @property
    def unexpected(self) -> tuple[Cause, ...]:
        """Causes that somebody should look at now."""
        return tuple(cause for cause in self.causes if not cause.expected)


ALARM = "alarm"
"""The code of a finding that is just an alarm no cause accounts for."""


def diagnose(case: Case) -> Diagnosis:
    """The causes behind what the members of a cluster say. Pure; an empty cluster is healthy."""
    signs = symptoms(case)
    suspects = [*silence.peer_down(case), *ground.addresses(case)]
    misconfigured = [*settings.clustering_settings(case)]
    suspects += [*misconfigured, *ground.versions(case)]
    restarts = [*upkeep.restart_pending(case)]
    # What has to be corrected first asks for its restart itself.
    corrected = {suspect.finding.peer_id for suspect in misconfigured}
    suspects += [s for s in restarts if _keeps_apart(s) and s.finding.peer_id not in corrected]
    suspects += ground.protocols(case)
    blamed = frozenset(s.finding.peer_id for s in suspects if _keeps_apart(s))
    suspects += apart.peers_apart(case, frozenset(i for i in blamed if i is not None))
    suspects += [s for s in restarts if not _keeps_apart(s)]
    suspects += upkeep.maintenance_left_on(case)
    left = _unexplained(signs, suspects)
    suspects += [*_alarms(case, left)]
    left = _unexplained(signs, suspects)
    suspects += [*upkeep.replication_stuck(case, left), *silence.peer_not_read(case)]
    suspects += upkeep.names(case)
    causes = [_cause(suspect, signs) for suspect in suspects]
    # A cause that shows nowhere waits behind those that do; the rules' order decides else.
    causes.sort(key=lambda c: (bool(c.expected), not c.explains and not _grave(c)))
    return Diagnosis(tuple(causes), signs, case.running)


def _grave(cause: Cause) -> bool:
    return cause.finding.code in {"peer-down", "registry-differs", "two-primaries"}


def _keeps_apart(suspect: Suspect) -> bool:
    return "cluster-communication" in suspect.accounts_for


def _unexplained(signs: tuple[Symptom, ...], suspects: list[Suspect]) -> tuple[Symptom, ...]:
    return tuple(sign for sign in signs if not any(s.explains(sign) for s in suspects))


def _alarms(case: Case, left: tuple[Symptom, ...]) -> Iterator[Suspect]:
    """Alarms that no cause accounts for, each with what the catalogue says of it."""
    ranked = sorted((sign for sign in left if sign.alarm is not None), key=_alarm_rank)
    for sign in ranked:
        if sign.alarm is None:
            continue
        kind = sign.kind
        grave = kind is not None and (
            kind.level is not AlarmLevel.WARNING or kind.key in _STOPS_THE_CLUSTER
        )
        code = ALARM if kind is None or kind.key not in _STOPS_THE_CLUSTER else kind.key
        write = blocker if grave else warning
        member = next((p for p in case.cluster.members if p.id == sign.peer_id), None)
        name = member.name if member is not None else sign.peer_id
        yield Suspect(
            write(
                code,
                f"{name}: {sign.text}" + (f" ({kind.cause})" if kind else ""),
                kind.action if kind else "Read the alarm on Status > Alarms and act upon it.",
                " ".join(kind.requirements) if kind else "",
                peer_id=sign.peer_id,
                evidence={"alarm": sign.text, "uuid": sign.alarm.uuid},
            ),
            frozenset({sign.key}) | (_BRINGS_ABOUT if code != ALARM else frozenset()),
            frozenset({sign.peer_id}),
            mends=_mends(sign),
            by_job=sign.expected,
        )


_STOPS_THE_CLUSTER = frozenset(
    {"database-failure", "configuration-conflict", "configuration-file-missing",
     "manual-synchronisation", "replication-error", "replication-paused-by-upgrade",
     "database-not-loaded"}
)  # fmt: skip
_BRINGS_ABOUT = frozenset({"configuration-differs", "database-status"})
_FORCED = frozenset(
    {"configuration-conflict", "configuration-file-missing", "manual-synchronisation",
     "primary-inconsistent"}
)  # fmt: skip


def _alarm_rank(sign: Symptom) -> tuple[bool, bool]:
    kind = sign.kind
    return (
        kind is None or kind.key not in _STOPS_THE_CLUSTER,
        kind is None or kind.level is AlarmLevel.WARNING,
    )


def _mends(sign: Symptom) -> tuple[Mend, ...]:
    peer = {"peer_id": sign.peer_id}
    if sign.key in _FORCED:
        why = "this peer is not the primary and the primary's configuration is known to be good"
        return (Mend("force-config-update", peer, why),)
    if sign.key in {"database-failure", "database-not-loaded"}:
        return (Mend("recover-database", peer, "with the support representative"),)
    if sign.key in {"cluster-settings-differ", "invalid-cluster-configuration"}:
        return (Mend("align-clustering", {}),)
    return ()


def _cause(suspect: Suspect, signs: tuple[Symptom, ...]) -> Cause:
    finding = suspect.finding
    if suspect.by_job:
        finding = replace(finding, severity=Severity.INFO)
    explained = tuple(sign for sign in signs if suspect.explains(sign))
    return Cause(finding, explained, suspect.mends, suspect.by_job)
