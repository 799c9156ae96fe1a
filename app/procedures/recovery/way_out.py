"""A way to a consistent cluster: which way it leads, why, and the request that takes it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class Direction(enum.StrEnum):
    """Where a way leads."""

    FORWARD = "forward"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class Request:
    """A request ready to be sent to this service."""

    method: str
    path: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WayOut:
    """One way to a consistent cluster. `procedure` is "" for a retry of the job itself."""

    direction: Direction
    procedure: str
    title: str
    reason: str
    requirements: tuple[str, ...]
    request: Request
