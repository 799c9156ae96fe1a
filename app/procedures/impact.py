"""What users will notice, read off the steps themselves: nothing is foretold that is not planned.

Each peer is followed through the plan. Maintenance mode takes no new calls and no registrations
(guide p.6, UPG-M-08; alarm 15015) and ends with a restart; a restart drops what calls are up
(UPG-M-09), so none where the plan has waited for all of them to clear. The guide says nothing of
registrations over a restart and no record shows them kept, so they count as lost.

What the steps cannot tell stands in the sentence that the procedure gives for the peer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from app.domain.plan import Demanded, Impact, PlannedStep, Stage

_AWAY = frozenset({"restart", "answers-at-address", "factory-defaults", "restore-backup", "attest"})
"""Kinds behind which the peer has been away. A gate counts where a person restarts it by hand."""
MODE = "SystemUnit Maintenance Mode"


def foreseen(stages: Iterable[Stage], said: Sequence[Impact]) -> tuple[Impact, ...]:
    """One impact for every peer that a sentence or a step is about, in the order of the sentences.

    A peer that only steps are about, and whose users notice nothing of them, has none.
    """
    peers = {impact.peer_id: _Peer() for impact in said}
    for step in (step for stage in stages for step in stage.steps):
        if step.peer_id is not None:
            peers.setdefault(step.peer_id, _Peer()).goes_through(step)
    summaries = {impact.peer_id: impact.summary for impact in said}
    return tuple(
        peer.impact(peer_id, summaries.get(peer_id, "Restarts."))
        for peer_id, peer in peers.items()
        if peer_id in summaries or peer.feels
    )


def away_for(step: PlannedStep) -> float:
    """Appliance seconds in which the step, or a person at its word, has the peer away."""
    if step.kind not in _AWAY:
        return 0.0
    usual = 0.0 if step.kind == "attest" else step.expected
    return float(step.params.get("usual", usual))


@dataclass
class _Peer:
    """One peer on its way through the plan."""

    in_maintenance: bool = False
    drained: bool = False
    refused: bool = False
    dropped: bool = False
    restarts: int = 0
    outage: float = 0.0
    refusing: float = 0.0
    demanded: Demanded = field(default_factory=Demanded)

    @property
    def feels(self) -> bool:
        return bool(self.refused or self.dropped or self.restarts or self.demanded.restarts)

    def goes_through(self, step: PlannedStep) -> None:
        away = away_for(step)
        if step.kind == "write-settings" and MODE in step.params.get("settings", {}):
            self.in_maintenance = step.params["settings"][MODE] == "On"
            self.drained = self.drained and self.in_maintenance
        elif step.kind == "calls-clear":
            self.drained = self.in_maintenance
        elif step.kind == "disconnect-calls":
            self.dropped = True
        elif step.kind == "restart-if-required":
            self._may_be_restarted(float(step.params["usual"]))
        if away:
            self._is_away(away)
        elif self.in_maintenance:
            self.refused = True
            self.refusing += step.expected

    def _is_away(self, seconds: float) -> None:
        self.dropped = self.dropped or not self.drained
        self.refused = True
        self.restarts += 1
        self.outage += seconds
        self.refusing += seconds
        self.in_maintenance = self.drained = False

    def _may_be_restarted(self, seconds: float) -> None:
        before = self.demanded
        self.demanded = Demanded(
            restarts=before.restarts + 1,
            calls_dropped=before.calls_dropped or not self.drained,
            registrations_lost=True,
            outage=before.outage + seconds,
        )

    def impact(self, peer_id: str, summary: str) -> Impact:
        return Impact(
            peer_id,
            summary,
            calls_refused=self.refused,
            calls_dropped=self.dropped,
            registrations_lost=self.restarts > 0,
            restarts=self.restarts,
            outage=self.outage,
            refusing=self.refusing,
            demanded=self.demanded,
        )
