"""What a check found: a rule, the evidence, and what to do."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Severity(enum.StrEnum):
    """How much a finding weighs in a plan."""

    INFO = "info"
    WARNING = "warning"
    BLOCKER = "blocker"
    UNKNOWN = "unknown"
    """Could not be settled from here; never counts as passed. `remedy` says what would."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check wants somebody to know.

    `code` is stable (`h323-off`); `pointer` is a JSON Pointer into the request where the finding
    belongs to a parameter; `requirements` are ids of the guide's requirements.
    """

    code: str
    severity: Severity
    message: str
    remedy: str
    requirements: tuple[str, ...]
    peer_id: str | None = None
    pointer: str | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)
