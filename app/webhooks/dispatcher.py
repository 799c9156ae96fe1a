"""Who sends what when: deliveries that are due, side by side, a few to each host.

Any number of processes share the work: each claims one delivery at a time by a row, for a while. A
process that is killed while it sends leaves a claim that runs out, and the delivery is sent again:
every event arrives at least once, and twice with the same `webhook-id`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from app.observability.spans import Span, SpanKind, failed, span
from app.services.problems import Problem
from app.services.webhook_records import Claim, DeliveryState, Outbox, Result, Verdict
from app.webhooks.schedule import verdict

log = logging.getLogger(__name__)

SIDE_BY_SIDE = 32
"""Deliveries one process sends at the same time."""
PER_HOST = 4
"""And of those, how many to one host: a slow receiver takes no more."""
POLL_SECONDS = 1.0
"""How often a process with nothing to send asks whether something is due."""
HOLD_SECONDS = 45.0
"""A claim lasts that long: more than twice what an attempt may take."""
SWEEP_SECONDS = 300.0
FINISH_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds between tries to write a result; together with an attempt they fit into a claim."""


_OUTCOMES = {
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.PENDING: "retried",
    DeliveryState.FAILED: "failed",
}


def _ignore(_outcome: str) -> None:
    """Nobody wants to know."""


class Sends(Protocol):
    """See app.webhooks.sending.Sender."""

    async def send(self, claim: Claim) -> Result:
        """Send once."""


@dataclass(slots=True)
class Dispatcher:
    """Sends what is due until cancelled. `keep`: seconds ended deliveries are kept."""

    outbox: Outbox
    sender: Sends
    keep: float
    told: Callable[[str], None] = _ignore
    """Is told what came of each attempt: `delivered`, `retried` (later) or `failed` (for good)."""
    hold: float = HOLD_SECONDS
    _draw: random.Random = field(default_factory=random.Random)
    _busy: Counter[str] = field(default_factory=Counter)
    _freed: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Send and sweep until cancelled; trouble with the database is waited out."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sweeping(), name="sweep deliveries")
            places = asyncio.Semaphore(SIDE_BY_SIDE)
            while True:
                await places.acquire()
                claim = await self._next()
                if claim is None:
                    places.release()
                    await self._pause()
                    continue
                self._busy[claim.subscription.host] += 1
                sending = tasks.create_task(self._deliver(claim), name=claim.delivery.id)
                sending.add_done_callback(lambda _: places.release())

    async def once(self) -> Claim | None:
        """Claim one delivery and see it to its end; None where none is due."""
        claim = await self._claim()
        if claim is not None:
            self._busy[claim.subscription.host] += 1
            await self._deliver(claim)
        return claim

    async def _deliver(self, claim: Claim) -> None:
        about = {
            "clusterway.event.type": claim.delivery.type,
            "clusterway.delivery.id": claim.delivery.id,
        }
        with span("webhook delivery", about, kind=SpanKind.PRODUCER) as made:
            await self._sent(claim, made)

    async def _sent(self, claim: Claim, made: Span) -> None:
        try:
            result = await self.sender.send(claim)
            follows = verdict(claim.delivery, result, self._draw)
            if result.error is not None:
                failed(made, result.error)
            if await self._finish(claim, result, follows):
                self.told(_OUTCOMES[follows.state])
            else:
                log.warning("the claim to %s was lost", claim.delivery.id)
        except Problem as problem:
            log.warning("%s stays claimed for a while: %s", claim.delivery.id, problem.code)
        except Exception:
            # A fault of one delivery must not take the others, or jobs, down with it.
            log.exception("%s was not sent", claim.delivery.id)
        finally:
            self._busy[claim.subscription.host] -= 1
            self._freed.set()

    async def _finish(self, claim: Claim, result: Result, follows: Verdict) -> bool:
        """Write down what came of it; a database that is away for seconds sends nothing twice."""
        for pause in FINISH_PAUSES:
            try:
                return await self.outbox.finish(claim, result, follows)
            except Problem:
                await asyncio.sleep(pause)
        return await self.outbox.finish(claim, result, follows)

    async def _pause(self) -> None:
        """Until one of our own deliveries ends, because that host may have more to come."""
        self._freed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._freed.wait()

    async def _claim(self) -> Claim | None:
        busy = [host for host, count in self._busy.items() if count >= PER_HOST]
        return await self.outbox.claim(secrets.token_hex(12), hold=self.hold, busy=busy)

    async def _next(self) -> Claim | None:
        try:
            return await self._claim()
        except Problem as problem:
            log.warning("webhooks wait: %s", problem.code)
        except Exception:
            log.exception("webhooks wait")
        return None

    async def _sweeping(self) -> None:
        while True:
            try:
                await self.outbox.sweep(keep=self.keep)
            except Problem as problem:
                log.warning("deliveries were not swept: %s", problem.code)
            except Exception:
                log.exception("deliveries were not swept")
            await asyncio.sleep(SWEEP_SECONDS)
