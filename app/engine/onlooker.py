"""Who looks on while a worker carries jobs: measures, traces and logs of the engine's work.

The engine says what happens through this port and knows neither metrics nor traces; without an
onlooker nothing is told. An onlooker only looks on: it raises nothing and waits for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from app.domain.job import StepRecord
from app.domain.plan import PlannedStep
from app.engine.records import JobRecord, Leave

Standing = Callable[[StepRecord], None]
"""To be told how a step stands where a worker turns from it."""


class Onlooker(Protocol):
    """Is told what a worker does."""

    def at_work(self, check: Callable[[], None] | None, /) -> None:
        """A worker lives in this process from now on; None: it does no more.

        `check` raises LeaseLost while its beat is not good enough to act on.
        """

    def taken_over(self, job: JobRecord, /) -> None:
        """The job came from a worker that is gone, or that had lost it."""

    def carrying(self, job: JobRecord, /) -> AbstractContextManager[None]:
        """The block is what this worker does for the job in one go. `job.late` tells the delay."""

    def stepping(self, job: JobRecord, step: PlannedStep, /) -> AbstractContextManager[Standing]:
        """The block is one go at a step of the job."""

    def left(self, job: JobRecord, leave: Leave, /) -> None:
        """The job was given back, and that is written down."""


class NobodyLooks:
    """Implements Onlooker: nothing is told to anybody."""

    def at_work(self, *_: object) -> None:
        """See Onlooker."""

    def taken_over(self, *_: object) -> None:
        """See Onlooker."""

    def carrying(self, *_: object) -> AbstractContextManager[None]:
        """See Onlooker."""
        return nullcontext()

    def stepping(self, *_: object) -> AbstractContextManager[Standing]:
        """See Onlooker."""
        return nullcontext(_ignore)

    def left(self, *_: object) -> None:
        """See Onlooker."""


def _ignore(_record: StepRecord) -> None:
    """Nobody wants to know."""
