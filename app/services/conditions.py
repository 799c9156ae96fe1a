"""Two promises to callers that repeat themselves: idempotency keys and row versions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from app.services.ports import Transaction
from app.services.problems import Problem
from app.services.records import Once, Outcome

KEPT = timedelta(days=7)
"""How long a key is remembered."""

T = TypeVar("T")


async def earlier(tx: Transaction, once: Once | None, now: datetime) -> str | None:
    """The id of the resource an earlier request with this key made; None: this is the first.

    Raises Problem `idempotency-key-reused` for another payload and `idempotency-in-flight` while
    the first request has not ended. Holds the key until the transaction ends.
    """
    if once is None:
        return None
    if not await tx.remembered.claim(once):
        raise Problem(
            "idempotency-in-flight", "a request with this Idempotency-Key is being worked on"
        )
    found = await tx.remembered.find(once, now - KEPT)
    if found is None:
        return None
    digest, resource_id = found
    if digest != once.payload_digest:
        raise Problem(
            "idempotency-key-reused", "this Idempotency-Key was used with another request body"
        )
    return resource_id


async def remember(tx: Transaction, once: Once | None, resource_id: str, now: datetime) -> None:
    """Write down what the key led to, in the transaction that made it."""
    if once is not None:
        await tx.remembered.add(once, resource_id, now)


async def replay(
    tx: Transaction,
    once: Once | None,
    now: datetime,
    load: Callable[[str], Awaitable[T | None]],
) -> Outcome[T] | None:
    """The earlier outcome in its present state, or None where this request is the first."""
    resource_id = await earlier(tx, once, now)
    if resource_id is None:
        return None
    value = await load(resource_id)
    if value is None:
        raise Problem("idempotency-key-reused", "what this Idempotency-Key made is deleted since")
    return Outcome(value, replayed=True)


@dataclass(frozen=True, slots=True)
class Expected:
    """What `If-Match` asks for: one of these entity tags; None stands for `*`."""

    tags: frozenset[str] | None

    def check(self, tag: str) -> None:
        """Raises Problem `precondition-failed` where the resource has changed meanwhile."""
        if self.tags is not None and tag not in self.tags:
            raise Problem(
                "precondition-failed",
                "the resource has changed since you read it; read it again and decide anew",
            )


def tag(resource_id: str, version: int) -> str:
    """The strong entity tag of a row, quotes included."""
    return f'"{resource_id}.{version}"'
