"""A plan: everything a job will do, written down before anything is touched."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.domain.finding import Finding, Severity


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """The smallest resumable unit of a plan.

    `kind` names the handler, `params` are its JSON parameters. `expected` and `limit` are appliance
    seconds. `safe_after` says that a job may stop behind this step and leave a consistent cluster.
    `attestation` is what an operator must have stated, for a gate; empty for an automated step.
    """

    key: str
    kind: str
    title: str
    requirements: tuple[str, ...]
    peer_id: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    expected: float = 1.0
    limit: float = 60.0
    poll: float = 2.0
    safe_after: bool = False
    destructive: bool = False
    attestation: str = ""
    statement: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """Steps that belong together, under the heading the guide gives them. Stages run in order."""

    key: str
    title: str
    steps: tuple[PlannedStep, ...]
    page: str = ""


@dataclass(frozen=True, slots=True)
class Demanded:
    """What comes on top where an alarm demands the restarts that the guide makes depend on one."""

    restarts: int = 0
    calls_dropped: bool = False
    registrations_lost: bool = False
    outage: float = 0.0
    """Appliance seconds."""


@dataclass(frozen=True, slots=True)
class Impact:
    """What users of one peer will notice.

    A procedure says it in a sentence; the rest is read off its steps (app.procedures.impact).
    """

    peer_id: str
    summary: str
    calls_refused: bool = False
    """New calls, and registrations with them: in maintenance mode or away."""
    calls_dropped: bool = False
    """Calls that are up may end by something other than their users."""
    registrations_lost: bool = False
    """Whoever is registered there has to register again, there or at another peer."""
    restarts: int = 0
    outage: float = 0.0
    """Appliance seconds in which the peer is away."""
    refusing: float = 0.0
    """Appliance seconds in which it takes no new calls, those away included."""
    demanded: Demanded = Demanded()


class PlanState(enum.StrEnum):
    """Whether a job can be made of a plan now; what changed at the peers is seen at its start."""

    READY = "ready"
    BLOCKED = "blocked"
    """A finding forbids starting."""
    EXPIRED = "expired"
    """Too old, whatever its findings."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Procedure and parameters, carried to stages over what was observed."""

    id: str
    cluster_id: str
    procedure: str
    parameters: Mapping[str, Any]
    stages: tuple[Stage, ...]
    findings: tuple[Finding, ...]
    impact: tuple[Impact, ...]
    back_out: tuple[str, ...]
    fingerprint: Mapping[str, str]
    """Peer id -> digest of the facts the plan relies on; a difference at start means drift.

    Under the cluster's id: `Cluster.membership` as the plan found it.
    """
    created_at: datetime
    expires_at: datetime
    requested_by: str

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        """All steps in the order they run."""
        return tuple(step for stage in self.stages for step in stage.steps)

    @property
    def blockers(self) -> tuple[Finding, ...]:
        """Findings that forbid starting."""
        return tuple(f for f in self.findings if f.severity is Severity.BLOCKER)

    @property
    def expected(self) -> float:
        """Appliance seconds from start to end, waits for people not counted."""
        return sum(step.expected for step in self.steps)

    @property
    def expected_if_demanded(self) -> float:
        """The same, where alarms demand every restart that depends on one."""
        return self.expected + sum(impact.demanded.outage for impact in self.impact)

    @property
    def digest(self) -> str:
        """SHA-256 over what was promised: cluster, procedure, parameters, steps, facts relied on.

        Not over ids, times and findings' wording, so the same promise has the same digest.
        """
        promise = {
            "cluster": self.cluster_id,
            "procedure": self.procedure,
            "parameters": self.parameters,
            "steps": [
                [s.key, s.kind, s.peer_id, dict(s.params), list(s.requirements), s.attestation]
                for s in self.steps
            ],
            "facts": dict(self.fingerprint),
        }
        text = json.dumps(_plain(promise), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """The value with 60.0 as 60: JSON knows one kind of number, and readers write it as they do."""
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
