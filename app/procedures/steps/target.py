"""The peer that planned steps are about, and the words every step begins with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from app.appliance.profiles import Timings, profile_for
from app.domain.job import StepFailure
from app.domain.peer import Peer
from app.domain.procedure import Situation
from app.procedures.base import StepContext, StepFailed


@dataclass(frozen=True, slots=True)
class Target:
    """One peer of a plan: its times by version, and what its transports can do."""

    peer: Peer
    timings: Timings
    capabilities: frozenset[str]

    @classmethod
    def of(cls, peer: Peer, situation: Situation) -> Target:
        """The peer as the situation shows it."""
        seen = situation.observed(peer.id)
        version = seen.software_version if seen else ""
        capabilities = situation.capabilities.get(peer.id, frozenset())
        return cls(peer, profile_for(version).timings, capabilities)

    def key(self, what: str) -> str:
        """A step key people can read: `back-up-exp1`."""
        return f"{what}-{re.sub(r'[^a-z0-9]+', '-', self.peer.name.lower()).strip('-')}"


def fail(ctx: StepContext, code: str, message: str, remedy: str) -> StepFailed:
    """The step cannot succeed; to be raised. Cites what the step cites."""
    return StepFailed(StepFailure(code, message, remedy, tuple(ctx.step.requirements)))


def elapsed(ctx: StepContext, since: datetime | None = None) -> float:
    """Appliance seconds since the step started (or since `since`); 0 before it started."""
    start = since or ctx.record.started_at
    if start is None:
        return 0.0
    return (ctx.clock.now() - start).total_seconds() * ctx.clock.pace
