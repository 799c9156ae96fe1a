"""Work that any number of processes share: each takes what is due, a few pieces at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from app.services.problems import Problem

log = logging.getLogger(__name__)


class Due(Protocol):
    """A piece of work."""

    @property
    def id(self) -> str:
        """Its name in logs and tasks."""


T = TypeVar("T", bound=Due)


async def in_turns(
    take: Callable[[], Awaitable[T | None]],
    carry_out: Callable[[T], Awaitable[object]],
    *,
    kind: str,
    side_by_side: int,
    poll_seconds: float,
) -> None:
    """Carry out what falls due until cancelled; a fault is logged and ends nothing else."""
    places = asyncio.Semaphore(side_by_side)
    async with asyncio.TaskGroup() as tasks:
        while True:
            await places.acquire()
            due = await _taken(kind, take)
            if due is None:
                places.release()
                await asyncio.sleep(poll_seconds)
            else:
                task = tasks.create_task(_done(kind, due, carry_out), name=f"{kind} {due.id}")
                task.add_done_callback(lambda _: places.release())


async def _taken(kind: str, take: Callable[[], Awaitable[T | None]]) -> T | None:
    try:
        return await take()
    except Problem as problem:
        log.warning("%s: all wait: %s", kind, problem.code)
    except Exception:
        # As below: jobs go on without them.
        log.exception("%s: all wait", kind)
    return None


async def _done(kind: str, due: T, carry_out: Callable[[T], Awaitable[object]]) -> None:
    try:
        await carry_out(due)
    except Problem as problem:
        log.warning("%s %s waits: %s", kind, due.id, problem.code)
    except Exception:
        # A fault here must not take the jobs of this process down with it.
        log.exception("%s %s was not carried out", kind, due.id)
