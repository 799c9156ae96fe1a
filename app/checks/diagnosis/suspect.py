"""A cause that a rule found, and which symptoms it accounts for.

Each rule looks for one kind of cause in what the peers say. An address that is used twice or a
wrong peer list brings about alarms about replication and databases, and not the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from app.checks.diagnosis.symptoms import CONFIGURATION, DATABASE, PEER_WORD, Case, Symptom
from app.domain.finding import Finding

APART = frozenset(
    {"cluster-communication", "cluster-database-communication", "primary-unreachable",
     "configuration-file-missing", "licences-of-lost-peer", PEER_WORD, DATABASE, CONFIGURATION}
)  # fmt: skip
"""What shows where two peers do not find together."""
DISAGREEING = APART | frozenset(
    {"invalid-cluster-configuration", "missing-in-own-list", "cluster-settings-differ",
     "primary-inconsistent", "manual-synchronisation", "replication-error", "invalid-peer-address",
     "restart-for-clustering"}
)  # fmt: skip
"""What shows where peers are configured differently."""
STALE = frozenset({CONFIGURATION})
"""What shows where nothing is copied any more."""


@dataclass(frozen=True, slots=True)
class Mend:
    """The procedure that mends a cause, with its parameters. `when`: what must be so first."""

    procedure: str
    parameters: Mapping[str, object]
    when: str = ""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A cause that a rule found. `accounts_for` names the keys of the symptoms it brings about.

    `at` limits them to signs at, or about, these peers; None: anywhere in the cluster.
    """

    finding: Finding
    accounts_for: frozenset[str] = frozenset()
    at: frozenset[str] | None = None
    mends: tuple[Mend, ...] = field(default_factory=tuple)
    by_job: str = ""
    """Why a running job brings this about, where one does."""

    def explains(self, symptom: Symptom) -> bool:
        """Whether the symptom follows from this cause."""
        return symptom.key in self.accounts_for and (self.at is None or symptom.peer_id in self.at)


Rule = Callable[[Case], Iterator[Suspect]]


def job_changes(case: Case) -> str:
    """Why settings that are not yet the same everywhere are no surprise; "" where they are one."""
    running = case.running
    if running is None or not running.changes_cluster:
        return ""
    return f"job {running.id} ({running.plan.procedure}) is changing this cluster"


def citing_too(finding: Finding, *requirements: str) -> Finding:
    """The finding with more citations."""
    return replace(
        finding, requirements=tuple(dict.fromkeys((*finding.requirements, *requirements)))
    )
