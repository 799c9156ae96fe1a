"""Which step the code that runs now works for, and whether it still may.

A contextvar, because those who want to know stand far below a handler and must not be passed
through it: the transcript of exchanges with peers (app.services.transcript).
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass


def _may_always() -> None:
    """Nobody holds a lease where no step is under way."""


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A step's key, and what raises LeaseLost once its worker may not act any more."""

    step: str = ""
    lease_check: Callable[[], None] = _may_always


UNDER_WAY: ContextVar[UnderWay] = ContextVar("under_way", default=UnderWay())  # noqa: B039 - frozen
