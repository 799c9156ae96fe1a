"""A job: one execution of a plan. States of jobs and steps, and which may follow which."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


class JobState(enum.StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing will happen any more unless somebody retries."""
        return self in ENDED


ENDED = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})


class WaitReason(enum.StrEnum):
    """What a waiting job waits for."""

    APPROVAL = "approval"
    WINDOW = "window"
    ATTESTATION = "attestation"
    HOLD = "hold"
    PEER = "peer"


class StepState(enum.StrEnum):
    """Where a step stands."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    SKIPPED = "skipped"
    """Its effect was already there, or its condition did not hold; `outcome` says which."""
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Attestation:
    """An operator's word that something outside the service's reach is done or true."""

    gate: str
    """The step's `attestation` name, such as `firewall-open`."""
    by: str
    """Who says so, as the caller named them."""
    reason: str
    """Why they know: the evidence in their words."""
    recorded_for: str
    """The principal whose request carried it."""
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class StepFailure:
    """Why a step ended badly, in words a person at night can use. Holds no secret."""

    code: str
    message: str
    remedy: str
    requirements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step as the journal has it.

    `before` is what was seen before the first act: it survives a crash and is what a later look
    compares with. `acted_at` is set, durably, before an act is sent: whoever finds it set without
    an end must look first. `act_returned` says that the act came back without an error; a crash
    before that was written down leaves it False. `seen` is the latest look.
    """

    seq: int
    key: str
    state: StepState
    attempt: int = 0
    before: Mapping[str, Any] = field(default_factory=dict)
    seen: Mapping[str, Any] = field(default_factory=dict)
    outcome: str = ""
    progress: float = 0.0
    note: str = ""
    started_at: datetime | None = None
    acted_at: datetime | None = None
    act_returned: bool = False
    finished_at: datetime | None = None
    failure: StepFailure | None = None
    attempts_allowed: int = 3
    """How often the step may act before a person is asked; a retry grants three more."""


@dataclass(frozen=True, slots=True)
class Event:
    """A numbered row of a job: append-only, `seq` from 1 without gaps."""

    job_id: str
    seq: int
    at: datetime
    type: str
    data: Mapping[str, Any]
