"""A virtual-time loop that runs what is ready in an order drawn from a seed.

Whatever asyncio leaves open, which of two ready tasks goes first, is decided by the seed, so a race
that one order in a hundred shows is found by a hundred seeds and shown again by the same one.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any, TypeVar

from transports.mock.virtual_time import VirtualTimeLoop

T = TypeVar("T")


class ShuffledLoop(VirtualTimeLoop):
    """Shuffles the ready callbacks of each round."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._draw = random.Random(f"order/{seed}")  # noqa: S311 - repeatable on purpose

    def _run_once(self) -> None:
        ready: Any = self._ready  # type: ignore[attr-defined]  # asyncio's own queue, untyped
        if len(ready) > 1:
            handles = list(ready)
            self._draw.shuffle(handles)
            ready.clear()
            ready.extend(handles)
        super()._run_once()  # type: ignore[misc]  # one round of the loop, untyped


def run(main: Coroutine[Any, Any, T], seed: int) -> T:
    """Run a coroutine to its end in virtual time, in the order of that seed."""
    with asyncio.Runner(loop_factory=lambda: ShuffledLoop(seed)) as runner:
        return runner.run(main)
