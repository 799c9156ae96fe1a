"""What is sought in the audit trail, and what is wrong with one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Sought:
    """Which rows; None does not filter. `object_id` is any id a row is about."""

    actor: str | None = None
    action: str | None = None
    outcome: str | None = None
    object_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """The first row of a chain that is not as it was written, and why."""

    seq: int
    why: str
