"""What befalls workers, clocks, links and appliances in a run: at a moment, or at a crossing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from simulation.story import Trouble, TroubleKind

if TYPE_CHECKING:
    from simulation.world import World


class Troubles:
    """Those of the world's story that people do not make."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.at_wake_ups: dict[int, list[TroubleKind]] = {}
        self._at_crossings: list[Trouble] = []
        self._crossings: Counter[str] = Counter()
        self._parts: tuple[str, ...] = ()
        """Names of places at which a crossing is counted, because a trouble waits there."""
        self._silences: dict[int, Trouble] = {}
        self._journal_calls = 0
        self.journal_was_silent = False
        self.nobody_may_come = False
        """Whether all workers are gone and none may come yet."""
        for trouble in self._world.story.troubles:
            number = int(trouble.at)
            match trouble.kind:
                case (
                    TroubleKind.WORKER_KILLED
                    | TroubleKind.WORKER_FROZEN
                    | TroubleKind.WORKER_ENDS
                    | TroubleKind.LEASE_TAKEN
                ):
                    self._at_crossings.append(trouble)
                    self._parts = tuple({t.target: None for t in self._at_crossings})
                case TroubleKind.WAKE_UP_LOST | TroubleKind.WAKE_UP_DOUBLED:
                    self.at_wake_ups.setdefault(number, []).append(trouble.kind)
                case TroubleKind.JOURNAL_SILENT:
                    self._silences[number] = trouble
                case _:
                    pass

    def strikes(self, place: str) -> list[Trouble]:
        """The troubles that come about at this crossing, whichever worker is at it."""
        self._world.ledger.places[place] += 1
        if not self._at_crossings:
            return []
        for part in self._parts:
            self._crossings[part] += part in place
        struck = [
            trouble
            for trouble in self._at_crossings
            if trouble.target in place and self._crossings[trouble.target] == trouble.at
        ]
        if struck:
            self._at_crossings = [t for t in self._at_crossings if t not in struck]
        return struck

    def silence(self) -> Trouble | None:
        """Whether the journal stays silent at this call of a worker."""
        self._journal_calls += 1
        trouble = self._silences.pop(self._journal_calls, None)
        if trouble is not None:
            self.journal_was_silent = True
            self._world.ledger.struck(trouble.kind, f"call {self._journal_calls}")
        return trouble

    def set_going(self) -> None:
        """From now on, those that come about at a moment."""
        strikes: Mapping[TroubleKind, Callable[[Trouble], None]] = {
            TroubleKind.CLOCK_JUMP: self._jump,
            TroubleKind.LINK_CUT: self._cut,
            TroubleKind.POWER_LOST: self._power,
            TroubleKind.ALL_RESTARTED: self._restart_all,
        }
        for trouble in self._world.story.troubles:
            strike = strikes.get(trouble.kind)
            if strike is not None:
                self._world.later(trouble.at, partial(strike, trouble))

    def _jump(self, trouble: Trouble) -> None:
        clocks = {worker.name: worker.clock for worker in self._world.workers}
        clock = clocks.get(trouble.target, self._world.database_clock)
        clock.offset += timedelta(seconds=trouble.lasts)
        self._world.ledger.struck(trouble.kind, f"{trouble.target} by {trouble.lasts:g} s")

    def _restart_all(self, trouble: Trouble) -> None:
        self._world.ledger.struck(trouble.kind, f"nobody for {trouble.lasts:g} s")
        self.nobody_may_come = True
        for worker in self._world.workers:
            if not worker.dead:
                worker.die()
        self._world.later(trouble.lasts, self._open_again)

    def _open_again(self) -> None:
        self.nobody_may_come = False
        self._world.hire()
        self._world.hire()

    def _cut(self, trouble: Trouble) -> None:
        others = [name for name in self._world.peers if name != trouble.target]
        other = self._world.draw.choice([*others, "service", "service", "everybody"])
        if other == "everybody":
            self._world.fleet.isolate(trouble.target)
        else:
            self._world.fleet.cut(trouble.target, other)
        self._world.ledger.struck(
            trouble.kind, f"{trouble.target} - {other} for {trouble.lasts:g} s"
        )
        self._world.later(trouble.lasts, self._world.fleet.mend_all)

    def _power(self, trouble: Trouble) -> None:
        device = self._world.fleet[trouble.target]
        device.lose_power()
        self._world.ledger.struck(trouble.kind, f"{trouble.target} for {trouble.lasts:g} s")
        self._world.later(trouble.lasts, device.gain_power)
