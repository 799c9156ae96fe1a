"""What many want to know at the same moment is asked once.

A new event wakes every reader of its job, and thousands of readers would ask the database the same
thing thousands of times. They are told the same answer instead. Whoever asks while an answer is
under way does not get that one, which may be older than what woke them, but the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar, cast

from app.security.acting import now_acting

T = TypeVar("T")


class Together:
    """Questions of one process. An answer goes only to those who reach as far as who asked."""

    def __init__(self) -> None:
        self._about_to: dict[Hashable, asyncio.Task[Any]] = {}

    async def ask(self, question: Hashable, answer: Callable[[], Awaitable[T]]) -> T:
        """The answer, asked for no earlier than now. Raises what it raises, for all who ask."""
        act = now_acting()
        key = (None if act is None else act.principal.clusters, question)
        asking = self._about_to.get(key)
        if asking is None:
            asking = self._about_to[key] = asyncio.create_task(self._ask(key, answer))
            asking.add_done_callback(_heard)
        # One reader that goes away must not take the answer from the others.
        return cast("T", await asyncio.shield(asking))

    async def _ask(self, key: Hashable, answer: Callable[[], Awaitable[T]]) -> T:
        await asyncio.sleep(0)  # whoever was woken by the same news asks now
        del self._about_to[key]
        return await answer()


def _heard(asking: asyncio.Task[Any]) -> None:
    """A failure that everybody has gone away from is nobody's."""
    if not asking.cancelled():
        asking.exception()
