"""What must hold beside its plan before a job may go on: people who agree, and times.

A cluster's policy says what it asks of every job; a start may ask for more, never for less. What
comes of both is fixed in the job's terms when it starts, so a policy that is loosened afterwards
loosens nothing that people have been asked to agree to.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from app.domain.window import ALWAYS, Calendar

MOST_APPROVERS = 10
LABEL_NAME = r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?"
LONGEST_LABEL_VALUE = 200


@dataclass(frozen=True, slots=True)
class Label:
    """A word that callers put on a cluster to find it by; names are unique on one cluster."""

    name: str
    value: str


def in_order(labels: Iterable[Label]) -> tuple[Label, ...]:
    """The labels as they are written down and shown: by name."""
    return tuple(sorted(labels, key=lambda label: (label.name, label.value)))


def in_words(labels: Iterable[Label]) -> str:
    """`site=berlin, team=voice`."""
    return ", ".join(f"{label.name}={label.value}" for label in in_order(labels))


@dataclass(frozen=True, slots=True)
class Policy:
    """What a cluster asks of every job that changes it."""

    change_required: bool = False
    """A start names the caller's change record."""
    enforce_window: bool = False
    """A job goes on inside a window only, and stops at a safe point when it ends."""
    four_eyes: bool = False
    """Whoever started a job does not approve it."""
    minimum_approvers: int = 0
    """How many people have to approve a job before it begins, 0 to 10."""
    window_ids: tuple[str, ...] = ()
    """The windows that jobs run in."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What must hold for one job, fixed when it starts."""

    approvals: int = 0
    """How many people have to approve it before it begins."""
    four_eyes: bool = False
    """The requester is not among them."""
    approve_before: datetime | None = None
    """A job that is not approved by then ends, and nothing was done."""
    not_before: datetime | None = None
    """The scheduled start."""
    enforce_window: bool = False
    """See Policy."""
    window_ids: tuple[str, ...] = ()
    """The windows it runs in."""
    calendar: Calendar = ALWAYS
    """When it may work: those windows, the change freezes and the change window, as they were."""
    pace: float = 1.0
    """Appliance seconds in one second, as it was: what compares a plan with an opening."""


class Verdict(enum.StrEnum):
    """What an approver says."""

    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Decision:
    """What one approver said of a job; each principal says it once."""

    principal: str
    """The principal whose request carried it: the one that counts."""
    verdict: Verdict
    by: str
    """Who says so, as the caller named them."""
    reason: str
    digest: str
    """The digest of the plan they read."""
    at: datetime


class ApprovalState(enum.StrEnum):
    """Where the request for approval of a job stands."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    """The job was cancelled before enough people had decided."""


def approved(terms: Terms, decisions: tuple[Decision, ...]) -> bool:
    """Whether as many people agreed as the terms ask for, and nobody said no."""
    verdicts = [decision.verdict for decision in decisions]
    return Verdict.REJECTED not in verdicts and len(verdicts) >= terms.approvals
