"""An event loop whose time is virtual: every wait is over at once, in the order of its due time.

Rehearsals, searches and tests of hours of device time run in milliseconds and give the same order
of events on every run, because nothing depends on how fast the machine is. Real input still works:
when a socket has data, it is served before time moves; while `asyncio` waits for sockets or threads
only, the loop waits for real.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_REAL_WAIT_SECONDS = 0.05


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A selector loop that jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__(_JumpingSelector(self))
        self._offset = 0.0

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._offset

    def advance(self, seconds: float) -> None:
        """Move the loop's time; used by its selector only."""
        self._offset += seconds


class _JumpingSelector(selectors.DefaultSelector):  # type: ignore[misc,valid-type,unused-ignore]  # the base is chosen per platform
    """Polls once; where nothing is ready, moves the loop's time by what it was asked to wait."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            return super().select(_REAL_WAIT_SECONDS)
        if timeout > 0:
            self._loop.advance(timeout)
        return ready


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in virtual time, as `asyncio.run` would in real time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
